"""What the platform asks of a broker, what a broker answers, and which of its answers leave the truth open.

An order that is refused does not exist, and one whose answer was lost may exist: the two are never taken for each
other. What a broker says in words that nobody knows is handed on as an anomaly, with the words, and is never guessed.

What does not belong here: a particular broker (`adapters`), when and what to send (`processes.trader`), the life of an
order (`core.trading.orders`).
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from pairs_platform.core.errors import Refused, Unavailable
from pairs_platform.core.trading.orders import Fill, Order, OrderStatus, Report
from pairs_platform.core.trading.positions import BookingKind


class RejectReason(StrEnum):
    """Why a broker refused an order: what to do follows from it.

    BUYING_POWER: a smaller one may pass. QUANTITY_HELD: fewer shares are free than it would sell; read positions and
    orders again. WASH_TRADE: an own opposite order could meet it; wait for that one, or cancel it. OPPOSITE_ORDER: the
    symbol has a working order of the other direction; one direction at a time. SHORTING_DISABLED: the account may not
    sell short. BORROW_REFUSED: nobody lends the shares; the other leg must not stay alone. ACCOUNT_BLOCKED: the account
    may not trade. UNKNOWN_SYMBOL, INVALID: the order itself is wrong, and will be at every repetition. ID_TAKEN: the
    account has another order under this id. OTHER: a reason that nobody knows, with its words.
    """

    BUYING_POWER = "buying_power"
    QUANTITY_HELD = "quantity_held"
    WASH_TRADE = "wash_trade"
    OPPOSITE_ORDER = "opposite_order"
    SHORTING_DISABLED = "shorting_disabled"
    BORROW_REFUSED = "borrow_refused"
    ACCOUNT_BLOCKED = "account_blocked"
    UNKNOWN_SYMBOL = "unknown_symbol"
    INVALID = "invalid"
    ID_TAKEN = "id_taken"
    OTHER = "other"


class OrderRejected(Refused):
    """The broker refused an order: it does not exist.

    Attributes
    ----------
    reason : RejectReason
    details : mapping of str
        Fields of the answer beside code and message, as they came.
    """

    def __init__(self, reason: RejectReason, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason, self.details = reason, dict(details or {})


class NotCancelable(Refused):
    """The broker has the order and does not cancel it: it has ended, or is being filled. Ask what became of it."""


class AccessRefused(Refused):
    """The keys are wrong, or may not trade: nothing can be sent or asked until a person changes that."""


class Throttled(Unavailable):
    """The broker took nothing, because it was asked too often.

    Attributes
    ----------
    wait_s : float or None
        Seconds that it asked for; None when it gave no number.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class BrokerOrder:
    """An order as the broker has it.

    Attributes
    ----------
    broker_order_id, client_order_id, symbol : str
        The client id is whatever the order was sent with, so also a person's; a person's order for several options has
        no symbol.
    quantity : float or None
        Signed shares: > 0 buys. Whole for every order of the platform; None for an order in dollars, or for several
        options.
    filled_quantity : float
        Shares filled so far, ≥ 0.
    average_price : float or None
        Dollars a share of what is filled; None where nothing is.
    limit_price : float or None
        None for any other order than a limit order.
    status : OrderStatus
        UNKNOWN where `broker_status` is a word that nobody knows.
    broker_status : str
        In the broker's word.
    reason : str
        Why it was rejected or canceled, where the broker says it.
    submitted_utc, updated_utc : datetime or None
    anomalies : tuple of str
        What could not be read, or is not known, in sentences.
    """

    broker_order_id: str
    client_order_id: str
    symbol: str
    quantity: float | None
    filled_quantity: float
    average_price: float | None
    limit_price: float | None
    status: OrderStatus
    broker_status: str
    reason: str = ""
    submitted_utc: datetime | None = None
    updated_utc: datetime | None = None
    anomalies: tuple[str, ...] = ()

    def report(self, fill: Fill | None = None) -> Report:
        """What it says of an order of the platform; `fill` is the execution that it was sent with."""
        return Report(
            status=self.status,
            broker_order_id=self.broker_order_id,
            filled_quantity=math.floor(self.filled_quantity),
            fill=fill,
            reason=self.reason,
        )


