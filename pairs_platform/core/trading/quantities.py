"""Whole shares of both legs for an amount of money, and how far they miss the hedge ratio.

What does not belong here: how much money a pair gets (`core.risk.sizing`).
"""

import math
from dataclasses import dataclass

from pairs_platform.core.trading.legs import leg_values


@dataclass(frozen=True, kw_only=True)
class LegQuantities:
    """Signed shares of both legs.

    Attributes
    ----------
    y, x : int
        Shares, > 0 long, < 0 short.
    gross : float
        |y| p_y + |x| p_x, dollars.
    hedge_error : float
        |β q_y p_y + q_x p_x| over `gross`: the share of the position that the other leg does not hedge, ≥ 0.
    """

    y: int
    x: int
    gross: float
    hedge_error: float


def leg_quantities(gross: float, *, position: int, beta: float, price_y: float, price_x: float) -> LegQuantities:
    """Shares for a gross value: y rounded down, x rounded to the nearest to y.

    Parameters
    ----------
    gross : float
        Dollars, long and short together.
    position : int
        +1 long the spread, −1 short.
    beta : float
        Dollars of x against one of y.
    price_y, price_x : float
        Dollars a share.

    Returns
    -------
    LegQuantities
        Both legs 0 where the money does not buy one share of each.

    Raises
    ------
    ValueError
        For a gross value that is negative or not finite, or a price or β that is none.

    Notes
    -----
    q_y = ⌊G / ((1 + |β|) p_y)⌋, q_x = round(β q_y p_y / p_x). Shorts need whole shares, so both legs have them.
    """
    if not (math.isfinite(gross) and gross >= 0):
        raise ValueError(f"a gross value of {gross} dollars is none")
    _refuse_what_is_none(beta, price_y, price_x)
    if position not in (-1, 1):
        raise ValueError(f"a position of {position} is no pair's: +1 is long the spread, -1 short")
    share_y, share_x = leg_values(beta, position)
    y = math.floor(gross * abs(share_y) / price_y + 1e-9)
    x = math.floor(abs(beta) * y * price_y / price_x + 0.5)
    if y == 0 or x == 0:
        return LegQuantities(y=0, x=0, gross=0.0, hedge_error=0.0)
    return held_quantities(
        math.copysign(y, share_y), math.copysign(x, share_x), beta=beta, price_y=price_y, price_x=price_x
    )


def held_quantities(shares_y: float, shares_x: float, *, beta: float, price_y: float, price_x: float) -> LegQuantities:
    """Signed shares of both legs, not both of them 0, with what they are worth and miss."""
    gross = abs(shares_y) * price_y + abs(shares_x) * price_x
    error = abs(beta * shares_y * price_y + shares_x * price_x) / gross
    return LegQuantities(y=int(shares_y), x=int(shares_x), gross=gross, hedge_error=error)


def naked_value(shares_y: int, shares_x: int, *, beta: float, price_y: float, price_x: float) -> float:
    """Dollars that are held in one leg and not hedged by the other, ≥ 0.

    A leg alone is naked with its whole value; of two legs the part of one that is beyond the hedge ratio; two legs
    that do not hedge each other at all are both naked.

    Raises
    ------
    ValueError
        For a price or β that is none: what is naked cannot be said then, and is not 0.
    """
    _refuse_what_is_none(beta, price_y, price_x)
    value_y, value_x = shares_y * price_y, shares_x * price_x
    hedged_y = -value_x / beta
    if value_y * hedged_y < 0:
        return abs(value_y) + abs(value_x)
    if abs(value_y) >= abs(hedged_y):
        return abs(value_y) - abs(hedged_y)
    return (abs(hedged_y) - abs(value_y)) * abs(beta)


def _refuse_what_is_none(beta: float, price_y: float, price_x: float) -> None:
    for name, price in (("y", price_y), ("x", price_x)):
        if not (math.isfinite(price) and price > 0):
            raise ValueError(f"a price of {price} for the leg {name} is none")
    if not math.isfinite(beta) or beta == 0:
        raise ValueError(f"a hedge ratio of {beta} is none")
