"""Drift of the pairs of a session that is under way: their estimates of the close before, and its complete bars.

What does not belong here: the statistics and what is done about them (`response`), and gathering bars (`workflows`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform.core.risk.drift.response import DriftResponse, drift_responses, pair_drift
from pairs_platform.core.risk.drift.result import DriftResult, DriftStatistic, not_tested
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.signals.engine import SessionMatrix, split_bars
from pairs_platform.core.signals.session_state import SessionState

Results = tuple[DriftResult, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class BookDrift:
    """What drift says of the pairs that are traded or held, after the newest complete bar.

    Attributes
    ----------
    n_bars : int
        Complete bars of the session.
    results : mapping of pair to tuple of DriftResult
    responses : mapping of pair to DriftResponse
    unknown : tuple of str
        Of which sectors nothing is known, and why.
    """

    n_bars: int
    results: Mapping[str, Results]
    responses: Mapping[str, DriftResponse]
    unknown: tuple[str, ...] = ()


def book_drift(
    n_bars: int, results: Mapping[str, Results], settings: DriftSettings, unknown: tuple[str, ...] = ()
) -> BookDrift:
    """What is done about the drift of a book."""
    responses = drift_responses(results, settings)
    return BookDrift(n_bars=n_bars, results=results, responses=responses, unknown=unknown)


def unknown_drift(reason: str) -> Results:
    """The results of a pair of which nothing can be said."""
    return tuple(not_tested(statistic, reason) for statistic in DriftStatistic)


def session_drift(
    pairs: Mapping[str, MonitoredPair],
    state: SessionState,
    matrix: SessionMatrix,
    *,
    actions: Collection[str],
    settings: DriftSettings,
) -> dict[str, Results]:
    """What every statistic says of each pair from the session's first bar to the last one of `matrix`.

    Parameters
    ----------
    pairs : mapping of pair to MonitoredPair
        Estimated at the close before, without a bar of the session.
    state : SessionState
        Of their sector; has the symbols of `matrix`.
    matrix : SessionMatrix
        The complete bars, the first ones of the session.
    actions : collection of str
        Symbols with a split or dividend that falls ex in the session: of their pairs nothing is known, as in signals.
    """
    split = split_bars(state, matrix)
    n_bars = len(matrix.intervals)
    column = {symbol: j for j, symbol in enumerate(state.symbols)}
    found = {}
    for name, pair in pairs.items():
        legs = (pair.parameters.y, pair.parameters.x)
        fallen = sorted(set(legs) & set(actions))
        jumped = [leg for leg in legs if split[column[leg]] < n_bars]
        if fallen:
            found[name] = unknown_drift(f"{', '.join(fallen)} falls ex")
        elif jumped:
            found[name] = unknown_drift(f"the price of {', '.join(jumped)} looks split")
        else:
            found[name] = pair_drift(_with_session(pair, state, matrix, [column[leg] for leg in legs]), settings)
    return found


def _with_session(pair: MonitoredPair, state: SessionState, matrix: SessionMatrix, columns: list[int]) -> MonitoredPair:
    """A pair with the session's bars; a filled bar and the one after it have no shock, as in the window."""
    y, x = columns
    seen = np.vstack([state.last_observed[None, :], matrix.observed])
    observed: np.ndarray = seen[:, y] & seen[:, x]
    return replace(
        pair,
        log_y=np.concatenate([pair.log_y, matrix.log_close[:, y]]),
        log_x=np.concatenate([pair.log_x, matrix.log_close[:, x]]),
        bar_of_day=np.concatenate([pair.bar_of_day, np.arange(len(matrix.intervals))]),
        shock_excluded=np.concatenate([pair.shock_excluded, ~(observed[1:] & observed[:-1])]),
    )
