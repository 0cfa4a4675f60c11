"""What the limits say of the book, the account and the day now: gathers what they are asked about, decides nothing.

What does not belong here: the limits (`core.risk.limits`), and what the desk does about a broken one (`desk`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.risk.denials import UnusableInput
from pairs_platform.core.risk.exposure import Book, holding_of
from pairs_platform.core.risk.limits import (
    Breach,
    EquityMarks,
    Limit,
    LimitAction,
    NakedLeg,
    Operation,
    PairDay,
    book_breaches,
    equity_marks,
    loss_breaches,
    naked_breaches,
    operation_breaches,
    pair_breaches,
)
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns
from pairs_platform.core.trading.naked import naked_since, naked_tolerance
from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.slippage import slippages
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.equity import EquityRow, equity_rows, newest_equity
from pairs_platform.database.kill_switch import last_release
from pairs_platform.database.positions import positions_at
from pairs_platform.database.spread_orders import StoredTrade
from pairs_platform.ports.broker import Account
from pairs_platform.processes.trader.accounts import session_begin
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.workflows.trading_inputs import MorningFacts

STOPPED = "stop"
"""Reason of a trade that a stop of the rule ended."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the limits say now.

    Attributes
    ----------
    breaches : tuple of Breach
    book : Book
    locked : mapping of pair to str
        Pairs that must rest, and why.
    halved : bool
        Whether entries have half the size.
    """

    breaches: tuple[Breach, ...]
    book: Book
    locked: Mapping[str, str] = field(default_factory=dict)
    halved: bool = False

    def of(self, *actions: LimitAction) -> list[Breach]:
        """The breaches that ask for one of these."""
        return [breach for breach in self.breaches if breach.action in actions]


class Watch:
    """Asks the limits; remembers the account's equity.

    Parameters
    ----------
    seat : Seat
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._curve: list[tuple[datetime, float]] | None = None
        self._released: tuple[datetime, datetime] | None = None
        self._half_lives: dict[str, float] = {}

    def knows(self, pair: str) -> bool:
        """Whether the half-life of a pair was noted."""
        return pair in self._half_lives

    def learn_half_life(self, pair: str, bars: float) -> None:
        """Note how long a pair rests after a stop."""
        self._half_lives[pair] = bars

    def add(self, row: EquityRow) -> None:
        """Note a snapshot of the account."""
        self._equity().append((row.at_utc, row.equity))

    def book(
        self, trades: Iterable[StoredTrade], account: Account, prices: Mapping[str, float], foreign: Mapping[str, float]
    ) -> Book:
        """Everything that the account holds or will hold when its orders are filled."""
        holdings = tuple(holding_of(each.trade, each.origin.sector) for each in trades if not each.trade.state.ended)
        return Book(equity=account.equity, holdings=holdings, prices=prices, foreign=foreign)

    def judged(
        self,
        trades: Sequence[StoredTrade],
        book: Book,
        facts: MorningFacts,
        *,
        unexplained: int,
        silent_seconds: float,
    ) -> Judgement:
        """What the limits say of everything at once."""
        limits, now = self._seat.settings.risk.limits, self._seat.clock()
        breaches = list(book_breaches(book, facts.market, limits)) if book.holdings or book.foreign else []
        marks = self._marks(book.equity, now)
        if isinstance(marks, Breach):
            breaches.append(marks)
        else:
            breaches += loss_breaches(marks, limits)
            breaches += pair_breaches(self._days(trades, book.prices, now), marks.session_open, limits)
        breaches += naked_breaches(
            self._naked(trades),
            equity=book.equity,
            now_utc=now,
            max_seconds=self._seat.settings.execution_settings.naked_seconds,
            limits=limits,
        )
        costs = self._seat.settings.costs
        operation = Operation(
            consecutive_rejects=_rejects(trades),
            unexplained=unexplained,
            stream_silent_seconds=silent_seconds,
            slippages=slippages(each.trade for each in trades),
            assumed_slippage_bps=costs.half_spread_bps + costs.slippage_bps,
        )
        breaches += operation_breaches(operation, limits)
        locking = (LimitAction.LOCK_PAIR, LimitAction.CLOSE_PAIR)
        return Judgement(
            breaches=tuple(breaches),
            book=book,
            locked={each.subject: each.message for each in breaches if each.action in locking},
            halved=any(each.action is LimitAction.HALVE for each in breaches),
        )

    def _equity(self) -> list[tuple[datetime, float]]:
        if self._curve is None:
            rows = equity_rows(self._seat.database, self._seat.run_mode)
            mine = [row for row in rows if row["account"] == self._seat.account]
            self._curve = [(row["at_utc"], row["equity"]) for row in mine]
        return self._curve

    def _marks(self, equity: float, now: datetime) -> EquityMarks | Breach:
        session = newest_session(moment_ns(now))
        opened = session_begin(now) if session is None else session_open(session)
        monday = opened - timedelta(days=opened.weekday())
        released = self._release(now, equity)
        curve = [*self._equity(), (now, equity)]
        try:
            return equity_marks(
                curve,
                session_open_utc=opened,
                week_open_utc=monday.replace(hour=0, minute=0, second=0, microsecond=0),
                released_utc=None if released is None else min(at for at, _ in curve if at >= released),
            )
        except UnusableInput as error:
            message = f"the equity of the account is not known: {error}"
            return Breach(
                limit=Limit.UNMEASURED, action=LimitAction.REDUCE, value=float("nan"), bound=0.0, message=message
            )

    def _release(self, now: datetime, equity: float) -> datetime | None:
        """When the kill switch was last released, by the market's clock; what is owned when it is noticed is kept.

        Losses count from the first worth of the account that is known after it.
        """
        released = last_release(self._seat.database, self._seat.run_mode)
        if released is None:
            return None
        if self._released is None or self._released[0] != released:
            self._released = (released, now - max(timedelta(0), self._seat.wall() - released))
            self._equity().append((now, equity))
        return self._released[1]

    def _days(self, trades: Sequence[StoredTrade], prices: Mapping[str, float], now: datetime) -> list[PairDay]:
        """What each pair has done in this session."""
        begin = session_begin(now)
        before = newest_equity(self._seat.database, self._seat.key, before=begin)
        rows = [] if before is None else positions_at(self._seat.database, self._seat.key, before.at_utc)
        overnight: dict[str, float] = {}
        for row in rows:
            overnight[row.spread_order_id] = overnight.get(row.spread_order_id, 0.0) + (row.market_value or 0.0)
        results: dict[str, float] = {}
        stops: dict[str, list[datetime]] = {}
        for each in trades:
            trade = each.trade
            result = _result(trade, prices, begin) - overnight.get(trade.id, 0.0)
            results[trade.pair] = results.get(trade.pair, 0.0) + result
            if trade.reason.startswith(STOPPED) and each.exit_bar_utc is not None and each.exit_bar_utc >= begin:
                stops.setdefault(trade.pair, []).append(each.exit_bar_utc)
        length = timedelta(minutes=self._seat.settings.frequency.minutes)
        return [
            PairDay(
                pair=pair,
                result=result,
                stops=len(stops.get(pair, ())),
                bars_since_stop=int((now - max(stops[pair])) / length) - 1 if pair in stops else None,
                half_life_bars=self._half_lives.get(pair, float("nan")),
            )
            for pair, result in results.items()
        ]

    def _naked(self, trades: Sequence[StoredTrade]) -> list[NakedLeg]:
        fraction = self._seat.settings.execution.naked_tolerance
        legs = []
        for each in trades:
            trade = each.trade
            at = {"price_y": trade.price_y, "price_x": trade.price_x}
            since = naked_since(trade, **at, tolerance=naked_tolerance(trade, fraction, **at))
            if since is not None:
                legs.append(NakedLeg(pair=trade.pair, value=trade.naked(**at), since_utc=since))
        return legs


def _result(trade: SpreadOrder, prices: Mapping[str, float], begin: datetime) -> float:
    """Dollars of a trade since a moment: what its orders since then brought, and what it holds; NaN if unknown."""
    if any(order.lacks_executions for order in trade.orders):
        return float("nan")
    value = 0.0
    for leg in LEGS:
        held = trade.held(leg)
        if held:
            value += held * prices.get(trade.symbol(leg), float("nan"))
    for order in trade.orders:
        if order.intended_utc >= begin:
            value += order.proceeds
    return value


def _rejects(trades: Sequence[StoredTrade]) -> int:
    """Orders rejected one after another, up to the newest that the broker has said something of."""
    orders = [order for each in trades for order in each.trade.orders]
    told = [order for order in orders if order.status not in (OrderStatus.INTENDED, OrderStatus.DENIED)]
    count = 0
    for order in sorted(told, key=lambda each: each.intended_utc, reverse=True):
        if order.status is not OrderStatus.REJECTED:
            break
        count += 1
    return count
