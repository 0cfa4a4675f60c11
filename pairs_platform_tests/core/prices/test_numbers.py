"""What counts as a number in content from outside."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.prices.numbers import number, numbers


@pytest.mark.parametrize(
    "value", [12.5, "12.5", " 12.5 ", "1.25e1", Decimal("12.5"), np.float32(12.5), np.float64(12.5)]
)
def test_numbers_and_what_says_one(value):
    assert number(value) == 12.5


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        np.True_,
        "",
        "n/a",
        "1_2.5",
        "12,5",
        b"12.5",
        [12.5],
        {"a": 12.5},
        10**400,
        pd.NA,
        pd.NaT,
        1j,
        object(),
    ],
)
def test_everything_else_is_none(value):
    assert np.isnan(number(value))


def test_many_at_once():
    assert numbers([1, "2", None]).tolist()[:2] == [1.0, 2.0]
    assert numbers([]).dtype == np.float64
