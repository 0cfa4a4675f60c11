"""The account on both sides: compared at its times, and written down as what it was worth and what it held.

What the broker says of orders of the platform is taken over by their ids, nothing else. Cash is compared within a
session: what a night books is the broker's to say. What does not belong here: what follows from a difference
(`watch`).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from pairs_platform.core.errors import DataError, Refused, Unavailable
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import market_day, market_midnight, moment_ns
from pairs_platform.core.trading.netting import shares_of_pairs
from pairs_platform.core.trading.orders import CLIENT_ORDER_ID_PREFIX
from pairs_platform.core.trading.positions import booked, fill_booking
from pairs_platform.core.trading.reconciliation import (
    BrokersSide,
    Difference,
    OurSide,
    PositionSeen,
    Reconciliation,
    Subject,
    reconciled,
)
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.equity import EquityRow, newest_equity
from pairs_platform.database.positions import PositionRow, positions_at, store_snapshot
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.spread_orders import StoredTrade, apply_report, trades_at_work
from pairs_platform.ports.broker import Account, BrokerOrder
from pairs_platform.processes.trader.messages import OVERLAP
from pairs_platform.processes.trader.seat import Seat

T = TypeVar("T")

COMPARE_SECONDS = 60.0
BEFORE_OPEN = timedelta(minutes=5)


@dataclass(frozen=True)
class _Foreign:
    """Signed shares by symbol that were nobody's of the platform at a moment."""

    shares: dict[str, float]
    at_utc: datetime


