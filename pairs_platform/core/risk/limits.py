"""The limits of the book and of a trading day, and what follows when one is broken.

What may be used up (an exposure, a naked leg) is within its limit at the bound; what stops trading (a loss, a number of
rejects) acts at the bound. What cannot be measured is broken. What does not belong here: measuring the book
(`exposure`), and what a trading state lets pass (`trading_state`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pairs_platform.core.risk.denials import UnusableInput, moment, number
from pairs_platform.core.risk.exposure import Book, Exposure, MarketRisk, exposure
from pairs_platform.core.risk.settings import LimitSettings

_ROUNDING = 1e-9
"""Part of a limit that a sum of floats may be beyond it."""


class Limit(StrEnum):
    """What is limited."""

    GROSS = "gross"
    NET = "net"
    BETA_NET = "beta_net"
    PAIR_GROSS = "pair_gross"
    NAME = "name"
    SECTOR_GROSS = "sector_gross"
    OPEN_PAIRS = "open_pairs"
    PAIRS_OF_SYMBOL = "pairs_of_symbol"
    VOLATILITY = "volatility"
    STRESS = "stress"
    VALUE_AT_RISK = "value_at_risk"
    EXPECTED_SHORTFALL = "expected_shortfall"
    UNMEASURED = "unmeasured"
    NAKED_LEG = "naked_leg"
    SOFT_DAILY_LOSS = "soft_daily_loss"
    HARD_DAILY_LOSS = "hard_daily_loss"
    WEEKLY_LOSS = "weekly_loss"
    DRAWDOWN = "drawdown"
    PAIR_LOSS = "pair_loss"
    STOPS = "stops"
    COOL_DOWN = "cool_down"
    REJECTS = "rejects"
    RECONCILIATION = "reconciliation"
    STREAM = "stream"
    SLIPPAGE = "slippage"


class LimitAction(StrEnum):
    """What follows from a broken limit.

    DENY: no entry that makes it worse. TRIM: every pair smaller, by the breach's `keep`. REDUCE: no entries at all.
    FLATTEN_ALL: the kill switch, until a person releases it. CLOSE_PAIR: close the pair, and no entry of it. LOCK_PAIR:
    no entry of the pair. FLATTEN_PAIR: hedge or close the naked leg now. HALVE: entries have half the size.
    """

    DENY = "deny"
    TRIM = "trim"
    REDUCE = "reduce"
    FLATTEN_ALL = "flatten_all"
    CLOSE_PAIR = "close_pair"
    LOCK_PAIR = "lock_pair"
    FLATTEN_PAIR = "flatten_pair"
    HALVE = "halve"


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A limit that is broken.

    Attributes
    ----------
    limit : Limit
    action : LimitAction
    subject : str
        The pair, symbol or sector; empty for the book.
    value, bound : float
        In the unit of the limit's setting; a value of NaN could not be measured.
    message : str
    keep : float
        With TRIM: the share of every pair that may stay, in [0, 1).
    """

    limit: Limit
    action: LimitAction
    value: float
    bound: float
    message: str
    subject: str = ""
    keep: float = 1.0


@dataclass(frozen=True)
class _Measure:
    limit: Limit
    subject: str
    value: float
    bound: float
    words: str
    action: LimitAction = LimitAction.DENY
    percent: bool = True

    @property
    def broken(self) -> bool:
        return not abs(self.value) <= self.bound * (1.0 + _ROUNDING)

    def breach(self, verb: str = "is") -> Breach:
        of = f" of {self.subject}" if self.subject else ""
        shown, bound = (f"{each:.2%}" if self.percent else f"{each:g}" for each in (self.value, self.bound))
        return Breach(
            limit=self.limit, action=self.action, subject=self.subject, value=self.value, bound=self.bound,
            message=f"{self.words}{of} {verb} {shown}, the limit is {bound}",
        )  # fmt: skip


