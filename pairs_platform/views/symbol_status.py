"""What is stored of the universe, as a person reads it: symbols with the same sessions and gaps in one row.

What does not belong here: counting what is stored (`lake.inventory`).
"""

from collections.abc import Collection, Mapping

import pandas as pd

from pairs_platform.core.folding import listed

NAMES_SHOWN = 6
_SAME = ["sector", "first_session", "last_session", "sessions", "gaps"]


def grouped(inventory: pd.DataFrame) -> pd.DataFrame:
    """Rows of `symbol_inventory` by sector, range and gaps, the largest group of a sector first."""
    rows = [
        {
            "sector": group["sector"].iloc[0],
            "symbols": len(group),
            "names": listed(group["symbol"], NAMES_SHOWN),
            "first session": group["first_session"].iloc[0],
            "last session": group["last_session"].iloc[0],
            "sessions": group["sessions"].iloc[0],
            "gaps": group["gaps"].iloc[0],
            "lowest coverage %": _percent(group["coverage"].min()),
            "bars missing": group["bars_missing"].sum(),
            "rows quarantined": group["rows_quarantined"].sum(),
            "flags": group["n_flags"].sum(),
        }
        for _, group in inventory.groupby(_SAME, dropna=False, sort=False)
    ]
    frame = pd.DataFrame(rows)
    return frame.sort_values(["sector", "symbols"], ascending=[True, False], kind="stable") if rows else frame


def each(inventory: pd.DataFrame) -> pd.DataFrame:
    """Rows of `symbol_inventory` as they are, with units in the headings."""
    shown = inventory.assign(coverage=inventory["coverage"].map(_percent))
    shown = shown.drop(columns=["sessions_missing", "n_flags"]).rename(columns={"coverage": "coverage %"})
    return shown[["symbol", *shown.columns.drop("symbol")]]


def nothing_stored(inventory: pd.DataFrame) -> dict[str, int]:
    """Sectors of which no session is stored, with their number of symbols."""
    empty = inventory.groupby("sector").filter(lambda rows: not rows["sessions"].any())
    return {str(sector): len(rows) for sector, rows in empty.groupby("sector")}


def sectors_in_words(sizes: Mapping[str, int], active: Collection[str]) -> str:
    """Sectors with their number of symbols, and whether they are not active."""
    return ", ".join(
        f"{slug} ({size} symbols{'' if slug in active else ', not active'})" for slug, size in sizes.items()
    )


def _percent(share: float) -> str | None:
    return None if pd.isna(share) else f"{100 * share:.2f}".rstrip("0").rstrip(".")
