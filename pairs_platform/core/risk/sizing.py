"""How much money an entry gets: so much that neither its volatility nor its stop costs more than is allowed for it.

    E_t h_{t+j} = h̃ + (α₁ + β₁)^{j−1} (h_{t+1} − h̃),   h̃ = ω/(1 − α₁ − β₁)
    V_H = Σ_{j=1..H} φ^{2(H−j)} d²_{b(t+j)} E_t h_{t+j}
    G_vol = τ E (1 + |β|)/√V_H,   G_stop = ρ E (1 + |β|)/(m·band_t − |s_t − μ| + c σ_gap)
    G = min(G_vol, G_stop, caps) × configured size

What does not belong here: shares (`core.trading.quantities`), and whether an entry is allowed (`checks`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pairs_platform.core.risk.denials import Denial, DenialCode, UnusableInput, deny, hedge_ratio, number
from pairs_platform.core.risk.exposure import Book
from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, SizingSettings
from pairs_platform.core.screening.spread import expected_move_bps
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.core.trading.settings import BASIS_POINT


@dataclass(frozen=True, kw_only=True)
class SpreadVariance:
    """A spread's AR(1)-GARCH(1,1) and where it stands; as `core.volatility.garch.GarchFit`.

    Attributes
    ----------
    phi, omega, alpha1, beta1 : float
    next_variance : float
        h of the next bar, known at this close [ln²].
    diurnal : sequence of float, length B
        Factor d of each bar of a session; the first has the night before it.
    next_bar_of_day : int
        Position of the next bar in its session.
    """

    phi: float
    omega: float
    alpha1: float
    beta1: float
    next_variance: float
    diurnal: Sequence[float]
    next_bar_of_day: int


def expected_variances(spread: SpreadVariance, n_bars: int) -> np.ndarray:
    """E_t h_{t+j} for j = 1 … n_bars, shape (n_bars,) [ln²].

    The closed form of E h_{j+1} = ω + (α₁ + β₁) E h_j, from the h that is known; with α₁ + β₁ = 1 it grows by ω a bar.
    """
    persistence = spread.alpha1 + spread.beta1
    steps = np.arange(n_bars)
    if persistence >= 1.0:
        return spread.next_variance + spread.omega * steps
    level = spread.omega / (1.0 - persistence)
    return level + persistence**steps * (spread.next_variance - level)


def holding_variance(spread: SpreadVariance, n_bars: int) -> float:
    """V_H: variance of s_{t+H} − E_t s_{t+H} for H = n_bars [ln²].

    The factor of a session's first bar has the night before it, so every night that is held counts.
    """
    factors = np.asarray(spread.diurnal, dtype=np.float64)
    position = (spread.next_bar_of_day + np.arange(n_bars)) % len(factors)
    weights = spread.phi ** (2.0 * np.arange(n_bars - 1, -1, -1))
    return float((weights * factors[position] ** 2) @ expected_variances(spread, n_bars))


def gap_deviation(spread: SpreadVariance) -> float:
    """σ_gap: standard deviation of the innovation of the next session's first bar [ln]."""
    factors = spread.diurnal
    bars = (-spread.next_bar_of_day) % len(factors) + 1
    return float(factors[0]) * math.sqrt(float(expected_variances(spread, bars)[-1]))


def holding_bars(half_life_bars: float, max_hold_bars: float) -> int:
    """H: whole bars to the earlier of half-life and time stop, at least one."""
    return max(1, math.ceil(min(half_life_bars, max_hold_bars)))


def expected_move(*, deviation: float, sigma: float, beta: float, exit_z: float) -> float:
    """What an entry earns when its spread comes back from this deviation to the exit: share of gross value, ≥ 0."""
    move = expected_move_bps(sigma, beta, entry_z=abs(deviation) / sigma, exit_z=exit_z)
    return max(0.0, float(move)) * BASIS_POINT


