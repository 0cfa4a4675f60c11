"""What becomes of each signal that asks for a trade: a trade that begins or ends, or the reason why not.

A signal is handled when it has an outcome, and until then again at every look, so that a process that died forgets
none. Exits ask neither risk nor how late they are. What does not belong here: the checks (`core.risk`), and sending
(`work`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from pairs_platform.core.errors import DataError, NotFound, PartitionMissing, Refused, Unavailable
from pairs_platform.core.prices.calendar import session_close, session_offset
from pairs_platform.core.risk.checks import MARKET_ORDER_MARGIN, AccountState, Intent, RiskContext, SymbolState
from pairs_platform.core.risk.denials import DenialCode
from pairs_platform.core.risk.exposure import Book, holding_of
from pairs_platform.core.risk.trading_state import Standing
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.sessions import is_open, newest_session
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder, SpreadState
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.signal_outcomes import Outcome, SignalOutcome, signals_without_outcome, store_outcomes
from pairs_platform.database.signals import SignalKey, last_signals
from pairs_platform.database.spread_orders import Origin, StoredTrade, change_trade, store_intent, stored_trade
from pairs_platform.ports.broker import Account, Asset, BorrowStatus, Broker
from pairs_platform.processes.trader.drift import Drift
from pairs_platform.processes.trader.entries import Entry, SignalRow, entry_of_signal, trade_id
from pairs_platform.processes.trader.market import Market
from pairs_platform.processes.trader.messages import Messenger
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.processes.trader.watch import Judgement

NOT_HELD = "not_held"
"""Code of an exit of a pair that holds nothing: its entry was not made, or has been left already."""

SESSION_OVER = "session_over"
"""Code of an exit that was decided at the last close: the rule decides again at the next session's first bar."""

FOLLOWED = "followed"
"""Code of an entry of a pair that the configuration follows and does not trade."""

NO_CONFIGURATION = "no_configuration"
"""Code of an entry whose session has no configuration any more."""

LOOK_BACK = 5
"""Sessions before this one whose signals are looked at when a process begins."""


