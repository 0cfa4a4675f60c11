"""Whether trading goes on: ACTIVE, REDUCING or HALTED, the kill switch, and the way of the whole account to flat.

The state follows from the kill switch and the limits that are broken now, and is never stored by itself. The switch is
stored, and only a person releases it. What does not belong here: when a limit is broken (`limits`), sending and asking
(`processes`), and storing (`database`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.folding import listed
from pairs_platform.core.risk.denials import Denial, DenialCode, deny
from pairs_platform.core.risk.exposure import Holding
from pairs_platform.core.risk.limits import Breach, LimitAction
from pairs_platform.core.risk.settings import LimitSettings
from pairs_platform.core.trading.orders import Purpose


class TradingState(StrEnum):
    """What may be sent: everything, nothing that opens a position, nothing but cancelations."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class KillLevel(StrEnum):
    """How far the kill switch goes: no entries, no orders, or no orders but those that flatten the account."""

    REDUCING = "reducing"
    HALT = "halt"
    FLATTEN = "flatten"


_SEVERITY: tuple[KillLevel | None, ...] = (None, *KillLevel)


@dataclass(frozen=True)
class Actor:
    """Who does something: a person by name, or a limit of the platform."""

    name: str
    person: bool


@dataclass(frozen=True, kw_only=True)
class KillSwitch:
    """The kill switch as it is stored.

    Attributes
    ----------
    level : KillLevel or None
        None when it is released.
    reason : str
        Why it was engaged.
    actor : Actor or None
        Who did that; None where it is released.
    changed_utc : datetime or None
    flat_utc : datetime or None
        When the account was seen to be flat, with FLATTEN.
    """

    level: KillLevel | None = None
    reason: str = ""
    actor: Actor | None = None
    changed_utc: datetime | None = None
    flat_utc: datetime | None = None


def engaged(switch: KillSwitch, level: KillLevel, *, reason: str, actor: Actor, at_utc: datetime) -> KillSwitch:
    """The switch at a level, or further where it is already: engaging it never lets more pass than before.

    Raises
    ------
    ConfigurationError
        There is no reason or no name.
    """
    for what, text in (("reason", reason), ("name of who does it", actor.name)):
        if not text.strip():
            raise ConfigurationError(f"the kill switch needs a {what}: it is kept with the change")
    if _SEVERITY.index(level) <= _SEVERITY.index(switch.level):
        return switch
    return KillSwitch(level=level, reason=reason.strip(), actor=actor, changed_utc=at_utc)


