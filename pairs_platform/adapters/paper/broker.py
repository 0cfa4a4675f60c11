"""The internal paper broker: an account whose orders are filled from bars by the backtest's rule.

An order is filled at the open of the bar that is under way when it comes, or of the next one that its symbol has: the
decision at a close is filled at the next open, as in the backtest, however long it took to send it. All costs of a fill
are its commission, so that prices of fills are opens. Nothing is random: the same orders and bars, the same account.

Every question and every bar reads the books from the database and writes them back in one transaction, so that a
process that is killed goes on where it was. It refuses less than a real broker: both directions of a symbol may work at
once, an order may turn a position to the other side, and every share can be borrowed.

What does not belong here: what fills, nights and corporate actions do to an account (`books`), its tables
(`database.paper`), and where bars come from.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from itertools import groupby

import sqlalchemy as sa

from pairs_platform.adapters.paper.books import PaperAction, after_bars, after_fill, after_night, fill_price
from pairs_platform.adapters.paper.settings import PaperSettings
from pairs_platform.core.errors import AnswerLost, DatabaseUnavailable, NotFound, PlatformError, Unavailable
from pairs_platform.core.prices.calendar import (
    is_session,
    last_session_before,
    session_close,
    session_offset,
    session_open,
    sessions_between,
)
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.time import market_day, moment_ns, moment_utc, utc_now
from pairs_platform.core.trading.orders import Fill, Order, OrderStatus
from pairs_platform.core.trading.positions import BookingKind
from pairs_platform.core.trading.settings import BASIS_POINT, CostSettings
from pairs_platform.database.orders import WORKING
from pairs_platform.database.paper import (
    PaperAccount,
    PaperFill,
    PaperOrder,
    add_bookings,
    add_fill,
    read_account,
    read_bookings,
    read_fills,
    read_orders,
    write_account,
    write_order,
)
from pairs_platform.database.store import Database
from pairs_platform.database.tables import PAPER_ORDERS
from pairs_platform.ports.broker import (
    Account,
    Asset,
    BorrowStatus,
    BrokerBooking,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    NotCancelable,
    OrderRejected,
    RejectReason,
    SessionHours,
    TradeUpdate,
    UpdateReceiver,
)

PAUSE_SECONDS = 0.2
"""After so long without an update it is looked whether following is to stop."""

_OPEN = PAPER_ORDERS.c.status.in_(WORKING)

_BOOKED = {
    "borrow": BookingKind.BORROW,
    "dividend": BookingKind.DIVIDEND,
    "split": BookingKind.SPLIT,
    "cash_in_lieu": BookingKind.SPLIT,
}


class PaperBroker:
    """An account of the internal paper broker; see `ports.broker.Broker`.

    Parameters
    ----------
    database : Database
    account : str
        Name of the account, one for each run mode; made with its first use.
    run_mode : str
    bar_ns : int
        Length of a bar, nanoseconds.
    clock : callable
        The market's time, aware.
    costs : CostSettings
    settings : PaperSettings
    actions : callable, optional
        Corporate actions with an ex-date at a session, for which the prices are not adjusted.
    """

    def __init__(
        self,
        database: Database,
        *,
        account: str,
        run_mode: str,
        bar_ns: int,
        clock: Callable[[], datetime],
        costs: CostSettings,
        settings: PaperSettings,
        actions: Callable[[date], Sequence[PaperAction]] = lambda _: (),
    ) -> None:
        self._database, self._account, self._run_mode = database, account, run_mode
        self._bar_ns, self._now, self._costs = bar_ns, clock, costs
        self._settings, self._actions = settings, actions
        self._followers: list[queue.SimpleQueue[TradeUpdate]] = []

    @property
    def label(self) -> str:
        """Name of broker and account."""
        return f"internal paper broker, account {self._account}"

    def receive(self, bars: Iterable[StreamBar]) -> None:
        """Take complete bars: orders fill, positions get their prices, a new session books the night before it.

        Bars of one interval may come in several calls; a repetition changes nothing but prices.

        Raises
        ------
        DatabaseUnavailable
            Bars of the intervals before were taken; hand in the others again.
        """
        for start_ns, group in groupby(sorted(bars, key=_by_start), key=lambda bar: bar.ts_ns):
            with self._database.begin_alone() as connection:
                updates = self._interval(connection, start_ns, {bar.symbol: bar for bar in group})
            self._publish(updates)

    def end_session(self, session: date) -> None:
        """End a session: orders of it, and of earlier ones, that have not filled expire."""
        with self._database.begin_alone() as connection:
            now = max(self._now(), session_close(session))
            updates = self._expire(connection, PAPER_ORDERS.c.valid_session <= session, now)
        self._publish(updates)

    def submit(self, order: Order) -> BrokerOrder:
        """Take an order for the session under way, or for the next one."""
        known = PAPER_ORDERS.c.client_order_id == order.client_order_id
        with self._answering(), self._database.begin_alone() as connection:
            state = self._state(connection)
            for existing in read_orders(connection, self._account, known):
                if (existing.symbol, existing.quantity) != (order.symbol, order.quantity):
                    raise OrderRejected(
                        RejectReason.ID_TAKEN,
                        f"{self.label} has an order {order.client_order_id} for {existing.quantity} {existing.symbol}",
                    )
                return _as_the_broker_has_it(existing)
            now = max(self._now(), state.market_utc or self._now())
            taken = PaperOrder(
                client_order_id=order.client_order_id,
                broker_order_id=sha256(f"{self._account}\x1f{order.client_order_id}".encode()).hexdigest()[:32],
                symbol=order.symbol,
                quantity=order.quantity,
                limit_price=order.limit_price,
                status=OrderStatus.WORKING,
                filled_quantity=0,
                average_price=None,
                reason="",
                valid_session=_session_for(now),
                submitted_utc=now,
                updated_utc=now,
            )
            write_account(connection, self._account, self._run_mode, state, utc_now())
            write_order(connection, self._account, taken)
        self._publish([_update("new", taken)])
        return _as_the_broker_has_it(taken)

    def cancel(self, broker_order_id: str) -> None:
        """Cancel an order at once."""
        with self._answering(), self._database.begin_alone() as connection:
            self._state(connection)
            orders = read_orders(connection, self._account, PAPER_ORDERS.c.broker_order_id == broker_order_id)
            if not orders:
                raise NotFound(f"{self.label} has no order {broker_order_id}")
            if orders[0].status.ended:
                raise NotCancelable(f"order {broker_order_id} is {orders[0].status}: it cannot be canceled")
            canceled = replace(orders[0], status=OrderStatus.CANCELED, reason="asked for", updated_utc=self._now())
            write_order(connection, self._account, canceled)
        self._publish([_update("canceled", canceled)])

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """The order of a client id."""
        return next(iter(self._orders(PAPER_ORDERS.c.client_order_id == client_order_id)), None)

    def orders(self, since: datetime) -> Sequence[BrokerOrder]:
        """Every order that was submitted after a moment, the oldest first."""
        return self._orders(PAPER_ORDERS.c.submitted_utc > since)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Every order that has not ended."""
        return self._orders(_OPEN)

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Every execution that became known after a moment: an open is known when its bar is complete."""
        with self._database.begin() as connection:
            fills = read_fills(connection, self._account, since)
        return [
            BrokerFill(
                broker_order_id=fill.broker_order_id,
                symbol=fill.symbol,
                side=1 if fill.quantity > 0 else -1,
                fill=_fill(fill),
                quantity=float(abs(fill.quantity)),
                price=fill.price,
                cumulative_quantity=float(fill.cumulative_quantity),
                filled_utc=fill.filled_utc,
            )
            for fill in fills
        ]

    def bookings(self, since: datetime) -> Sequence[BrokerBooking]:
        """Fees, dividends and parts of a share that were booked before the open of the sessions since a moment."""
        with self._database.begin() as connection:
            booked = read_bookings(connection, self._account)
        return [
            BrokerBooking(
                id=f"{each.kind} {each.symbol} {each.session}",
                kind=_BOOKED[each.kind],
                symbol=each.symbol,
                cash=each.amount,
                booked_utc=session_open(each.session),
            )
            for each in booked
            if each.amount and session_open(each.session) >= since
        ]

    def positions(self) -> Sequence[BrokerPosition]:
        """What the account holds."""
        with self._database.begin() as connection:
            state = self._state(connection)
            working = read_orders(connection, self._account, _OPEN)
        return [
            BrokerPosition(
                symbol=symbol,
                quantity=float(held.shares),
                available=_available(symbol, held.shares, working),
                average_price=held.average_price,
                current_price=held.price,
                market_value=held.shares * held.price,
            )
            for symbol, held in sorted(state.positions.items())
        ]

    def account(self) -> Account:
        """Money and permissions."""
        with self._database.begin() as connection:
            state = self._state(connection)
        return Account(
            account_id=self._account,
            equity=state.equity,
            cash=state.cash,
            buying_power=self._buying_power(state),
            last_equity=state.last_equity,
            long_market_value=state.long_value,
            short_market_value=state.short_value,
            multiplier=self._settings.multiplier,
            shorting_enabled=True,
        )

    def asset(self, symbol: str) -> Asset:
        """Every symbol may be traded, and borrowed."""
        return Asset(symbol=symbol, tradable=True, shortable=True, borrow=BorrowStatus.EASY)

    def clock(self) -> BrokerClock:
        """The market's time, and the exchange's next opening and closing."""
        now = self._now()
        session = _session_for(now)
        is_open = session_open(session) <= now
        return BrokerClock(
            now_utc=now,
            is_open=is_open,
            next_open_utc=session_open(session_offset(session, 1) if is_open else session),
            next_close_utc=session_close(session),
        )

    def calendar(self, first: date, last: date) -> Sequence[SessionHours]:
        """The exchange's sessions."""
        return [
            SessionHours(session=day, open_utc=session_open(day), close_utc=session_close(day))
            for day in sessions_between(first, last)
        ]

    def follow(self, receiver: UpdateReceiver, stopping: threading.Event) -> None:
        """Hand on updates until `stopping` is set; those that come while the receiver asks follow when it has."""
        while not stopping.is_set():
            updates: queue.SimpleQueue[TradeUpdate] = queue.SimpleQueue()
            self._followers.append(updates)
            try:
                receiver.connected()
                _hand_on(updates, receiver, stopping)
            except PlatformError as error:  # the receiver could not ask, or not store: it begins again by asking
                receiver.lost(error if isinstance(error, Unavailable) else Unavailable(str(error)))
                stopping.wait(PAUSE_SECONDS)
            finally:
                self._followers.remove(updates)

    def _state(self, connection: sa.Connection) -> PaperAccount:
        """The account, a new one where there is none; nobody else changes it in this transaction."""
        new = PaperAccount(cash=self._settings.cash, last_equity=self._settings.cash, positions={})
        return read_account(connection, self._account) or new

    def _orders(self, condition: sa.ColumnElement[bool]) -> list[BrokerOrder]:
        with self._database.begin() as connection:
            return [_as_the_broker_has_it(each) for each in read_orders(connection, self._account, condition)]

    def _buying_power(self, state: PaperAccount) -> float:
        return max(0.0, self._settings.multiplier * state.equity - (state.long_value - state.short_value))

    def _publish(self, updates: Sequence[TradeUpdate]) -> None:
        for follower in list(self._followers):
            for update in updates:
                follower.put(update)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A database that breaks off may have stored what it was asked for: nobody knows."""
        try:
            yield
        except DatabaseUnavailable as error:
            raise AnswerLost(f"{self.label}: {error}") from error

    def _interval(self, connection: sa.Connection, start_ns: int, bars: dict[str, StreamBar]) -> list[TradeUpdate]:
        """Book one interval, which begins at `start_ns`; the updates that follow from it."""
        state, session = self._state(connection), market_day(start_ns)
        start, end = moment_utc(start_ns), moment_utc(start_ns + self._bar_ns)
        updates = self._expire(connection, PAPER_ORDERS.c.valid_session < session, start)
        if state.booked_session is None or session > state.booked_session:
            state = replace(state, last_equity=state.equity)
            state, bookings = after_night(state, session, self._costs, self._actions(session))
            add_bookings(connection, self._account, bookings)
        due = _OPEN & PAPER_ORDERS.c.symbol.in_(bars) & (PAPER_ORDERS.c.valid_session == session)
        for order in read_orders(connection, self._account, due & (PAPER_ORDERS.c.submitted_utc < end)):
            bar = bars[order.symbol]
            price = fill_price(order.quantity, order.limit_price, bar)
            if price is None:
                continue
            filled_utc = start if price == bar.open else end
            state, update = self._executed(connection, state, order, price, filled_utc, end)
            updates.append(update)
        if state.market_utc is None or end >= state.market_utc:
            state = replace(after_bars(state, bars.values()), market_utc=end)
        write_account(connection, self._account, self._run_mode, state, utc_now())
        return updates

    def _executed(
        self,
        connection: sa.Connection,
        state: PaperAccount,
        order: PaperOrder,
        price: float,
        filled_utc: datetime,
        known_utc: datetime,
    ) -> tuple[PaperAccount, TradeUpdate]:
        """An account after an order met its price, which money may not suffice for."""
        value = abs(order.quantity) * price
        commission = value * self._costs.fill_bps * BASIS_POINT
        after = after_fill(state, order.symbol, order.quantity, price, commission)
        before, shares = (_shares(each, order.symbol) for each in (state, after))
        gross = after.long_value - after.short_value
        if abs(shares) > abs(before) and gross > self._settings.multiplier * after.equity:
            rejected = replace(
                order,
                status=OrderStatus.REJECTED,
                reason=f"insufficient buying power: {value:.2f} dollars, {self._buying_power(state):.2f} are left",
                updated_utc=known_utc,
            )
            write_order(connection, self._account, rejected)
            return state, _update("rejected", rejected)
        filled = replace(
            order,
            status=OrderStatus.FILLED,
            filled_quantity=abs(order.quantity),
            average_price=price,
            updated_utc=known_utc,
        )
        fill = PaperFill(
            execution_id=f"{order.broker_order_id}-1",
            broker_order_id=order.broker_order_id,
            symbol=order.symbol,
            quantity=order.quantity,
            cumulative_quantity=abs(order.quantity),
            price=price,
            commission=commission,
            filled_utc=filled_utc,
        )
        write_order(connection, self._account, filled)
        add_fill(connection, self._account, fill)
        return after, _update("fill", filled, fill=_fill(fill), position_quantity=float(shares))

    def _expire(self, connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> list[TradeUpdate]:
        expired = [
            replace(order, status=OrderStatus.EXPIRED, reason="its session is over", updated_utc=now)
            for order in read_orders(connection, self._account, _OPEN & which)
        ]
        for order in expired:
            write_order(connection, self._account, order)
        return [_update("expired", order) for order in expired]


def _hand_on(updates: "queue.SimpleQueue[TradeUpdate]", receiver: UpdateReceiver, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            update = updates.get(timeout=PAUSE_SECONDS)
        except queue.Empty:
            continue
        receiver.updated(update)


def _session_for(now: datetime) -> date:
    """The session under way, or the next one."""
    day = market_day(moment_ns(now))
    if is_session(day) and now < session_close(day):
        return day
    return session_offset(day if is_session(day) else last_session_before(day), 1)


def _shares(account: PaperAccount, symbol: str) -> int:
    held = account.positions.get(symbol)
    return held.shares if held is not None else 0


def _available(symbol: str, shares: int, working: Sequence[PaperOrder]) -> float:
    """Shares of a position that no working order closes, ≥ 0."""
    closing = sum(abs(each.quantity) for each in working if each.symbol == symbol and each.quantity * shares < 0)
    return float(max(0, abs(shares) - closing))


def _by_start(bar: StreamBar) -> tuple[int, str]:
    return bar.ts_ns, bar.symbol


def _fill(fill: PaperFill) -> Fill:
    return Fill(
        execution_id=fill.execution_id,
        quantity=abs(fill.quantity),
        price=fill.price,
        filled_utc=fill.filled_utc,
        commission=fill.commission,
    )


def _as_the_broker_has_it(order: PaperOrder) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=order.broker_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        quantity=float(order.quantity),
        filled_quantity=float(order.filled_quantity),
        average_price=order.average_price,
        limit_price=order.limit_price,
        status=order.status,
        broker_status=order.status.value,
        reason=order.reason,
        submitted_utc=order.submitted_utc,
        updated_utc=order.updated_utc,
    )


def _update(
    event: str, order: PaperOrder, *, fill: Fill | None = None, position_quantity: float | None = None
) -> TradeUpdate:
    return TradeUpdate(
        event=event,
        order=_as_the_broker_has_it(order),
        fill=fill,
        at_utc=order.updated_utc,
        position_quantity=position_quantity,
    )
