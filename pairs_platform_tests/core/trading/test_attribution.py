from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.trading.attribution import (
    ACCOUNT,
    COMPONENTS,
    NONE,
    Attribution,
    Components,
    Cut,
    attribute,
)
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
from pairs_platform.core.trading.orders import Fill, Order

OPEN = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
CLOSE = datetime(2024, 3, 8, 21, 0, tzinfo=UTC)


def executed(
    quantity: int,
    price: float,
    *,
    step: str = "entry",
    symbol: str = "Y",
    decision: float,
    first: float | None = None,
    arrival: float | None,
    half_spread: float = 0.0,
    commission: float = 0.0,
    at: datetime = OPEN + timedelta(hours=1),
    number: int = 1,
) -> ExecutedOrder:
    """An order that is filled at once at one price."""
    fill = Fill(
        execution_id=f"{symbol}{number}", quantity=abs(quantity), price=price, filled_utc=at, commission=commission
    )
    order = Order(
        client_order_id=f"pp-{symbol}-{number}",
        spread_order_id="T1",
        symbol=symbol,
        leg="y" if symbol == "Y" else "x",
        purpose="open",
        attempt=number,
        quantity=quantity,
        limit_price=None,
        intended_utc=at,
        arrival_price=arrival,
        fills=(fill,),
    )
    return ExecutedOrder(
        order=order,
        step=step,  # type: ignore[arg-type]
        decision_price=decision,
        pair_arrival_price=first,
        half_spread=half_spread,
    )


def leg(symbol: str = "X", model: ModelLeg | None = None, target: int = 0, *orders: ExecutedOrder, **held) -> LegRecord:
    return LegRecord(symbol=symbol, model=model, target=target, orders=orders, **held)


def trade(y: LegRecord, x: LegRecord | None = None, **attributes) -> TradeRecord:
    return TradeRecord(
        **{
            "spread_order_id": "T1",
            "pair": "X_Y",
            "decided_utc": OPEN + timedelta(minutes=35),
            "y": y,
            "x": x or leg(),
            **attributes,
        }
    )


def explained(change: float, *trades: TradeRecord, **options) -> Attribution:
    period = AccountPeriod(start_utc=OPEN, end_utc=CLOSE, equity_start=100_000.0, equity_end=100_000.0 + change)
    return attribute(period, trades, **options)


def components(attribution: Attribution, leg: str = "y") -> dict[str, float]:
    """The components of a leg that are not zero, to a hundredth of a cent."""
    (row,) = [row for row in attribution.legs if row.leg == leg]
    values = {name: round(getattr(row.components, name), 4) for name in COMPONENTS}
    return {name: value for name, value in values.items() if value}


ROUND_TRIP = ModelLeg(
    shares=100.4, start_price=50.0, end_price=51.0, entry_decision_price=49.98, exit_decision_price=51.02
)


