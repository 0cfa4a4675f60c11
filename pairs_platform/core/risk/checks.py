"""What an entry must satisfy before its orders are sent, each with its code; exits are asked none of it.

`check_entry` is the one question. It reads nothing but its arguments, answers all reasons in a fixed order, and takes a
number that is none for a reason of its own. What does not belong here: how large an entry should be (`sizing`), and
waiting, queueing and crossing orders (`core.trading`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from pairs_platform.core.risk.denials import (
    Denial,
    DenialCode,
    Effect,
    UnusableInput,
    deny,
    entry_of,
    hedge_ratio,
    moment,
    number,
)
from pairs_platform.core.risk.exposure import (
    Book,
    Holding,
    MarketRisk,
    largest_share_by_volatility,
    largest_shares_by_value,
    peak_exposure,
)
from pairs_platform.core.risk.limits import Limit, entry_breaches
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.risk.sizing import largest_gross, most_shares
from pairs_platform.core.risk.trading_state import Standing, denied_by_state
from pairs_platform.core.trading.quantities import LegQuantities, held_quantities, leg_quantities
from pairs_platform.core.trading.settings import BASIS_POINT

EASY_TO_BORROW = "easy_to_borrow"
MARKET_ORDER_MARGIN = 1.04
"""A market purchase holds buying power for up to so many times the ask."""
SHORT_MARGIN = 1.03
"""A short sale holds buying power for at least so many times the ask."""
_MINUTE = timedelta(minutes=1)
_TOLERANCE = 1e-9

Intent = tuple[str, datetime, str]
"""Pair, end of the bar, action: what is wanted once."""


@dataclass(frozen=True, kw_only=True)
class EntryLeg:
    """One leg of an entry.

    Attributes
    ----------
    symbol : str
    quantity : int
        Signed shares.
    limit_price : float or None
        Dollars a share; None for a market order.
    data_age_bars : int
        Bars since the leg had one; 0 where it has the bar of the decision.
    """

    symbol: str
    quantity: int
    limit_price: float | None
    data_age_bars: int


@dataclass(frozen=True, kw_only=True)
class EntryRequest:
    """An entry that a signal asks for, with its size.

    Attributes
    ----------
    pair, sector : str
    action : str
        "enter_long" or "enter_short".
    bar_end_utc : datetime
        End of the bar at whose close it was decided, market time.
    beta : float
    y, x : EntryLeg
    session : date
        That the configuration behind the signal is valid for.
    config_hash : str
    model_version : int or None
        Of the model that the signal rests on; None without one.
    expected_move : float
        Share of the gross value, `sizing.expected_move`.
    horizon_end : date
        Last session in which the position may still be held.
    """

    pair: str
    sector: str
    action: Literal["enter_long", "enter_short"]
    bar_end_utc: datetime
    beta: float
    y: EntryLeg
    x: EntryLeg
    session: date
    config_hash: str
    model_version: int | None
    expected_move: float
    horizon_end: date

    @property
    def position(self) -> int:
        """+1 long the spread, −1 short."""
        return 1 if self.action == "enter_long" else -1

    @property
    def legs(self) -> tuple[EntryLeg, EntryLeg]:
        """Both legs, y first."""
        return self.y, self.x

    @property
    def intent(self) -> Intent:
        """What is wanted once."""
        return self.pair, self.bar_end_utc, self.action


@dataclass(frozen=True, kw_only=True)
class SymbolState:
    """What is known of a symbol, beside its newest price, which the book has.

    Attributes
    ----------
    bid, ask : float or None
        Dollars a share.
    mean_daily_volume : float or None
        Shares, mean of the last 20 sessions.
    tradable : bool
    borrow_status : str
        In the broker's word; `EASY_TO_BORROW` passes.
    ex_dates : tuple of date, or None
        Known ex-dates from this session on; None where they are not known.
    working : tuple of int
        Signed shares of own orders that may still be filled.
    """

    bid: float | None
    ask: float | None
    mean_daily_volume: float | None
    tradable: bool
    borrow_status: str
    ex_dates: tuple[date, ...] | None
    working: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """Money and permissions at the broker.

    Attributes
    ----------
    buying_power : float or None
        Dollars, without what intended orders will hold.
    multiplier : float or None
        Of equity: 1, 2 or 4.
    shorting_enabled, blocked : bool
    """

    buying_power: float | None
    multiplier: float | None
    shorting_enabled: bool
    blocked: bool


@dataclass(frozen=True, kw_only=True)
class RiskContext:
    """Everything that an entry is held against.

    Attributes
    ----------
    now_utc : datetime
        Market time.
    wall_utc : datetime
        By the clock of this machine.
    session : date or None
        That is open now; None while the market is closed.
    close_utc : datetime or None
        Its close by the calendar.
    standing : Standing
    config_hash : str
        Of the current configuration of the sector.
    model_version : int or None
        The current champion's, for pairs that have one.
    round_trip_bps : float
        Cost of entering and leaving, basis points of the gross value.
    account : AccountState
    symbols : mapping of symbol to SymbolState
    book : Book
        With every pair that holds something or has orders under way.
    market : MarketRisk or None
        None where it could not be estimated.
    has_quotes : bool
        False with a broker that has none, as one that fills at the next open: the distance from a quote is not checked.
    intents : set of Intent
        What was wanted already.
    sent : tuple of (datetime, str)
        When orders were sent lately, by the clock of this machine, and their symbols.
    locked : mapping of pair to str
        Pairs that must rest, and why.
    drifted : mapping of pair to str
        Pairs that take no entries because they have changed, or nobody knows whether they have, and why.
    """

    now_utc: datetime
    wall_utc: datetime
    session: date | None
    close_utc: datetime | None
    standing: Standing
    config_hash: str
    model_version: int | None
    round_trip_bps: float
    account: AccountState
    symbols: Mapping[str, SymbolState]
    book: Book
    market: MarketRisk | None
    has_quotes: bool = True
    intents: frozenset[Intent] = frozenset()
    sent: tuple[tuple[datetime, str], ...] = ()
    locked: Mapping[str, str] = field(default_factory=dict)
    drifted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EntryDecision:
    """What becomes of an entry.

    Attributes
    ----------
    quantities : LegQuantities or None
        What may be sent; None where anything denies it or makes it wait.
    denials : tuple of Denial
        Every reason, in the order of the checks; with CUT alone the entry is sent smaller.
    """

    quantities: LegQuantities | None
    denials: tuple[Denial, ...]

    @property
    def code(self) -> str:
        """Code of the first reason that stops the entry; empty where it is sent."""
        return next((str(each.code) for each in self.denials if each.effect is not Effect.CUT), "")


def check_entry(request: EntryRequest, context: RiskContext, settings: RiskSettings) -> EntryDecision:
    """All reasons against an entry; without one that denies it or makes it wait, the shares that may be sent.

    Parameters
    ----------
    request : EntryRequest
        With quantities as `sizing` and `core.trading.quantities` give them.
    context : RiskContext
    settings : RiskSettings

    Returns
    -------
    EntryDecision
        The same arguments give the same answer.
    """
    entry = _Entry(request, context, settings)
    denials: list[Denial] = []
    for check in _CHECKS:
        _collect(denials, check(entry))
    quantities: LegQuantities | None = None
    try:
        quantities, cuts = _cut(entry)
        denials += cuts
        _collect(denials, _checks_of_size(entry, quantities))
    except UnusableInput as error:
        denials.append(_unusable(error))
    stopped = any(denial.effect is not Effect.CUT for denial in denials)
    return EntryDecision(quantities=None if stopped else quantities, denials=tuple(dict.fromkeys(denials)))


@dataclass(frozen=True)
class _Entry:
    request: EntryRequest
    context: RiskContext
    settings: RiskSettings

    def symbol(self, leg: EntryLeg) -> SymbolState:
        return entry_of("the state", self.context.symbols, leg.symbol)

    def quote(self, leg: EntryLeg) -> float:
        """The price that a leg's order meets: ask for a purchase, bid for a sale."""
        state = self.symbol(leg)
        name, price = ("ask", state.ask) if leg.quantity > 0 else ("bid", state.bid)
        return number(f"the {name} of {leg.symbol}", price, above=0.0)

    def price(self, leg: EntryLeg) -> float:
        """What a share is expected to cost: its limit, else the quote, else the newest price."""
        if leg.limit_price is not None:
            return number(f"the limit for {leg.symbol}", leg.limit_price, above=0.0)
        return self.quote(leg) if self.context.has_quotes else self.context.book.price(leg.symbol)


