"""Alpaca's orders, fills, positions and account as records of the platform; what nobody knows is named, never guessed.

A record without what it is for (an order without status, a position without shares) raises; a word or a field that is
new is an anomaly of the record, a field once for each process. What does not belong here: requests (`trading`).

References
----------
Orders: https://docs.alpaca.markets/docs/orders-at-alpaca
"""

import math
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pairs_platform.adapters.vendors.rows import shortened
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.numbers import number
from pairs_platform.core.time import MARKET_TIMEZONE, market_midnight
from pairs_platform.core.trading.orders import CLIENT_ORDER_ID_PREFIX, Fill, OrderStatus
from pairs_platform.core.trading.positions import BookingKind
from pairs_platform.ports.broker import (
    Account,
    Asset,
    BorrowStatus,
    BrokerBooking,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    SessionHours,
    TradeUpdate,
)

_STATUSES = {
    **dict.fromkeys(
        ("new", "accepted", "pending_new", "accepted_for_bidding", "partially_filled", "held", "suspended"),
        OrderStatus.WORKING,
    ),
    **dict.fromkeys(("pending_review", "stopped", "calculated", "pending_replace"), OrderStatus.WORKING),
    "pending_cancel": OrderStatus.CANCELING,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.CANCELED,
}
_EXECUTIONS = ("fill", "partial_fill")
_SPLITS = ("SPLIT", "SSP", "SSO")
_EVENTS = frozenset(
    {
        *_EXECUTIONS, "accepted", "pending_new", "new", "canceled", "expired", "done_for_day", "rejected", "replaced",
        "pending_cancel", "pending_replace", "order_cancel_rejected", "order_replace_rejected", "stopped", "suspended",
        "calculated", "restated", "held", "pending_review",
    }
)  # fmt: skip
_SIDES = {"buy": 1, "sell": -1, "sell_short": -1}

_ORDER_FIELDS = frozenset(
    {
        "id", "client_order_id", "created_at", "updated_at", "submitted_at", "filled_at", "expired_at", "expires_at",
        "canceled_at", "failed_at", "replaced_at", "replaced_by", "replaces", "asset_id", "symbol", "asset_class",
        "notional", "qty", "filled_qty", "filled_avg_price", "order_class", "order_type", "type", "side",
        "time_in_force", "limit_price", "stop_price", "status", "extended_hours", "legs", "trail_percent",
        "trail_price", "hwm", "position_intent", "cancel_requested_at", "ratio_qty", "subtag", "source",
        "reject_reason",
    }
)  # fmt: skip
_UPDATE_FIELDS = frozenset({"event", "execution_id", "timestamp", "price", "qty", "position_qty", "order"})


