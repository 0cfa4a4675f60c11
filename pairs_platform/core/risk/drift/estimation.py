"""Pairs of a window, estimated on all but its newest sessions, so that those can be looked at for drift.

What does not belong here: the estimates themselves (`core.screening.spread`, `core.volatility.garch`).
"""

from collections.abc import Sequence

import numpy as np

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform.core.screening.spread import estimate_spread
from pairs_platform.core.volatility.garch import fit_many
from pairs_platform.core.volatility.parameters import leg_shocks_excluded, window_bars_per_session
from pairs_platform.core.volatility.settings import GarchSettings


def estimated_pairs(
    window: PriceWindow, legs: Sequence[tuple[str, str]], monitored_sessions: int, settings: GarchSettings | None = None
) -> list[MonitoredPair]:
    """Pairs (y, x) of a window, estimated on all but its last `monitored_sessions` sessions.

    Returns
    -------
    list of MonitoredPair
        In the order of `legs`; those of which these bars give no spread or no fit are left out, and a window that has
        no other sessions gives none.

    Raises
    ------
    NotFound
        A leg is not in the window.
    """
    sessions = np.unique(window.session)
    if len(sessions) <= monitored_sessions:
        return []
    n_bars = int((window.session < sessions[-monitored_sessions]).sum())
    parameters = []
    for y, x in legs:
        log_y, log_x = (window.log_close[:n_bars, window.column(leg)] for leg in (y, x))
        try:
            parameters.append((estimate_spread(y, x, log_y, log_x), log_y, log_x))
        except DataError:
            continue
    if not parameters:
        return []
    fits = fit_many(
        np.column_stack([each.spread(log_y, log_x) for each, log_y, log_x in parameters]),
        bar_of_day=window.bar_of_day[:n_bars],
        bars_per_session=window_bars_per_session(window),
        shock_excluded=np.column_stack([leg_shocks_excluded(window, each.y, each.x) for each, _, _ in parameters])[
            :n_bars
        ],
        settings=settings,
    )
    return [
        MonitoredPair.of(window, each, fit, n_bars)
        for (each, _, _), fit in zip(parameters, fits, strict=True)
        if fit.status == "ok"
    ]