def _collect(denials: list[Denial], found: Iterator[Denial]) -> None:
    """Add what a check says; a number that is none ends that check alone."""
    try:
        denials.extend(found)
    except UnusableInput as error:
        denials.append(_unusable(error))


def _unusable(error: UnusableInput) -> Denial:
    return deny(DenialCode.UNUSABLE_INPUT, str(error))


def _state(entry: _Entry) -> Iterator[Denial]:
    denial = denied_by_state(entry.context.standing, "open")
    if denial is not None:
        yield denial


def _market(entry: _Entry) -> Iterator[Denial]:
    context, least = entry.context, entry.settings.entries.min_minutes_to_close
    now = moment("market time", context.now_utc)
    if context.session is None:
        yield deny(DenialCode.MARKET_CLOSED, f"the market is closed at {now:%Y-%m-%d %H:%M} UTC")
        return
    left = (moment("the close", context.close_utc) - now).total_seconds() / 60.0
    if left <= 0:
        yield deny(DenialCode.MARKET_CLOSED, f"the session of {context.session} has closed")
    elif left < least:
        yield deny(DenialCode.CLOSE_NEAR, f"{left:.1f} minutes to the close, at least {least:g} are needed")


def _once(entry: _Entry) -> Iterator[Denial]:
    request, context = entry.request, entry.context
    if request.pair in context.locked:
        yield deny(DenialCode.PAIR_LOCKED, f"{request.pair} is locked: {context.locked[request.pair]}")
    if any(holding.pair == request.pair for holding in context.book.holdings):
        yield deny(DenialCode.PAIR_HELD, f"{request.pair} is held, or has orders under way")
    if request.intent in context.intents:
        message = f"{request.action} of {request.pair} at {request.bar_end_utc:%H:%M} UTC was asked for already"
        yield deny(DenialCode.DUPLICATE_INTENT, message)


