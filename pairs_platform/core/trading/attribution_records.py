"""What the attribution of a period is made from: trades with their prices, money that was booked, the account.

Plain records, filled from the database. What does not belong here: what follows from them (`attribution`).
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pairs_platform.core.trading.orders import Leg, Order

Step = Literal["entry", "exit", "unwound"]


class CashKind(StrEnum):
    """What money was booked for that is no execution."""

    FEE = "fee"
    BORROW = "borrow"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    TRANSFER = "transfer"


@dataclass(frozen=True, kw_only=True)
class CashEvent:
    """Money that was booked within the period.

    Attributes
    ----------
    kind : CashKind
    amount : float
        Dollars, > 0 received.
    spread_order_id : str
        The trade that it belongs to; empty for the account's own.
    leg : str or None
        "y" or "x", given with a trade.
    """

    kind: CashKind
    amount: float
    spread_order_id: str = ""
    leg: Leg | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.amount):
            raise ValueError(f"a {self.kind} of {self.amount} dollars is none")
        if bool(self.spread_order_id) != (self.leg is not None):
            raise ValueError(f"a {self.kind} of {self.amount} dollars names a trade or a leg alone; name both or none")


@dataclass(frozen=True, kw_only=True)
class ModelLeg:
    """What the rule held of a leg within the period.

    Attributes
    ----------
    shares : float
        q̃, signed and exact: what the trade's money buys at the rule's own price.
    start_price, end_price : float
        P and X: the open at which the rule entered and left; the period's marks where it held before, or holds still.
    entry_decision_price, exit_decision_price : float or None
        The closes at which the rule decided; None where it did so outside the period.
    market_beta : float
        Of the symbol to the market; 0 where it is not known.
    """

    shares: float
    start_price: float
    end_price: float
    entry_decision_price: float | None = None
    exit_decision_price: float | None = None
    market_beta: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ExecutedOrder:
    """An order with the prices on its way.

    Attributes
    ----------
    order : Order
    step : str
        "entry", "exit" (by the rule, by risk, by a person), or "unwound": shares of an entry that are given back
        because the other leg could not be had.
    decision_price : float
        D: the newest price when the order was decided.
    pair_arrival_price : float or None
        A⁰: the leg's `Order.arrival_price` when the first order of the pair's same step was made; A where it is not
        known. A itself is the order's own arrival price, D where there was no quote.
    half_spread : float
        s: half the quoted spread when the order was made, dollars a share, ≥ 0; 0 where no quote is known.
    """

    order: Order
    step: Step
    decision_price: float
    pair_arrival_price: float | None = None
    half_spread: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LegRecord:
    """One leg of a pair's trade within the period.

    Attributes
    ----------
    symbol : str
    model : ModelLeg or None
        None where the rule holds nothing.
    target : int
        q*: signed shares that were to be held; 0 where no order was made.
    orders : tuple of ExecutedOrder
        Their executions outside the period are left out.
    held_start : int
        S.
    mark_start, mark_end : float or None
        Prices at the ends of the period; needed where shares are held then.
    """

    symbol: str
    model: ModelLeg | None
    target: int
    orders: tuple[ExecutedOrder, ...] = ()
    held_start: int = 0
    mark_start: float | None = None
    mark_end: float | None = None


@dataclass(frozen=True, kw_only=True)
class TradeRecord:
    """A pair's trade, or one that the rule asked for and the account did not make, and what it is cut by.

    Attributes
    ----------
    spread_order_id : str
        Unique within the period.
    pair, sector, entry_reason, exit_reason, model_version : str
        Empty where there is none, as the exit's reason of an open trade.
    decided_utc : datetime
        When the rule decided the entry, aware.
    confidence : float or None
        Of the signal, in [0, 1].
    market_return : float
        Of the market while the rule held the pair within the period; 0 where it is not known.
    y, x : LegRecord
    """

    spread_order_id: str
    pair: str
    y: LegRecord
    x: LegRecord
    decided_utc: datetime
    sector: str = ""
    entry_reason: str = ""
    exit_reason: str = ""
    model_version: str = ""
    confidence: float | None = None
    market_return: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ForeignPosition:
    """Shares of a symbol that are no trade's.

    Attributes
    ----------
    symbol : str
    value_start, value_end : float
        Signed shares times their marks, dollars.
    cash : float
        What its executions within the period brought, commissions included, dollars.
    """

    symbol: str
    value_start: float
    value_end: float
    cash: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AccountPeriod:
    """The account at both ends of the period.

    Attributes
    ----------
    start_utc, end_utc : datetime
        Executions after the start and not after the end count.
    equity_start, equity_end : float
        Dollars, as the broker says.
    """

    start_utc: datetime
    end_utc: datetime
    equity_start: float
    equity_end: float

    @property
    def change(self) -> float:
        """Change of equity, dollars."""
        return self.equity_end - self.equity_start