class Accounts:
    """Both sides of the account.

    Parameters
    ----------
    seat : Seat

    Attributes
    ----------
    differences : tuple of Difference
        That the newest comparison found, however young.
    unexplained : tuple of Difference
        Those that are older than the settings allow.
    foreign_shares : mapping of symbol to float
        Signed shares that are known to be nobody's of the platform.
    foreign_pending : mapping of symbol to tuple of int
        Signed shares of working orders that are not the platform's.
    disputed : mapping of symbol to float
        Signed shares that the broker held by its newest answer, of symbols in which it and the trades differ.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.differences: tuple[Difference, ...] = ()
        self.unexplained: tuple[Difference, ...] = ()
        self.foreign_shares: dict[str, float] = {}
        self.foreign_pending: dict[str, tuple[int, ...]] = {}
        self.disputed: dict[str, float] = {}
        self._unreadable: set[str] = set()
        self._base: _Foreign | None = None
        self._cash: tuple[float, datetime] | None = None
        self._compared_at: datetime | None = None
        self._hurried = False
        self._compared_for: tuple[date, str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether orders and positions were compared since this process began: nothing is sent before."""
        return self._base is not None

    def at_work(self, now: datetime) -> list[StoredTrade]:
        """The open trades, and those that had an order in this session, oldest first."""
        return trades_at_work(self._seat.database, self._seat.run_mode, self._seat.account, session_begin(now))

    def is_due(self, now: datetime) -> bool:
        """Whether the account is to be compared: after a minute, while it differs, before the open, after the close."""
        if self._compared_at is None or self._compared_for != _part_of_day(now):
            return True
        pause = COMPARE_SECONDS
        if self.differences or self._hurried:
            pause = min(pause, max(1.0, self._seat.settings.execution.difference_seconds))
        return (self._seat.wall() - self._compared_at).total_seconds() >= pause

    def hurry(self) -> None:
        """Let the next comparison come as soon as if the account differed: the broker is about to change it."""
        self._hurried = True

    def begin_session(self) -> None:
        """What cash was before the open is no measure of what it is after: a night books fees and dividends."""
        self._cash = None

    def compare(self) -> Reconciliation:
        """Compare both sides, and take over what the broker says of orders of the platform.

        Raises
        ------
        Unavailable
            Orders or positions were never known to this process, and the broker did not say them.
        """
        now = self._seat.clock()
        trades = [each.trade for each in self.at_work(now)]
        brokers = self._brokers_side(trades, now)
        if self._base is None and (brokers.orders is None or brokers.positions is None):
            raise Unavailable(f"{self._seat.broker.label} does not say which orders and positions it has")
        if self._base is None:
            self._take_over(self._found(trades, brokers))
            trades = [each.trade for each in self.at_work(now)]
            self._base = self._first_base(trades, brokers)
        self._learn_foreign(self._base, trades, brokers)
        found = self._found(trades, brokers)
        self._take_over(found)
        self._note(found)
        self.differences, self.unexplained = found.differences, found.unexplained
        self.foreign_pending = _pending(found)
        if brokers.positions is not None:
            self.disputed = _disputed(found, trades, brokers.positions)
        self._keep_cash(trades, brokers.cash, found, now)
        self._compared_at, self._compared_for, self._hurried = (
            self._seat.wall(),
            _part_of_day(now),
            bool(found.unanswered),
        )
        return found

    def _found(self, trades: Sequence[SpreadOrder], brokers: BrokersSide) -> Reconciliation:
        ours = OurSide(trades=trades, cash=self._our_cash(trades, brokers.cash), foreign_shares=self.foreign_shares)
        settings = self._seat.settings.execution
        return reconciled(ours, brokers, self._seat.wall(), settings, before=self.differences)

    def _take_over(self, found: Reconciliation) -> None:
        for correction in found.corrections:
            client_id = correction.client_order_id
            try:
                apply_report(self._seat.database, client_id, correction.report, self._seat.now())
            except DataError as error:  # an execution that is another order's: a person has to look at it
                message = f"order {client_id}: {error}"
                self._seat.note(RiskEvent(kind="anomaly", code="broker", severity="error", message=message))

    def snapshot(
        self, account: Account, trades: Sequence[SpreadOrder], sectors: dict[str, str], prices: dict[str, float]
    ) -> EquityRow:
        """Write down what the account is worth and holds now."""
        key, now = self._seat.key, self._seat.clock()
        before = newest_equity(self._seat.database, key)
        long_value, short_value = account.long_market_value, account.short_market_value
        row = EquityRow(
            at_utc=now,
            equity=account.equity,
            cash=account.cash,
            long_value=max(0.0, long_value or 0.0),
            short_value=min(0.0, short_value or 0.0),
            high_water=max(account.equity, before.high_water if before else account.equity),
            buying_power=account.buying_power,
        )
        positions = [*_legs(trades, sectors, prices), *self._foreign_rows(prices)]
        store_snapshot(self._seat.database, key, row, positions)
        return row

    def _brokers_side(self, trades: Sequence[SpreadOrder], now: datetime) -> BrokersSide:
        """What the broker says; None for what it did not answer. Asked after the trades were read."""
        pending = [order.intended_utc for trade in trades for leg in LEGS for order in trade.pending(leg)]
        since = min([session_begin(now), *pending]) - OVERLAP
        broker = self._seat.broker
        orders = self._answer("orders", lambda: _union(broker.open_orders(), broker.orders(since)))
        account = self._answer("the account", broker.account)
        return BrokersSide(
            orders=orders,
            fills=self._answer("executions", lambda: broker.fills(since)),
            positions=self._answer("positions", broker.positions),
            cash=None if account is None else account.cash,
            since_utc=since,
        )

    def _answer(self, what: str, question: Callable[[], T]) -> T | None:
        """What the broker answers; None where it does not, which is never "none"."""
        try:
            answer = question()
        except DataError as error:
            self.note_unreadable(what, error)
            return None
        except (Unavailable, Refused):
            return None
        self._unreadable.discard(what)
        return answer

    def note_unreadable(self, what: str, error: DataError) -> None:
        """Store that an answer of the broker cannot be read, once until it can be."""
        if what not in self._unreadable:
            self._unreadable.add(what)
            message = f"the broker's answer about {what} cannot be used: {error}"
            self._seat.note(RiskEvent(kind="anomaly", code="broker", severity="error", message=message))

    def _first_base(self, trades: Sequence[SpreadOrder], brokers: BrokersSide) -> _Foreign:
        """What the account held beside the platform at its newest snapshot.

        An account that was never written down holds what it holds of symbols in which the platform has no trade.
        """
        newest = newest_equity(self._seat.database, self._seat.key)
        if newest is not None:
            rows = positions_at(self._seat.database, self._seat.key, newest.at_utc)
            return _Foreign({row.symbol: row.quantity for row in rows if not row.spread_order_id}, newest.at_utc)
        traded = {trade.symbol(leg) for trade in trades for leg in LEGS}
        held = {each.symbol: float(each.quantity) for each in brokers.positions or () if each.symbol not in traded}
        return _Foreign(held, self._seat.clock())

    def _learn_foreign(self, base: _Foreign, trades: Sequence[SpreadOrder], brokers: BrokersSide) -> None:
        """Add what foreign orders filled since the base, but not what they took of the shares of trades.

        The broker nets: a liquidation, a recall or a person may have closed what trades hold. That stays a difference.
        """
        if brokers.orders is None:
            return
        shares: dict[str, float] = defaultdict(float, base.shares)
        for order in brokers.orders:
            if isinstance(order, BrokerOrder) and _is_foreign(order, base.at_utc) and order.quantity:
                shares[order.symbol] += (1 if order.quantity > 0 else -1) * order.filled_quantity
        held = shares_of_pairs(trades)
        after = {
            symbol: count - _taken(held.get(symbol, 0), base.shares.get(symbol, 0.0), count)
            for symbol, count in shares.items()
        }
        after = {symbol: count for symbol, count in after.items() if count}
        if after != self.foreign_shares and self._compared_at is not None:
            self._cash = None
        self.foreign_shares = after

    def _our_cash(self, trades: Sequence[SpreadOrder], there: float | None) -> float:
        if self._cash is None:
            return there or 0.0
        dollars, since = self._cash
        return dollars + _cash_of(trades, since)

    def _keep_cash(
        self, trades: Sequence[SpreadOrder], there: float | None, found: Reconciliation, now: datetime
    ) -> None:
        """From a moment on at which nothing moves and the session's first bar is over, cash must be what fills say."""
        if self._cash is not None or there is None or found.differences or found.corrections:
            return
        moving = any(trade.pending(leg) for trade in trades for leg in LEGS)
        session = newest_session(moment_ns(now))
        bar = timedelta(minutes=self._seat.settings.frequency.minutes)
        if session is not None and not moving and now > session_open(session) + bar:
            self._cash = (there, now)

    def _note(self, found: Reconciliation) -> None:
        known = {difference.key for difference in self.unexplained}
        events = [
            RiskEvent(kind="reconciliation", code=str(each.subject), severity="error", message=each.message)
            for each in found.unexplained
            if each.key not in known
        ]
        if events:
            self._seat.note(*events)

    def _foreign_rows(self, prices: dict[str, float]) -> list[PositionRow]:
        return [
            PositionRow(
                symbol=symbol,
                quantity=shares,
                price=prices.get(symbol),
                market_value=shares * prices[symbol] if symbol in prices else None,
            )
            for symbol, shares in sorted(self.foreign_shares.items())
        ]


