"""What counts as a number in content from outside: a file, a reply, a message.

What does not belong here: notations of a file (`adapters.files`), and whether a number may be a price (`validation`).
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np


def number(value: object) -> float:
    """The number that a value is, or says as a text; NaN where it is none, as a truth value, a list or nothing."""
    is_number = isinstance(value, (int, float, Real, Decimal)) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and "_" not in value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return math.nan


def numbers(values: Sequence[Any]) -> np.ndarray:
    """`number` of each of n values, shape (n,), float64."""
    return np.array([number(value) for value in values], dtype=np.float64)