def _drift(entry: _Entry) -> Iterator[Denial]:
    pair = entry.request.pair
    if pair in entry.context.drifted:
        yield deny(DenialCode.DRIFT, f"{pair}: {entry.context.drifted[pair]}")


def _data_age(entry: _Entry) -> Iterator[Denial]:
    most = entry.settings.entries.max_data_age_bars
    for leg in entry.request.legs:
        age = number(f"the age of {leg.symbol}'s newest bar", leg.data_age_bars, least=0.0)
        if age > most:
            yield deny(DenialCode.DATA_OLD, f"the newest bar of {leg.symbol} is {age:g} bars old, {most} pass")


def _signal_age(entry: _Entry) -> Iterator[Denial]:
    most = entry.settings.entries.max_signal_age_seconds
    decided = moment("the end of the signal's bar", entry.request.bar_end_utc)
    age = (moment("market time", entry.context.now_utc) - decided).total_seconds()
    if number("the age of the signal", age, least=0.0) > most:
        yield deny(DenialCode.SIGNAL_OLD, f"the signal is {age:.0f} s old, {most:g} s pass")


def _configuration(entry: _Entry) -> Iterator[Denial]:
    request, context = entry.request, entry.context
    if context.session is not None and request.session != context.session:
        message = f"the configuration is for {request.session}, the session is {context.session}"
        yield deny(DenialCode.CONFIGURATION_DAY, message)
    if not request.config_hash or request.config_hash != context.config_hash:
        of, current = (str(each)[:12] for each in (request.config_hash, context.config_hash))
        message = f"the signal is of configuration {of}, {current} is current"
        yield deny(DenialCode.CONFIGURATION_CHANGED, message)
    if request.model_version is not None and request.model_version != context.model_version:
        message = f"the signal is of model version {request.model_version}, champion is {context.model_version}"
        yield deny(DenialCode.MODEL_CHANGED, message)


