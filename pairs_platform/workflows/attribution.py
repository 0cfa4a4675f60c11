"""Where the change of an account's equity came from in a session: gathers what is stored, and attributes it.

Everything is read as it was known by a moment of the market's clock, but prices at which orders arrived, which are
those of the bars under way then. What does not belong here: the formulas (`core.trading.attribution`), and records of
trades (`core.trading.trade_records`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from pairs_platform.core.errors import StreamUnavailable
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.settings import RunMode
from pairs_platform.core.time import market_midnight
from pairs_platform.core.trading.attribution import CENT, Attribution, attribute
from pairs_platform.core.trading.attribution_records import (
    AccountPeriod,
    CashEvent,
    CashKind,
    ForeignPosition,
)
from pairs_platform.core.trading.bar_prices import BarPrices, bar_prices
from pairs_platform.core.trading.orders import Leg
from pairs_platform.core.trading.positions import Booking, BookingKind
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder
from pairs_platform.core.trading.trade_records import (
    HeldLeg,
    MarketOfSession,
    RulePosition,
    SessionTrade,
    rule_path,
    trade_record,
)
from pairs_platform.database.bookings import account_bookings
from pairs_platform.database.equity import AccountKey, EquityRow, equity_between, newest_equity
from pairs_platform.database.positions import PositionRow, positions_at
from pairs_platform.database.signals import SignalKey, signal_rows, signals_at
from pairs_platform.database.spread_orders import StoredTrade, trades_of_account
from pairs_platform.database.store import Database

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

_KINDS = {
    BookingKind.BORROW: CashKind.BORROW,
    BookingKind.DIVIDEND: CashKind.DIVIDEND,
    BookingKind.SPLIT: CashKind.DIVIDEND,
}
_ACCOUNT_KINDS = {
    "INT": CashKind.INTEREST,
    "CSD": CashKind.TRANSFER,
    "CSW": CashKind.TRANSFER,
    "JNLC": CashKind.TRANSFER,
}


@dataclass(frozen=True, kw_only=True)
class AccountEnd:
    """The account at one end of a period.

    Attributes
    ----------
    row : EquityRow
    positions : sequence of PositionRow
    n_bookings : int
        How many of its bookings, in their order, are in it.
    """

    row: EquityRow
    positions: Sequence[PositionRow]
    n_bookings: int


def account_attribution(
    platform: "Platform", key: AccountKey, session: date, until: datetime | None = None
) -> Attribution | None:
    """Attribute the change of an account's equity in a session, from the close before to its newest snapshot.

    Parameters
    ----------
    until : datetime, optional
        Moment of the market's clock after which nothing is read; the session's end if not given.

    Returns
    -------
    Attribution or None
        None where nothing is written down of the account in the session.

    Raises
    ------
    DataError
        What is stored contradicts itself, or a price is missing.
    """
    by_bars = platform.settings.broker.kind == "paper"
    return session_attribution(
        platform.database,
        key,
        session,
        session_prices(platform, key.run_mode, session),
        bar=timedelta(minutes=platform.settings.frequency.minutes),
        until=until,
        half_spread_bps=0.0 if by_bars else platform.settings.costs.half_spread_bps,
    )


def session_attribution(
    database: Database,
    key: AccountKey,
    session: date,
    prices: BarPrices,
    *,
    bar: timedelta,
    until: datetime | None = None,
    half_spread_bps: float = 0.0,
    betas: Mapping[str, float] | None = None,
) -> Attribution | None:
    """As `account_attribution`, with the session's prices in hand.

    Parameters
    ----------
    prices : BarPrices
        Of all symbols that were traded.
    bar : timedelta
        Length of the bars at whose closes signals are decided.
    half_spread_bps : float
        Half the quoted spread that an order crosses; 0 where it is part of the commission.
    betas : mapping of symbol to float, optional
        To the market.
    """
    until = until or market_midnight(session + timedelta(days=1))
    rows = equity_between(database, key, market_midnight(session), until)
    if not rows:
        return None
    bookings = [each for each in account_bookings(database, key) if each.booked_utc <= until]
    start, end = _ends(database, key, rows, bookings, market_midnight(session), 2 * bar)
    market = MarketOfSession(
        prices=prices, bar=bar, end_utc=end.row.at_utc, half_spread_bps=half_spread_bps, betas=betas or {}
    )
    booked = bookings[start.n_bookings : end.n_bookings]
    worked = {each.spread_order_id for each in booked} | {each.spread_order_id for each in start.positions}
    trades = [
        each
        for each in trades_of_account(database, key.account, key.run_mode)
        if each.trade.id in worked or (each.origin.session == session and each.trade.decided_utc <= until)
    ]
    rule = _RuleOfSession(database, key.run_mode, session, end.row.at_utc - bar)
    by_id = {each.trade.id: each.trade for each in trades}
    own = [_session_trade(each, rule, bookings, start, end, bar) for each in trades]
    period = AccountPeriod(
        start_utc=start.row.at_utc,
        end_utc=end.row.at_utc,
        equity_start=start.row.equity,
        equity_end=end.row.equity,
    )
    return attribute(
        period,
        [trade_record(each, market) for each in own],
        cash_events=[event for each in booked for event in _cash_events(each, by_id)],
        foreign=_foreign(start, end, booked),
    )


def session_prices(platform: "Platform", run_mode: str, session: date) -> BarPrices:
    """Prices of a session's symbols as they were streamed; as history has them where the stream is not known."""
    settings = platform.settings
    length = settings.stream.bar_frequency(settings.frequency)
    try:
        from pairs_platform.platform import open_streams

        streamed = open_streams(settings, cast(RunMode, run_mode)).bars.merged(session).frame()
    except StreamUnavailable:
        streamed = pd.DataFrame()
    if not streamed.empty:
        return bar_prices(streamed, length.length_ns)
    lake, keys = platform.lake, [PartitionKey(session, sector) for sector in settings.active_sectors]
    saved = [lake.read(STREAMED_BARS, key) for key in keys if lake.exists(STREAMED_BARS.table, key)]
    bars = [frame[frame["run_mode"] == run_mode] for frame in saved]
    if any(len(frame) for frame in bars):
        return bar_prices(pd.concat(bars, ignore_index=True), length.length_ns)
    history = [lake.read(PRICE_HISTORY, key) for key in keys if lake.exists(PRICE_HISTORY.table, key)]
    columns = ["symbol", "ts_utc", "open", "close"]
    frame = pd.concat(history, ignore_index=True) if history else pd.DataFrame(columns=columns)
    return bar_prices(frame[columns], settings.frequency.length_ns)


