"""Carries orders to the broker, and what it says of them into the database; each of both once.

An order is in the database before it is sent, and the kill switch is read last. What is known of an order and could
not be stored yet is kept until it is: a database that is away loses nothing that this process knows. What does not
belong here: which orders there are (`work`), and comparing the whole account (`accounts`).
"""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pairs_platform.core.errors import AnswerLost, DataError, NotFound, Refused, Unavailable
from pairs_platform.core.risk.trading_state import Standing, denied_by_state
from pairs_platform.core.trading.orders import (
    Order,
    OrderStatus,
    Report,
    denied,
    sent_without_answer,
)
from pairs_platform.core.trading.spread_order import SpreadOrder
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.spread_orders import StoredTrade, apply_report, change_trade
from pairs_platform.ports.broker import AccessRefused, BrokerOrder, NotCancelable, Throttled, TradeUpdate
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.seat import Seat

Change = Callable[[SpreadOrder], SpreadOrder]

PAUSE = timedelta(seconds=1)
"""Before a broker that took nothing is asked again, unless it names another time."""

OVERLAP = timedelta(seconds=5)
"""Lists of the broker begin so much earlier: its clock is not this machine's."""

_MINUTE = timedelta(minutes=1)


class Messenger:
    """Between the desk and the broker.

    Parameters
    ----------
    seat : Seat
    inbox : Inbox
    """

    def __init__(self, seat: Seat, inbox: Inbox) -> None:
        self._seat, self._inbox = seat, inbox
        self._known: deque[tuple[str, Change]] = deque()
        self._not_taken: dict[str, datetime] = {}
        self._sent: deque[tuple[datetime, str]] = deque()
        self._orders_asked: datetime | None = None
        self._fills_asked: datetime | None = None

    @property
    def sent_lately(self) -> tuple[tuple[datetime, str], ...]:
        """When this process sent orders in the last minute, by the clock of this machine, and their symbols."""
        now = self._seat.wall()
        while self._sent and now - self._sent[0][0] > _MINUTE:
            self._sent.popleft()
        return tuple(self._sent)

    def settle(self) -> None:
        """Store everything that is known and not stored yet, in the order in which it became known.

        Raises
        ------
        DatabaseUnavailable
            The rest is kept.
        """
        while self._known:
            trade_id, change = self._known[0]
            try:
                change_trade(self._seat.database, trade_id, change, self._seat.now())
            except DataError as error:  # an execution that is another order's: a person has to look at it
                self._seat.note(
                    RiskEvent(
                        kind="anomaly", code="broker", severity="error", message=str(error), spread_order_id=trade_id
                    )
                )
                self._inbox.compare()
            self._known.popleft()
        while (update := self._inbox.first()) is not None:
            self._store(update)
            self._inbox.done()
        for remark in self._inbox.remarks():
            self._seat.note(_stream_event(remark))

    def send(self, order: Order, standing: Callable[[], Standing]) -> None:
        """Send an order that is written down, unless the trading state of this very moment denies it.

        Parameters
        ----------
        standing : callable
            Reads the kill switch.
        """
        denial = denied_by_state(standing(), order.purpose)
        if denial is not None:
            self._learn(order, lambda now: denied(now, denial.message))
            return
        self._not_taken.pop(order.client_order_id, None)
        self._sent.append((self._seat.wall(), order.symbol))
        try:
            placed = self._seat.broker.submit(order)
        except (AnswerLost, DataError):
            self._learn(order, sent_without_answer)
        except (Unavailable, AccessRefused) as error:
            wait = getattr(error, "wait_s", None) if isinstance(error, Throttled) else None
            pause = PAUSE if wait is None else timedelta(seconds=wait)
            self._not_taken[order.client_order_id] = self._seat.wall() + pause
            self._seat.note(_order_event("not_taken", order, str(error)))
        except Refused as error:
            self.report(order, Report(status=OrderStatus.REJECTED, reason=str(error)))
            self._seat.note(_order_event("reject", order, str(error)))
        else:
            self._placed(order, placed)

    def expect(self, orders: Iterable[Order]) -> None:
        """Note orders that are written down, and that this process sends next."""
        for order in orders:
            self._not_taken[order.client_order_id] = self._seat.wall()

    def not_taken(self, trades: Iterable[StoredTrade]) -> list[Order]:
        """Orders that this process knows not to be with the broker, and that it may be asked to take now.

        One that was written down too long ago is asked for like any other that nobody knows of.
        """
        oldest = self._seat.clock() - timedelta(seconds=self._seat.settings.execution_settings.answer_timeout_seconds)
        intended = [
            order
            for each in trades
            for order in each.trade.orders
            if order.status is OrderStatus.INTENDED and order.intended_utc > oldest
        ]
        now = self._seat.wall()
        names = {order.client_order_id for order in intended}
        self._not_taken = {name: due for name, due in self._not_taken.items() if name in names}
        return [order for order in intended if self._not_taken.get(order.client_order_id, now + PAUSE) <= now]

    def cancel(self, order: Order) -> None:
        """Ask for the cancelation of an order; what becomes of it is an update, or is asked for."""
        try:
            self._seat.broker.cancel(order.broker_order_id)
        except (NotCancelable, NotFound):
            self.ask(order)
        except (Unavailable, AnswerLost, Refused) as error:
            self._seat.note(_order_event("not_canceled", order, str(error)))

    def ask(self, order: Order) -> None:
        """Ask what became of an order.

        One that is written down, and that the broker does not know after all this time, was never sent: the process
        that wrote it down has ended in between.
        """
        try:
            found = self._seat.broker.order(order.client_order_id)
        except (Unavailable, Refused, DataError) as error:
            self._seat.note(_order_event("no_answer", order, str(error)))
            return
        if found is not None:
            self._placed(order, found)
        elif order.status is OrderStatus.INTENDED:
            self._not_taken.pop(order.client_order_id, None)
            self._learn(order, lambda now: denied(now, "it was written down, and never sent"))

    def ask_about_working(self, trades: Iterable[StoredTrade], pause: timedelta) -> bool:
        """Ask about orders that the broker should have filled by now, in one question; not more often than so.

        A stream may be mute although it answers, and an order whose fill nobody has heard of hedges nothing.

        Returns
        -------
        bool
            Whether shares were filled that nobody had heard of.
        """
        now = self._seat.clock()
        working = {
            order.client_order_id: order
            for each in trades
            for order in each.trade.orders
            if order.status is OrderStatus.WORKING and now - order.intended_utc >= pause
        }
        if not working or (self._orders_asked is not None and self._seat.wall() - self._orders_asked < pause):
            return False
        self._orders_asked = self._seat.wall()
        since = min(order.intended_utc for order in working.values()) - OVERLAP
        try:
            listed = self._seat.broker.orders(since)
        except (Unavailable, Refused, DataError) as error:
            self._seat.note(_stream_event(f"orders could not be asked: {error}"))
            return False
        news = [
            (working[found.client_order_id], found)
            for found in listed
            if found.client_order_id in working
            and abs(found.filled_quantity) > abs(working[found.client_order_id].filled)
        ]
        for order, found in news:
            self._placed(order, found)
        return bool(news)

    def fetch_executions(self, trades: Iterable[StoredTrade], pause: timedelta) -> None:
        """Ask for the executions of orders of which more shares are filled than are known; not more often than so."""
        lacking = {
            order.broker_order_id: order
            for each in trades
            for order in each.trade.orders
            if order.lacks_executions and order.broker_order_id
        }
        now = self._seat.wall()
        if not lacking or (self._fills_asked is not None and now - self._fills_asked < pause):
            return
        self._fills_asked = now
        since = min(order.intended_utc for order in lacking.values()) - OVERLAP
        try:
            fills = self._seat.broker.fills(since)
        except (Unavailable, Refused, DataError) as error:
            self._seat.note(_stream_event(f"executions could not be asked: {error}"))
            return
        for each in fills:
            order = lacking.get(each.broker_order_id)
            if order is not None and each.fill is not None:
                report = Report(status=OrderStatus.WORKING, broker_order_id=each.broker_order_id, fill=each.fill)
                self.report(order, report)

    def report(self, order: Order, report: Report) -> None:
        """Store what the broker says of an order of the platform, now or as soon as the database takes it."""
        self._known.append((order.spread_order_id, lambda trade: trade.after(order.client_order_id, report)[0]))
        self.settle()

    def _placed(self, order: Order, placed: BrokerOrder) -> None:
        if placed.anomalies:
            self._seat.note(*(_order_event("anomaly", order, text) for text in placed.anomalies))
        self.report(order, placed.report())

    def _learn(self, order: Order, change: Callable[[Order], Order]) -> None:
        """Store what this process knows of an order that was only intended; what is known already stays."""

        def of_trade(trade: SpreadOrder) -> SpreadOrder:
            now = trade.order(order.client_order_id)
            return trade.with_state_of(change(now)) if now.status is OrderStatus.INTENDED else trade

        self._known.append((order.spread_order_id, of_trade))
        self.settle()

    def _store(self, update: TradeUpdate) -> None:
        client_id = update.order.client_order_id
        events = [_anomaly(update, text) for text in (*update.anomalies, *update.order.anomalies)]
        try:
            stored = apply_report(self._seat.database, client_id, update.report, self._seat.now())
        except DataError as error:  # an execution that is another order's: a person has to look at it
            events.append(_anomaly(update, str(error)))
            self._inbox.compare()
        else:
            if stored is None:
                self._inbox.compare()
            elif stored[1].anomaly:
                events.append(_anomaly(update, stored[1].anomaly))
            if stored is not None and update.order.status is OrderStatus.REJECTED:
                events.append(_order_event("reject", stored[1].order, update.order.reason))
        self._seat.note(*events)


def _order_event(code: str, order: Order, message: str) -> RiskEvent:
    return RiskEvent(
        kind="reject" if code == "reject" else "order",
        code=code,
        severity="warning",
        message=f"{order.quantity:+d} {order.symbol} ({order.purpose}): {message or 'no reason given'}",
        symbol=order.symbol,
        spread_order_id=order.spread_order_id,
        client_order_id=order.client_order_id,
    )


def _anomaly(update: TradeUpdate, message: str) -> RiskEvent:
    return RiskEvent(
        kind="anomaly",
        code="broker",
        severity="warning",
        message=message,
        symbol=update.order.symbol[:40],
        client_order_id=update.order.client_order_id[:128],
    )


def _stream_event(message: str) -> RiskEvent:
    return RiskEvent(kind="stream", code="trade_updates", severity="warning", message=message)