def _measures(found: Exposure, limits: LimitSettings) -> list[_Measure]:
    """Every exposure with its limit, those of the book first."""
    known = found.days >= limits.min_history_days
    value_at_risk, shortfall = (found.value_at_risk, found.expected_shortfall) if known else (math.nan, math.nan)
    history = "" if known else f" (from {found.days} days, {limits.min_history_days} are needed)"
    book = [
        _Measure(Limit.GROSS, "", found.gross, limits.max_gross, "gross value of the book to equity"),
        _Measure(Limit.NET, "", found.net, limits.max_net, "net value of the book to equity"),
        _Measure(
            Limit.BETA_NET, "", found.beta_net, limits.max_beta_net, "net value times market beta of the book to equity"
        ),
        _Measure(
            Limit.OPEN_PAIRS, "", len(found.pairs), limits.max_open_pairs, "number of open pairs", percent=False
        ),
        _Measure(Limit.VOLATILITY, "", found.volatility, limits.max_volatility, "yearly volatility of the book"),
        _Measure(
            Limit.STRESS, "", found.largest_name * limits.stress_gap, limits.max_stress_loss,
            f"loss to equity when the largest symbol gaps by {limits.stress_gap:.0%}",
        ),
        _Measure(
            Limit.VALUE_AT_RISK, "", max(value_at_risk, 0.0), limits.max_value_at_risk,
            f"value at risk of one day at 99 %{history}", LimitAction.REDUCE,
        ),
        _Measure(
            Limit.EXPECTED_SHORTFALL, "", max(shortfall, 0.0), limits.max_expected_shortfall,
            f"expected shortfall of one day at 97.5 %{history}", LimitAction.REDUCE,
        ),
    ]  # fmt: skip
    kinds: tuple[tuple[Limit, Mapping[str, float], float, str, bool], ...] = (
        (Limit.PAIR_GROSS, found.pairs, limits.max_pair_gross, "gross value to equity", True),
        (Limit.NAME, found.names, limits.max_name, "value to equity after netting", True),
        (Limit.SECTOR_GROSS, found.sectors, limits.max_sector_gross, "gross value to equity", True),
        (Limit.PAIRS_OF_SYMBOL, found.sharing, limits.max_pairs_of_symbol, "number of pairs", False),
    )
    return book + [
        _Measure(limit, subject, value, bound, words, percent=percent)
        for limit, values, bound, words, percent in kinds
        for subject, value in sorted(values.items())
    ]


TRIMMED = (Limit.GROSS, Limit.NET, Limit.BETA_NET, Limit.VOLATILITY)
"""Limits beyond which prices may carry the whole book, so that every pair is made smaller."""


def exposure_breaches(found: Exposure, limits: LimitSettings) -> tuple[Breach, ...]:
    """The limits that a book is beyond, those of the book first.

    Each denies entries that make it worse; value at risk and expected shortfall end all entries. The limits of
    `TRIMMED` have a second breach with TRIM from `trim_beyond` on.
    """
    breaches = []
    for measure in _measures(found, limits):
        if not measure.broken:
            continue
        breach = measure.breach()
        breaches.append(breach)
        if measure.limit in TRIMMED and abs(measure.value) > measure.bound * limits.trim_beyond * (1.0 + _ROUNDING):
            keep = measure.bound / abs(measure.value)
            message = f"{breach.message}: {1.0 - keep:.1%} of every pair is closed"
            breaches.append(
                Breach(limit=breach.limit, action=LimitAction.TRIM, value=breach.value, bound=breach.bound,
                       message=message, keep=keep)
            )  # fmt: skip
    return tuple(breaches)


def entry_breaches(before: Exposure, after: Exposure, limits: LimitSettings) -> tuple[Breach, ...]:
    """The limits that a book is beyond after an entry, and that the entry makes worse.

    Parameters
    ----------
    before, after : Exposure
        Peaks of the book without and with the entry.
    """
    values = {(each.limit, each.subject): abs(each.value) for each in _measures(before, limits)}
    return tuple(
        measure.breach("would be up to")
        for measure in _measures(after, limits)
        if measure.broken and not abs(measure.value) <= values.get((measure.limit, measure.subject), 0.0)
    )


def book_breaches(book: Book, market: MarketRisk | None, limits: LimitSettings) -> tuple[Breach, ...]:
    """`exposure_breaches` of a book; one that cannot be measured ends entries and says why."""
    try:
        if market is None:
            raise UnusableInput("there are no daily returns")
        return exposure_breaches(exposure(book, market), limits)
    except UnusableInput as error:
        return (_breach(Limit.UNMEASURED, LimitAction.REDUCE, math.nan, 0.0, f"the book cannot be measured: {error}"),)


@dataclass(frozen=True, kw_only=True)
class EquityMarks:
    """Equity now and at the moments that losses count from, dollars.

    Attributes
    ----------
    now, session_low : float
        The latter is the lowest of the session, so that a soft loss ends entries until the next one.
    session_open, week_open : float
        The newest before the session and before the week's first one: what a night or a week-end brings counts.
    high : float
        The largest so far.
    """

    now: float
    session_low: float
    session_open: float
    week_open: float
    high: float