def _ex_dates(entry: _Entry) -> Iterator[Denial]:
    request = entry.request
    if not (isinstance(request.session, date) and isinstance(request.horizon_end, date)):
        raise UnusableInput(f"the position is held from {request.session} to {request.horizon_end}: no dates")
    if request.horizon_end < request.session:
        raise UnusableInput(f"the holding horizon ends on {request.horizon_end}, before the session {request.session}")
    for leg in request.legs:
        ex_dates = entry.symbol(leg).ex_dates
        if ex_dates is None:
            raise UnusableInput(f"the ex-dates of {leg.symbol} are not known")
        for day in sorted(day for day in ex_dates if request.session <= day <= request.horizon_end):
            message = f"{leg.symbol} falls ex on {day}, the position may be held until {request.horizon_end}"
            yield deny(DenialCode.EX_DATE, message)


def _move(entry: _Entry) -> Iterator[Denial]:
    least = entry.settings.entries.min_move_to_cost
    move = number("the expected move", entry.request.expected_move, least=0.0)
    cost = number("the round-trip cost", entry.context.round_trip_bps, least=0.0) * BASIS_POINT
    if move < least * cost * (1.0 - _TOLERANCE):
        needed = f"{least:g} times the cost of {cost / BASIS_POINT:.1f} bp are needed"
        message = f"the expected move is {move / BASIS_POINT:.1f} bp, {needed}"
        yield deny(DenialCode.MOVE_BELOW_COST, message)


def _permissions(entry: _Entry) -> Iterator[Denial]:
    account = entry.context.account
    if account.blocked:
        yield deny(DenialCode.ACCOUNT_BLOCKED, "the broker has blocked the account")
    if not account.shorting_enabled and any(leg.quantity < 0 for leg in entry.request.legs):
        yield deny(DenialCode.SHORTING_DISABLED, "the account may not sell short: the pair is denied, not a leg")
    for leg in entry.request.legs:
        state = entry.symbol(leg)
        if not state.tradable:
            yield deny(DenialCode.NOT_TRADABLE, f"{leg.symbol} cannot be traded")
        # A leg that another pair holds long needs no loan now, and does as soon as that pair leaves.
        if leg.quantity < 0 and state.borrow_status != EASY_TO_BORROW:
            status = state.borrow_status or "unknown"
            yield deny(DenialCode.NOT_EASY_TO_BORROW, f"{leg.symbol} is {status}: the pair is denied, not a leg")


def _shares(entry: _Entry) -> Iterator[Denial]:
    request = entry.request
    beta = number("β", request.beta)
    y, x = (number(f"the number of shares of {leg.symbol}", leg.quantity) for leg in request.legs)
    for leg in request.legs:
        if leg.quantity != int(leg.quantity):
            yield deny(DenialCode.FRACTIONAL_SHARES, f"{leg.quantity} shares of {leg.symbol}: shorts need whole ones")
    if y * request.position <= 0 or x * -request.position * beta <= 0:
        message = f"{y:g} {request.y.symbol} and {x:g} {request.x.symbol} are no {request.action} with β {beta:g}"
        yield deny(DenialCode.NO_HEDGE, message)


def _collar(entry: _Entry) -> Iterator[Denial]:
    settings = entry.settings.entries
    for leg in entry.request.legs:
        last, price = entry.context.book.price(leg.symbol), entry.price(leg)
        away = abs(price / last - 1.0)
        if away > settings.max_from_last + _TOLERANCE:
            allowed = f"{settings.max_from_last:.2%} pass"
            message = f"{price:g} for {leg.symbol} is {away:.2%} from the last price {last:g}, {allowed}"
            yield deny(DenialCode.PRICE_FROM_LAST, message)
        if not entry.context.has_quotes:
            continue
        quote = entry.quote(leg)
        away_bps = abs(price / quote - 1.0) / BASIS_POINT
        if away_bps > settings.max_from_quote_bps + _TOLERANCE:
            allowed = f"{settings.max_from_quote_bps:g} bp pass"
            message = f"{price:g} for {leg.symbol} is {away_bps:.1f} bp from the quote {quote:g}, {allowed}"
            yield deny(DenialCode.PRICE_FROM_QUOTE, message)


def _opposing(entry: _Entry) -> Iterator[Denial]:
    for leg in entry.request.legs:
        against = [shares for shares in entry.symbol(leg).working if shares * leg.quantity < 0]
        if against:
            message = f"an own order for {against[0]} {leg.symbol} is under way against {leg.quantity}"
            yield Denial(code=DenialCode.OPPOSING_ORDER, effect=Effect.WAIT, message=message)


