"""What a signal asks for, in words that name the legs: "buy PDFS, sell 1.05 AVGO".

What does not belong here: the words of a pair's orders (`core.trading.legs`), and deciding (`engine`).
"""

import math
from collections.abc import Mapping
from typing import Any

from pairs_platform.core.signals.engine import FILLED_ACTIONS
from pairs_platform.core.trading.legs import Legs
from pairs_platform.core.trading.rule import TradeAction

SKIPPED = "skipped"
WATCHED = "watch: "
"""Begins the words of a pair that is followed and not traded, so that they are not taken for an order."""
TOO_LATE = "too late: "
"""Begins an order that is never filled, because it was decided when a later bar was complete or had ended."""

_FOLLOWED_ROLES = frozenset({"watchlist", "pinned"})
_HELD = "hold: "


def signal_order(row: Mapping[Any, Any]) -> str:
    """The order of a stored signal.

    Parameters
    ----------
    row : mapping of column to value
        At least role, action, y, x, beta, position and late of a signal, as the table `signals` has them.

    Returns
    -------
    str
        An entry or exit of both legs; "hold: …" with the legs that are held; "wait" where the pair is flat and nothing
        is asked for; "skipped" where a flat pair is not judged. What the rule would do with a pair that is not traded
        begins with "watch: ", and an order that is never filled with "too late: ".
    """
    action = FILLED_ACTIONS.get(row["action"], TradeAction.HOLD)
    if action is TradeAction.HOLD and not row["position"]:
        return SKIPPED if row["action"] == "skip" else "wait"
    words = _asked(row, action)
    if row["role"] in _FOLLOWED_ROLES:
        return WATCHED + words.removeprefix(_HELD)
    return TOO_LATE + words if row["late"] and action is not TradeAction.HOLD else words


def _asked(row: Mapping[Any, Any], action: TradeAction) -> str:
    beta = row["beta"]
    if beta is None or math.isnan(beta):
        return f"{_HELD}both legs" if action is TradeAction.HOLD else "close: both legs"
    return Legs(row["y"], row["x"], float(beta)).asked(action, int(row["position"]))