def equity_marks(
    points: Sequence[tuple[datetime, float]],
    *,
    session_open_utc: datetime,
    week_open_utc: datetime,
    released_utc: datetime | None = None,
) -> EquityMarks:
    """The marks of an equity curve.

    Parameters
    ----------
    points : sequence of (datetime, float)
        Equity without deposits and withdrawals, the oldest first.
    session_open_utc, week_open_utc : datetime
        Opens of this session and of this week's first one.
    released_utc : datetime, optional
        When a person last released the kill switch. Losses of before are counted no more: else the limit that engaged
        it would engage it again at once.

    Raises
    ------
    UnusableInput
        There is no point, or one is no number.
    """
    if not points:
        raise UnusableInput("there is no equity curve yet")
    curve = [(moment("a time of the equity curve", at), number("equity", value)) for at, value in points]

    def since(start: datetime) -> list[float]:
        """What counts from a moment on: the newest point before it, and all that follow."""
        start = start if released_utc is None else max(start, released_utc)
        before = [value for at, value in curve if at <= start][-1:]
        return before + [value for at, value in curve if at > start]

    session = since(session_open_utc)
    return EquityMarks(
        now=curve[-1][1],
        session_low=min(session),
        session_open=session[0],
        week_open=since(week_open_utc)[0],
        high=max(since(curve[0][0])),
    )


def loss_breaches(marks: EquityMarks, limits: LimitSettings) -> tuple[Breach, ...]:
    """Losses of the account that end entries or flatten the book."""
    cases = (
        (Limit.SOFT_DAILY_LOSS, "session_low", "session_open", limits.soft_daily_loss, LimitAction.REDUCE),
        (Limit.HARD_DAILY_LOSS, "now", "session_open", limits.hard_daily_loss, LimitAction.FLATTEN_ALL),
        (Limit.WEEKLY_LOSS, "now", "week_open", limits.weekly_loss, LimitAction.FLATTEN_ALL),
        (Limit.DRAWDOWN, "now", "high", limits.drawdown, LimitAction.FLATTEN_ALL),
    )
    breaches: list[Breach] = []
    for limit, newest, base, bound, action in cases:
        words = limit.value.replace("_", " ")
        try:
            start = number(f"equity ({base})", getattr(marks, base), above=0.0)
            loss = 1.0 - number(f"equity ({newest})", getattr(marks, newest)) / start
        except UnusableInput as error:
            # Nobody is flattened on a number that is none.
            breaches.append(_breach(limit, LimitAction.REDUCE, math.nan, bound, f"{words} cannot be measured: {error}"))
            continue
        if loss >= bound - _ROUNDING:
            breaches.append(_breach(limit, action, loss, bound, f"{words} is {loss:.2%}, the limit is {bound:.2%}"))
    return tuple(breaches)


@dataclass(frozen=True, kw_only=True)
class PairDay:
    """What a pair has done in this session.

    Attributes
    ----------
    pair : str
    result : float
        Dollars, closed and open; < 0 is a loss.
    stops : int
    bars_since_stop : int or None
        None when it was never stopped.
    half_life_bars : float
    """

    pair: str
    result: float
    stops: int = 0
    bars_since_stop: int | None = None
    half_life_bars: float = math.nan


def pair_breaches(pairs: Sequence[PairDay], session_open_equity: float, limits: LimitSettings) -> tuple[Breach, ...]:
    """Pairs that are closed for their loss, and pairs that must rest."""
    return tuple(breach for day in pairs for breach in _breaches_of_pair(day, session_open_equity, limits))


def _breaches_of_pair(day: PairDay, equity: float, limits: LimitSettings) -> Iterator[Breach]:
    pair, lock = day.pair, LimitAction.LOCK_PAIR
    try:
        loss = -number(f"the result of {pair}", day.result) / number("equity (session_open)", equity, above=0.0)
        if loss >= limits.pair_loss - _ROUNDING:
            message = f"loss of {pair} is {loss:.2%} of equity, the limit is {limits.pair_loss:.2%}"
            yield _breach(Limit.PAIR_LOSS, LimitAction.CLOSE_PAIR, loss, limits.pair_loss, message, pair)
    except UnusableInput as error:
        yield _breach(Limit.PAIR_LOSS, lock, math.nan, limits.pair_loss, f"{pair} cannot be measured: {error}", pair)
    if day.stops >= limits.stops_to_lock:
        message = f"{pair} was stopped {day.stops} times in this session, the limit is {limits.stops_to_lock}"
        yield _breach(Limit.STOPS, lock, day.stops, limits.stops_to_lock, message, pair)
    if day.bars_since_stop is not None:
        rest = limits.cool_down_half_lives * day.half_life_bars
        if not day.bars_since_stop >= rest:
            message = f"{pair} was stopped {day.bars_since_stop} bars ago and rests for {rest:.4g}"
            yield _breach(Limit.COOL_DOWN, lock, day.bars_since_stop, rest, message, pair)


