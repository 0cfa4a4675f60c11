"""Ten thousand price files in the forms that people have, each held against the bars that it was written from.

What does not belong here: the forms and the oracle (`support.price_files`).
"""

import tempfile
from pathlib import Path

import pytest

from pairs_platform_tests.support.price_files import drawn_form, findings, write_file

PRICE_FILES = 10_000
BATCH = 500


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1, PRICE_FILES, BATCH))
def test_every_price_file_is_read_as_it_was_written_or_refused_in_words(first):
    found = {}
    for seed in range(first, first + BATCH):
        form = drawn_form(seed)
        with tempfile.TemporaryDirectory() as folder:
            problems = findings(write_file(form, Path(folder)))
        if problems:
            found[seed] = [form.differences(), *problems]
    assert found == {}
