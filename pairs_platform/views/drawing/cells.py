"""One value of a table as a person reads it, in a terminal and in a report.

What does not belong here: how tables are laid out (`cli.show`, `views.reports`).
"""

import pandas as pd


def cell(value: object) -> str:
    """A value as text: floats with four significant digits or every digit before the point, a missing value as a dash.

    A float from a thousand on has separators (1,234). Moments of midnight are dates.
    """
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.strftime("%Y-%m-%d")
    return str(value)