def engaged_by_limits(switch: KillSwitch, breaches: Sequence[Breach], at_utc: datetime) -> KillSwitch:
    """The switch after the limits that are broken now: one that flattens the book engages FLATTEN."""
    flattening = [breach for breach in breaches if breach.action is LimitAction.FLATTEN_ALL]
    if not flattening:
        return switch
    first = flattening[0]
    reason = "; ".join(breach.message for breach in flattening)
    actor = Actor(name=f"limit {first.limit}", person=False)
    return engaged(switch, KillLevel.FLATTEN, reason=reason, actor=actor, at_utc=at_utc)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether trading goes on, and why not.

    Attributes
    ----------
    state : TradingState
    flattening : bool
        Orders that flatten the account pass, though it is HALTED.
    reasons : tuple of str
    """

    state: TradingState = TradingState.ACTIVE
    flattening: bool = False
    reasons: tuple[str, ...] = ()


def standing(switch: KillSwitch, breaches: Sequence[Breach] = ()) -> Standing:
    """The trading state from the kill switch and the limits that are broken now.

    A limit that flattens the book halts at once, whether or not the switch is stored as engaged yet.
    """
    ending = [each for each in breaches if each.action in (LimitAction.REDUCE, LimitAction.FLATTEN_ALL)]
    flattening = switch.level is KillLevel.FLATTEN or any(each.action is LimitAction.FLATTEN_ALL for each in ending)
    state = TradingState.ACTIVE
    if ending or switch.level is KillLevel.REDUCING:
        state = TradingState.REDUCING
    if flattening or switch.level is KillLevel.HALT:
        state = TradingState.HALTED
    killed = (f"kill switch ({switch.level}): {switch.reason}",) if switch.level else ()
    return Standing(
        state=state, flattening=flattening, reasons=(*killed, *dict.fromkeys(each.message for each in ending))
    )


Passing = Purpose | Literal["cancel"]
"""What an order is for, or a cancelation."""


def denied_by_state(now: Standing, purpose: Passing) -> Denial | None:
    """Why the trading state lets an order not pass; None where it does.

    ========  ====  =====  =====  ==========================  ======
    state     open  hedge  close  flatten                     cancel
    ========  ====  =====  =====  ==========================  ======
    ACTIVE    yes   yes    yes    yes                         yes
    REDUCING  no    yes    yes    yes                         yes
    HALTED    no    no     no     where the book is flattened  yes
    ========  ====  =====  =====  ==========================  ======
    """
    passes: set[Passing] = {"cancel"}
    if now.state is not TradingState.HALTED:
        passes |= {"hedge", "close", "flatten"}
    if now.state is TradingState.ACTIVE:
        passes |= {"open"}
    if now.flattening:
        passes |= {"flatten"}
    if purpose in passes:
        return None
    reasons = "; ".join(now.reasons) or "no reason is known"
    return deny(DenialCode.TRADING_STATE, f"trading is {now.state}: no order to {purpose} ({reasons})")


@dataclass(frozen=True, kw_only=True)
class OpenOrder:
    """An order that the broker has, and that has not ended.

    Attributes
    ----------
    id : str
        By which it is canceled.
    symbol : str
    canceling : bool
        The broker was asked to cancel it.
    flattening : bool
        It was sent to flatten the account.
    """

    id: str
    symbol: str
    canceling: bool = False
    flattening: bool = False


@dataclass(frozen=True, kw_only=True)
class AccountView:
    """What is known of the account while it is flattened.

    Attributes
    ----------
    taken_utc : datetime
        When the broker was asked.
    session_open : bool
    orders : tuple of OpenOrder or None
        All of the account; None where the question failed, which is never "none".
    positions : mapping of symbol to float, or None
        Signed shares at the broker; None as above.
    unsettled : tuple of str
        Own orders that may exist although the broker does not list them.
    holdings : tuple of Holding
        What the pairs hold by their fills.
    last_order_end_utc : datetime or None
        When the last order ended.
    """

    taken_utc: datetime
    session_open: bool
    orders: tuple[OpenOrder, ...] | None
    positions: Mapping[str, float] | None
    unsettled: tuple[str, ...] = ()
    holdings: tuple[Holding, ...] = ()
    last_order_end_utc: datetime | None = None


@dataclass(frozen=True)
class AskBroker:
    """Ask for orders and positions (again), not before a moment."""

    reason: str
    not_before_utc: datetime


@dataclass(frozen=True)
class CancelOrders:
    """Cancel these orders."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class AwaitOrders:
    """Wait until these orders have ended."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class AwaitOpen:
    """Wait for the session: what is sent now would be filled at an open that nobody has looked at."""

    pairs: tuple[str, ...]


@dataclass(frozen=True)
class ClosePair:
    """Send orders that close both legs of a pair: signed shares by symbol, never more than the broker holds."""

    pair: str
    quantities: Mapping[str, int]


@dataclass(frozen=True)
class CrossInternally:
    """Book what pairs hold against each other in a symbol, of which the broker holds nothing: signed shares by pair."""

    symbol: str
    shares: Mapping[str, int]


@dataclass(frozen=True)
class NeedsPerson:
    """Positions that no pair explains, or shares of pairs that the broker does not have: not touched on a guess."""

    reason: str
    positions: Mapping[str, float]


@dataclass(frozen=True)
class Flat:
    """No order and no position, seen after everything has settled."""

    at_utc: datetime


Demand = AskBroker | CancelOrders | AwaitOrders | AwaitOpen | ClosePair | CrossInternally | NeedsPerson | Flat


def next_demand(view: AccountView, limits: LimitSettings) -> Demand:
    """What flattening the account demands next, from what is known of it; the same view has the same answer.

    Cancel everything, a person's orders too; wait until it has ended; close pair by pair, both legs at once; ask again
    when all has settled. Only then it is flat. Positions that no pair holds are left to a person.
    """
    if view.orders is None or view.positions is None:
        unknown = " and ".join(
            name for name, known in (("orders", view.orders), ("positions", view.positions)) if known is None
        )
        return AskBroker(f"{unknown} of the account are not known", view.taken_utc)
    to_cancel = tuple(order.id for order in view.orders if not order.flattening and not order.canceling)
    if to_cancel:
        return CancelOrders(to_cancel)
    waiting = (*(order.id for order in view.orders), *view.unsettled)
    if waiting:
        return AwaitOrders(tuple(dict.fromkeys(waiting)))
    held = [holding for holding in view.holdings if holding.shares_y or holding.shares_x]
    demand = _close_next(held, view.positions, session_open=view.session_open) if held else None
    if isinstance(demand, AwaitOpen | ClosePair | CrossInternally):
        return demand
    # What is said from here on rests on what the broker does not hold, and its positions follow its orders late.
    if view.last_order_end_utc is not None:
        settled = view.last_order_end_utc + timedelta(seconds=limits.settle_seconds)
        if view.taken_utc < settled:
            return AskBroker("the last order has just ended, and positions follow orders late", settled)
    left = {symbol: shares for symbol, shares in sorted(view.positions.items()) if shares}
    if left and demand is None:
        return NeedsPerson(f"no pair explains positions in {listed(left)}", left)
    return demand or Flat(view.taken_utc)


def _close_next(held: Sequence[Holding], positions: Mapping[str, float], *, session_open: bool) -> Demand:
    """The first pair of which the broker holds something; then what pairs hold against each other."""
    if not session_open:
        return AwaitOpen(tuple(holding.pair for holding in held))
    for holding in held:
        quantities = {symbol: _closing(shares, positions.get(symbol, 0.0)) for symbol, shares in holding.shares}
        quantities = {symbol: shares for symbol, shares in quantities.items() if shares}
        if quantities:
            return ClosePair(holding.pair, quantities)
    symbols = sorted({symbol for holding in held for symbol, shares in holding.shares if shares})
    by_symbol = {
        symbol: {holding.pair: shares for holding in held for leg, shares in holding.shares if leg == symbol and shares}
        for symbol in symbols
    }
    for symbol, shares in by_symbol.items():
        if sum(shares.values()) == 0:
            return CrossInternally(symbol, shares)
    missing = {symbol: float(sum(shares.values())) for symbol, shares in by_symbol.items()}
    return NeedsPerson(f"the broker does not hold what pairs hold in {listed(missing)}", missing)


def _closing(shares: int, at_broker: float) -> int:
    """Signed shares that close a leg, no more than the broker holds in its direction."""
    if shares > 0:
        return -min(shares, max(0, int(at_broker)))
    return min(-shares, max(0, int(-at_broker)))
