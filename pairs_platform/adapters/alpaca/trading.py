"""An account at Alpaca as a `Broker`, through Alpaca's own client library.

The library repeats an order after some failures, waits for ever, and refuses words that it does not know. So it is used
in its raw mode and without its retry, over a session with time-outs and the platform's errors (`trading_http`), and
answers are read here (`trading_records`). Questions are asked again while that may help; an order and a cancelation are
sent once. The stream of updates is `trade_updates`.

What does not belong here: keys (`settings`), and what to do after an error (`processes.trader`).

References
----------
Trading API: https://docs.alpaca.markets/reference
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pairs_platform.adapters.alpaca.keys import Keys, present_keys
from pairs_platform.adapters.alpaca.settings import PAPER_URL, AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trading_records import (
    News,
    listed,
    read_account,
    read_asset,
    read_booking,
    read_clock,
    read_fill,
    read_hours,
    read_order,
    read_position,
)
from pairs_platform.adapters.vendors.retry import Pacer, RetryPolicy
from pairs_platform.core.errors import AnswerLost, DataError, NotFound, PlatformError, Unavailable
from pairs_platform.core.time import utc_now
from pairs_platform.core.trading.orders import Order
from pairs_platform.ports.broker import (
    AccessRefused,
    Account,
    Asset,
    BrokerBooking,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRejected,
    RejectReason,
    SessionHours,
    UpdateReceiver,
)

if TYPE_CHECKING:
    from alpaca.trading.client import TradingClient

T = TypeVar("T")

_ORDERS_PER_PAGE, _ACTIVITIES_PER_PAGE = 500, 100
_OVERLAP = timedelta(seconds=1)
"""Pages of orders begin after a moment, and several orders may have been submitted at it."""

_QUEUED = "accepted"
"""Status of an order that waits for the opening: the stream may say nothing of it until then."""


class AlpacaBroker:
    """A `Broker`: one account at Alpaca, or at a server that speaks like it.

    Parameters
    ----------
    keys : callable
        The keys of the moment; they appear in no message.
    settings : AlpacaTradingSettings
    sleep, now, monotonic : callable
        Takes seconds; returns the aware time; returns seconds that never go back.

    Raises
    ------
    ConfigurationError
        A key is missing.
    """

    def __init__(
        self,
        keys: Callable[[], Keys],
        settings: AlpacaTradingSettings | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        from pairs_platform.adapters.alpaca.trade_updates import DueUpdates

        self.settings = settings or AlpacaTradingSettings()
        self._keys, self._sleep, self._now = keys, sleep, now
        self._news = News()
        self._due = DueUpdates(self.settings.update_timeout_s, monotonic)
        self._pacer = Pacer(self.settings.questions_per_minute, clock=monotonic, sleep=sleep)
        self._policy = RetryPolicy(
            self.settings.max_attempts, first_wait_s=0.5, longest_wait_s=self.settings.longest_wait_s, sleep=sleep
        )
        self._local = threading.local()
        present_keys(keys())

    @property
    def label(self) -> str:
        """Which account it is."""
        if self.settings.base_url == PAPER_URL:
            return "Alpaca (paper account)"
        host = urlsplit(self.settings.base_url).netloc
        return f"Alpaca's protocol at {host}" if self.settings.is_paper else f"Alpaca (real money, {host})"

    def submit(self, order: Order) -> BrokerOrder:
        """See `Broker`."""
        request, name = _request(order), order.client_order_id
        self._due.expect(name)  # before it is sent: the stream may be faster than the answer
        try:
            placed = read_order(self._once(lambda client: client.submit_order(request)), self._news)
            if not _is_same(placed, order):
                raise DataError(f"it names another order, {_described(placed)}")
        except DataError as error:
            raise AnswerLost(f"{name}: Alpaca's answer cannot be read: {error}") from error
        except PlatformError as error:
            self._due.heard(name)
            if isinstance(error, OrderRejected) and error.reason is RejectReason.ID_TAKEN:
                return self._adopted(order, error)
            raise
        if placed.broker_status == _QUEUED:
            self._due.heard(name)
        return placed

    def _adopted(self, order: Order, refused: OrderRejected) -> BrokerOrder:
        """The order that the account has under an id already, where it is this one."""
        name = order.client_order_id
        try:
            there = self.order(name)
        except (Unavailable, DataError) as error:
            raise AnswerLost(f"{name}: was sent before, and Alpaca does not show it: {error}") from error
        if there is None:
            raise AnswerLost(f"{name}: was sent before, and Alpaca does not show it yet")
        if not _is_same(there, order):
            raise OrderRejected(
                RejectReason.ID_TAKEN,
                f"{name}: Alpaca has another order of this id, {_described(there)}",
                refused.details,
            ) from refused
        return there

    def cancel(self, broker_order_id: str) -> None:
        """See `Broker`."""
        self._due.expect(broker_order_id)
        try:
            self._once(lambda client: client.cancel_order_by_id(broker_order_id))
        except PlatformError:
            self._due.heard(broker_order_id)
            raise

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """See `Broker`."""
        try:
            content = self._ask(lambda client: client.get_order_by_client_id(client_order_id))
        except NotFound:
            return None
        return read_order(content, self._news)

    def orders(self, since: datetime) -> Sequence[BrokerOrder]:
        """See `Broker`."""
        return self._orders("all", since)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """See `Broker`."""
        return self._orders("open", None)

    def _orders(self, status: str, since: datetime | None) -> list[BrokerOrder]:
        """Every order of a state, page by page."""
        orders: dict[str, BrokerOrder] = {}
        after = since
        while True:
            page = [read_order(each, self._news) for each in self._page_of_orders(status, after)]
            known = len(orders)
            orders.update((order.broker_order_id, order) for order in page)
            if len(page) < _ORDERS_PER_PAGE:
                return list(orders.values())
            newest = page[-1].submitted_utc
            if newest is None or len(orders) == known:
                raise DataError(f"Alpaca's orders after {after} do not end, and cannot be told apart")
            after = newest - _OVERLAP

    def _page_of_orders(self, status: str, after: datetime | None) -> Sequence[Any]:
        from alpaca.common.enums import Sort
        from alpaca.trading.enums import QueryOrderStatus
        from alpaca.trading.requests import GetOrdersRequest

        query = GetOrdersRequest(
            status=QueryOrderStatus(status), limit=_ORDERS_PER_PAGE, direction=Sort.ASC, after=after
        )
        return listed(self._ask(lambda client: client.get_orders(query)), "orders")

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """See `Broker`. Alpaca lists those of one millisecond in any order; shares filled with each tell theirs."""
        read = map(read_fill, self._activities("/account/activities/FILL", {"after": since.isoformat()}))
        fills = {(fill.broker_order_id, fill.cumulative_quantity): fill for fill in read}
        return sorted(
            fills.values(), key=lambda fill: (fill.filled_utc, fill.broker_order_id, fill.cumulative_quantity)
        )

    def bookings(self, since: datetime) -> Sequence[BrokerBooking]:
        """See `Broker`. Of a day Alpaca says the date alone."""
        query: dict[str, object] = {"after": since.isoformat(), "category": "non_trade_activity"}
        activities = self._activities("/account/activities", query)
        found = (read_booking(each) for each in activities if not _is_trade(each))
        return [each for each in found if each is not None]

    def _activities(self, path: str, query: dict[str, object]) -> list[Any]:
        """Account activities, page by page, oldest first; the library has no call for them (0.44)."""
        query |= {"direction": "asc", "page_size": _ACTIVITIES_PER_PAGE}
        found: dict[object, Any] = {}
        while True:
            page = listed(self._ask(partial(_get, path=path, query=dict(query))), "activities")
            known = len(found)
            found.update((_id_of(each), each) for each in page)
            if len(page) < _ACTIVITIES_PER_PAGE:
                return list(found.values())
            if len(found) == known:
                raise DataError("Alpaca's pages of activities go round in a circle")
            query["page_token"] = _id_of(page[-1])

    def positions(self) -> Sequence[BrokerPosition]:
        """See `Broker`."""
        content = self._ask(lambda client: client.get_all_positions())
        return [read_position(each) for each in listed(content, "positions")]

    def account(self) -> Account:
        """See `Broker`."""
        return read_account(self._ask(lambda client: client.get_account()))

    def asset(self, symbol: str) -> Asset:
        """See `Broker`."""
        return read_asset(self._ask(lambda client: client.get_asset(symbol)))

    def clock(self) -> BrokerClock:
        """See `Broker`."""
        return read_clock(self._ask(lambda client: client.get_clock()))

    def calendar(self, first: date, last: date) -> Sequence[SessionHours]:
        """See `Broker`."""
        from alpaca.trading.requests import GetCalendarRequest

        content = self._ask(lambda client: client.get_calendar(GetCalendarRequest(start=first, end=last)))
        return [read_hours(each) for each in listed(content, "sessions")]

    def follow(self, receiver: UpdateReceiver, stopping: threading.Event) -> None:
        """See `Broker`."""
        from pairs_platform.adapters.alpaca.trade_updates import Follower

        Follower(self._keys, self.settings, receiver=receiver, due=self._due, news=self._news).run(stopping)

    def _ask(self, question: Callable[["TradingClient"], T]) -> T:
        """The answer to a question, asked again while that may help."""

        def once() -> T:
            self._pacer.wait()
            return self._once(question)

        return self._policy.call(once)

    def _once(self, request: Callable[["TradingClient"], T]) -> T:
        try:
            return request(self._client())
        except AccessRefused:
            self._local.client = None  # the keys may have been replaced: the next request takes those of the moment
            raise

    def _client(self) -> "TradingClient":
        """The client of this thread: a session belongs to one."""
        from alpaca.trading.client import TradingClient

        from pairs_platform.adapters.alpaca.trading_http import TradingHttp

        client: TradingClient | None = getattr(self._local, "client", None)
        if client is None:
            client = TradingClient(*present_keys(self._keys()), raw_data=True, url_override=self.settings.base_url)
            # The library takes neither a session nor the number 0 of retries (0.44). When it does, hand them over.
            client._session = TradingHttp(
                connect_timeout_s=self.settings.connect_timeout_s,
                read_timeout_s=self.settings.read_timeout_s,
                now=self._now,
            )
            client._retry, client._retry_codes = 0, []
            self._local.client = client
        return client


def _request(order: Order) -> Any:
    """The order as the library's request."""
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

    fields: dict[str, Any] = {
        "symbol": order.symbol,
        "qty": abs(order.quantity),
        "side": OrderSide.BUY if order.sign > 0 else OrderSide.SELL,
        "time_in_force": TimeInForce.DAY,
        "client_order_id": order.client_order_id,
    }
    if order.limit_price is None:
        return MarketOrderRequest(**fields)
    return LimitOrderRequest(**fields, limit_price=order.limit_price)


def _get(client: "TradingClient", path: str, query: dict[str, object]) -> Any:
    return client.get(path, query)


def _id_of(activity: Any) -> object:
    return activity.get("id") if isinstance(activity, Mapping) else repr(activity)


def _is_trade(activity: Any) -> bool:
    return isinstance(activity, Mapping) and activity.get("activity_type") == "FILL"


def _is_same(placed: BrokerOrder, order: Order) -> bool:
    told = (placed.client_order_id, placed.symbol, placed.quantity)
    return told == (order.client_order_id, order.symbol, order.quantity)


def _described(order: BrokerOrder) -> str:
    return f"{order.client_order_id}: {order.quantity} {order.symbol}"