def _order_rates(entry: _Entry) -> Iterator[Denial]:
    settings, now = entry.settings.entries, moment("the time of this machine", entry.context.wall_utc)
    lately = sorted((at, symbol) for at, symbol in entry.context.sent if now - at < _MINUTE)
    cases = [(DenialCode.ACCOUNT_ORDER_RATE, "the account", lately, 2, settings.max_orders_per_minute)]
    cases += [
        (
            DenialCode.SYMBOL_ORDER_RATE, leg.symbol, [each for each in lately if each[1] == leg.symbol], 1,
            settings.max_orders_per_minute_of_symbol,
        )
        for leg in entry.request.legs
    ]  # fmt: skip
    for code, name, sent, more, most in cases:
        beyond = len(sent) + more - most
        if beyond > 0:
            message = f"{len(sent)} orders of {name} in the last minute and {more} more, {most} pass"
            free = sent[beyond - 1][0] + _MINUTE
            yield Denial(code=code, effect=Effect.WAIT, message=message, not_before_utc=free)


_CHECKS: tuple[Callable[[_Entry], Iterator[Denial]], ...] = (
    _state,
    _market,
    _once,
    _drift,
    _data_age,
    _signal_age,
    _configuration,
    _ex_dates,
    _move,
    _permissions,
    _shares,
    _collar,
    _opposing,
    _order_rates,
)
"""What does not depend on the size, in the order of the denials."""


def _cut(entry: _Entry) -> tuple[LegQuantities, list[Denial]]:
    """The shares of an entry within the limits of one order and the room of the book, and what cut them."""
    request, book = entry.request, entry.context.book
    price_y, price_x = book.price(request.y.symbol), book.price(request.x.symbol)
    beta = hedge_ratio(request.beta)
    cuts: list[Denial] = []
    most: list[int] = []
    for leg in request.legs:
        volume = number(f"the mean daily volume of {leg.symbol}", entry.symbol(leg).mean_daily_volume, least=0.0)
        limits = most_shares(max(entry.price(leg), book.price(leg.symbol)), volume, entry.settings.entries)
        most.append(min(limits.values()))
        cuts += [
            Denial(code=code, effect=Effect.CUT, message=f"{abs(leg.quantity)} shares of {leg.symbol}, {shares} pass")
            for code, shares in limits.items()
            if abs(leg.quantity) > shares
        ]
    pair = {"beta": beta, "price_y": price_y, "price_x": price_x}
    quantities = _asked(request, price_y, price_x)
    if cuts:
        gross = min(quantities.gross, largest_gross(most[0], most[1], **pair))
        smaller = leg_quantities(gross, position=request.position, **pair)
        if smaller.y == 0:
            return quantities, [replace(cut, effect=Effect.DENY) for cut in cuts]
        quantities = smaller
    return _within_book(entry, quantities, cuts, pair)


def _asked(request: EntryRequest, price_y: float, price_x: float) -> LegQuantities:
    y, x = (number(f"the number of shares of {leg.symbol}", leg.quantity) for leg in request.legs)
    if y == 0 and x == 0:
        raise UnusableInput(f"an entry of {y:g} and {x:g} shares of {request.pair} is none")
    return held_quantities(y, x, beta=request.beta, price_y=price_y, price_x=price_x)


def _within_book(
    entry: _Entry, quantities: LegQuantities, cuts: list[Denial], pair: dict[str, float]
) -> tuple[LegQuantities, list[Denial]]:
    """The part of an entry for which the book has room, and what cut it."""
    room = _room(entry, quantities)
    if min(room.values()) >= 1.0:
        return quantities, cuts
    gross = min(room.values()) * quantities.gross
    smaller = leg_quantities(gross, position=entry.request.position, **pair)
    # Whole shares may be a little beyond; one share of y less, and what hedges it, is within.
    while smaller.y and min(_room(entry, smaller).values()) < 1.0:
        gross -= (1.0 + abs(pair["beta"])) * pair["price_y"]
        smaller = leg_quantities(max(0.0, gross), position=entry.request.position, **pair)
    if smaller.y == 0:
        return quantities, cuts  # The limit of the book itself denies it.
    return smaller, [
        *cuts,
        *(
            Denial(
                code=limit,
                effect=Effect.CUT,
                message=f"{share:.0%} of the entry keeps {_KEPT[limit]} at {_limit_of(entry, limit):.2%}",
            )
            for limit, share in room.items()
            if share < 1.0
        ),
    ]


