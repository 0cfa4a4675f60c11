"""The signals of one bar as a trader's board: order in words, z, how far it is to the next order, how each looks.

What does not belong here: reading signals (`database.signals`), the table's form (`cli.show`), drawings of a session
(`signal_strip`).
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from pairs_platform.core.signals.orders import signal_order

ROLES = ("selected", "closing", "pinned", "watchlist")
"""Roles of signals in the order in which they are shown."""

GOES_FIRST = ("P challenger", "P champion", "confidence", "volatility bp a bar", "late", "role", "reason")
"""Columns of the board that a narrow terminal goes without, in this order; the order's words say role and lateness too.

Without its size an order cannot be placed, so that it always stays.
"""

DISTANCE = "σ to order"
TO_STOP = "σ to stop"
DISTANCE_NOTE = f"{DISTANCE}: to the entry of a pair without a position, to the exit of one with a position"

_STYLES = {"enter_long": "bold green", "enter_short": "bold magenta", "exit": "bold yellow", "stop": "bold red"}


def signal_board(
    signals: pd.DataFrame, *, entry_z: float, exit_z: float, stop_multiple: float, sigmas: Mapping[str, float]
) -> tuple[pd.DataFrame, list[str]]:
    """Rows of `signals` as a board, selected pairs first, and the colour of each row.

    Parameters
    ----------
    signals : DataFrame
        Columns of the table of signals; of one bar, or of one pair.
    entry_z, exit_z, stop_multiple : float
        Of the configuration that the signals rest on.
    sigmas : mapping of pair to float
        σ of the spread that its signals have [ln]; without it the distance to the stop is not known.

    Returns
    -------
    (DataFrame, list of str)
        z, `DISTANCE` and `TO_STOP` in standard deviations of the spread: to the entry of a pair without a position, to
        the exit of one with a position, 0 where the level is reached; to the stop of either, below 0 beyond it.
    """
    order = signals["role"].map({role: place for place, role in enumerate(ROLES)})
    rows = signals.assign(order=order).sort_values(["order", "pair", "bar_utc"]).to_dict("records")
    board = pd.DataFrame(
        [
            {
                "pair": row["pair"],
                "order": signal_order(row),
                "z": _number(row["z"], "+.2f"),
                DISTANCE: _number(_distance(row, entry_z, exit_z), ".2f"),
                TO_STOP: _number(_to_stop(row, stop_multiple, sigmas.get(str(row["pair"]))), ".2f"),
                "size": _number(row["size"] or None, ".2g"),
                "role": row["role"],
                "volatility bp a bar": _number(_times(row["volatility"], 1e4), ".1f"),
                "P champion": _number(row["probability_champion"], ".2f"),
                "P challenger": _number(row["probability_challenger"], ".2f"),
                "confidence": _number(row["confidence"], ".2f"),
                "late": bool(row["late"]),
                "reason": row["reason"] or (f"stopped: waits for |z| below {exit_z:g}" if row["blocked"] else ""),
            }
            for row in rows
        ]
    )
    return board, [_style(row) for row in rows]


def _distance(row: dict[Hashable, Any], entry_z: float, exit_z: float) -> float | None:
    z, position = row["z"], int(row["position"])
    if z is None or pd.isna(z):
        return None
    return max(0.0, -position * float(z) - exit_z if position else entry_z - abs(float(z)))


def _to_stop(row: dict[Hashable, Any], multiple: float, sigma: float | None) -> float | None:
    """How far the spread is from the stop: of a position on its losing side, without one on the side where it is."""
    z, band, position = row["z"], row["band"], int(row["position"])
    if sigma is None or z is None or band is None or pd.isna(z) or pd.isna(band):
        return None
    return multiple * float(band) / sigma - (-position * float(z) if position else abs(float(z)))


def _times(value: Any, factor: float) -> float | None:
    return None if value is None or pd.isna(value) else float(value) * factor


def _number(value: Any, pattern: str) -> str | None:
    return None if value is None or pd.isna(value) else format(float(value), pattern)


def _style(row: dict[Hashable, Any]) -> str:
    if row["action"] in _STYLES:
        return _STYLES[str(row["action"])]
    if row["action"] == "skip":
        return "dim"
    return "cyan" if row["position"] else ""