class TestExamples:
    """By hand."""

    def test_a_trade_as_the_rule_makes_it_has_nothing_but_its_gross_spread(self):
        exact = ModelLeg(
            shares=100, start_price=50.0, end_price=51.0, entry_decision_price=49.98, exit_decision_price=51.02
        )
        entry = executed(100, 50.0, decision=49.98, arrival=50.0)
        leave = executed(-100, 51.0, step="exit", decision=51.02, arrival=51.0, number=2)
        result = explained(100.0, trade(leg("Y", exact, 100, entry, leave)))
        assert components(result) == {"gross_spread": 100.0}
        assert result.closes
        assert result.account.unexplained == pytest.approx(0.0, abs=1e-9)

    def test_every_step_from_the_rule_to_the_account(self):
        entry = executed(100, 50.06, decision=49.98, first=50.01, arrival=50.03, half_spread=0.01, commission=0.5)
        leave = executed(-100, 50.95, step="exit", decision=51.02, arrival=51.01, half_spread=0.02, number=2)
        result = explained(88.5, trade(leg("Y", ROUND_TRIP, 100, entry, leave)))
        assert components(result) == {
            "gross_spread": 100.4,  # 100.4 × 1.00; the delays, −100 × 0.01 and +100 × 0.01, are 0 together
            "rounding": -0.4,  # −0.4 × 1.00
            "legging": -2.0,  # −100 (50.03 − 50.01)
            "half_spread": -3.0,  # 100 × 0.01 and 100 × 0.02
            "impact": -6.0,  # 100 (0.03 − 0.01) and 100 (0.06 − 0.02)
            "commission": -0.5,
        }
        assert result.closes

    def test_net_beta_is_taken_out_of_the_gross_spread(self):
        y = ModelLeg(
            shares=10,
            start_price=100.0,
            end_price=103.0,
            entry_decision_price=100.0,
            exit_decision_price=103.0,
            market_beta=1.2,
        )
        x = ModelLeg(
            shares=-20,
            start_price=50.0,
            end_price=51.0,
            entry_decision_price=50.0,
            exit_decision_price=51.0,
            market_beta=0.9,
        )
        result = explained(0.0, trade(leg("Y", y), leg("X", x), market_return=0.02))
        # 1,000 long at 1.2 and 1,000 short at 0.9 in a market that rises by 2 %.
        assert components(result)["residual_beta"] == 24.0
        assert components(result, "x")["residual_beta"] == -18.0
        assert components(result)["gross_spread"] == 30.0 - 24.0
        assert components(result, "x")["gross_spread"] == -20.0 + 18.0

    def test_a_trade_that_was_not_made_is_missed_whole(self):
        result = explained(0.0, trade(leg("Y", ROUND_TRIP)))
        assert components(result) == {"gross_spread": 100.4, "missed": -100.4}
        assert result.closes

    def test_shares_that_were_not_had_are_missed(self):
        entry = executed(60, 50.0, decision=49.98, arrival=50.0)
        leave = executed(-60, 51.0, step="exit", decision=51.02, arrival=51.0, number=2)
        result = explained(60.0, trade(leg("Y", ROUND_TRIP, 100, entry, leave)))
        assert components(result) == {"gross_spread": 100.4, "rounding": -0.4, "missed": -40.0}
        assert result.closes

    def test_an_entry_that_is_decided_bars_later_is_late(self):
        entry = executed(100, 50.32, decision=50.28, arrival=50.32)
        leave = executed(-100, 51.0, step="exit", decision=51.02, arrival=51.0, number=2)
        result = explained(68.0, trade(leg("Y", ROUND_TRIP, 100, entry, leave)))
        # 0.30 more between both decisions; then 0.04 to the arrival where the rule has 0.02 to its open.
        assert components(result) == {"gross_spread": 100.4, "rounding": -0.4, "late": -30.0, "delay": -2.0}
        assert result.closes

    def test_an_entry_that_cannot_be_hedged_costs_legging_and_is_missed(self):
        entry = executed(100, 50.02, decision=49.98, arrival=50.0)
        back = executed(-100, 49.88, step="unwound", decision=49.91, arrival=49.9, number=2)
        result = explained(-14.0, trade(leg("Y", ROUND_TRIP, 100, entry, back)))
        assert components(result) == {
            "gross_spread": 100.4,
            "rounding": -0.4,
            "missed": -100.0,
            "legging": -10.0,
            "impact": -4.0,
        }
        assert result.closes

    def test_an_order_without_a_quote_arrives_at_its_decision(self):
        entry = executed(100, 50.05, decision=49.98, arrival=None)
        held = ModelLeg(shares=100, start_price=50.0, end_price=51.0, entry_decision_price=49.98)
        result = explained(95.0, trade(leg("Y", held, 100, entry, mark_end=51.0)))
        # The rule pays 0.02 from its decision to the open; the account pays all of its way at the execution.
        assert components(result) == {"gross_spread": 100.0, "delay": 2.0, "impact": -7.0}
        assert result.closes

    def test_an_exit_that_the_rule_did_not_ask_for(self):
        held = ModelLeg(shares=100, start_price=50.0, end_price=52.0, entry_decision_price=50.0)
        entry = executed(100, 50.0, decision=50.0, arrival=50.0)
        leave = executed(-100, 50.97, step="exit", decision=51.0, arrival=50.98, number=2)
        result = explained(97.0, trade(leg("Y", held, 100, entry, leave), exit_reason="drift"))
        # The rule goes on to 52; the account leaves at 51 less what the exit costs.
        assert components(result) == {"gross_spread": 200.0, "missed": -100.0, "delay": -2.0, "impact": -1.0}
        assert result.closes

    def test_a_position_that_is_held_through_the_period_earns_from_mark_to_mark(self):
        held = ModelLeg(shares=-100.4, start_price=50.0, end_price=49.0)
        result = explained(100.0, trade(leg("Y", held, -100, held_start=-100, mark_start=50.0, mark_end=49.0)))
        assert components(result) == {"gross_spread": 100.4, "rounding": -0.4}
        assert result.legs[0].side == "short"
        assert result.closes

    def test_executions_outside_the_period_are_left_out(self):
        entry = executed(100, 40.0, decision=40.0, arrival=40.0, at=OPEN)
        later = executed(
            -100, 60.0, step="exit", decision=60.0, arrival=60.0, at=CLOSE + timedelta(seconds=1), number=2
        )
        held = ModelLeg(shares=100, start_price=50.0, end_price=51.0)
        record = leg("Y", held, 100, entry, later, held_start=100, mark_start=50.0, mark_end=51.0)
        assert components(explained(100.0, trade(record))) == {"gross_spread": 100.0}

    def test_booked_money_goes_to_its_component(self):
        events = [
            CashEvent(kind=CashKind.BORROW, amount=-1.25, spread_order_id="T1", leg="x"),
            CashEvent(kind=CashKind.DIVIDEND, amount=-7.0, spread_order_id="T1", leg="x"),
            CashEvent(kind=CashKind.FEE, amount=-0.03, spread_order_id="T1", leg="y"),
            CashEvent(kind=CashKind.INTEREST, amount=4.5),
            CashEvent(kind=CashKind.TRANSFER, amount=1_000.0),
        ]
        others = [ForeignPosition(symbol="Z", value_start=500.0, value_end=0.0, cash=520.0)]
        result = explained(1_016.22, trade(leg("Y")), cash_events=events, foreign=others)
        assert components(result, "x") == {"borrow": -1.25, "dividends": -7.0}
        assert components(result) == {"commission": -0.03}
        assert result.account.interest == 4.5
        assert result.account.transfers == 1_000.0
        assert result.account.foreign == 20.0
        assert result.closes

    def test_more_than_a_cent_that_nothing_explains_is_said(self):
        assert explained(0.01).closes
        result = explained(-0.02)
        assert not result.closes
        assert result.account.unexplained == pytest.approx(-0.02)


