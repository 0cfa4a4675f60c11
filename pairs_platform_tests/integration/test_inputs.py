"""Price files and settings in the forms that people write, against what they mean: the first of `make soak-inputs`.

What does not belong here: the forms and what is right (`support.price_files`, `support.settings_files`).
"""

from pathlib import Path

import pytest

from pairs_platform_tests.support.price_files import drawn_form, findings, write_file
from pairs_platform_tests.support.settings_files import drawn_settings, settings_findings


def in_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("first", range(1, 61, 20))
def test_every_price_file_is_read_as_it_was_written_or_refused_in_words(tmp_path, first):
    forms = {seed: drawn_form(seed) for seed in range(first, first + 20)}
    found = {seed: findings(write_file(form, in_folder(tmp_path / str(seed)))) for seed, form in forms.items()}
    assert {seed: (forms[seed].differences(), wrong) for seed, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_every_setting_has_the_value_that_was_written_or_is_refused_in_words(tmp_path, first):
    forms = {seed: drawn_settings(seed) for seed in range(first, first + 10)}
    found = {seed: settings_findings(form, in_folder(tmp_path / str(seed))) for seed, form in forms.items()}
    assert {seed: (forms[seed].oddity, wrong) for seed, wrong in found.items() if wrong} == {}
