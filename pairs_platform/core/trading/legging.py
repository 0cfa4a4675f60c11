"""What to do next about a pair's trade: send, cancel, ask, wait, leave it, or call a person.

A decision follows from the trade, the quotes and the time alone, so that a process that died finds the same one again.
Rules that it keeps:

* nothing is sent in doubt: an order of which nobody knows whether the broker has it is asked for and never sent again,
  and counts as if it could still be filled whole; after `unresolved_seconds` a person is needed;
* a leg has a new order for what an earlier one left only once the end of that one is known;
* one leg is beyond the hedge of the other by more than the tolerance only while a time-out runs;
* an exit never depends on a quote, is never larger than what is held, and does not wait for the other leg.

What does not belong here: whether a trade is allowed (`core.risk`), and what orders of one symbol do to each other
(`netting`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.naked import naked_since, naked_tolerance
from pairs_platform.core.trading.orders import Leg, Order, OrderStatus, Purpose, cancel_requested, client_order_id
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder, SpreadState

_REFUSED = (OrderStatus.REJECTED, OrderStatus.DENIED)


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a share is bid and offered for, dollars; a quote that is none is not an error, it is not used."""

    bid: float
    ask: float
    quoted_utc: datetime

    @property
    def mid(self) -> float:
        """Middle of the quote."""
        return (self.bid + self.ask) / 2.0

    @property
    def half_spread(self) -> float:
        """Half the spread over the middle, a pure number."""
        return (self.ask - self.bid) / (self.ask + self.bid)

    def taken(self, sign: int) -> float:
        """The price at which a buy (+1) or a sale (−1) is filled at once."""
        return self.ask if sign > 0 else self.bid

    def usable(self, now: datetime, max_age_seconds: float) -> bool:
        """Whether both prices are numbers, in their order, and young enough."""
        finite = math.isfinite(self.bid) and math.isfinite(self.ask) and 0 < self.bid <= self.ask
        return finite and (now - self.quoted_utc).total_seconds() <= max_age_seconds


@dataclass(frozen=True)
class Send:
    """Write an order down as intended, then send it."""

    order: Order


@dataclass(frozen=True)
class Cancel:
    """Ask the broker to cancel an order; what becomes of it is a report."""

    client_order_id: str


@dataclass(frozen=True)
class Ask:
    """Ask the broker what became of an order."""

    client_order_id: str


@dataclass(frozen=True)
class Resize:
    """The trade is held at what was filled: these signed shares are its targets from now on."""

    target_y: int
    target_x: int
    reason: str


@dataclass(frozen=True)
class GoFlat:
    """Leave the trade at once."""

    reason: str


@dataclass(frozen=True)
class Break:
    """Only a person can go on."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing else is due before this moment, unless something is reported."""

    until: datetime


Action = Send | Cancel | Ask | Resize | GoFlat | Break | Wait


def next_actions(
    trade: SpreadOrder,
    quotes: Mapping[Leg, Quote],
    now: datetime,
    settings: ExecutionSettings,
    *,
    profile: str,
    account: str,
    opens_utc: datetime | None = None,
) -> tuple[Action, ...]:
    """What is to be done about a trade at a moment.

    Parameters
    ----------
    trade : SpreadOrder
    quotes : mapping of leg to Quote
        A leg without a quote may be missing.
    now : datetime
        Time of the market, aware.
    settings : ExecutionSettings
    profile, account : str
        Part of the ids of orders.
    opens_utc : datetime or None
        When the market opens, where it is closed now: nothing is sent or canceled before.

    Returns
    -------
    tuple
        Actions in the order in which they are to be taken. After `recorded` they are not asked for again; `GoFlat` and
        `Resize` change what is wanted, so what is due next is to be asked at once. One `Wait` at most, the last; none
        where nothing is due whatever the time: the trade is at rest, at its end, or broken.
    """
    if opens_utc is not None:
        if trade.goal is Goal.HOLD and not trade.orders:
            return (GoFlat(f"an entry does not wait until the market opens at {opens_utc:%Y-%m-%d %H:%M} UTC"),)
        at_rest = trade.state.ended or trade.state in (SpreadState.OPEN, SpreadState.BROKEN)
        return () if at_rest else (Wait(opens_utc),)
    desk = _Desk(trade, quotes, now, settings, profile, account)
    desk.look_after_pending()
    if not trade.broken:
        if trade.goal is Goal.HOLD:
            desk.open()
        else:
            desk.leave()
        desk.break_if_stuck()
    return desk.result()