_KEPT = {
    Limit.VOLATILITY: "the yearly volatility of the book",
    Limit.GROSS: "the gross value of the book to equity",
    Limit.NET: "the net value of the book to equity",
    Limit.BETA_NET: "the net value times market beta of the book to equity",
}
"""Limits of the book by which an entry is cut to the room that is left, in words."""


def _limit_of(entry: _Entry, limit: Limit) -> float:
    return float(getattr(entry.settings.limits, f"max_{limit}"))


def _room(entry: _Entry, quantities: LegQuantities) -> dict[Limit, float]:
    """Share of an entry, 1 at most, for which each of these limits has room."""
    book, market, holding = entry.context.book, _market_of(entry), _holding(entry.request, quantities)
    gross, net, beta_net = largest_shares_by_value(
        book,
        holding,
        market,
        gross=_limit_of(entry, Limit.GROSS),
        net=_limit_of(entry, Limit.NET),
        beta_net=_limit_of(entry, Limit.BETA_NET),
    )
    volatility = largest_share_by_volatility(book, holding, market, _limit_of(entry, Limit.VOLATILITY))
    return {Limit.VOLATILITY: volatility, Limit.GROSS: gross, Limit.NET: net, Limit.BETA_NET: beta_net}


def _market_of(entry: _Entry) -> MarketRisk:
    if entry.context.market is None:
        raise UnusableInput("daily returns are missing: the exposure of the book cannot be measured")
    return entry.context.market


def _holding(request: EntryRequest, quantities: LegQuantities) -> Holding:
    return Holding(
        pair=request.pair, sector=request.sector, y=request.y.symbol, x=request.x.symbol,
        shares_y=quantities.y, shares_x=quantities.x,
    )  # fmt: skip


def _checks_of_size(entry: _Entry, quantities: LegQuantities) -> Iterator[Denial]:
    """What holds of the shares that would be sent."""
    request, context, settings = entry.request, entry.context, entry.settings
    if not request.sector:
        raise UnusableInput(f"the sector of {request.pair} is missing")
    most = settings.entries.max_hedge_error
    if quantities.hedge_error > most + _TOLERANCE:
        missed = f"{quantities.hedge_error:.2%}"
        message = f"{request.pair} is too small: whole shares miss the hedge by {missed}, {most:.2%} pass"
        yield deny(DenialCode.HEDGE_ERROR, message)
    yield from _buying_power(entry, quantities)
    market = _market_of(entry)
    before = peak_exposure(context.book, market)
    after = peak_exposure(context.book.with_holding(_holding(request, quantities)), market)
    for breach in entry_breaches(before, after, settings.limits):
        yield deny(breach.limit, breach.message)


def _buying_power(entry: _Entry, quantities: LegQuantities) -> Iterator[Denial]:
    account, least = entry.context.account, entry.settings.entries.min_buying_power_left
    power = number("buying power", account.buying_power, least=0.0)
    whole = number("equity", entry.context.book.equity, above=0.0) * number(
        "the multiplier of buying power", account.multiplier, above=0.0
    )
    needed = sum(
        abs(shares) * _held_price(entry, leg)
        for leg, shares in zip(entry.request.legs, (quantities.y, quantities.x), strict=True)
    )
    left = (power - needed) / whole
    if left < least - _TOLERANCE:
        used = f"{needed:,.0f} of {power:,.0f} dollars of buying power"
        message = f"{used} leave {left:.1%} of the whole, {least:.1%} must stay"
        yield deny(DenialCode.BUYING_POWER, message)


def _held_price(entry: _Entry, leg: EntryLeg) -> float:
    """Dollars of buying power that a broker holds for a share of an order."""
    book_price, has_quotes = entry.context.book.price(leg.symbol), entry.context.has_quotes
    ask = number(f"the ask of {leg.symbol}", entry.symbol(leg).ask, above=0.0) if has_quotes else book_price
    if leg.quantity < 0:
        return max(leg.limit_price or 0.0, SHORT_MARGIN * ask)
    return leg.limit_price if leg.limit_price is not None else MARKET_ORDER_MARGIN * ask
