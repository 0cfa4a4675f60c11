"""Planted pairs of a simulated market: estimated on a lookback window, then monitored with or without a break."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pairs_platform.adapters.simulated.market import FIRST_SESSION, SimulatedMarket
from pairs_platform.adapters.simulated.paths import PlantedBreak
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset, sessions_ending
from pairs_platform.core.prices.settings import WindowSettings
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.risk.drift.estimation import estimated_pairs
from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform.ports.market_data import Listing

ESTIMATION_SESSIONS = 60
PAIRS = 10
UNIVERSE = tuple(Listing(f"S{i:02d}", "technology") for i in range(2 * PAIRS + 2))


def monitored_pairs(
    seed: int,
    *,
    monitored_sessions: int,
    first_session: int = 0,
    planted_break: PlantedBreak | None = None,
    **market: Any,
) -> list[MonitoredPair]:
    """The planted pairs of one market in the direction in which they are planted.

    Parameters
    ----------
    seed : int
    monitored_sessions : int
        Sessions after the 60 of the estimation window.
    first_session : int
        Sessions of the market before the estimation window.
    planted_break : PlantedBreak, optional
        Its session counts from the market's first.
    market
        Settings of the simulated market.
    """
    source = SimulatedMarket(
        UNIVERSE,
        frequency=Frequency.FIVE_MINUTES,
        settings=SimulatedMarketSettings(seed=seed, planted_pairs_per_sector=PAIRS, **market),
        clock=lambda: datetime(2024, 1, 1, tzinfo=UTC),
        planted_break=planted_break,
    )
    n_sessions = ESTIMATION_SESSIONS + monitored_sessions
    last = session_offset(FIRST_SESSION, first_session + n_sessions - 1)
    sessions = sessions_ending(last, n_sessions)
    symbols = [listing.symbol for listing in UNIVERSE]
    window = build_window(
        source.fetch_bars(symbols, sessions[0], last).bars,
        source.fetch_actions(symbols, sessions[0], last).actions,
        sessions=sessions,
        frequency=source.frequency,
        basis=source.basis,
        settings=WindowSettings(),
        symbols=symbols,
    )
    legs = [(pair.y, pair.x) for pair in source.ground_truth("technology")]
    return estimated_pairs(window, [pair for pair in legs if set(pair) <= set(window.symbols)], monitored_sessions)


def first_bars(pair: MonitoredPair, n_bars: int) -> MonitoredPair:
    """The pair as it was known `n_bars` bars after its estimate."""
    stop = pair.first_bar + n_bars
    return replace(
        pair,
        log_y=pair.log_y[:stop],
        log_x=pair.log_x[:stop],
        bar_of_day=pair.bar_of_day[:stop],
        shock_excluded=pair.shock_excluded[:stop],
    )


def broken(pair: MonitoredPair, kind: str, size: float = 0.0) -> MonitoredPair:
    """The pair with a break at its first monitored bar: what `PlantedBreak` does to a market, done to one pair."""
    start, beta, phi = pair.first_bar, pair.parameters.beta, pair.fit.phi
    x = pair.log_x[start - 1 :] - pair.log_x[start - 1]
    spread = pair.parameters.spread(pair.log_y, pair.log_x)[start - 1 :]
    deviation = spread - pair.fit.c / (1.0 - phi)
    shocks = deviation[1:] - phi * deviation[:-1]
    if kind == "beta":
        moves = beta * (size - 1.0) * x[1:]
    elif kind == "correlation":
        other = np.cumsum(np.diff(x)[::-1])
        moves = beta * (size * x[1:] + np.sqrt(1.0 - size**2) * other - x[1:])
    else:
        if kind == "mean":
            shocks = shocks + (1.0 - phi) * size * pair.parameters.sigma
        elif kind == "variance":
            shocks = np.sqrt(size) * shocks
        kept, path = (1.0 if kind == "unit_root" else phi), [deviation[0]]
        for shock in shocks:
            path.append(kept * path[-1] + shock)
        moves = np.array(path[1:]) - deviation[1:]
    log_y = pair.log_y.copy()
    log_y[start:] += moves
    return replace(pair, log_y=log_y)
