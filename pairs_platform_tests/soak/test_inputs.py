"""Ten thousand price files and two thousand folders of settings in the forms that people write, against what they mean.

What does not belong here: the forms and what is right (`support.price_files`, `support.settings_files`).
"""

import pytest

from pairs_platform_tests.support.drawn_inputs import wrong_price_files, wrong_settings

PRICE_FILES, FOLDERS_OF_SETTINGS = 10_000, 2_000
BATCH = 500


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1, PRICE_FILES, BATCH))
def test_every_price_file_is_read_as_it_was_written_or_refused_in_words(first):
    assert wrong_price_files(range(first, first + BATCH)) == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1, FOLDERS_OF_SETTINGS, BATCH))
def test_every_setting_has_the_value_that_was_written_or_is_refused_in_words(first):
    assert wrong_settings(range(first, first + BATCH)) == {}