@dataclass(frozen=True, kw_only=True)
class BrokerFill:
    """An execution as the broker lists it.

    Attributes
    ----------
    broker_order_id, symbol : str
    side : int
        +1 for a buy, −1 for a sale.
    fill : Fill or None
        With the execution id that the stream of updates gives the same execution; None where its shares are not whole,
        which no order of the platform has.
    quantity, price : float
        Shares, > 0; dollars a share.
    cumulative_quantity : float
        Shares of its order that are filled with it: orders the executions of one order.
    filled_utc : datetime
    """

    broker_order_id: str
    symbol: str
    side: int
    fill: Fill | None
    quantity: float
    price: float
    cumulative_quantity: float
    filled_utc: datetime


@dataclass(frozen=True, kw_only=True)
class BrokerBooking:
    """Money that the broker booked beside fills and their commissions.

    Attributes
    ----------
    id : str
        The broker's, unique in the account for ever.
    kind : BookingKind
        BORROW, DIVIDEND, SPLIT for what was paid for parts of a share, and CASH for everything else.
    symbol : str
        Of the shares that it is for; empty where it is for none.
    cash : float
        Dollars that came in (> 0) or went out.
    booked_utc : datetime
    """

    id: str
    kind: BookingKind
    symbol: str
    cash: float
    booked_utc: datetime


@dataclass(frozen=True, kw_only=True)
class BrokerPosition:
    """What the account holds of a symbol.

    Attributes
    ----------
    symbol : str
    quantity : float
        Signed shares: < 0 is a short position.
    available : float or None
        Shares, ≥ 0, that no working order holds: a close is never larger. None where the broker does not say it.
    average_price, current_price : float or None
        Dollars a share.
    market_value : float or None
        Signed dollars.
    """

    symbol: str
    quantity: float
    available: float | None
    average_price: float | None = None
    current_price: float | None = None
    market_value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """Money and permissions, in dollars; None where the broker does not say it.

    Attributes
    ----------
    account_id : str
    equity, cash, buying_power : float
    last_equity : float or None
        At the close of the session before.
    initial_margin, maintenance_margin, long_market_value, short_market_value : float or None
        The value of short positions is negative.
    multiplier : float or None
        Of the buying power: 1, 2 or 4.
    shorting_enabled, blocked : bool
        Blocked: the account may not trade, for whatever reason.
    anomalies : tuple of str
    """

    account_id: str
    equity: float
    cash: float
    buying_power: float
    last_equity: float | None = None
    initial_margin: float | None = None
    maintenance_margin: float | None = None
    long_market_value: float | None = None
    short_market_value: float | None = None
    multiplier: float | None = None
    shorting_enabled: bool = False
    blocked: bool = False
    anomalies: tuple[str, ...] = ()


class BorrowStatus(StrEnum):
    """Whether shares can be borrowed; UNKNOWN where the broker does not say it in a word that is known."""

    EASY = "easy_to_borrow"
    HARD = "hard_to_borrow"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """What may be done with a symbol."""

    symbol: str
    tradable: bool
    shortable: bool
    borrow: BorrowStatus
    anomalies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BrokerClock:
    """The broker's time, and its next opening and closing."""

    now_utc: datetime
    is_open: bool
    next_open_utc: datetime
    next_close_utc: datetime


@dataclass(frozen=True, kw_only=True)
class SessionHours:
    """A session of the broker's calendar; half days have their early close."""

    session: date
    open_utc: datetime
    close_utc: datetime


