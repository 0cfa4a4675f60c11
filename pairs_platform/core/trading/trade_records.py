"""What a session's attribution is made from, out of a trade, the rule's positions, bars, and the account at both ends.

What does not belong here: the formulas (`attribution`), and reading what is stored (`workflows.attribution`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pairs_platform.core.trading.attribution_records import (
    ExecutedOrder,
    LegRecord,
    ModelLeg,
    Step,
    TradeRecord,
)
from pairs_platform.core.trading.bar_prices import BarPrices
from pairs_platform.core.trading.orders import Leg, Order
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder

OTHER = "other"
"""Stands for why a trade was left where that is a sentence and no code."""


@dataclass(frozen=True, kw_only=True)
class RulePosition:
    """What the rule held of a pair in one bar, by the sides of the pair's trade.

    Attributes
    ----------
    start_utc : datetime
        Start of the bar.
    position : int
        1 as the trade, −1 the other way round, 0 nothing.
    """

    start_utc: datetime
    position: int


@dataclass(frozen=True, kw_only=True)
class RulePath:
    """When the rule held a pair within a session, at opens of bars.

    Attributes
    ----------
    entry_utc : datetime or None
        Start of the bar at whose open it entered; None where it held the pair before.
    exit_utc : datetime or None
        Start of the bar at whose open it left; None where it holds the pair still.
    """

    entry_utc: datetime | None
    exit_utc: datetime | None


def rule_path(bars: Sequence[RulePosition], decided_utc: datetime | None) -> RulePath | None:
    """When the rule held a trade's pair; None where it did not.

    A change of position is a fill at the open of the bar at whose close it is first seen.

    Parameters
    ----------
    bars : sequence of RulePosition
        Of the session, in order.
    decided_utc : datetime or None
        Start of the bar at whose close the entry was decided; None where that was in an earlier session.
    """
    after = [bar for bar in bars if decided_utc is None or bar.start_utc > decided_utc]
    entry = None
    if decided_utc is not None:
        entry = next((bar.start_utc for bar in after if bar.position == 1), None)
        if entry is None:
            return None
    elif not after:
        return None
    left = (bar.start_utc for bar in after if (entry is None or bar.start_utc > entry) and bar.position != 1)
    return RulePath(entry_utc=entry, exit_utc=next(left, None))


@dataclass(frozen=True, kw_only=True)
class HeldLeg:
    """A leg of a trade at one end of the period.

    Attributes
    ----------
    shares : int
        Signed.
    value : float or None
        Signed dollars; None where nobody has written it down.
    average_price : float or None
        Dollars a share at which the shares came.
    """

    shares: int
    value: float | None = None
    average_price: float | None = None

    @property
    def mark(self) -> float | None:
        """Dollars a share."""
        return self.value / self.shares if self.shares and self.value is not None else None


@dataclass(frozen=True, kw_only=True)
class SessionTrade:
    """A trade within a session, as far as the period goes.

    Attributes
    ----------
    trade : SpreadOrder
        Its orders have the executions that are in the account by the end of the period, and no others.
    executed_before : frozenset of str
        Ids of the executions that were in it before the period.
    path : RulePath or None
    start, end : mapping of leg to HeldLeg
    sector, entry_reason, model_version : str
    confidence : float or None
    exit_decided_utc : datetime or None
        End of the bar at whose close the exit was decided, where a signal asked for it.
    """

    trade: SpreadOrder
    path: RulePath | None
    start: Mapping[Leg, HeldLeg]
    end: Mapping[Leg, HeldLeg]
    executed_before: frozenset[str] = frozenset()
    sector: str = ""
    entry_reason: str = ""
    model_version: str = ""
    confidence: float | None = None
    exit_decided_utc: datetime | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class MarketOfSession:
    """What the market did in the session.

    Attributes
    ----------
    prices : BarPrices
    bar : timedelta
        Length of the bars at whose closes the rule decides.
    end_utc : datetime
        End of the period.
    half_spread_bps : float
        Half the quoted spread that costs assume, where an order crosses it; 0 where it is in the commission.
    """

    prices: BarPrices
    bar: timedelta
    end_utc: datetime
    half_spread_bps: float = 0.0
    betas: Mapping[str, float] = field(default_factory=dict)


def trade_record(own: SessionTrade, market: MarketOfSession) -> TradeRecord:
    """The record of a trade.

    The price at which an order arrives is the open of the bar that is under way then: there are no quotes.
    """
    trade = own.trade
    return TradeRecord(
        spread_order_id=trade.id,
        pair=trade.pair,
        decided_utc=trade.decided_utc,
        sector=own.sector,
        entry_reason=own.entry_reason,
        exit_reason=reason_code(trade.reason),
        model_version=own.model_version,
        confidence=own.confidence,
        y=_leg(own, "y", market),
        x=_leg(own, "x", market),
    )


def reason_code(reason: str) -> str:
    """Why a trade was left, as a word that trades can be told apart by: what stands before the colon."""
    if not reason:
        return ""
    code = reason.partition(":")[0]
    return code if " " not in code else OTHER


def _leg(own: SessionTrade, leg: Leg, market: MarketOfSession) -> LegRecord:
    trade, start, end = own.trade, own.start[leg], own.end[leg]
    symbol = trade.symbol(leg)
    mark_end = end.mark if end.mark is not None else market.prices.close_at(symbol, market.end_utc)
    return LegRecord(
        symbol=symbol,
        model=_model(own, leg, market, mark_end),
        target=round(_intended(trade, leg)),
        orders=tuple(_executed(own, order, market) for order in trade.orders if order.leg == leg and order.fills),
        held_start=start.shares,
        mark_start=start.mark,
        mark_end=mark_end,
    )


def _model(own: SessionTrade, leg: Leg, market: MarketOfSession, mark_end: float | None) -> ModelLeg | None:
    """What the rule held of a leg: what the money of the decision buys at the rule's own price."""
    path, trade, start = own.path, own.trade, own.start[leg]
    if path is None:
        return None
    symbol = trade.symbol(leg)
    entry_decision = exit_decision = None
    if path.entry_utc is None:
        start_price, base = start.mark, start.average_price
    else:
        start_price = base = _filled_at(symbol, path.entry_utc, market)
        entry_decision = market.prices.close_at(symbol, path.entry_utc)
    end_price = mark_end
    if path.exit_utc is not None:
        end_price = _filled_at(symbol, path.exit_utc, market)
        exit_decision = market.prices.close_at(symbol, path.exit_utc) or start.mark
    if start_price is None or base is None or end_price is None:
        return None
    money = abs(_intended(trade, "y")) * trade.price_y
    side = trade.position if leg == "y" else -trade.position * trade.beta
    return ModelLeg(
        shares=side * money / base,
        start_price=start_price,
        end_price=end_price,
        entry_decision_price=entry_decision,
        exit_decision_price=exit_decision,
        market_beta=market.betas.get(symbol, 0.0),
    )


