"""Settings in the forms that people write, against what they mean: the first of those of `make soak-inputs`.

What does not belong here: the forms and what is right (`support.settings_files`).
"""

import pytest

from pairs_platform_tests.support.settings_files import drawn_settings, settings_findings


@pytest.mark.parametrize("seed", range(40))
def test_every_setting_has_the_value_that_was_written_or_is_refused_in_words(tmp_path, seed):
    form = drawn_settings(seed)
    assert settings_findings(form, tmp_path) == [], (form.oddity, form.encoding)
