"""Splits and dividends of the simulated market: when they come, how large they are, what they do to a price.

What does not belong here: working actions out of prices again (`core.prices.adjustment`).
"""

from dataclasses import dataclass

import numpy as np

from pairs_platform.adapters.simulated.paths import stream
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings

ANNOUNCED_SESSIONS = 10
"""Sessions between the close after which an action is known and its ex-date."""

QUARTER_SESSIONS = 63


@dataclass(frozen=True)
class SimulatedAction:
    """A corporate action at session number `ex` of the market, public after the close of session `announced`."""

    ex: int
    announced: int
    kind: str
    value: float


def corporate_actions(
    symbol: str, log_close: np.ndarray, settings: SimulatedMarketSettings
) -> tuple[tuple[SimulatedAction, ...], np.ndarray]:
    """Actions of one symbol in order of time, and the log factor that turns its latent price into the traded one.

    Parameters
    ----------
    log_close : ndarray, shape (S,)
        Latent log price at the close of each session from the market's first one on.

    Returns
    -------
    actions, log_factor : tuple of SimulatedAction, ndarray of shape (S,)
        A value depends on prices up to the session where the action became known, and on no later one.
    """
    sizes = _calendar(symbol, len(log_close), settings)
    actions = []
    log_factor = np.zeros(len(log_close))
    for ex in sorted(sizes):
        announced = ex - ANNOUNCED_SESSIONS
        price = traded(log_close[announced], log_factor[announced])
        kind = sizes[ex]
        value = _split_ratio(price) if kind == "split" else round(price * settings.dividend_yield / 4.0, 4)
        if kind == "split" and value != 1.0:
            log_factor[ex:] -= np.log(value)
        elif kind == "dividend" and value > 0.0:
            log_factor[ex:] += np.log1p(-value / traded(log_close[ex - 1], log_factor[ex - 1]))
        else:
            continue
        actions.append(SimulatedAction(ex, announced, kind, value))
    return tuple(actions), log_factor


def traded(log_price: float, log_factor: float) -> float:
    """Price in US dollars as traded, at four decimals."""
    return round(float(np.exp(log_price + log_factor)), 4)


def _calendar(symbol: str, n_sessions: int, settings: SimulatedMarketSettings) -> dict[int, str]:
    """Session numbers at which `symbol` may have an action: quarterly dividends, and splits well away from them."""
    generator = np.random.Generator(stream(settings.seed, "dividends", symbol))
    pays, offset = generator.random() < 0.5, int(generator.integers(QUARTER_SESSIONS))
    first = ANNOUNCED_SESSIONS + offset
    dividends = range(first, n_sessions, QUARTER_SESSIONS) if pays else range(0)
    kinds = dict.fromkeys(dividends, "dividend")
    decided = (
        np.random.Generator(stream(settings.seed, "splits", symbol)).random(n_sessions)
        < settings.splits_per_year / 252.0
    )
    last = 0
    for ex in np.flatnonzero(decided).tolist():
        to_dividend = (
            min((ex - first) % QUARTER_SESSIONS, (first - ex) % QUARTER_SESSIONS) if pays else QUARTER_SESSIONS
        )
        if ex - last > ANNOUNCED_SESSIONS and to_dividend > ANNOUNCED_SESSIONS:
            kinds[ex] = "split"
            last = ex
    return kinds


def _split_ratio(price: float) -> float:
    """New shares per old share that bring `price` back to where shares usually trade; 1 for no split."""
    for above, ratio in ((400.0, 10.0), (200.0, 4.0), (100.0, 3.0), (40.0, 2.0), (10.0, 1.0)):
        if price >= above:
            return ratio
    return 0.2
