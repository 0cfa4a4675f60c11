"""The signals of a session so far: the newest ones and the trades, made every 5 minutes, so without pandas.

What does not belong here: their drawing (`session_so_far`), reading signals (`database.signals`) and computing them
(`core.signals.engine`).
"""

from collections.abc import Sequence
from typing import Any

from pairs_platform.views.drawing.session_so_far import MARKS


def newest_signals(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals of the newest bar, by role and pair; `rows` are ordered by bar."""
    newest = [row for row in rows if row["bar_utc"] == rows[-1]["bar_utc"]]
    order = {"selected": 0, "closing": 1, "pinned": 2, "watchlist": 3}
    return sorted(newest, key=lambda row: (order[row["role"]], row["pair"]))


def entries_and_exits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals that ask for a trade."""
    return [row for row in rows if row["action"] in MARKS]
