"""Stored sessions of many symbols in few rows."""

import pandas as pd

from pairs_platform.lake.inventory import INVENTORY_COLUMNS
from pairs_platform.views.symbol_status import each, grouped, nothing_stored

DAY = pd.Timestamp("2023-03-08")
FULL = (DAY, DAY + pd.Timedelta(days=7), 6, 0, "none", 1.0, 0, 1, 2, "zero_volume 2")
HOLES = (DAY, DAY + pd.Timedelta(days=7), 4, 2, "2023-03-09 to 2023-03-10 (2)", 0.98765, 5, 0, 0, "none")
NONE = (pd.NaT, pd.NaT, 0, 0, "none", float("nan"), 0, 0, 0, "none")
INVENTORY = pd.DataFrame(
    [
        ("technology", "AAA", *HOLES),
        *(("technology", name, *FULL) for name in ("BBB", "CCC", "DDD")),
        ("utilities", "NEE", *NONE),
    ],
    columns=list(INVENTORY_COLUMNS),
)


def test_symbols_with_the_same_sessions_and_gaps_are_a_row():
    shown = grouped(INVENTORY)
    assert shown["names"].tolist() == ["BBB, CCC, DDD", "AAA", "NEE"]
    assert shown["gaps"].tolist() == ["none", "2023-03-09 to 2023-03-10 (2)", "none"]
    assert shown["flags"].tolist() == [6, 0, 0]
    assert shown["lowest coverage %"].tolist() == ["100", "98.77", None]


def test_a_sector_without_a_session_is_no_row():
    assert nothing_stored(INVENTORY) == {"utilities": 1}
    assert each(INVENTORY)["coverage %"].tolist() == ["98.77", "100", "100", "100", None]