def session_begin(now: datetime) -> datetime:
    """Midnight in New York before the newest session's open: what belongs to the session, or to the night after it."""
    session = newest_session(moment_ns(now))
    return market_midnight(session or market_day(moment_ns(now)))


def _part_of_day(now: datetime) -> tuple[date, str]:
    """Session and part of the day, each of which begins with a comparison."""
    day = market_day(moment_ns(now))
    session = newest_session(moment_ns(now + BEFORE_OPEN))
    if session is None or session != day:
        return day, "night"
    if now < session_open(session):
        return day, "before the open"
    return day, "session" if now < session_close(session) else "after the close"


def _union(*lists: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    """Orders of several lists, each once, as the last one has it."""
    return list({order.broker_order_id: order for orders in lists for order in orders}.values())


def _is_foreign(order: BrokerOrder, since: datetime) -> bool:
    changed = order.updated_utc or order.submitted_utc
    is_ours = order.client_order_id.startswith(CLIENT_ORDER_ID_PREFIX)
    return not is_ours and (changed is None or changed > since)


def _taken(held: int, before: float, after: float) -> float:
    """Signed shares that foreign orders filled against what trades hold of a symbol; a person's own stay foreign."""
    if held < 0:
        return min(-held, max(0.0, max(after, 0.0) - max(before, 0.0)))
    return -min(held, max(0.0, max(-after, 0.0) - max(-before, 0.0)))


def _disputed(
    found: Reconciliation, trades: Sequence[SpreadOrder], positions: Sequence[PositionSeen]
) -> dict[str, float]:
    there = {each.symbol: each.quantity for each in positions}
    differing = {each.key for each in found.differences}
    symbols = {trade.symbol(leg) for trade in trades for leg in LEGS}
    return {symbol: there.get(symbol, 0.0) for symbol in symbols if f"{Subject.POSITION} {symbol}" in differing}


def _pending(found: Reconciliation) -> dict[str, tuple[int, ...]]:
    pending: dict[str, list[int]] = {}
    for order in found.foreign:
        if order.pending:
            pending.setdefault(order.symbol, []).append(int(order.pending))
    return {symbol: tuple(shares) for symbol, shares in pending.items()}


def _cash_of(trades: Sequence[SpreadOrder], since: datetime) -> float:
    """Dollars that fills of orders since a moment brought, after their commissions."""
    return sum(order.proceeds for trade in trades for order in trade.orders if order.intended_utc >= since)


def _legs(trades: Sequence[SpreadOrder], sectors: dict[str, str], prices: dict[str, float]) -> list[PositionRow]:
    """A row for each leg that is held, as its fills add up."""
    rows = []
    for trade in trades:
        book = booked((fill_booking(order, fill) for order in trade.orders for fill in order.fills), cash=0.0)
        for leg in LEGS:
            held, symbol = trade.held(leg), trade.symbol(leg)
            if not held:
                continue
            position, price = book.positions.get((trade.id, symbol)), prices.get(symbol)
            of_leg = [fill for order in trade.orders if order.leg == leg for fill in order.fills]
            rows.append(
                PositionRow(
                    symbol=symbol,
                    quantity=held,
                    spread_order_id=trade.id,
                    pair=trade.pair,
                    sector=sectors.get(trade.id),
                    average_price=None if position is None else position.average_price,
                    price=price,
                    market_value=None if price is None else held * price,
                    realized=None if position is None else position.realized,
                    commission=sum(fill.commission for fill in of_leg),
                )
            )
    return rows
