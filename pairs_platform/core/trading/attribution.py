"""Where the change of an account's equity came from: what the rule earned, and what each step to the account took.

A pair's trade goes from the rule to the account by prices and by shares. The rule holds exact shares q̃ from the open
after its decision; the account holds whole shares, bought by orders that arrive later, cross the spread and may not
fill. Every step is a component, in dollars, > 0 where it made the account richer. Their sum is the change of equity.

With, for one leg: q̃ the rule's exact shares, q* the shares that were to be held (q̃ where nothing was ordered), P the
rule's price at entry and X at exit (marks at the ends of the period where it held before or holds still), S and E the
shares held at the period's start and end and M their marks. For each execution of q signed shares at p: D the price at
which its order was decided, A⁰ the price when the first order of the pair's same step was made, A when its own was, s
half the quoted spread then, B the rule's price for the same step and Dᵐ the close at which the rule decided it (B = Dᵐ
= D where the rule took no such step in the period).

================  ===================================================================================================
component         formula
================  ===================================================================================================
gross_spread      q̃ (X − P) less `residual_beta`: what the rule earned, on the next open
residual_beta     q̃ P · market beta of the leg · market's return while the rule held; over both legs the pair's net β
rounding          (q* − q̃)(X − P)
missed            E M_E − S M_S − Σ q B − q* (X − P): shares that the rule held and the account did not, or the reverse
late              −Σ q (D − Dᵐ): the account decided at another bar than the rule
delay             −Σ q ((A⁰ − D) − (B − Dᵐ)): from decision to arrival, less the rule's own way to the next open
legging           −Σ q (A − A⁰): the second leg, and each repeated order, later than the first; of an entry that was
                  unwound because it could not be hedged, −Σ q (A − B)
half_spread       −Σ |q| s
impact            −Σ q (p − A) less `half_spread`
commission        commissions and fees, < 0
borrow            fees for borrowed shares, < 0
dividends         received on long shares, paid on short ones
interest          of idle cash, of debit, of short proceeds
foreign           positions that are no trade's: adopted, or of a person's own orders
transfers         money that was paid in or out
unexplained       what is left; more than a cent of it is a difference between books and broker
================  ===================================================================================================

missed + late is Perold's opportunity cost; delay, legging, half spread and impact are his execution cost. Prices and
shares of a trade are those after the last split of the period. What does not belong here: prices and fills themselves
(`core.trading.orders`), and what the rule earned as a share of gross (`rule_pnl`).

References
----------
Perold (1988), The implementation shortfall: paper versus reality, Journal of Portfolio Management 14(3), 4–9.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from zoneinfo import ZoneInfo

from pairs_platform.core.errors import DataError
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.core.trading.attribution_records import (
    AccountPeriod,
    CashEvent,
    CashKind,
    ExecutedOrder,
    ForeignPosition,
    LegRecord,
    ModelLeg,
    TradeRecord,
)
from pairs_platform.core.trading.orders import Leg
from pairs_platform.core.trading.spread_order import LEGS

CENT = 0.01

_COMPONENT_OF = {
    CashKind.FEE: "commission",
    CashKind.BORROW: "borrow",
    CashKind.DIVIDEND: "dividends",
    CashKind.INTEREST: "interest",
    CashKind.TRANSFER: "transfers",
}


@dataclass(frozen=True, kw_only=True)
class Components:
    """Dollars by what they came from; see the module for each formula. Components add up with `+`."""

    gross_spread: float = 0.0
    residual_beta: float = 0.0
    rounding: float = 0.0
    missed: float = 0.0
    late: float = 0.0
    delay: float = 0.0
    legging: float = 0.0
    half_spread: float = 0.0
    impact: float = 0.0
    commission: float = 0.0
    borrow: float = 0.0
    dividends: float = 0.0
    interest: float = 0.0
    foreign: float = 0.0
    transfers: float = 0.0
    unexplained: float = 0.0

    def __add__(self, other: "Components") -> "Components":
        return Components(**{name: getattr(self, name) + getattr(other, name) for name in COMPONENTS})

    @property
    def total(self) -> float:
        """Their sum, dollars."""
        return math.fsum(getattr(self, name) for name in COMPONENTS)

    @property
    def model(self) -> float:
        """What the rule earned."""
        return self.gross_spread + self.residual_beta


COMPONENTS = tuple(component.name for component in fields(Components))
"""Names of the components, in the order of the way from the rule to the account."""


class Cut(StrEnum):
    """What the components can be told apart by."""

    TRADE = "spread_order_id"
    PAIR = "pair"
    SYMBOL = "symbol"
    LEG = "leg"
    SIDE = "side"
    SECTOR = "sector"
    ENTRY_REASON = "entry_reason"
    EXIT_REASON = "exit_reason"
    HOUR = "hour"
    MODEL_VERSION = "model_version"
    CONFIDENCE = "confidence"


NONE = "none"
"""What stands for an attribute that a trade does not have."""

ACCOUNT = "account"
"""Key, in every cut, of what belongs to no trade."""


@dataclass(frozen=True, kw_only=True)
class LegAttribution:
    """The components of one leg of a trade, and what they are cut by, as text; "none" where there is none.

    `side` is "long" or "short", `hour` that of the decision in New York as "10:00", `confidence` a quarter of [0, 1] as
    "0.50–0.75".
    """

    spread_order_id: str
    pair: str
    symbol: str
    leg: Leg
    side: str
    sector: str
    entry_reason: str
    exit_reason: str
    hour: str
    model_version: str
    confidence: str
    components: Components


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The change of equity of one period.

    Attributes
    ----------
    period : AccountPeriod
    legs : tuple of LegAttribution
        Two a trade.
    account : Components
        What belongs to no trade, `unexplained` included.
    """

    period: AccountPeriod
    legs: tuple[LegAttribution, ...]
    account: Components

    @property
    def total(self) -> Components:
        """All components; their sum is the change of equity."""
        return _sum([*(row.components for row in self.legs), self.account])

    @property
    def closes(self) -> bool:
        """Whether all but a cent is explained."""
        # Equity comes in whole cents: half a cent at each end is no difference.
        return abs(self.account.unexplained) <= CENT + 1e-9

    def by(self, cut: Cut) -> dict[str, Components]:
        """The components by one attribute, in its order, and last those of the account; they sum to `total`."""
        values = sorted({str(getattr(row, cut.value)) for row in self.legs})
        table = {
            value: _sum([row.components for row in self.legs if str(getattr(row, cut.value)) == value])
            for value in values
        }
        return table | {ACCOUNT: self.account}


