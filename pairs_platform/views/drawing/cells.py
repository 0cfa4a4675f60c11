"""One value of a table as a person reads it, in a terminal and in a report.

What does not belong here: how tables are laid out (`cli.show`, `views.reports`).
"""

import math
import sys
from datetime import datetime, time


def cell(value: object, digits: int = 4) -> str:
    """A value as text: floats with `digits` significant ones or every one before the point, a missing value as a dash.

    A float from a thousand on has separators (1,234). Moments of midnight are dates.
    """
    if value is None or _is_missing(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _large(value, digits) if 1e3 <= abs(value) < 1e15 else f"{value:.{digits}g}"
    if isinstance(value, datetime) and value.time() == time():
        return value.strftime("%Y-%m-%d")
    return str(value)


def _large(value: float, digits: int) -> str:
    decimals = max(0, digits - 1 - int(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _is_missing(value: object) -> bool:
    """Whether a value is NaN, NaT or NA; the latter two are there only where pandas is."""
    pandas = sys.modules.get("pandas")
    of_pandas = pandas is not None and (value is pandas.NaT or value is pandas.NA)
    return of_pandas or (isinstance(value, float) and value != value)