@dataclass(frozen=True, kw_only=True)
class NakedLeg:
    """A pair of which one leg is not hedged.

    Attributes
    ----------
    pair : str
    value : float
        Dollars, `core.trading.quantities.naked_value`.
    since_utc : datetime
    """

    pair: str
    value: float
    since_utc: datetime


def naked_breaches(
    legs: Sequence[NakedLeg], *, equity: float, now_utc: datetime, max_seconds: float, limits: LimitSettings
) -> tuple[Breach, ...]:
    """Legs of which more than is allowed is naked for longer than is allowed; one that cannot be measured is one.

    A leg that has just been filled is naked with its whole value until the other one is: value alone says nothing.

    Parameters
    ----------
    max_seconds : float
        `ExecutionSettings.naked_seconds`, which legging obeys for every single trade.
    """
    return tuple(
        breach for leg in legs if (breach := _breach_of_leg(leg, equity, now_utc, max_seconds, limits)) is not None
    )


def _breach_of_leg(
    leg: NakedLeg, equity: float, now_utc: datetime, max_seconds: float, limits: LimitSettings
) -> Breach | None:
    share = math.nan
    try:
        share = number(f"the naked value of {leg.pair}", leg.value, least=0.0) / number("equity", equity, above=0.0)
        since = moment(f"the start of {leg.pair}'s naked leg", leg.since_utc)
        age = (moment("now", now_utc) - since).total_seconds()
        if share <= limits.max_naked * (1.0 + _ROUNDING) or age <= max_seconds:
            return None
        message = (
            f"{share:.2%} of equity is naked in {leg.pair} for {age:.0f} s, {limits.max_naked:.2%} for "
            f"{max_seconds:.0f} s is the limit"
        )
    except UnusableInput as error:
        message = f"the naked leg of {leg.pair} cannot be measured: {error}"
    return _breach(Limit.NAKED_LEG, LimitAction.FLATTEN_PAIR, share, limits.max_naked, message, leg.pair)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """How the connection to the broker does.

    Attributes
    ----------
    consecutive_rejects : int
        Orders rejected one after another.
    unexplained : int
        Differences from the broker that nothing explains.
    stream_silent_seconds : float
        Since trade updates or bars were last known to arrive; 0 while they do.
    slippages : sequence of float
        Of the newest trades, the oldest first, basis points; > 0 is adverse.
    assumed_slippage_bps : float
    """

    consecutive_rejects: int = 0
    unexplained: int = 0
    stream_silent_seconds: float = 0.0
    slippages: Sequence[float] = ()
    assumed_slippage_bps: float = 0.0


def operation_breaches(operation: Operation, limits: LimitSettings) -> tuple[Breach, ...]:
    """What ends entries, or halves them, because orders do not arrive or fill as they should."""
    counted = (
        (Limit.REJECTS, operation.consecutive_rejects, limits.rejects_to_reduce, "orders rejected one after another"),
        (Limit.RECONCILIATION, operation.unexplained, limits.breaks_to_reduce, "differences that nothing explains"),
        (Limit.STREAM, operation.stream_silent_seconds, limits.stream_silence_seconds, "seconds without a stream"),
    )
    breaches = [
        _breach(limit, LimitAction.REDUCE, value, bound, f"{value:.0f} {words}, the limit is {bound:g}")
        for limit, value, bound, words in counted
        if not value < bound
    ]
    newest = list(operation.slippages)[-limits.slippage_trades :]
    if len(newest) == limits.slippage_trades:
        mean, bound = sum(newest) / len(newest), limits.max_slippage_multiple * operation.assumed_slippage_bps
        if not mean <= bound + _ROUNDING:
            words = f"mean slippage of {len(newest)} trades is {mean:.2f} bp, {bound:.2f} bp is the limit"
            breaches.append(_breach(Limit.SLIPPAGE, LimitAction.HALVE, mean, bound, words))
    return tuple(breaches)


def _breach(limit: Limit, action: LimitAction, value: float, bound: float, message: str, subject: str = "") -> Breach:
    return Breach(limit=limit, action=action, value=value, bound=bound, message=message, subject=subject)