def attribute(
    period: AccountPeriod,
    trades: Sequence[TradeRecord],
    *,
    cash_events: Sequence[CashEvent] = (),
    foreign: Sequence[ForeignPosition] = (),
) -> Attribution:
    """Explain the change of equity of a period.

    Parameters
    ----------
    period : AccountPeriod
    trades : sequence of TradeRecord
        All that held shares or executed within the period, and those that the rule asked for and that were not made.
    cash_events : sequence of CashEvent
        All money that was booked within the period but for executions and their commissions.
    foreign : sequence of ForeignPosition

    Raises
    ------
    DataError
        A trade is there twice, money is booked for a trade that is not there, shares are held without a mark, or a
        price is none.
    """
    ids = [trade.spread_order_id for trade in trades]
    if len(set(ids)) < len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})
        raise DataError(f"attribution: trade {', '.join(twice)} is there more than once")
    unknown = sorted({event.spread_order_id for event in cash_events} - {*ids, ""})
    if unknown:
        raise DataError(f"attribution: money is booked for trade {', '.join(unknown)}, which is not in the period")
    legs = tuple(_leg_attribution(trade, leg, period, cash_events) for trade in trades for leg in LEGS)
    explained = _sum([*(row.components for row in legs)])
    own = _cash(event for event in cash_events if not event.spread_order_id)
    own += Components(
        foreign=math.fsum(position.value_end - position.value_start + position.cash for position in foreign)
    )
    rest = period.change - explained.total - own.total
    if not math.isfinite(rest):
        raise DataError(
            f"attribution: equity {period.equity_start} at the start and {period.equity_end} at the end, "
            f"{explained.total + own.total} explained: one of them is no number"
        )
    return Attribution(period=period, legs=legs, account=own + Components(unexplained=rest))


def _leg_attribution(
    trade: TradeRecord, leg: Leg, period: AccountPeriod, cash_events: Sequence[CashEvent]
) -> LegAttribution:
    record = trade.y if leg == "y" else trade.x
    where = f"attribution: trade {trade.spread_order_id}, {record.symbol}"
    events = (each for each in cash_events if (each.spread_order_id, each.leg) == (trade.spread_order_id, leg))
    components = _leg_components(record, trade.market_return, period, where) + _cash(events)
    held = record.target or (record.model.shares if record.model else record.held_start)
    moment = trade.decided_utc.astimezone(ZoneInfo(MARKET_TIMEZONE))
    return LegAttribution(
        spread_order_id=trade.spread_order_id,
        pair=trade.pair,
        symbol=record.symbol,
        leg=leg,
        side="long" if held > 0 else "short",
        sector=trade.sector or NONE,
        entry_reason=trade.entry_reason or NONE,
        exit_reason=trade.exit_reason or NONE,
        hour=f"{moment:%H}:00",
        model_version=trade.model_version or NONE,
        confidence=_quarter(trade.confidence),
        components=components,
    )