class Signals:
    """Follows the signals of every active sector.

    Parameters
    ----------
    seat : Seat
    market : Market
    messenger : Messenger
    drift : Drift
    """

    def __init__(self, seat: Seat, market: Market, messenger: Messenger, drift: Drift) -> None:
        self._seat, self._market, self._messenger, self._drift = seat, market, messenger, drift
        self._assets: dict[tuple[date, str], Asset] = {}
        self._looked_back: date | None = None

    def follow(
        self,
        trades: Sequence[StoredTrade],
        judgement: Judgement,
        standing: Standing,
        ask_account: Callable[[], Account],
    ) -> bool:
        """Handle every signal without an outcome; whether there was any.

        Parameters
        ----------
        ask_account : callable
            Asks the broker for money and permissions of this moment.
        """
        found = False
        asked: Account | None = None
        entered = list(trades)
        for key in self._keys():
            for row in signals_without_outcome(self._seat.database, key):
                found, signal = True, SignalRow(row)
                if not signal.opens:
                    self._exit(signal, key, entered)
                    continue
                known = stored_trade(self._seat.database, trade_id(signal, self._seat.account))
                if known is not None:
                    self._entered(signal, key, known)
                elif not signal.size:
                    message = f"the configuration follows {signal.pair}, and does not trade it"
                    self._decide(signal, key, "denied", code=FOLLOWED, message=message)
                elif signal.late:
                    self._decide(signal, key, "late", message="it was decided when a later bar was complete already")
                elif self._age(signal) > self._seat.settings.risk_settings.entries.max_signal_age_seconds:
                    self._decide(signal, key, "late", message=f"it was {self._age(signal):.0f} s old when it was seen")
                else:
                    # While the broker does not answer, entries wait and grow old; exits do not wait for them.
                    with suppress(Unavailable, Refused, DataError):
                        asked = asked or ask_account()
                        book = self._book(entered, judgement.book, asked)
                        new = self._enter(signal, key, entered, replace(judgement, book=book), standing, asked)
                        entered += [] if new is None else [new]
        return found

    def leave_what_no_signal_holds(self, trades: Sequence[StoredTrade]) -> bool:
        """Leave trades that the newest signals of their sector do not hold any more; whether there were any.

        The rule may have left a pair while nobody listened; a pair that left the configuration has signals in the role
        `closing` until the rule's own position is closed, and none after that.
        """
        left = False
        for each in trades:
            trade = each.trade
            if trade.goal is not Goal.HOLD or trade.broken:
                continue
            reason = self._not_wanted(each)
            if reason:
                change_trade(
                    self._seat.database, trade.id, partial(SpreadOrder.to_leave, goal=Goal.CLOSE, reason=reason),
                    self._seat.now(),
                )  # fmt: skip
                left = True
        return left

    def _not_wanted(self, each: StoredTrade) -> str:
        """Why the newest signals do not hold a trade; empty where they do, or say nothing yet."""
        if each.origin.sector not in self._seat.settings.active_sectors:
            return f"the sector {each.origin.sector} is not traded any more"
        session = newest_session(moment_ns(self._seat.clock()))
        if session is None:
            return ""
        key = SignalKey(run_mode=self._seat.run_mode, sector=each.origin.sector, session=session)
        newest = last_signals(self._seat.database, key)
        if not newest:
            return ""
        if moment_utc(next(iter(newest.values())).start_ns) <= each.origin.bar_utc:
            return ""  # the position of a bar follows from what the bars before it asked for
        signal = newest.get(each.trade.pair)
        if signal is None:
            return f"{each.trade.pair} left the configuration"
        held = signal.position * (1 if signal.y == each.trade.y else -1)
        if held != each.trade.position and signal.action not in ("exit", "stop"):
            return "the rule holds nothing of it"
        return ""

    def _keys(self) -> Iterator[SignalKey]:
        """The sessions whose signals may wait: the newest one, and at first those before it."""
        now = self._seat.clock()
        session = newest_session(moment_ns(now))
        if session is None:
            return
        back = 0 if self._looked_back == session else LOOK_BACK
        for sector in self._seat.settings.active_sectors:
            for n in range(back, -1, -1):
                yield SignalKey(run_mode=self._seat.run_mode, sector=sector, session=session_offset(session, -n))
        self._looked_back = session

    def _decide(
        self, signal: SignalRow, key: SignalKey, outcome: Outcome, *, code: str = "", message: str = "",
        trade: str | None = None,
    ) -> None:  # fmt: skip
        found = SignalOutcome(
            pair=signal.pair,
            bar_utc=signal.bar_utc,
            outcome=outcome,
            code=code,
            message=message,
            account=self._seat.account,
            spread_order_id=trade,
        )
        new = store_outcomes(self._seat.database, key, [found], self._seat.now())
        if not new or outcome != "denied" or code == FOLLOWED:
            return
        self._seat.note(
            RiskEvent(
                kind="denial", code=code, severity="info", message=f"{signal.pair}: {message}", sector=key.sector,
                pair=signal.pair, spread_order_id=trade,
            )
        )  # fmt: skip

    def _exit(self, signal: SignalRow, key: SignalKey, trades: Sequence[StoredTrade]) -> None:
        """End the pair's trade as the rule says, whatever the state of anything else."""
        of_pair = [each for each in trades if each.trade.pair == signal.pair and each.origin.sector == key.sector]
        mine = next((each for each in of_pair if each.exit_bar_utc == signal.bar_utc), None)
        if mine is not None:
            if mine.trade.state.ended:
                self._decide(signal, key, "filled", trade=mine.trade.id)
            return
        held = next(
            (
                each
                for each in of_pair
                if each.trade.goal is Goal.HOLD and each.origin.bar_utc < signal.bar_utc and not each.trade.state.ended
            ),
            None,
        )
        now = self._seat.clock()
        if held is None:
            self._decide(signal, key, "denied", code=NOT_HELD, message="nothing is held that is not left already")
        elif signal.session != newest_session(moment_ns(now)) or now >= session_close(signal.session):
            message = "it was decided at the session's last close: the first bar decides again"
            self._decide(signal, key, "denied", code=SESSION_OVER, message=message, trade=held.trade.id)
        else:
            reason = f"{signal.action}: {signal.reason}" if signal.reason else str(signal.action)
            change_trade(
                self._seat.database, held.trade.id, lambda trade: trade.to_leave(Goal.CLOSE, reason),
                self._seat.now(), exit_bar_utc=signal.bar_utc,
            )  # fmt: skip

    def _entered(self, signal: SignalRow, key: SignalKey, known: StoredTrade) -> None:
        """What became of a signal that began a trade, once that is certain."""
        trade = known.trade
        filled = any(order.filled for order in trade.orders)
        if trade.state is SpreadState.OPEN or (filled and trade.goal is not Goal.HOLD):
            self._decide(signal, key, "filled", trade=trade.id)
        elif trade.state.ended:
            self._decide(signal, key, "expired", message=trade.reason, trade=trade.id)

    def _enter(
        self, signal: SignalRow, key: SignalKey, trades: Sequence[StoredTrade], judgement: Judgement,
        standing: Standing, account: Account,
    ) -> StoredTrade | None:  # fmt: skip
        """Decide an entry, and write its trade down where nothing stops it."""
        try:
            state = self._market.session_state(key.sector, key.session)
        except (PartitionMissing, DataError) as error:
            self._decide(signal, key, "denied", code=NO_CONFIGURATION, message=str(error))
            return None
        context = self._context(signal, state, trades, judgement, standing, account)
        risk = self._seat.settings.risk_settings
        entry = entry_of_signal(signal, state, context, risk, account=self._seat.account, halved=judgement.halved)
        if entry.trade is None:
            if not entry.may_wait:
                self._deny(signal, key, entry)
            return None
        origin = Origin(
            account=self._seat.account, run_mode=self._seat.run_mode, sector=key.sector, session=key.session,
            bar_utc=signal.bar_utc,
        )  # fmt: skip
        at = self._seat.now()
        try:
            store_intent(self._seat.database, entry.trade, origin, at)
        except Refused as error:
            self._decide(signal, key, "denied", code=DenialCode.DUPLICATE_INTENT, message=str(error))
            return None
        return StoredTrade(trade=entry.trade, origin=origin, exit_bar_utc=None, recorded_utc=at.utc, ended_utc=None)

    def _book(self, trades: Sequence[StoredTrade], book: Book, account: Account) -> Book:
        """The book with every trade that was written down since it was made, and the equity of this moment."""
        known = {holding.pair for holding in book.holdings}
        new = [each for each in trades if each.trade.pair not in known and not each.trade.state.ended]
        for each in new:
            book = book.with_holding(holding_of(each.trade, each.origin.sector))
        return replace(book, equity=account.equity)

    def _deny(self, signal: SignalRow, key: SignalKey, entry: Entry) -> None:
        first = entry.stopping[0]
        message = "; ".join(denial.message for denial in entry.stopping)
        self._decide(signal, key, "denied", code=str(first.code), message=message)

    def _age(self, signal: SignalRow) -> float:
        """Market time since the end of the signal's bar, seconds."""
        length = timedelta(minutes=self._seat.settings.frequency.minutes)
        return (self._seat.clock() - signal.bar_utc - length).total_seconds()

    def _context(
        self, signal: SignalRow, state: SessionState, trades: Sequence[StoredTrade], judgement: Judgement,
        standing: Standing, account: Account,
    ) -> RiskContext:  # fmt: skip
        """Everything that an entry is held against."""
        now = self._seat.clock()
        session = newest_session(moment_ns(now))
        is_trading = session is not None and is_open(moment_ns(now))
        champion = None if state.champion is None else state.champion.version
        working = [order for each in trades for leg in LEGS for order in each.trade.pending(leg)]
        if self._seat.settings.broker.takes_opposite_orders:
            working = []
        return RiskContext(
            now_utc=now,
            wall_utc=self._seat.wall(),
            session=session if is_trading else None,
            close_utc=session_close(session) if session is not None else None,
            standing=standing,
            config_hash=state.config_hash,
            model_version=champion,
            round_trip_bps=self._seat.settings.costs.round_trip_bps,
            account=AccountState(
                buying_power=_left(account, trades, judgement.book.prices),
                multiplier=account.multiplier,
                shorting_enabled=account.shorting_enabled,
                blocked=account.blocked,
            ),
            symbols={
                symbol: self._symbol(symbol, signal.session, tuple(o.remaining for o in working if o.symbol == symbol))
                for symbol in (signal.y, signal.x)
            },
            book=judgement.book,
            market=self._market.facts(signal.session).market,
            has_quotes=False,
            intents=self._intents(trades),
            sent=self._messenger.sent_lately,
            locked=judgement.locked,
            drifted={signal.pair: why} if (why := self._drift.why_no_entry(signal.pair)) else {},
        )

    def _symbol(self, symbol: str, session: date, working: tuple[int, ...]) -> SymbolState:
        facts, asset = self._market.facts(session), self._asset(symbol, session)
        return SymbolState(
            bid=None,
            ask=None,
            mean_daily_volume=facts.mean_daily_volumes.get(symbol),
            tradable=asset.tradable,
            borrow_status=asset.borrow.value,
            ex_dates=None if facts.ex_dates is None else facts.ex_dates.get(symbol, ()),
            working=working,
        )

    def _asset(self, symbol: str, session: date) -> Asset:
        """What may be done with a symbol, asked once a session."""
        broker: Broker = self._seat.broker
        if (session, symbol) not in self._assets:
            self._assets = {key: asset for key, asset in self._assets.items() if key[0] == session}
            try:
                self._assets[session, symbol] = broker.asset(symbol)
            except NotFound:
                self._assets[session, symbol] = Asset(
                    symbol=symbol, tradable=False, shortable=False, borrow=BorrowStatus.UNKNOWN
                )
        return self._assets[session, symbol]

    def _intents(self, trades: Sequence[StoredTrade]) -> frozenset[Intent]:
        length = timedelta(minutes=self._seat.settings.frequency.minutes)
        actions = {1: "enter_long", -1: "enter_short"}
        return frozenset(
            (each.trade.pair, each.origin.bar_utc + length, actions[each.trade.position]) for each in trades
        )


def _left(account: Account, trades: Sequence[StoredTrade], prices: Mapping[str, float]) -> float | None:
    """Buying power without what trades will hold that are not filled yet."""
    if account.buying_power is None:
        return None
    missing = (
        max(0, abs(each.trade.wanted(leg)) - abs(each.trade.held(leg))) * prices.get(each.trade.symbol(leg), 0.0)
        for each in trades
        for leg in LEGS
        if not each.trade.state.ended
    )
    return max(0.0, account.buying_power - MARKET_ORDER_MARGIN * sum(missing))
