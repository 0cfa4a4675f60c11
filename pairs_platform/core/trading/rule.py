"""The trading rule, one bar at a time: the one place where it lives.

Live signals call it bar by bar; `backtest` compiles it and loops over a whole window. What does not belong here: that
loop, and where orders go.

Definitions that the code follows, with d_t = s_t − μ and z_t = d_t / σ of ONE parameter set:

* enter when |z_t| ≥ entry_z and |d_t| ≤ m·band_t, band_t = σ·√(h_{t+1}/h̄); long the spread below μ, short above;
* exit when the spread is back within exit_z of μ, or has jumped past it to the other side;
* stop when the spread is further than m·band_t from μ on the side of the entry;
* time stop when the position is `max_half_lives` half-lives old;
* after a stop or a time stop no entry before |z_t| ≤ exit_z was seen.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pairs_platform.core.trading.settings import TradingSettings

Limits = tuple[float, float, float, float]
"""entry_z, exit_z, stop_multiple, age in bars of the time stop: the rule's numbers as its compiled form takes them."""


def limits_of(settings: TradingSettings, max_hold: float) -> Limits:
    """The rule's numbers for a position that may be `max_hold` bars old."""
    return settings.entry_z, settings.exit_z, settings.stop_multiple, float(max_hold)


class TradeAction(IntEnum):
    """What the rule asks for at a bar's close."""

    HOLD = 0
    ENTER_LONG = 1
    ENTER_SHORT = 2
    EXIT = 3
    STOP = 4
    TIME_STOP = 5


@dataclass(frozen=True)
class TradeState:
    """Where a pair stands between two bars.

    Attributes
    ----------
    position : int
        +1 long the spread (long y, short β x), −1 short the spread, 0 flat.
    bars_held : int
        Closes seen since the entry was filled, the fill bar's own close included.
    blocked : bool
        True after a stop or time stop until |z| ≤ exit_z.
    """

    position: int = 0
    bars_held: int = 0
    blocked: bool = False


def at_close_step(
    position: int,
    bars_held: int,
    blocked: bool,
    deviation: float,
    z: float,
    band: float,
    may_enter: bool,
    limits: Limits,
) -> tuple[int, int, bool]:
    """Age the state by one close and decide. Returns (action, bars_held, blocked)."""
    entry_z, exit_z, stop_multiple, max_hold = limits
    if position != 0:
        bars_held += 1
    if not (math.isfinite(z) and math.isfinite(band)):
        return 0, bars_held, blocked
    if position != 0:
        if -position * z <= exit_z:
            return 3, bars_held, blocked
        if -position * deviation > stop_multiple * band:
            return 4, bars_held, blocked
        return (5 if bars_held >= max_hold else 0), bars_held, blocked
    blocked = blocked and abs(z) > exit_z
    if blocked or not may_enter or abs(z) < entry_z or abs(deviation) > stop_multiple * band:
        return 0, bars_held, blocked
    return (1 if deviation < 0 else 2), bars_held, blocked


def after_fill_step(position: int, bars_held: int, blocked: bool, action: int) -> tuple[int, int, bool]:
    """State once `action` was filled. Returns (position, bars_held, blocked)."""
    if action == 1:
        return 1, 0, False
    if action == 2:
        return -1, 0, False
    if action >= 3:
        return 0, 0, action != 3
    return position, bars_held, blocked


def at_close(
    state: TradeState,
    *,
    spread: float,
    mu: float,
    sigma: float,
    band: float,
    max_hold: float,
    settings: TradingSettings,
    may_enter: bool = True,
) -> tuple[TradeAction, TradeState]:
    """Age `state` by one close and say what the rule asks for.

    Parameters
    ----------
    state : TradeState
        State after this bar's fill, if there was one.
    spread : float
        s_t at this close [ln units]; NaN where it is unknown or too old (then HOLD, and only the position's age moves).
    mu, sigma : float
        Mean and standard deviation of the parameter set [ln units].
    band : float
        band_t = σ·√(h_{t+1}/h̄) [ln units], from `stop_band`; known at this close.
    max_hold : float
        Age in bars at which the time stop acts, `max_half_lives` half-lives.
    may_enter : bool
        False where a model forbids an entry; exits and stops never ask a model.

    Returns
    -------
    (Action, TradeState)
        The state has NOT moved with the action: call `after_fill` when, and only when, the order is filled. An action
        that is not filled lapses; the next close decides afresh.
    """
    deviation = spread - mu
    action, bars_held, blocked = at_close_step(
        state.position,
        state.bars_held,
        state.blocked,
        deviation,
        deviation / sigma,
        band,
        may_enter,
        limits_of(settings, max_hold),
    )
    return TradeAction(action), TradeState(state.position, bars_held, blocked)


def after_fill(state: TradeState, action: TradeAction) -> TradeState:
    """State once `action` was filled for both legs."""
    position, bars_held, blocked = after_fill_step(state.position, state.bars_held, state.blocked, int(action))
    return TradeState(position, bars_held, blocked)


def stop_band(sigma: float, next_variance: np.ndarray | float, reference_variance: float) -> np.ndarray:
    """band_t = σ·√(h_{t+1}/h̄) in ln units.

    Parameters
    ----------
    sigma : float
        σ of the spread's parameter set [ln units].
    next_variance : ndarray or float
        h_{t+1}, known at the close of t.
    reference_variance : float
        h̄, the mean of h over the estimation sample: it exists also where α₁ + β₁ ≥ 1 and stays moderate just below.
    """
    return sigma * np.sqrt(np.asarray(next_variance, dtype=np.float64) / reference_variance)


def max_hold_bars(half_life_bars: float, settings: TradingSettings) -> float:
    """Age in bars at which the time stop acts: `max_half_lives` half-lives, at least one bar."""
    return max(1.0, settings.max_half_lives * half_life_bars)