def recorded(trade: SpreadOrder, actions: Iterable[Action], now: datetime) -> SpreadOrder:
    """The trade once actions are written down, as it has to be stored before they are taken."""
    for action in actions:
        match action:
            case Send(order):
                trade = trade.with_order(order)
            case Cancel(client_id):
                trade = trade.with_state_of(cancel_requested(trade.order(client_id), now))
            case Resize(target_y, target_x):
                trade = trade.resized(target_y, target_x)
            case GoFlat(reason):
                trade = trade.to_leave(Goal.UNWIND, reason)
            case Break(reason):
                trade = trade.to_break(reason)
            case Ask() | Wait():
                pass
    return trade


class _Desk:
    """One decision: collects actions and the moments at which time alone asks for another one."""

    def __init__(
        self,
        trade: SpreadOrder,
        quotes: Mapping[Leg, Quote],
        now: datetime,
        settings: ExecutionSettings,
        profile: str,
        account: str,
    ) -> None:
        self._trade, self._now, self._settings = trade, now, settings
        self._profile, self._account = profile, account
        self._quotes = {
            leg: quote for leg, quote in quotes.items() if quote.usable(now, settings.max_quote_age_seconds)
        }
        self._actions: list[Action] = []
        self._moments: list[datetime] = []
        self._unresolved: list[str] = []
        self._stuck: list[str] = []

    def result(self) -> tuple[Action, ...]:
        """The actions, and until when to wait; what ends the trade's present course stands alone."""
        for action in self._actions:
            if isinstance(action, GoFlat | Resize | Break):
                return (*(each for each in self._actions if isinstance(each, Cancel)), action)
        moments = [moment for moment in self._moments if moment > self._now]
        return (*self._actions, Wait(min(moments))) if moments else tuple(self._actions)

    def look_after_pending(self) -> None:
        """Cancel what took too long or is not wanted any more, and ask for what nobody knows of."""
        for leg in LEGS:
            for order in self._trade.pending(leg):
                match order.status:
                    case OrderStatus.INTENDED | OrderStatus.UNKNOWN:
                        if self._in_doubt(order):
                            self._ask(order, since=order.intended_utc, what="nobody knows whether the broker has it")
                    case OrderStatus.CANCELING:
                        self._canceling(order)
                    case _:
                        self._working(order)

    def open(self) -> None:
        """Enter, and hedge what was filled."""
        trade = self._trade
        if not trade.orders:
            self._enter()
            return
        lead = self._lead()
        other: Leg = "x" if lead == "y" else "y"
        if self._ends_entry(lead, other) or self._trim():
            return
        self._hedge(lead, other)

    def leave(self) -> None:
        """Close what is held of each leg, as soon as nothing of the leg is pending."""
        purpose: Purpose = "close" if self._trade.goal is Goal.CLOSE else "flatten"
        for leg in LEGS:
            held = self._trade.held(leg)
            if held and not self._trade.pending(leg):
                self._exit(leg, purpose, -held)

    def break_if_stuck(self) -> None:
        """Call a person once nothing else is left to do than what only a person can do."""
        reasons = [*self._unresolved, *self._stuck]
        pending = sum(len(self._trade.pending(leg)) for leg in LEGS)
        busy = any(isinstance(action, Send | GoFlat | Resize) for action in self._actions)
        if reasons and not busy and pending == len(self._unresolved):
            self._actions.append(Break("; ".join(reasons)))

    # Pending orders.

    def _due(self, since: datetime, seconds: float) -> bool:
        """Whether so many seconds have passed; if not, when they will have is a moment to look again."""
        moment = since + timedelta(seconds=seconds)
        self._moments.append(moment)
        return self._now >= moment

    def _working(self, order: Order) -> None:
        leaving = self._trade.goal is not Goal.HOLD or bool(self._trade.broken)
        unwanted = leaving and order.purpose in ("open", "hedge")
        if unwanted or self._due(order.intended_utc, self._settings.leg_timeout_seconds):
            self._cancel(order)

    def _canceling(self, order: Order) -> None:
        if self._trade.broken:
            return
        asked = order.cancel_requested_utc or order.intended_utc
        if self._due(asked, self._settings.cancel_timeout_seconds):
            self._cancel(order)
            since = order.intended_utc + timedelta(seconds=self._settings.leg_timeout_seconds)
            self._ask(order, since=since, what="the broker does not say whether it is canceled")

    def _cancel(self, order: Order) -> None:
        self._actions.append(Cancel(order.client_order_id))
        self._due(self._now, self._settings.cancel_timeout_seconds)

    def _ask(self, order: Order, *, since: datetime, what: str) -> None:
        if self._trade.broken:
            return
        self._actions.append(Ask(order.client_order_id))
        self._due(self._now, self._settings.ask_seconds)
        if self._due(since, self._settings.unresolved_seconds):
            self._unresolved.append(
                f"order {order.client_order_id} ({order.quantity:+d} {order.symbol}, {order.purpose}): {what}, "
                f"for {(self._now - order.intended_utc).total_seconds():.0f} s"
            )

    # Entries.

    def _enter(self) -> None:
        seconds = self._settings.entry_seconds
        if self._due(self._trade.decided_utc, seconds):
            self._go_flat(f"the entry was not sent within {seconds:g} s of its decision")
            return
        for leg in LEGS:
            if leg not in self._quotes:
                symbol = self._trade.symbol(leg)
                self._go_flat(f"no usable quote of {symbol}: a pair is not entered on the prices of one leg")
                return
        legs = LEGS if self._settings.legging == "simultaneous" else (self._hard_leg(),)
        for leg in legs:
            self._send(leg, "open", self._trade.target(leg))

    def _hard_leg(self) -> Leg:
        """The leg that is sold short; where both or none are, that with the wider spread."""
        short = [leg for leg in LEGS if self._trade.target(leg) < 0]
        if len(short) == 1:
            return short[0]
        return "x" if self._quotes["x"].half_spread > self._quotes["y"].half_spread else "y"

    def _lead(self) -> Leg:
        """The leg that the other is hedged to: the one that was sent first, or of two sent at once the fuller one."""
        opened = {order.leg for order in self._trade.orders if order.purpose == "open"}
        if len(opened) == 1:
            return opened.pop()
        return "x" if self._fraction("x") > self._fraction("y") else "y"

    def _fraction(self, leg: Leg) -> float:
        return self._trade.held(leg) / self._trade.target(leg)

    def _ends_entry(self, lead: Leg, other: Leg) -> bool:
        """Whether the legs that are opened are to be filled further, or have to be left or held as they are."""
        openings = [leg for leg in LEGS if self._opened(leg)]
        refused = next((leg for leg in openings if self._opened(leg)[-1].status in _REFUSED), None)
        if refused and abs(self._fraction(refused)) < 1:
            order = self._opened(refused)[-1]
            return self._go_flat(f"{order.symbol} was refused: {order.reason or 'no reason given'}")
        if any(self._trade.pending(leg) for leg in openings):
            return False
        if self._cut_short(lead):
            self._send(lead, "open", self._trade.target(lead) - self._trade.held(lead))
            return False
        fraction = self._fraction(lead)
        if fraction >= 1:
            return False
        symbol, shares = self._trade.symbol(lead), f"{self._trade.held(lead)} of {self._trade.target(lead)} shares"
        hedge = self._hedge_of(lead, other)
        if fraction < self._settings.min_fill_fraction or hedge == 0:
            return self._go_flat(f"{shares} of {symbol} were filled in time: too few to hold")
        targets = {lead: self._trade.held(lead), other: hedge}
        self._actions.append(Resize(targets["y"], targets["x"], f"{shares} of {symbol} were filled in time"))
        return True

    def _opened(self, leg: Leg) -> list[Order]:
        return [order for order in self._trade.orders if order.leg == leg and order.purpose == "open"]

    def _cut_short(self, leg: Leg) -> bool:
        """Whether an opening order was smaller than the target and was filled whole, in time for the rest."""
        orders = self._opened(leg)
        if self._fraction(leg) >= 1 or orders[-1].status is not OrderStatus.FILLED or leg not in self._quotes:
            return False
        late = self._due(orders[0].intended_utc, self._settings.leg_timeout_seconds)
        return not late and len(orders) < self._settings.max_attempts

    def _hedge_of(self, lead: Leg, other: Leg) -> int:
        """Signed shares of the other leg that go with what is held of the leading one; never beyond the target."""
        part = min(1.0, max(0.0, self._fraction(lead)))
        target = self._trade.target(other)
        return _sign(target) * math.floor(abs(target) * part + 0.5)

    def _trim(self) -> bool:
        """Whether a leg holds more than its target, or shares of the wrong direction: the excess is sold."""
        trimmed = False
        for leg in LEGS:
            held, target = self._trade.held(leg), self._trade.target(leg)
            excess = held - target if held / target > 1 else held if held / target < 0 else 0
            if not excess or self._trade.pending(leg):
                continue
            if self._trade.attempt(leg, "flatten") > self._settings.max_attempts:
                return self._go_flat(f"{held} shares of {self._trade.symbol(leg)} are held, {target} are wanted")
            self._exit(leg, "flatten", -excess)
            trimmed = True
        return trimmed

    def _hedge(self, lead: Leg, other: Leg) -> None:
        trade, sign = self._trade, _sign(self._trade.target(other))
        pending = trade.pending(other)
        missing = self._hedge_of(lead, other) - trade.held(other) - sum(order.remaining for order in pending)
        if self._naked_too_long() or missing * sign <= 0:
            return
        ended_short = [*self._ended_short(other, "open"), *self._ended_short(other, "hedge")]
        symbol = trade.symbol(other)
        if other not in self._quotes:
            self._go_flat(f"no usable quote of {symbol} to hedge with")
        elif ended_short and ended_short[-1].status in _REFUSED:
            self._go_flat(f"the hedge in {symbol} was refused: {ended_short[-1].reason or 'no reason given'}")
        elif len(ended_short) >= self._settings.max_attempts:
            self._go_flat(f"{len(ended_short)} hedges in {symbol} were not filled in time")
        elif ended_short and self._leaving_is_cheaper(other, missing):
            self._go_flat(f"the hedge in {symbol} was not filled in time, and leaving {trade.symbol(lead)} is cheaper")
        else:
            self._send(other, "hedge", missing)

    def _naked_too_long(self) -> bool:
        """Whether the trade is left because one leg was without its hedge for too long.

        An order of which nobody knows may be the hedge: while there is one, nothing is left on a guess.
        """
        if any(self._in_doubt(order) for leg in LEGS for order in self._trade.pending(leg)):
            return False
        since = self._naked_since()
        if since is None or not self._due(since, self._settings.naked_seconds):
            return False
        return self._go_flat(f"one leg was without its hedge for {self._settings.naked_seconds:.0f} s")

    def _in_doubt(self, order: Order) -> bool:
        """Whether nobody knows if the broker has it: its answer was lost, or the process that sent it died."""
        return order.status is OrderStatus.UNKNOWN or (
            order.status is OrderStatus.INTENDED
            and self._due(order.intended_utc, self._settings.answer_timeout_seconds)
        )

    def _leaving_is_cheaper(self, other: Leg, missing: int) -> bool:
        """Whether selling what is held loses less than going on with the hedge.

        Hedging loses what the other leg has moved away since the decision: half its spread was expected then. Leaving
        loses what was paid for the shares that are held, less what they bring now.
        """
        trade = self._trade
        held = {leg: trade.held(leg) for leg in LEGS if trade.held(leg)}
        orders = [order for order in trade.orders if order.leg in held]
        if any(order.lacks_executions for order in orders) or not held.keys() <= self._quotes.keys():
            return False
        decided = trade.price_y if other == "y" else trade.price_x
        hedging = missing * (self._quotes[other].mid - decided)
        paid = sum(order.sign * fill.quantity * fill.price for order in orders for fill in order.fills)
        brings = sum(shares * self._quotes[leg].taken(-_sign(shares)) for leg, shares in held.items())
        return paid - brings < hedging

    def _go_flat(self, reason: str) -> Literal[True]:
        self._actions.append(GoFlat(reason))
        return True

    # Exits.

    def _exit(self, leg: Leg, purpose: Purpose, quantity: int) -> None:
        before = self._ended_short(leg, purpose)
        if len(before) >= self._settings.max_attempts:
            self._stuck.append(
                f"{len(before)} orders to {purpose} {-quantity} {self._trade.symbol(leg)} left it held"
                + (f": {before[-1].reason}" if before[-1].reason else "")
            )
            return
        refused = bool(before) and before[-1].status in _REFUSED
        if refused and not self._due(before[-1].intended_utc, self._settings.retry_seconds):
            return
        since = self._naked_since()
        too_long = since is not None and self._due(since, self._settings.naked_seconds)
        last = len(before) + 1 == self._settings.max_attempts
        self._send(leg, purpose, quantity, at_market=too_long or last)

    # Orders.

    def _naked_since(self) -> datetime | None:
        """Since when one leg lacks its hedge, at the prices of the decision: shares hedge each other as they did then.

        At later prices an open pair would seem naked as soon as its spread moves.
        """
        price_y, price_x = self._trade.price_y, self._trade.price_x
        tolerance = naked_tolerance(self._trade, self._settings.naked_tolerance, price_y=price_y, price_x=price_x)
        return naked_since(self._trade, price_y=price_y, price_x=price_x, tolerance=tolerance)

    def _send(self, leg: Leg, purpose: Purpose, quantity: int, *, at_market: bool = False) -> None:
        trade, attempt = self._trade, self._trade.attempt(leg, purpose)
        quote, tries = self._quotes.get(leg), 1 + len(self._ended_short(leg, purpose))
        at_market = at_market or self._settings.order_type == "market"
        order = Order(
            client_order_id=client_order_id(self._profile, self._account, trade.id, leg, purpose, attempt),
            spread_order_id=trade.id,
            symbol=trade.symbol(leg),
            leg=leg,
            purpose=purpose,
            attempt=attempt,
            quantity=quantity,
            limit_price=None if at_market else self._limit(quote, quantity, tries),
            intended_utc=self._now,
            arrival_price=None if quote is None else quote.mid,
        )
        self._actions.append(Send(order))
        self._due(self._now, min(self._settings.answer_timeout_seconds, self._settings.leg_timeout_seconds))

    def _ended_short(self, leg: Leg, purpose: Purpose) -> list[Order]:
        """Orders of a leg for a purpose that ended without all their shares."""
        return [
            order
            for order in self._trade.orders
            if (order.leg, order.purpose) == (leg, purpose)
            and order.status.ended
            and abs(order.filled) < abs(order.quantity)
        ]

    def _limit(self, quote: Quote | None, quantity: int, tries: int) -> float | None:
        """A limit that is filled at once unless the price runs away: each try gives way further, up to a bound.

        None without a quote.
        """
        if quote is None:
            return None
        settings = self._settings
        collar = max(settings.collar_bps * BASIS_POINT, settings.collar_half_spreads * quote.half_spread)
        collar = min(collar * tries, settings.widest_collar_bps * BASIS_POINT)
        sign = _sign(quantity)
        price = quote.mid * (1.0 + sign * collar)
        tick = 0.01 if price >= 1.0 else 0.0001
        steps = price / tick
        rounded = math.ceil(steps - 1e-6) if sign > 0 else math.floor(steps + 1e-6)
        return round(max(rounded, 1) * tick, 4)


def _sign(shares: int) -> int:
    return 1 if shares > 0 else -1
