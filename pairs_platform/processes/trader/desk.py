"""The desk: one look at an account after another, each of which does what is due and keeps nothing it must not lose.

What it knows is in the database and with the broker; what it remembers only saves questions, so that another process
goes on where one died. It has no threads and never sleeps. What does not belong here: decisions (`core`), the process
around it (`trader`), and the parts of a look (the other modules of this folder).
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import partial

from pairs_platform.core.errors import DataError, Refused, StreamUnavailable, Unavailable
from pairs_platform.core.prices.calendar import session_close, session_offset
from pairs_platform.core.risk.limits import Breach, LimitAction
from pairs_platform.core.risk.trading_state import (
    KillLevel,
    Standing,
    TradingState,
    engaged_by_limits,
    standing,
)
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder, SpreadState
from pairs_platform.database.kill_switch import kill_switch, set_kill_switch
from pairs_platform.database.risk_events import RiskEvent, Severity
from pairs_platform.database.spread_orders import StoredTrade, change_trade
from pairs_platform.ports.broker import Account
from pairs_platform.processes.trader.accounts import Accounts
from pairs_platform.processes.trader.bookings import Bookings
from pairs_platform.processes.trader.drift import Drift
from pairs_platform.processes.trader.entries import half_life_bars
from pairs_platform.processes.trader.flattening import Flattening
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import Market
from pairs_platform.processes.trader.messages import Messenger
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.processes.trader.signals import Signals
from pairs_platform.processes.trader.splits import Splits
from pairs_platform.processes.trader.watch import Judgement, Watch
from pairs_platform.processes.trader.work import Work

ACCOUNT_SECONDS = 5.0
"""How old what the broker says of the account's money may be, where nothing is decided by it but limits."""


