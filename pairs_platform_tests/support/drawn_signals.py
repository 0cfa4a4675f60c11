"""Session states with round numbers and sessions drawn by z: what a pair does can be told without a calculation.

Pair k has the legs `Yk` and `Xk`, s = ln Yk − ln Xk, μ = 0, σ = `SIGMA` and a variance that never moves, unless told.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.engine import SessionMatrix, Signal, session_matrix, session_signals
from pairs_platform.core.signals.session_state import SessionPair, SessionState, SpreadArrays
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.streaming.revisions import merge_revisions, without_proxies
from pairs_platform.core.trading.settings import TradingSettings

SESSION = date(2023, 3, 8)
GRID = bar_intervals(SESSION, Frequency.FIVE_MINUTES)
SIGMA = 0.01
VOLATILITY = 0.004
TARGET = 0.001
MAX_HOLD = 3.0
PRICE = 100.0
GONE = None
"""In a drawing: a bar without one of the leg y."""

Drawing = Sequence[float | None]


def drawn_state(
    n_pairs: int = 1, *, pairs: Sequence[SessionPair] | None = None, bars_since: int = 0, **spreads: Any
) -> SessionState:
    """A session state of `n_pairs` selected pairs; `spreads` replaces arrays of its spreads."""
    chosen = (
        pairs
        if pairs is not None
        else [SessionPair(pair=f"X{k}_Y{k}", role="selected", size=1.0, model_reason="none") for k in range(n_pairs)]
    )
    k = len(chosen)
    plain = SpreadArrays(
        y=tuple(f"Y{i}" for i in range(k)),
        x=tuple(f"X{i}" for i in range(k)),
        alpha=np.zeros(k),
        beta=np.ones(k),
        mu=np.zeros(k),
        sigma=np.full(k, SIGMA),
        c=np.zeros(k),
        phi=np.full(k, 0.9),
        omega=np.full(k, VOLATILITY**2),
        alpha1=np.zeros(k),
        beta1=np.zeros(k),
        diurnal=np.ones((k, len(GRID))),
        reference_variance=np.full(k, VOLATILITY**2),
        max_hold=np.full(k, MAX_HOLD),
        last_spread=np.zeros(k),
        variance=np.full(k, VOLATILITY**2),
    )
    symbols = tuple(sorted({*plain.y, *plain.x}))
    return SessionState(
        sector="technology",
        source_label="drawn",
        session=SESSION,
        config_session=session_offset(SESSION, -1),
        config_hash="hash",
        frequency=Frequency.FIVE_MINUTES,
        trading=TradingSettings(),
        max_fill_bars=3,
        split_tolerance=0.05,
        pairs=tuple(chosen),
        traded=replace(plain, **spreads),
        champion=None,
        challenger=None,
        symbols=symbols,
        last_observed=np.full(len(symbols), bars_since == 0),
        bars_since=np.full(len(symbols), bars_since),
        last_log_close=np.full(len(symbols), math.log(PRICE)),
    )


def drawn_bars(*drawings: Drawing, source: str = "feed") -> list[StreamBar]:
    """One bar of each leg at every step of a drawing, so that z of pair k is what drawing k says."""
    found = []
    for k, drawing in enumerate(drawings):
        for interval, z in zip(GRID, drawing, strict=False):
            closes = {f"X{k}": PRICE} if z is None else {f"X{k}": PRICE, f"Y{k}": PRICE * math.exp(z * SIGMA)}
            found += [
                StreamBar(leg, interval.start_ns, close, close, close, close, 100, 0, source)
                for leg, close in closes.items()
            ]
    return found


def matrix_of(
    state: SessionState, bars: Sequence[StreamBar], n_bars: int, *, allow_proxy: bool = False
) -> SessionMatrix:
    merged = merge_revisions(bars)
    return session_matrix(state, merged if allow_proxy else without_proxies(merged), GRID[:n_bars])


def decided(state: SessionState, matrix: SessionMatrix, *, first: int = 0, n_bars: int = len(GRID), **given: Any):
    """The signals of the bars from `first` on, one list for each."""
    late = given.pop("late", [False] * (len(matrix.intervals) - first))
    return session_signals(
        state,
        matrix,
        first=first,
        previous=given.pop("previous", {}),
        n_bars=n_bars,
        late=late,
        target_volatility=TARGET,
        **given,
    )


def play(drawing: Drawing, state: SessionState | None = None, **given: Any) -> list[Signal]:
    """The signals of the first pair over a drawing."""
    chosen = drawn_state() if state is None else state
    matrix = matrix_of(chosen, drawn_bars(drawing), len(drawing))
    return [signals[0] for signals in decided(chosen, matrix, **given)]


def by_pair(signals: Sequence[Signal]) -> dict[str, Signal]:
    return {signal.pair: signal for signal in signals}