class TestCuts:
    def test_every_cut_names_its_values_and_the_account(self):
        y = leg("Y", ROUND_TRIP)
        x = leg("X", ModelLeg(shares=-80.0, start_price=60.0, end_price=60.5))
        one = trade(y, x, sector="technology", entry_reason="entry", exit_reason="stop", confidence=0.5)
        two = trade(y, x, spread_order_id="T2", model_version="3", confidence=1.0, decided_utc=CLOSE)
        result = explained(0.0, one, two)
        keys = {cut: list(result.by(cut)) for cut in Cut}
        assert keys == {
            Cut.TRADE: ["T1", "T2", ACCOUNT],
            Cut.PAIR: ["X_Y", ACCOUNT],
            Cut.SYMBOL: ["X", "Y", ACCOUNT],
            Cut.LEG: ["x", "y", ACCOUNT],
            Cut.SIDE: ["long", "short", ACCOUNT],
            Cut.SECTOR: [NONE, "technology", ACCOUNT],
            Cut.ENTRY_REASON: ["entry", NONE, ACCOUNT],
            Cut.EXIT_REASON: [NONE, "stop", ACCOUNT],
            Cut.HOUR: ["10:00", "16:00", ACCOUNT],
            Cut.MODEL_VERSION: ["3", NONE, ACCOUNT],
            Cut.CONFIDENCE: ["0.50–0.75", "0.75–1.00", ACCOUNT],
        }
        assert result.by(Cut.SIDE)["short"].gross_spread == pytest.approx(2 * -80.0 * 0.5)


class TestRefusals:
    def test_a_trade_that_is_there_twice(self):
        with pytest.raises(DataError, match="T1 is there more than once"):
            explained(0.0, trade(leg("Y")), trade(leg("Y")))

    def test_money_for_a_trade_that_is_not_there(self):
        event = CashEvent(kind=CashKind.FEE, amount=-1.0, spread_order_id="T9", leg="y")
        with pytest.raises(DataError, match="T9, which is not in the period"):
            explained(0.0, cash_events=[event])

    def test_shares_without_a_mark(self):
        with pytest.raises(DataError, match=r"T1, Y: 100 shares are held .* no mark"):
            explained(0.0, trade(leg("Y", None, 100, held_start=100, mark_start=50.0)))

    @pytest.mark.parametrize("price", [float("nan"), 0.0, -1.0, float("inf")])
    def test_a_price_that_is_none(self, price):
        with pytest.raises(DataError, match=r"pp-Y-1: a price of .* is none"):
            explained(0.0, trade(leg("Y", ROUND_TRIP, 100, executed(100, 50.0, decision=50.0, arrival=price))))

    def test_equity_that_is_no_number(self):
        with pytest.raises(DataError, match=r"equity 100000\.0 at the start and nan at the end"):
            explained(float("nan"))

    def test_an_order_for_another_symbol(self):
        with pytest.raises(DataError, match="for another symbol"):
            explained(0.0, trade(leg("Z", None, 100, executed(100, 50.0, decision=50.0, arrival=50.0))))

    @pytest.mark.parametrize("event", [{"amount": float("nan")}, {"leg": "y"}, {"spread_order_id": "T1"}])
    def test_money_that_is_none_or_half_named(self, event):
        with pytest.raises(ValueError, match="a fee of"):
            CashEvent(**{"kind": CashKind.FEE, "amount": -1.0, **event})


