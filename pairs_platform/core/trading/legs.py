"""The legs of a pair, and its orders in words: which leg is bought, which is sold, and how much of each.

A pair's name is alphabetical; which leg is bought follows from the spread s = ln y − α − β ln x. What does not belong
here: when the rule asks for an order (`rule`), what a trade earns (`backtest`), and a broker's orders.
"""

import math
from dataclasses import dataclass

from pairs_platform.core.trading.rule import TradeAction

ORDER_UNIT = "US$ per US$ of the first leg"
"""Unit of the amounts in an order's words, for a heading."""

ORDER_NOTE = (
    "An order's amounts are US dollars at entry, not shares: for each dollar of the first leg, so many dollars of the "
    "second. Shares do not change until the exit, which closes both legs."
)
"""What the amounts in an order's words mean, for the foot of a table."""


def leg_values(beta: float, position: int) -> tuple[float, float]:
    """Signed value of y and of x at entry, for a gross value of 1.

    Parameters
    ----------
    beta : float
        Hedge ratio of s = ln y − α − β ln x: dollars of x against one dollar of y.
    position : int
        +1 long the spread, −1 short.
    """
    gross = 1.0 + abs(beta)
    return position * 1.0 / gross, position * -beta / gross


def order_words(y: str, x: str, beta: float, position_change: int, *, position: int = 0) -> str:
    """An order for both legs in words, as "buy PDFS, sell 1.05 AVGO".

    Parameters
    ----------
    y, x : str
        Dependent and explanatory leg of the spread.
    beta : float
        Hedge ratio, finite. Where it is negative, both legs are bought, or both sold.
    position_change : int
        +1 towards long the spread, −1 towards short.
    position : int
        Position before the order: 0 for an entry; for an exit the one that is closed, −`position_change`.

    Returns
    -------
    str
        An entry says how many dollars of x go with each dollar of y (`ORDER_UNIT`). An exit names no amount: it sells
        and buys back the shares that are held.

    Raises
    ------
    ValueError
        When the order neither opens nor closes a position, or β is not finite.
    """
    if position_change not in (-1, 1) or position not in (0, -position_change):
        raise ValueError(f"{y} on {x}: a change of {position_change} from the position {position} is no order")
    if not math.isfinite(beta):
        raise ValueError(f"{y} on {x}: β is {beta}; a pair without a hedge ratio is not traded")
    of_y, of_x = (_verb(value) for value in leg_values(beta, position_change))
    if position:
        return f"close: {of_y} {y}, {of_x} {x}"
    return f"{of_y} {y}, {of_x} {_amount(beta)} {x}"


@dataclass(frozen=True)
class Legs:
    """Legs of a pair by their part in the spread: `y` against `beta` dollars of `x` for each of its own."""

    y: str
    x: str
    beta: float

    def entry(self, position: int) -> str:
        """The order that opens a position: +1 long the spread, −1 short."""
        return order_words(self.y, self.x, self.beta, position)

    def exit(self, position: int) -> str:
        """The order that closes a position."""
        return order_words(self.y, self.x, self.beta, -position, position=position)

    def held(self, position: int) -> str:
        """A position in words, as "long PDFS, short 1.05 AVGO"; "flat" for 0."""
        if position == 0:
            return "flat"
        of_y, of_x = ("long" if value >= 0 else "short" for value in leg_values(self.beta, position))
        return f"{of_y} {self.y}, {of_x} {_amount(self.beta)} {self.x}"

    def asked(self, action: TradeAction, position: int) -> str:
        """What the rule's `action` asks for at a close with `position` held: an order, "hold: …", or "wait"."""
        if action is TradeAction.HOLD:
            return f"hold: {self.held(position)}" if position else "wait"
        if action in (TradeAction.ENTER_LONG, TradeAction.ENTER_SHORT):
            return self.entry(1 if action is TradeAction.ENTER_LONG else -1)
        return self.exit(position)


def _verb(value: float) -> str:
    return "buy" if value >= 0 else "sell"


def _amount(beta: float) -> str:
    """|β| with two decimals, or two digits where it is below 0.1."""
    return f"{abs(beta):.2f}" if abs(beta) >= 0.1 else f"{abs(beta):.2g}"
