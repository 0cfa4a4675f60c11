"""How one value of a table reads."""

import pandas as pd
import pytest

from pairs_platform.views.drawing.cells import cell


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.0, "1,234"),
        (12_345_678.0, "12,345,678"),
        (1234.5678, "1,235"),
        (-1e6, "-1,000,000"),
        (123.456, "123.5"),
        (0.5, "0.5"),
        (7.0, "7"),
        (1e17, "1e+17"),
        (float("inf"), "inf"),
        (float("nan"), "–"),
        (1234, "1234"),
        (pd.Timestamp("2024-07-02"), "2024-07-02"),
    ],
)
def test_a_value_reads_as_a_person_writes_it(value, shown):
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (21.8902, "21.8902"),
        (385.1234, "385.1234"),
        (4215.375, "4,215.375"),
        (1234.0, "1,234"),
        (98765432.1, "98,765,432"),
    ],
)
def test_as_many_digits_as_are_asked_for(value, shown):
    assert cell(value, 8) == shown