class News:
    """Names that were never seen before; each is news once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def fields(self, what: str, content: Mapping[str, Any], known: frozenset[str]) -> tuple[str, ...]:
        """A sentence for each field that nobody knows and that is new."""
        with self._lock:
            names = [f"{what} field {name}" for name in sorted(set(content) - known)]
            new = [name for name in names if name not in self._seen]
            self._seen.update(new)
        return tuple(f"Alpaca sends the {name}, which this version does not know" for name in new)


def read_order(content: object, news: News) -> BrokerOrder:
    """An order; one of the platform has symbol and side, and a person's need not have them.

    Raises
    ------
    DataError
        It lacks what identifies it, its status, what is filled of it, or what one of the platform has.
    """
    fields = _fields(content, "order")
    order_id = _text(fields, "id", "an order")
    what = f"order {order_id}"
    client_order_id = _text(fields, "client_order_id", what)
    is_ours = client_order_id.startswith(CLIENT_ORDER_ID_PREFIX)
    status, anomalies = _status(fields, what)
    filled = _amount(fields, "filled_qty", what)
    if is_ours and not filled.is_integer():
        anomalies += (f"{what}: {filled} shares are filled, which are not whole",)
    quantity = None
    if is_ours or fields.get("side"):  # an order for several options has neither side nor symbol
        sign = _side(fields, what)
        quantity = None if fields.get("qty") is None else sign * _amount(fields, "qty", what)
    reason = fields.get("reject_reason")
    return BrokerOrder(
        broker_order_id=order_id,
        client_order_id=client_order_id,
        symbol=_text(fields, "symbol", what) if is_ours else str(fields.get("symbol") or ""),
        quantity=quantity,
        filled_quantity=filled,
        average_price=_known_price(fields, "filled_avg_price"),
        limit_price=_known_price(fields, "limit_price"),
        status=status,
        broker_status=str(fields["status"]),
        reason=reason if isinstance(reason, str) else "",
        submitted_utc=_moment(fields.get("submitted_at")),
        updated_utc=_moment(fields.get("updated_at")),
        anomalies=(*anomalies, *news.fields("order", fields, _ORDER_FIELDS)),
    )


def read_update(content: object, news: News) -> TradeUpdate:
    """The data of a trade update.

    Raises
    ------
    DataError
        It lacks an event or an order that can be read.
    """
    fields = _fields(content, "trade update")
    event = _text(fields, "event", "a trade update")
    order = read_order(fields.get("order"), news)
    anomalies = list(order.anomalies)
    if event not in _EVENTS:
        anomalies.append(f"order {order.broker_order_id}: the event {shortened(event)} is not known")
    at_utc = _moment(fields.get("timestamp"))
    fill = None
    if event in _EXECUTIONS:
        try:
            fill = _execution(fields, order.broker_order_id, order.filled_quantity, at_utc)
        except DataError as error:
            anomalies.append(str(error))
    anomalies += news.fields("trade update", fields, _UPDATE_FIELDS)
    return TradeUpdate(
        event=event,
        order=order,
        fill=fill,
        at_utc=at_utc,
        position_quantity=_known(fields, "position_qty"),
        anomalies=tuple(anomalies),
    )


def read_fill(content: object) -> BrokerFill:
    """An account activity of the kind FILL.

    Raises
    ------
    DataError
    """
    fields = _fields(content, "fill")
    order_id = _text(fields, "order_id", "a fill")
    what = f"a fill of order {order_id}"
    at_utc = _moment(fields.get("transaction_time"))
    if at_utc is None:
        raise DataError(f"{what} has no transaction_time that can be read: {shortened(fields.get('transaction_time'))}")
    quantity, price = _amount(fields, "qty", what), _amount(fields, "price", what)
    cumulative = _amount(fields, "cum_qty", what)
    is_whole = quantity.is_integer() and cumulative.is_integer()
    return BrokerFill(
        broker_order_id=order_id,
        symbol=_text(fields, "symbol", what),
        side=_side(fields, what),
        fill=_execution(fields, order_id, cumulative, at_utc) if is_whole else None,
        quantity=quantity,
        price=price,
        cumulative_quantity=cumulative,
        filled_utc=at_utc,
    )


def read_booking(content: object) -> BrokerBooking | None:
    """An account activity that is no trade; None for one that moves no money.

    Of a dividend Alpaca says the day on which it was paid, not the ex-date. A kind that nobody knows moves cash too.

    Raises
    ------
    DataError
    """
    fields = _fields(content, "booking")
    name = _text(fields, "id", "a booking")
    what = f"the booking {name}"
    kind, day = _text(fields, "activity_type", what), _text(fields, "date", what)
    cash = number(fields.get("net_amount"))
    if not math.isfinite(cash):
        raise DataError(f"{what} has the net_amount {shortened(fields.get('net_amount'))}")
    try:
        booked_utc = market_midnight(date.fromisoformat(day))
    except ValueError:
        raise DataError(f"{what} has the date {shortened(day)}") from None
    if cash == 0 or fields.get("status") == "canceled":
        return None
    symbol = fields.get("symbol")
    known = BookingKind.DIVIDEND if kind.startswith("DIV") else BookingKind.CASH
    return BrokerBooking(
        id=f"{kind} {name}",
        kind=BookingKind.SPLIT if kind in _SPLITS else known,
        symbol=symbol if isinstance(symbol, str) else "",
        cash=cash,
        booked_utc=booked_utc,
    )


def _execution(fields: Mapping[str, Any], order_id: str, cumulative: float, at_utc: datetime | None) -> Fill:
    """An execution. Stream and activities give it different ids, and the same number of shares filled with it."""
    what = f"an execution of order {order_id}"
    quantity, price = number(fields.get("qty")), number(fields.get("price"))
    if not (quantity > 0 and quantity.is_integer() and cumulative.is_integer() and cumulative >= quantity):
        raise DataError(f"{what} has {shortened(fields.get('qty'))} shares, with {cumulative:g} filled in all")
    if not _is_price(price):
        raise DataError(f"{what} has the price {shortened(fields.get('price'))}")
    if at_utc is None:
        raise DataError(f"{what} has no time that can be read")
    return Fill(execution_id=f"{order_id}/{int(cumulative)}", quantity=int(quantity), price=price, filled_utc=at_utc)


def read_position(content: object) -> BrokerPosition:
    """A position.

    Raises
    ------
    DataError
        Its shares cannot be read, or contradict its side.
    """
    fields = _fields(content, "position")
    symbol = _text(fields, "symbol", "a position")
    quantity, side = number(fields.get("qty")), fields.get("side")
    if not math.isfinite(quantity) or side not in ("long", "short") or (side == "long" and quantity < 0):
        raise DataError(f"the position in {symbol} is {shortened(fields.get('qty'))} shares {shortened(side)}")
    available = _known(fields, "qty_available")
    return BrokerPosition(
        symbol=symbol,
        quantity=-abs(quantity) if side == "short" else quantity,
        available=None if available is None else abs(available),
        average_price=_known(fields, "avg_entry_price"),
        current_price=_known(fields, "current_price"),
        market_value=_known(fields, "market_value"),
    )


def read_account(content: object) -> Account:
    """The account. One of which nobody says that it may trade is blocked.

    Raises
    ------
    DataError
        It lacks id, equity, cash or buying power.
    """
    fields = _fields(content, "account")
    money = {name: number(fields.get(name)) for name in ("equity", "cash", "buying_power")}
    for name, value in money.items():
        if not math.isfinite(value):
            raise DataError(f"Alpaca's account says {shortened(fields.get(name))} for {name}")
    anomalies = [
        f"Alpaca's account says {shortened(fields.get(name))} for {name}"
        for name in ("trading_blocked", "account_blocked", "shorting_enabled")
        if not isinstance(fields.get(name), bool)
    ]
    if fields.get("status") != "ACTIVE":
        anomalies.append(f"the status of Alpaca's account is {shortened(fields.get('status'))}")
    may_trade = fields.get("trading_blocked") is False and fields.get("account_blocked") is False
    is_blocked = not may_trade or fields.get("status") != "ACTIVE" or fields.get("trade_suspended_by_user") is True
    return Account(
        account_id=_text(fields, "id", "Alpaca's account"),
        equity=money["equity"],
        cash=money["cash"],
        buying_power=money["buying_power"],
        last_equity=_known(fields, "last_equity"),
        initial_margin=_known(fields, "initial_margin"),
        maintenance_margin=_known(fields, "maintenance_margin"),
        long_market_value=_known(fields, "long_market_value"),
        short_market_value=_known(fields, "short_market_value"),
        multiplier=_known(fields, "multiplier"),
        shorting_enabled=fields.get("shorting_enabled") is True,
        blocked=is_blocked,
        anomalies=tuple(anomalies),
    )


def read_asset(content: object) -> Asset:
    """What may be done with a symbol; Alpaca says in one of two fields whether it can be borrowed.

    Raises
    ------
    DataError
    """
    fields = _fields(content, "asset")
    symbol = _text(fields, "symbol", "an asset")
    said, is_easy = fields.get("borrow_status"), fields.get("easy_to_borrow")
    anomalies = []
    if said in (BorrowStatus.EASY, BorrowStatus.HARD):
        borrow = BorrowStatus(said)
    elif said is None and isinstance(is_easy, bool):
        borrow = BorrowStatus.EASY if is_easy else BorrowStatus.HARD
    else:
        borrow = BorrowStatus.UNKNOWN
        anomalies.append(f"{symbol}: the borrow status {shortened(said)} is not known")
    return Asset(
        symbol=symbol,
        tradable=fields.get("tradable") is True,
        shortable=fields.get("shortable") is True,
        borrow=borrow,
        anomalies=tuple(anomalies),
    )


def read_clock(content: object) -> BrokerClock:
    """The clock.

    Raises
    ------
    DataError
    """
    fields = _fields(content, "clock")
    moments = {name: _moment(fields.get(name)) for name in ("timestamp", "next_open", "next_close")}
    now, opens, closes = moments["timestamp"], moments["next_open"], moments["next_close"]
    if now is None or opens is None or closes is None or not isinstance(fields.get("is_open"), bool):
        raise DataError(f"Alpaca's clock cannot be read: {shortened(dict(fields))}")
    return BrokerClock(now_utc=now, is_open=fields["is_open"], next_open_utc=opens, next_close_utc=closes)


def read_hours(content: object) -> SessionHours:
    """A session of the calendar, whose hours are New York's without saying so.

    Raises
    ------
    DataError
    """
    fields, zone = _fields(content, "session"), ZoneInfo(MARKET_TIMEZONE)
    try:
        day = date.fromisoformat(fields["date"])
        moments = (datetime.combine(day, time.fromisoformat(fields[name]), zone) for name in ("open", "close"))
        opens, closes = (moment.astimezone(UTC) for moment in moments)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"a session of Alpaca's calendar cannot be read: {shortened(dict(fields))}") from error
    return SessionHours(session=day, open_utc=opens, close_utc=closes)


def listed(content: object, what: str) -> Sequence[Any]:
    """A list of records.

    Raises
    ------
    DataError
    """
    if not isinstance(content, list):
        raise DataError(f"Alpaca's answer is no list of {what}: {shortened(content)}")
    return content


def _fields(content: object, what: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise DataError(f"Alpaca sends a {what} that is none: {shortened(content)}")
    return content


def _text(fields: Mapping[str, Any], name: str, what: str) -> str:
    value = fields.get(name)
    if not (isinstance(value, str) and value):
        raise DataError(f"{what} has the {name} {shortened(value)}")
    return value


def _amount(fields: Mapping[str, Any], name: str, what: str) -> float:
    value = number(fields.get(name))
    if not (math.isfinite(value) and value >= 0):
        raise DataError(f"{what} has the {name} {shortened(fields.get(name))}")
    return value


def _known(fields: Mapping[str, Any], name: str) -> float | None:
    """A number; None where it is none."""
    value = number(fields.get(name))
    return value if math.isfinite(value) else None


def _known_price(fields: Mapping[str, Any], name: str) -> float | None:
    value = number(fields.get(name))
    return value if _is_price(value) else None


def _side(fields: Mapping[str, Any], what: str) -> int:
    side = fields.get("side")
    if not (isinstance(side, str) and side in _SIDES):
        raise DataError(f"{what} has the side {shortened(side)}")
    return _SIDES[side]


def _status(fields: Mapping[str, Any], what: str) -> tuple[OrderStatus, tuple[str, ...]]:
    word = _text(fields, "status", what)
    if word == "done_for_day":  # the end of an order for the day, and of no other
        return (OrderStatus.EXPIRED if fields.get("time_in_force") == "day" else OrderStatus.WORKING), ()
    if word not in _STATUSES:
        return OrderStatus.UNKNOWN, (f"{what}: the status {shortened(word)} is not known",)
    if word == "replaced":
        return _STATUSES[word], (
            f"{what} was replaced by {shortened(fields.get('replaced_by'))}, which nobody here did",
        )
    return _STATUSES[word], ()


def _moment(value: object) -> datetime | None:
    """A time in UTC; None where it is none, or has no zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def _is_price(value: float) -> bool:
    return math.isfinite(value) and value > 0