def _quarter(confidence: float | None) -> str:
    """The quarter of [0, 1] that a confidence is in; 1 is in the last one."""
    if confidence is None:
        return NONE
    low = min(int(confidence * 4), 3) / 4
    return f"{low:.2f}–{low + 0.25:.2f}"


def _leg_components(record: LegRecord, market_return: float, period: AccountPeriod, where: str) -> Components:
    """Components of one leg but for money that was booked for it."""
    model = record.model
    move = _price(model.end_price, where) - _price(model.start_price, where) if model else 0.0
    shares = model.shares if model else 0.0
    ordered = (record.target or shares) if model else 0.0
    gross = shares * move
    beta = shares * model.start_price * model.market_beta * market_return if model else 0.0
    executed = [
        _order_components(each, model, period, where) for each in record.orders if each.order.symbol == record.symbol
    ]
    if len(executed) < len(record.orders):
        raise DataError(f"{where}: an order of the leg is for another symbol")
    held_end = record.held_start + sum(bought for bought, _, _ in executed)
    real = (
        _value(held_end, record.mark_end, where)
        - _value(record.held_start, record.mark_start, where)
        - math.fsum(benchmark for _, benchmark, _ in executed)
    )
    path = Components(
        gross_spread=gross - beta,
        residual_beta=beta,
        rounding=(ordered - shares) * move,
        missed=real - ordered * move,
    )
    return _sum([path, *(components for _, _, components in executed)])


def _order_components(
    executed: ExecutedOrder, model: ModelLeg | None, period: AccountPeriod, where: str
) -> tuple[int, float, Components]:
    """Of one order within the period: signed shares, their value at the rule's price, and what each step cost."""
    order = executed.order
    fills = [fill for fill in order.fills if period.start_utc < fill.filled_utc <= period.end_utc]
    count = sum(fill.quantity for fill in fills)
    q = order.sign * count
    decision, arrival, first = executed.decision_price, order.arrival_price, executed.pair_arrival_price
    arrival = decision if arrival is None else arrival
    first = arrival if first is None else first
    for price in (decision, arrival, first):
        _price(price, f"{where}, order {order.client_order_id}")
    benchmark, model_decision = decision, decision
    if model is not None:
        if executed.step != "exit" and model.entry_decision_price is not None:
            benchmark, model_decision = model.start_price, model.entry_decision_price
        elif executed.step == "exit" and model.exit_decision_price is not None:
            benchmark, model_decision = model.end_price, model.exit_decision_price
    if executed.step == "unwound":
        late, delay, legging = 0.0, 0.0, -q * (arrival - benchmark)
    else:
        late = -q * (decision - model_decision)
        delay = -q * ((first - decision) - (benchmark - model_decision))
        legging = -q * (arrival - first)
    half_spread = -count * executed.half_spread
    paid = -order.sign * math.fsum(fill.quantity * (fill.price - arrival) for fill in fills)
    return (
        q,
        q * benchmark,
        Components(
            late=late,
            delay=delay,
            legging=legging,
            half_spread=half_spread,
            impact=paid - half_spread,
            commission=-math.fsum(fill.commission for fill in fills),
        ),
    )


def _value(shares: int, mark: float | None, where: str) -> float:
    if shares == 0:
        return 0.0
    if mark is None:
        raise DataError(f"{where}: {shares} shares are held at an end of the period, and there is no mark for them")
    return shares * _price(mark, where)


def _price(price: float, where: str) -> float:
    if not (math.isfinite(price) and price > 0):
        raise DataError(f"{where}: a price of {price} is none")
    return price


def _sum(parts: Iterable[Components]) -> Components:
    parts = list(parts)
    return Components(**{name: math.fsum(getattr(part, name) for part in parts) for name in COMPONENTS})


def _cash(events: Iterable[CashEvent]) -> Components:
    return _sum([Components(**{_COMPONENT_OF[event.kind]: event.amount}) for event in events])