@dataclass(frozen=True, kw_only=True)
class TradeUpdate:
    """A message of the stream about one order.

    Attributes
    ----------
    event : str
        In the broker's word.
    order : BrokerOrder
        After the event.
    fill : Fill or None
        The execution that it reports.
    at_utc : datetime or None
    position_quantity : float or None
        Signed shares of the symbol that the account holds after an execution.
    anomalies : tuple of str
        With those of the order.
    """

    event: str
    order: BrokerOrder
    fill: Fill | None = None
    at_utc: datetime | None = None
    position_quantity: float | None = None
    anomalies: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        """What it says of an order of the platform."""
        return self.order.report(self.fill)


class UpdateReceiver(Protocol):
    """Who is told of trade updates; one call at a time, from the thread that follows."""

    def connected(self) -> None:
        """The stream has begun to listen: ask the broker for orders, fills, positions and account now.

        Nothing was sent again of what happened before; what happens meanwhile is kept and follows when this returns.

        Raises
        ------
        PlatformError
            It could not be asked: the connection is given up and made again.
        """
        ...

    def updated(self, update: TradeUpdate) -> None:
        """One update.

        Raises
        ------
        PlatformError
            It could not be taken: the connection is given up and made again, and all is asked for again.
        """
        ...

    def unreadable(self, reason: str) -> None:
        """A message that says of no order what can be read: something may have happened that is not known."""
        ...

    def lost(self, reason: Unavailable) -> None:
        """There is no stream from now on; `ports.live_bars.ConnectionRefused` says that the server refuses it."""
        ...


class Broker(Protocol):
    """An account with a broker; safe in several threads.

    Everything may raise `AccessRefused`, and every question `Unavailable` (the answer is not known, and is never
    "none"), `Refused` and `DataError` (an answer that cannot be read).

    Attributes
    ----------
    label : str
        Name of broker and account as a person should read it.
    """

    @property
    def label(self) -> str: ...  # noqa: D102 - the class documents its attributes

    def submit(self, order: Order) -> BrokerOrder:
        """Send an order for the day: a limit order, or a market order where it has no limit.

        The client id makes a repetition harmless: where the broker has an order of this id, symbol and quantity
        already, that one is returned.

        Raises
        ------
        OrderRejected, Refused
            It does not exist.
        Unavailable
            It was not taken (`Throttled`), or not even sent.
        AnswerLost
            It may exist.
        """
        ...

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancelation of an order; what becomes of it is an update.

        Raises
        ------
        NotCancelable
            It has ended, or cannot be canceled any more.
        NotFound
            The broker does not know it, which is evidence and no proof.
        Unavailable
            It was not asked.
        AnswerLost
            It may be canceled.
        """
        ...

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """The order that was sent with a client id; None where the broker knows none, which is no proof."""
        ...

    def orders(self, since: datetime) -> Sequence[BrokerOrder]:
        """Every order that was submitted after a moment, whatever its state, the oldest first."""
        ...

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Every order that is not at its end, a person's too, whenever it was submitted."""
        ...

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Every execution after a moment, those of one order in their order."""
        ...

    def bookings(self, since: datetime) -> Sequence[BrokerBooking]:
        """All money that was booked from a moment on, but for fills and their commissions."""
        ...

    def positions(self) -> Sequence[BrokerPosition]:
        """What the account holds."""
        ...

    def account(self) -> Account:
        """Money and permissions."""
        ...

    def asset(self, symbol: str) -> Asset:
        """What may be done with a symbol.

        Raises
        ------
        NotFound
        """
        ...

    def clock(self) -> BrokerClock:
        """The broker's time."""
        ...

    def calendar(self, first: date, last: date) -> Sequence[SessionHours]:
        """The sessions from `first` to `last`."""
        ...

    def follow(self, receiver: UpdateReceiver, stopping: threading.Event) -> None:
        """Hand on the updates of the account until `stopping` is set; connects again by itself.

        Raises
        ------
        Refused
            There is no stream at the address.
        """
        ...