def _ends(
    database: Database,
    key: AccountKey,
    rows: Sequence[EquityRow],
    bookings: Sequence[Booking],
    begin: datetime,
    late: timedelta,
) -> tuple[AccountEnd, AccountEnd]:
    """The account before the session, or at its very first snapshot, and at its newest one."""
    first = newest_equity(database, key, before=begin) or rows[0]
    n_first = sum(each.booked_utc <= first.at_utc for each in bookings)
    start = AccountEnd(row=first, positions=positions_at(database, key, first.at_utc), n_bookings=n_first)
    newest = rows[-1]
    n_newest = _counted(bookings, start, newest, late)
    return start, AccountEnd(row=newest, positions=positions_at(database, key, newest.at_utc), n_bookings=n_newest)


def _counted(bookings: Sequence[Booking], start: AccountEnd, row: EquityRow, late: timedelta) -> int:
    """How many bookings are in a snapshot: those that its cash shows, which may be fewer than had happened by then.

    A broker that fills by bars says at a bar's end what was filled at its open; nothing that is older than `late` is
    left out.
    """
    happened = sum(each.booked_utc <= row.at_utc for each in bookings)
    least = sum(each.booked_utc <= row.at_utc - late for each in bookings)
    cash, found = start.row.cash, None
    for n in range(start.n_bookings, happened + 1):
        if n > start.n_bookings:
            cash += bookings[n - 1].cash - bookings[n - 1].commission
        if n >= least and abs(cash - row.cash) <= CENT / 2:
            found = n
    return happened if found is None else found


class _RuleOfSession:
    """What the stored signals of a session held, bar by bar, up to a bar.

    Parameters
    ----------
    newest : datetime
        Start of the newest bar that counts.
    """

    def __init__(self, database: Database, run_mode: str, session: date, newest: datetime) -> None:
        self._database, self._run_mode, self.session, self._newest = database, run_mode, session, newest
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def positions(self, stored: StoredTrade) -> list[RulePosition]:
        """Of a trade's pair; one without a signal in a bar that others have has left the configuration, and is flat."""
        sector = stored.origin.sector
        if sector not in self._rows:
            key = SignalKey(run_mode=self._run_mode, sector=sector, session=self.session)
            rows = signal_rows(self._database, key)
            self._rows[sector] = [row for row in rows if row["bar_utc"] <= self._newest]
        trade, rows = stored.trade, self._rows[sector]
        held = {
            row["bar_utc"]: row["position"] * (1 if row["y"] == trade.y else -1) * trade.position
            for row in rows
            if row["pair"] == trade.pair
        }
        starts = sorted({row["bar_utc"] for row in rows})
        return [RulePosition(start_utc=start, position=held.get(start, 0)) for start in starts]

    def entry(self, stored: StoredTrade) -> Mapping[str, Any]:
        """What the signal that asked for a trade says of itself, in the words of the cuts."""
        origin = stored.origin
        key = SignalKey(run_mode=origin.run_mode, sector=origin.sector, session=origin.session)
        signal = signals_at(self._database, key, origin.bar_utc).get(stored.trade.pair)
        if signal is None:
            return {}
        version = signal.champion_version
        return {
            "entry_reason": str(signal.action),
            "model_version": "" if version is None else str(version),
            "confidence": signal.confidence if signal.confidence == signal.confidence else None,
        }