def _filled_at(symbol: str, start: datetime, market: MarketOfSession) -> float | None:
    """The rule's fill in a bar: its open; without one the newest close before."""
    found = market.prices.open_at(symbol, start, within=market.bar)
    return found if found is not None else market.prices.close_at(symbol, start)


def _intended(trade: SpreadOrder, leg: Leg) -> float:
    """Signed shares of a leg that were to be held at first: a part that was not filled makes targets smaller."""
    scale = 1.0
    if not (trade.adjusted_y or trade.adjusted_x):
        first = next((order for order in trade.orders if order.purpose == "open"), None)
        if first is not None:
            scale = max(1.0, abs(first.quantity / trade.target(first.leg)))
    return trade.target(leg) * scale


def _executed(own: SessionTrade, order: Order, market: MarketOfSession) -> ExecutedOrder:
    trade, symbol = own.trade, order.symbol
    step = _step(trade, order)
    of_step = [each for each in trade.orders if _step(trade, each) == step]
    stored = order.arrival_price or order.average_price
    assert stored is not None, "orders without executions were left out"
    arrival = market.prices.open_at(symbol, order.intended_utc, within=timedelta(0)) or stored
    first = market.prices.open_at(symbol, min(each.intended_utc for each in of_step), within=timedelta(0))
    if step == "entry":
        decision: float | None = trade.price_y if order.leg == "y" else trade.price_x
    else:
        decided = own.exit_decided_utc or min(each.intended_utc for each in of_step)
        decision = market.prices.close_at(symbol, decided)
    fills = tuple(fill for fill in order.fills if fill.execution_id not in own.executed_before)
    return ExecutedOrder(
        order=replace(order, arrival_price=arrival, fills=fills),
        step=step,
        decision_price=decision if decision is not None else stored,
        pair_arrival_price=first if first is not None else arrival,
        half_spread=market.half_spread_bps * BASIS_POINT * arrival,
    )


def _step(trade: SpreadOrder, order: Order) -> Step:
    if order.purpose in ("open", "hedge"):
        return "entry"
    entered = {
        leg: sum(each.executed for each in trade.orders if each.leg == leg and each.purpose in ("open", "hedge"))
        for leg in LEGS
    }
    whole = all(abs(entered[leg]) >= abs(trade.target(leg)) for leg in LEGS)
    return "exit" if whole or trade.goal is not Goal.UNWIND else "unwound"