@dataclass(frozen=True, kw_only=True)
class SizingInput:
    """What the size of an entry follows from.

    Attributes
    ----------
    equity : float
        Dollars.
    beta : float
    deviation : float
        s_t − μ [ln].
    band : float
        band_t of the stop [ln].
    stop_multiple : float
        m, `trading.stop_multiple`.
    half_life_bars, max_hold_bars : float
        The latter is the age of the time stop.
    spread : SpreadVariance
    size : float
        Size of the pair in the trading configuration, in [0, 1]; not that of a signal, which takes volatility into
        account by itself.
    halved : bool
        Slippage is beyond its limit.
    caps : mapping of str to float
        Largest gross values by what sets them, dollars; `entry_caps`.
    """

    equity: float
    beta: float
    deviation: float
    band: float
    stop_multiple: float
    half_life_bars: float
    max_hold_bars: float
    spread: SpreadVariance
    size: float = 1.0
    halved: bool = False
    caps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The size of an entry.

    Attributes
    ----------
    gross : float
        Long and short value together, dollars; 0 with a denial.
    set_by : str
        "volatility", "stop", or the name of a cap: the smallest of them.
    by_volatility, by_stop : float
        Dollars; NaN where they could not be computed.
    variance : float
        V_H [ln²].
    bars : int
        H.
    caps : mapping of str to float
        Those that were given.
    denial : Denial or None
    """

    gross: float
    set_by: str = ""
    by_volatility: float = math.nan
    by_stop: float = math.nan
    variance: float = math.nan
    bars: int = 0
    caps: Mapping[str, float] = field(default_factory=dict)
    denial: Denial | None = None


def size_entry(given: SizingInput, settings: SizingSettings) -> Sizing:
    """Gross value of an entry.

    Returns
    -------
    Sizing
        A number that is none, or a spread that is beyond its stop, gives a denial and no money.
    """
    try:
        _refuse_what_is_none(given)
    except UnusableInput as error:
        return Sizing(gross=0.0, denial=deny(DenialCode.UNUSABLE_INPUT, str(error)))
    bars = holding_bars(given.half_life_bars, given.max_hold_bars)
    variance = holding_variance(given.spread, bars)
    legs = 1.0 + abs(given.beta)
    stop = given.stop_multiple * given.band
    to_stop = stop - abs(given.deviation)
    if to_stop <= 0:
        message = f"the spread is {abs(given.deviation):.4g} from its mean, its stop is at {stop:.4g}"
        return Sizing(gross=0.0, variance=variance, bars=bars, denial=deny(DenialCode.BEYOND_STOP, message))
    distance = to_stop + settings.gap_multiple * gap_deviation(given.spread)
    by_volatility = settings.volatility_target * given.equity * legs / math.sqrt(variance)
    by_stop = settings.stop_risk * given.equity * legs / distance
    offers = {"volatility": by_volatility, "stop": by_stop, **given.caps}
    set_by = min(offers, key=lambda name: offers[name])
    share = given.size * (0.5 if given.halved else 1.0)
    return Sizing(
        gross=offers[set_by] * share,
        set_by=set_by,
        by_volatility=by_volatility,
        by_stop=by_stop,
        variance=variance,
        bars=bars,
        caps=given.caps,
    )


def _refuse_what_is_none(given: SizingInput) -> None:
    spread = given.spread
    number("equity", given.equity, above=0.0)
    hedge_ratio(given.beta)
    number("the deviation of the spread from its mean", given.deviation)
    number("the band of the stop", given.band, above=0.0)
    number("the multiple of the stop", given.stop_multiple, above=0.0)
    number("the half-life in bars", given.half_life_bars, above=0.0)
    number("the time stop in bars", given.max_hold_bars, above=0.0)
    number("the size in the trading configuration", given.size, least=0.0)
    if given.size > 1.0:
        raise UnusableInput(f"the size in the trading configuration is {given.size:g}: it must be at most 1")
    number("φ", spread.phi)
    if not 0.0 < spread.phi < 1.0:
        raise UnusableInput(f"φ is {spread.phi:g}: a spread without a half-life is not traded")
    number("ω", spread.omega, above=0.0)
    number("α₁", spread.alpha1, least=0.0)
    number("β₁", spread.beta1, least=0.0)
    number("the variance of the next bar", spread.next_variance, above=0.0)
    for factor in spread.diurnal:
        number("a diurnal factor", factor, above=0.0)
    if not 0 <= spread.next_bar_of_day < len(spread.diurnal):
        raise UnusableInput(f"the next bar is bar {spread.next_bar_of_day} of {len(spread.diurnal)} of its session")
    for name, cap in given.caps.items():
        number(f"the cap {name}", cap, least=0.0)


def most_shares(price: float, mean_daily_volume: float, settings: EntrySettings) -> dict[DenialCode, int]:
    """Shares that one order of a symbol may have, by what limits them.

    Parameters
    ----------
    price : float
        Dollars a share, of the order.
    mean_daily_volume : float
        Shares, mean of the last 20 sessions.
    """
    return {
        DenialCode.ORDER_NOTIONAL: math.floor(settings.max_order_notional / price + 1e-9),
        DenialCode.ORDER_SHARES: settings.max_order_shares,
        DenialCode.ORDER_VOLUME: math.floor(settings.max_volume_share * mean_daily_volume + 1e-9),
    }


def standing_caps(equity: float, *, beta: float, entries: EntrySettings, limits: LimitSettings) -> dict[str, float]:
    """Caps of an entry into an empty book, dollars of gross value, before whole shares and volumes: see `entry_caps`.

    Raises
    ------
    UnusableInput
        β is none.
    """
    beta = hedge_ratio(beta)
    of_leg = (1.0 + abs(beta)) * min(1.0, 1.0 / abs(beta))
    return {
        "order": of_leg * entries.max_order_notional,
        "name": of_leg * limits.max_name * equity,
        "pair_gross": limits.max_pair_gross * equity,
    }


def largest_gross(shares_y: float, shares_x: float, *, beta: float, price_y: float, price_x: float) -> float:
    """Gross value with which `core.trading.quantities.leg_quantities` gives at most so many shares of each leg."""
    return (1.0 + abs(beta)) * min(shares_y * price_y, shares_x * price_x / abs(beta))


def entry_caps(
    book: Book,
    *,
    y: str,
    x: str,
    position: int,
    beta: float,
    mean_daily_volumes: Mapping[str, float],
    entries: EntrySettings,
    limits: LimitSettings,
) -> dict[str, float]:
    """Largest gross values of an entry, dollars, by what sets them: one order, one pair, one name.

    Shares are whole: what is left for a symbol is rounded down, and half a share of x, by which it may be rounded up,
    is taken from what a pair may have. Limits of the whole book are no caps: `checks` cuts or denies an entry that
    would break one.

    Raises
    ------
    UnusableInput
        Equity, a price, a volume or β is none.
    """
    equity = number("equity", book.equity, above=0.0)
    beta = hedge_ratio(beta)
    prices = {leg: book.price(leg) for leg in (y, x)}
    sides = dict(zip((y, x), leg_values(beta, position), strict=True))
    orders: dict[str, int] = {}
    names: dict[str, int] = {}
    for leg in (y, x):
        volume = number(f"the mean daily volume of {leg}", mean_daily_volumes.get(leg), least=0.0)
        orders[leg] = min(most_shares(prices[leg], volume, entries).values())
        held = [shares for holding in book.holdings for symbol, shares in holding.shares if symbol == leg]
        held.append(int(book.foreign.get(leg, 0)))
        same_side = sum(abs(shares) for shares in held if shares * sides[leg] > 0)
        names[leg] = max(0, math.floor(limits.max_name * equity / prices[leg] + 1e-9) - same_side)
    pair = {"beta": beta, "price_y": prices[y], "price_x": prices[x]}
    return {
        "order": largest_gross(orders[y], orders[x], **pair),
        "name": largest_gross(names[y], names[x], **pair),
        "pair_gross": max(0.0, limits.max_pair_gross * equity - 0.5 * prices[x]),
    }