class Desk:
    """Trades one account.

    Parameters
    ----------
    seat : Seat
    market : Market
    inbox : Inbox
        What a follower of the broker's updates is given.

    Attributes
    ----------
    standing : Standing
        By the newest look.
    """

    def __init__(self, seat: Seat, market: Market, inbox: Inbox) -> None:
        self._seat, self._market, self._inbox = seat, market, inbox
        self._messenger = Messenger(seat, inbox)
        self._accounts = Accounts(seat)
        self._watch = Watch(seat)
        self._drift = Drift(seat, market)
        self._signals = Signals(seat, market, self._messenger, self._drift)
        self._work = Work(seat, market, self._messenger, self._accounts)
        self._splits = Splits(seat, market, self._accounts)
        self._bookings = Bookings(seat, self._accounts)
        self._flattening = Flattening(seat, self._messenger)
        self.standing = Standing(state=TradingState.REDUCING, reasons=("the account was not compared yet",))
        self._session: date | None = None
        self._account: tuple[Account, datetime] | None = None
        self._snapshot_of: datetime | None = None
        self._is_written_down = False
        self._said: set[tuple[str, str, str]] = set()

    def step(self) -> bool:
        """Look once, and do what is due; whether there was anything to do.

        Raises
        ------
        Unavailable
            The database, Redis or the broker is away: look again later; nothing is lost.
        Refused, DataError
            A person has to change something; looking again may help then.
        """
        self._messenger.settle()
        now = self._seat.clock()
        self._begin_session(now)
        ended = self._ended_bar(now)
        with suppress(StreamUnavailable):  # what is held can be left without new bars
            self._market.refresh(now)
        self._messenger.settle()
        if self._inbox.take_comparison() or self._accounts.is_due(now):
            self._compare()
        trades = self._accounts.at_work(now)
        pause = timedelta(seconds=self._seat.settings.execution.ask_seconds)
        if self._messenger.ask_about_working(trades, pause):
            trades = self._accounts.at_work(now)
        self._messenger.fetch_executions(trades, pause)
        judgement = self._judged(trades)
        self.standing = self._stand(judgement)
        self._drift.look(now, self._session, trades)
        if self._follow_limits(trades, judgement) | self._signals.leave_what_no_signal_holds(trades):
            trades = self._accounts.at_work(now)
        busy = self._signals.follow(trades, judgement, self.standing, self._ask_account)
        if busy:
            trades = self._accounts.at_work(now)
        self._do(trades)
        self._snapshot(now, ended, judgement)
        return busy or any(trade.trade.pending(leg) for trade in trades for leg in LEGS)

    def _begin_session(self, now: datetime) -> None:
        """What belongs to a session is learned anew at its beginning, and before it where the process starts then."""
        session = newest_session(moment_ns(now))
        if session is None or session == self._session:
            return
        facts = self._market.facts(session)
        for note in facts.notes:
            self._seat.note(_event("session", "unknown", "warning", note))
        self._accounts.begin_session()
        self._session = session

    def _compare(self) -> None:
        """Compare the account; asked for again where that failed."""
        try:
            self._accounts.compare()
        except (Unavailable, Refused, DataError):
            self._inbox.compare()
            raise
        if self._session is not None:
            now = self._seat.clock()
            self._splits.apply(self._accounts.at_work(now), self._market.facts(self._session))

    def _judged(self, trades: Sequence[StoredTrade]) -> Judgement:
        session = self._session
        account = self._account_of_limits()
        facts = self._market.facts(session or newest_session(moment_ns(self._seat.clock())) or date.min)
        self._learn_half_lives(trades)
        prices = {**facts.closes, **self._market.prices()}
        for symbol, ratio in self._splits.waiting(trades, facts).items():
            prices[symbol] *= float(ratio)  # until the broker shows the split, shares are those of before it
            self._accounts.hurry()
        book = self._watch.book(trades, account, prices, self._accounts.foreign_shares)
        return self._watch.judged(
            trades, book, facts,
            unexplained=len(self._accounts.unexplained),
            silent_seconds=self._inbox.silent_seconds(),
        )  # fmt: skip

    def _learn_half_lives(self, trades: Sequence[StoredTrade]) -> None:
        """How long pairs rest that were stopped in this session."""
        for each in trades:
            if each.exit_bar_utc is None or self._session is None or self._watch.knows(each.trade.pair):
                continue
            try:
                state = self._market.session_state(each.origin.sector, self._session)
            except (Unavailable, DataError, Refused):
                continue
            for k, pair in enumerate(state.pairs):
                self._watch.learn_half_life(pair.pair, half_life_bars(state, k))

    def _account_of_limits(self) -> Account:
        """What the broker says of the account's money, a few seconds old at most."""
        now = self._seat.wall()
        if self._account is None:
            return self._ask_account()
        if (now - self._account[1]).total_seconds() >= ACCOUNT_SECONDS:
            with suppress(Unavailable, Refused, DataError):  # what is held can be left on an older answer
                return self._ask_account()
        return self._account[0]

    def _ask_account(self) -> Account:
        try:
            account = self._seat.broker.account()
        except DataError as error:
            self._accounts.note_unreadable("the account", error)
            raise
        self._account = (account, self._seat.wall())
        return account

    def _stand(self, judgement: Judgement) -> Standing:
        """The trading state now; a limit that flattens the account sets the kill switch."""
        switch = kill_switch(self._seat.database, self._seat.run_mode)
        after = engaged_by_limits(switch, judgement.breaches, self._seat.wall())
        if after.level is not switch.level and after.level is not None and after.actor is not None:
            set_kill_switch(
                self._seat.database, [self._seat.run_mode], after.level, reason=after.reason,
                actor=after.actor.name, now=self._seat.wall(), person=False,
            )  # fmt: skip
        now = standing(after, judgement.breaches)
        if now.state is not self.standing.state:
            reasons = "; ".join(now.reasons) or "nothing is in its way"
            severity: Severity = "info" if now.state is TradingState.ACTIVE else "error"
            self._seat.note(_event("state", str(now.state), severity, f"trading is {now.state}: {reasons}"))
        self._note_breaches(judgement.breaches)
        return now

    def _note_breaches(self, breaches: Sequence[Breach]) -> None:
        """Store each limit that is broken when it begins to be."""
        broken = {(str(each.limit), str(each.action), each.subject) for each in breaches}
        for each in breaches:
            if (str(each.limit), str(each.action), each.subject) not in self._said:
                is_error = each.action in (LimitAction.FLATTEN_ALL, LimitAction.FLATTEN_PAIR)
                self._seat.note(
                    RiskEvent(
                        kind="limit", code=str(each.limit), severity="error" if is_error else "warning",
                        message=each.message, value=each.value if each.value == each.value else None,
                        bound=each.bound if each.bound == each.bound else None,
                        pair=each.subject if "_" in each.subject else None,
                    )
                )  # fmt: skip
        self._said = broken

    def _read_standing(self, judged: Standing) -> Standing:
        """The trading state with the kill switch as it is at this moment: read last, before each order."""
        switch = kill_switch(self._seat.database, self._seat.run_mode)
        now = standing(switch)
        strictest = max(now, judged, key=lambda each: list(TradingState).index(each.state))
        flattening = switch.level is KillLevel.FLATTEN or (judged.flattening and switch.level is None)
        return Standing(state=strictest.state, flattening=flattening, reasons=(*now.reasons, *judged.reasons))

    def _follow_limits(self, trades: Sequence[StoredTrade], judgement: Judgement) -> bool:
        """Leave, close or trim what limits ask for, and what falls ex; whether there was anything."""
        leave: dict[str, tuple[Goal, str]] = {}
        by_pair = {each.trade.pair: each.trade for each in trades if not each.trade.state.ended}
        for breach in judgement.of(LimitAction.CLOSE_PAIR, LimitAction.FLATTEN_PAIR):
            goal = Goal.CLOSE if breach.action is LimitAction.CLOSE_PAIR else Goal.UNWIND
            if breach.subject in by_pair:
                leave.setdefault(breach.subject, (goal, breach.message))
        for pair, reason in {**self._falling_ex(by_pair), **self._drift.exits()}.items():
            if pair in by_pair:
                leave.setdefault(pair, (Goal.CLOSE, reason))
        changed = False
        for pair, (goal, reason) in leave.items():
            trade = by_pair[pair]
            after = trade.to_leave(goal, reason)
            if after != trade:
                self._leave(trade, goal, reason)
                changed = True
        for breach in judgement.of(LimitAction.TRIM)[:1]:
            changed = self._trim(list(by_pair.values()), breach) or changed
        return changed

    def _leave(self, trade: SpreadOrder, goal: Goal, reason: str) -> None:
        change_trade(self._seat.database, trade.id, lambda stored: stored.to_leave(goal, reason), self._seat.now())
        self._seat.note(_event("trade", "left", "warning", f"{trade.pair} is left: {reason}", trade))

    def _falling_ex(self, trades: dict[str, SpreadOrder]) -> dict[str, str]:
        """Trades of which a leg falls ex at the next session: they are left in this one's last minutes."""
        if self._session is None:
            return {}
        now, close = self._seat.clock(), session_close(self._session)
        last = timedelta(minutes=self._seat.settings.risk.entries.min_minutes_to_close)
        ex_dates = self._market.facts(self._session).ex_dates or {}
        if not ex_dates or not close - last <= now < close:
            return {}
        following = session_offset(self._session, 1)
        found = {}
        for pair, trade in trades.items():
            legs = [leg for leg in (trade.y, trade.x) if following in ex_dates.get(leg, ())]
            if legs and trade.goal is Goal.HOLD:
                found[pair] = f"ex_date: {', '.join(legs)} falls ex on {following}"
        return found

    def _trim(self, trades: Sequence[SpreadOrder], breach: Breach) -> bool:
        """Make every pair smaller, where all are at rest: what was trimmed is sold before it is looked at again."""
        held = [trade for trade in trades if trade.goal is Goal.HOLD]
        if not held or any(trade.state is not SpreadState.OPEN for trade in held):
            return False
        for trade in held:
            y, x = (int(trade.target(leg) * breach.keep) for leg in LEGS)
            if y == 0 or x == 0:
                self._leave(trade, Goal.CLOSE, breach.message)
            else:
                change_trade(
                    self._seat.database,
                    trade.id,
                    partial(SpreadOrder.resized, target_y=y, target_x=x),
                    self._seat.now(),
                )
        self._seat.note(_event("limit", "trim", "warning", breach.message))
        return True

    def _do(self, trades: Sequence[StoredTrade]) -> None:
        """Work on open trades: as they ask for it, or as the flattening of the account does."""
        now = self.standing
        permitted = None
        if now.flattening:
            permitted = self._flattening.step(trades, "; ".join(now.reasons) or "the account is flattened").pairs
            trades = self._accounts.at_work(self._seat.clock())
        self._work.step(
            trades,
            now,
            lambda: self._read_standing(now),
            (lambda _: True) if permitted is None else (lambda trade: trade.pair in permitted),
        )

    def _ended_bar(self, now: datetime) -> datetime | None:
        """End of the newest bar that is complete, or that nobody has said to be a whole bar later; None before it.

        Asked before bars are taken: all of that bar are among them.
        """
        if self._session is None:
            return None
        length = timedelta(minutes=self._seat.settings.frequency.minutes)
        for interval in reversed(bar_intervals(self._session, self._seat.settings.frequency)):
            end = moment_utc(interval.end_ns)
            if end == self._snapshot_of or now >= end + length:
                return end
            with suppress(StreamUnavailable):
                if now >= end and self._market.is_complete(self._session, end):
                    return end
        return None

    def _snapshot(self, now: datetime, ended: datetime | None, judgement: Judgement) -> None:
        """Write the account down with the prices of each bar, and once before the first."""
        if self._session is None or (self._is_written_down and ended in (None, self._snapshot_of)):
            return
        self._take_bookings()
        trades = self._accounts.at_work(now)
        row = self._accounts.snapshot(
            self._ask_account(),
            [each.trade for each in trades],
            {each.trade.id: each.origin.sector for each in trades},
            dict(judgement.book.prices),
        )
        self._watch.add(row)
        self._snapshot_of, self._is_written_down = ended, True

    def _take_bookings(self) -> None:
        """Take over what the broker booked beside fills; what it does not say now it says at the next bar."""
        try:
            self._bookings.take()
        except (Unavailable, Refused, DataError) as error:
            self._seat.note(_event("account", "bookings", "warning", f"bookings of the account are not known: {error}"))


def _event(kind: str, code: str, severity: Severity, message: str, trade: SpreadOrder | None = None) -> RiskEvent:
    return RiskEvent(
        kind=kind,
        code=code,
        severity=severity,
        message=message,
        pair=None if trade is None else trade.pair,
        spread_order_id=None if trade is None else trade.id,
    )