prices = st.integers(100, 50_000).map(lambda cents: cents / 100)
dollars = st.integers(-50_000, 50_000).map(lambda cents: cents / 100)


@st.composite
def drawn_legs(draw, symbol: str, number: int) -> LegRecord:
    """Any leg: of the rule or not, held at either end or not, with orders of any step, filled in part or not."""
    model = None
    if draw(st.booleans()):
        model = ModelLeg(
            shares=draw(st.floats(-500, 500).filter(bool)),
            start_price=draw(prices),
            end_price=draw(prices),
            entry_decision_price=draw(st.none() | prices),
            exit_decision_price=draw(st.none() | prices),
            market_beta=draw(st.floats(-2, 2)),
        )
    orders = []
    for index in range(draw(st.integers(0, 3))):
        quantity = draw(st.integers(-400, 400).filter(bool))
        order = executed(
            quantity,
            draw(prices),
            step=draw(st.sampled_from(["entry", "exit", "unwound"])),
            symbol=symbol,
            decision=draw(prices),
            first=draw(st.none() | prices),
            arrival=draw(st.none() | prices),
            half_spread=draw(st.floats(0, 1)),
            commission=draw(st.integers(0, 500)) / 100,
            at=draw(st.sampled_from([OPEN, OPEN + timedelta(hours=2), CLOSE, CLOSE + timedelta(hours=1)])),
            number=10 * number + index,
        )
        orders.append(order)
    return LegRecord(
        symbol=symbol,
        model=model,
        target=draw(st.integers(-400, 400)),
        orders=tuple(orders),
        held_start=draw(st.integers(-400, 400)),
        mark_start=draw(prices),
        mark_end=draw(prices),
    )


@st.composite
def drawn_periods(draw):
    """Trades, money, other positions, and what a ledger of cash and shares says of the account and of each trade."""
    trades, events = [], []
    cash, value_start, value_end = draw(dollars), 0.0, 0.0
    start, earned = cash, {}
    for number in range(draw(st.integers(0, 3))):
        name = f"T{number}"
        legs = [draw(drawn_legs(symbol, number)) for symbol in ("Y", "X")]
        trades.append(trade(*legs, spread_order_id=name, market_return=draw(st.floats(-0.1, 0.1))))
        earned[name] = 0.0
        for part, record in zip(("y", "x"), legs, strict=True):
            held = record.held_start
            flow = 0.0
            for each in record.orders:
                for fill in each.order.fills:
                    if OPEN < fill.filled_utc <= CLOSE:
                        held += each.order.sign * fill.quantity
                        flow -= each.order.sign * fill.quantity * fill.price + fill.commission
            for kind in draw(st.lists(st.sampled_from([CashKind.BORROW, CashKind.DIVIDEND, CashKind.FEE]), max_size=2)):
                events.append(CashEvent(kind=kind, amount=draw(dollars), spread_order_id=name, leg=part))
                flow += events[-1].amount
            cash += flow
            value_start += record.held_start * record.mark_start
            value_end += held * record.mark_end
            earned[name] += flow + held * record.mark_end - record.held_start * record.mark_start
    for kind in draw(st.lists(st.sampled_from([CashKind.INTEREST, CashKind.TRANSFER, CashKind.FEE]), max_size=3)):
        events.append(CashEvent(kind=kind, amount=draw(dollars)))
        cash += events[-1].amount
    others = [
        ForeignPosition(symbol="Z", value_start=draw(dollars), value_end=draw(dollars), cash=draw(dollars))
        for _ in range(draw(st.integers(0, 2)))
    ]
    cash += sum(other.cash for other in others)
    value_start += sum(other.value_start for other in others)
    value_end += sum(other.value_end for other in others)
    # A broker gives equity in cents.
    period = AccountPeriod(
        start_utc=OPEN,
        end_utc=CLOSE,
        equity_start=round(start + value_start, 2),
        equity_end=round(cash + value_end, 2),
    )
    return period, trades, events, others, earned


@settings(max_examples=40)
@given(drawn_periods())
def test_whatever_happens_the_components_sum_to_the_change_of_equity(drawn):
    period, trades, events, others, earned = drawn
    result = attribute(period, trades, cash_events=events, foreign=others)
    assert result.closes
    assert result.total.total == pytest.approx(period.change, abs=1e-6)
    by_trade = result.by(Cut.TRADE)
    for name, amount in earned.items():
        assert by_trade[name].total == pytest.approx(amount, abs=1e-6)
    for cut in Cut:
        parts = sum(result.by(cut).values(), Components())
        for component in COMPONENTS:
            assert getattr(parts, component) == pytest.approx(getattr(result.total, component), abs=1e-6)