def _session_trade(
    stored: StoredTrade,
    rule: _RuleOfSession,
    bookings: Sequence[Booking],
    start: AccountEnd,
    end: AccountEnd,
    bar: timedelta,
) -> SessionTrade:
    before = {each.id for each in bookings[: start.n_bookings]}
    trade = _known(stored.trade, {each.id for each in bookings[: end.n_bookings]}, end.row.at_utc)
    executions = [fill.execution_id for order in trade.orders for fill in order.fills]
    exit_decided = stored.exit_bar_utc + bar if stored.exit_bar_utc is not None and trade.reason else None
    return SessionTrade(
        trade=trade,
        executed_before=frozenset(name for name in executions if f"fill {name}" in before),
        path=rule_path(
            rule.positions(stored), stored.origin.bar_utc if stored.origin.session == rule.session else None
        ),
        start={leg: _held_at_start(trade, leg, start.positions, before) for leg in LEGS},
        end={leg: _held_at_end(trade, leg, end.positions) for leg in LEGS},
        sector=stored.origin.sector,
        exit_decided_utc=exit_decided,
        **rule.entry(stored),
    )


def _known(trade: SpreadOrder, counted: set[str], until: datetime) -> SpreadOrder:
    """The trade without orders that were made later, executions that the account does not have, and a later exit."""
    orders = tuple(
        replace(order, fills=tuple(fill for fill in order.fills if f"fill {fill.execution_id}" in counted))
        for order in trade.orders
        if order.intended_utc <= until
    )
    left = any(order.purpose in ("close", "flatten") for order in orders)
    return replace(trade, orders=orders, goal=trade.goal if left else Goal.HOLD, reason=trade.reason if left else "")


def _held_at_start(trade: SpreadOrder, leg: Leg, positions: Sequence[PositionRow], before: set[str]) -> HeldLeg:
    """Shares as they are after the splits of the night, which changed neither their value nor what they cost."""
    shares = sum(
        order.sign * fill.quantity
        for order in trade.orders
        if order.leg == leg
        for fill in order.fills
        if f"fill {fill.execution_id}" in before
    )
    row = _row(trade, leg, positions)
    if not shares:
        return HeldLeg(shares=0)
    shares += trade.adjusted_y if leg == "y" else trade.adjusted_x
    if row is None or row.market_value is None:
        return HeldLeg(shares=shares)
    average = None if row.average_price is None else row.average_price * row.quantity / shares
    return HeldLeg(shares=shares, value=row.market_value, average_price=average)


def _held_at_end(trade: SpreadOrder, leg: Leg, positions: Sequence[PositionRow]) -> HeldLeg:
    row = _row(trade, leg, positions)
    return HeldLeg(shares=0) if row is None else HeldLeg(shares=int(row.quantity), value=row.market_value)


def _row(trade: SpreadOrder, leg: Leg, positions: Sequence[PositionRow]) -> PositionRow | None:
    mine = (row for row in positions if (row.spread_order_id, row.symbol) == (trade.id, trade.symbol(leg)))
    return next(mine, None)


def _cash_events(booking: Booking, trades: Mapping[str, SpreadOrder]) -> list[CashEvent]:
    """Money that was booked and is no execution; that of shares that no trade holds is the account's."""
    if booking.kind is BookingKind.FILL:
        return []
    kind = _KINDS.get(booking.kind) or _ACCOUNT_KINDS.get(booking.id.split(" ")[0], CashKind.FEE)
    trade = trades.get(booking.spread_order_id)
    if trade is None:
        return [CashEvent(kind=kind, amount=booking.cash - booking.commission)]
    leg: Leg = "y" if booking.symbol == trade.y else "x"
    amount = booking.cash - booking.commission
    return [CashEvent(kind=kind, amount=amount, spread_order_id=trade.id, leg=leg)]


def _foreign(start: AccountEnd, end: AccountEnd, booked: Sequence[Booking]) -> list[ForeignPosition]:
    """What no trade holds; where its shares changed, cash that nothing else explains paid for them."""
    values: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    shares: dict[str, float] = defaultdict(float)
    for place, account in enumerate((start, end)):
        for row in account.positions:
            if not row.spread_order_id:
                values[row.symbol][place] += row.market_value or 0.0
                shares[row.symbol] += row.quantity * (1 if place else -1)
    explained = sum(each.cash - each.commission for each in booked)
    rest = end.row.cash - start.row.cash - explained
    changed = [symbol for symbol, count in sorted(shares.items()) if count]
    return [
        ForeignPosition(symbol=symbol, value_start=before, value_end=after, cash=rest if symbol in changed[:1] else 0.0)
        for symbol, (before, after) in sorted(values.items())
    ]
