"""Price files and settings in the forms that people write, against what they mean: the first of `make soak-inputs`.

What does not belong here: the forms and what is right (`support.price_files`, `support.settings_files`).
"""

import pytest

from pairs_platform_tests.support.drawn_inputs import wrong_price_files, wrong_settings


@pytest.mark.parametrize("first", range(1, 61, 20))
def test_every_price_file_is_read_as_it_was_written_or_refused_in_words(first):
    assert wrong_price_files(range(first, first + 20)) == {}


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_every_setting_has_the_value_that_was_written_or_is_refused_in_words(first):
    assert wrong_settings(range(first, first + 10)) == {}
