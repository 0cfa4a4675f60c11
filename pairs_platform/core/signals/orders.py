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


def signal_order(row: Mapping[Any, Any]) -> str:
    """The order of a stored signal.

    Parameters
    ----------
    row : mapping of column to value
        At least action, y, x, beta and position of a signal, as the table `signals` has them.

    Returns
    -------
    str
        An entry or exit of both legs; "hold: …" with the legs that are held; "wait" where the pair is flat and nothing
        is asked for; "skipped" where a flat pair is not judged.
    """
    beta = row["beta"]
    if beta is None or math.isnan(beta):
        return "hold: both legs" if row["position"] else SKIPPED
    if row["action"] == "skip" and not row["position"]:
        return SKIPPED
    action = FILLED_ACTIONS.get(row["action"], TradeAction.HOLD)
    return Legs(row["y"], row["x"], float(beta)).asked(action, int(row["position"]))
