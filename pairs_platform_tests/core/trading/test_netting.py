"""Orders of several pairs in one symbol: what a broker would refuse is not sent, and its position is theirs."""

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.legging import Ask, Cancel, GoFlat, Quote, Resize, Send, next_actions, recorded
from pairs_platform.core.trading.netting import Crossing, crossed, gate, shares_of_pairs
from pairs_platform.core.trading.orders import (
    Order,
    OrderStatus,
    Report,
    applied,
    client_order_id,
    sent_without_answer,
)
from pairs_platform.core.trading.reconciliation import OurSide, Subject, corrected, reconciled
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadState
from pairs_platform_tests.support.chance_broker import ChanceBroker, Faults
from pairs_platform_tests.support.pair_trades import at, ended, fill_of, filled, order_of, trade_of, working


def intent(trade: str, quantity: int, purpose: str = "open", attempt: int = 1, **more) -> Order:
    client_id = client_order_id("demo", "paper", trade, "y", purpose, attempt)
    return order_of(
        quantity, purpose=purpose, spread_order_id=trade, client_order_id=client_id, attempt=attempt, limit_price=None,
        **more,
    )  # fmt: skip


def at_gate(*intended: Order, pending=(), held=None, broker_quantity=0, **more):
    return gate("PDFS", intended, pending=pending, held=held or {}, broker_quantity=broker_quantity, **more)


def passed(decision) -> list[tuple[str, int]]:
    return [(order.spread_order_id, order.quantity) for order in decision.send]


class TestOneDirectionAtATime:
    def test_alone_an_order_goes_as_it_is(self):
        order = intent("a", 100)
        assert at_gate(order).send == (order,)

    def test_nothing_goes_against_a_working_order_whoever_sent_it(self):
        buy = intent("a", 100)
        decision = at_gate(intent("b", -30, "hedge"), pending=[buy])
        assert (decision.send, decision.cross) == ((), ())
        assert decision.wait[0].reason == "an order for +100 PDFS works in the other direction"
        foreign = at_gate(intent("b", -30, "hedge"), foreign_pending=[5])
        assert foreign.wait[0].reason == "an order for +5 PDFS works in the other direction"

    def test_an_order_of_which_nobody_knows_counts_as_working(self):
        unknown = replace(intent("a", 100), status=OrderStatus.UNKNOWN)
        assert at_gate(intent("b", -30, "hedge"), pending=[unknown]).send == ()

    def test_but_it_holds_up_no_exit_of_another_pair_for_ever(self):
        held = {"a": 0, "b": 30}
        for quantity in (100, -100):
            unknown = replace(intent("a", quantity), status=OrderStatus.UNKNOWN)
            decision = at_gate(intent("b", -30, "close"), pending=[unknown], held=held, broker_quantity=30)
            assert passed(decision) == [("b", -30)]

    def test_what_has_ended_is_in_nobodys_way(self):
        gone = replace(intent("a", 100), status=OrderStatus.CANCELED)
        assert passed(at_gate(intent("b", -30), pending=[gone])) == [("b", -30)]

    def test_orders_of_one_direction_go_together(self):
        assert passed(at_gate(intent("a", 10), intent("b", 20), pending=[intent("c", 30)])) == [("a", 10), ("b", 20)]


class TestZero:
    def test_one_order_brings_the_brokers_position_to_zero_at_most(self):
        # Two pairs: a holds 100, b is short 60; the broker sees 40.
        held = {"a": 100, "b": -60}
        assert passed(at_gate(intent("a", -100, "close"), held=held, broker_quantity=40)) == [("a", -40)]
        after = {"a": 60, "b": -60}
        rest = intent("a", -60, "close", 2)
        assert passed(at_gate(rest, held=after, broker_quantity=0)) == [("a", -60)]

    def test_what_works_already_towards_zero_comes_first(self):
        decision = at_gate(intent("b", -50), pending=[intent("a", -40, "close")], held={"a": 40}, broker_quantity=40)
        assert decision.wait[0].reason == "working orders bring 40 PDFS to zero first"
        part = at_gate(intent("b", -50), pending=[intent("a", -25, "close")], held={"a": 40}, broker_quantity=40)
        assert passed(part) == [("b", -15)]

    def test_exits_go_first(self):
        held = {"a": 30, "b": 30, "c": -20}
        decision = at_gate(
            intent("c", -20), intent("b", -20, "hedge"), intent("a", -30, "flatten"), held=held, broker_quantity=40
        )
        assert passed(decision) == [("a", -30), ("b", -10)]


class TestExitsTakeNothingFromOthers:
    def test_a_close_that_the_broker_has_filled_unseen_is_not_sent_again(self):
        """Reported: a close that had filled unseen was sent again and again; a position had vanished at the broker."""
        decision = at_gate(intent("a", -100, "close"), held={"a": 100}, broker_quantity=0)
        assert decision.send == ()
        assert "the broker holds 0 PDFS, of which 0 are not this trade's" in decision.wait[0].reason

    def test_a_close_is_never_larger_than_what_the_broker_holds_of_it(self):
        held = {"a": 100, "b": 50}
        assert passed(at_gate(intent("a", -100, "close"), held=held, broker_quantity=120)) == [("a", -70)]

    def test_shares_of_a_person_are_not_closed(self):
        """Reported: a manual position in the same symbol was taken for the own one."""
        decision = at_gate(intent("a", -100, "close"), held={"a": 100}, broker_quantity=80, foreign_quantity=50)
        assert passed(decision) == [("a", -30)]

    def test_without_an_answer_of_the_broker_an_exit_goes_by_what_the_pairs_hold(self):
        """Reported: a failed question about positions was read as flat."""
        assert passed(at_gate(intent("a", -100, "close"), held={"a": 100}, broker_quantity=None)) == [("a", -100)]


class TestCrossing:
    def test_a_buy_and_a_sale_of_two_pairs_fill_each_other(self):
        decision = at_gate(intent("a", -100, "close"), intent("b", 60), held={"a": 100}, broker_quantity=100)
        (crossing,) = decision.cross
        assert (crossing.buy.spread_order_id, crossing.buy.quantity) == ("b", 60)
        assert (crossing.sell.spread_order_id, crossing.sell.quantity) == ("a", -60)
        assert decision.send == (), "the rest is intended again"

    def test_both_are_filled_at_one_price_and_need_no_broker(self):
        pair = Crossing(intent("b", 60), intent("a", -60, "close"))
        buy, sell = crossed(pair, price=50.0, now=at(5))
        assert {buy.status, sell.status} == {OrderStatus.FILLED}
        assert (buy.executed, sell.executed) == (60, -60)
        assert buy.average_price == sell.average_price == 50.0
        assert not buy.lacks_executions
        assert buy.fills[0].execution_id != sell.fills[0].execution_id

    def test_no_limit_is_broken(self):
        pair = Crossing(replace(intent("b", 60), limit_price=49.0), intent("a", -60, "close"))
        with pytest.raises(ValueError, match=r"50.0 is worse than its limit of 49.0"):
            crossed(pair, price=50.0, now=at(5))

    def test_a_trade_never_crosses_with_itself(self):
        assert at_gate(intent("a", -10, "close"), intent("a", 10)).cross == ()


def test_an_order_of_another_symbol_is_refused():
    with pytest.raises(ValueError, match="does not belong to the gate of PDFS"):
        at_gate(order_of(10, leg="x"))


def test_shares_of_pairs_add_up_by_symbol():
    one = trade_of(filled(order_of(100)), filled(order_of(-50, leg="x", purpose="hedge"), 20))
    two = trade_of(filled(order_of(-30)), id="two", y="AVGO", x="MSFT", pair="AVGO_MSFT", position=-1)
    two = replace(two, orders=(replace(two.orders[0], symbol="AVGO"),))
    assert shares_of_pairs([one, two]) == {"PDFS": 100, "AVGO": -50, "MSFT": 0}


@dataclass
class Symbol:
    """A broker that refuses what a real one refuses, and pairs that want more and less of one symbol."""

    seed: int
    quantity: int = 0
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 0))
    wanted: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 0))
    works: dict[str, Order] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def intents(self) -> list[Order]:
        orders = []
        for trade, held in self.held.items():
            if any(order.spread_order_id == trade for order in self.works.values()):
                continue
            goal = self.wanted[trade] if self.wanted[trade] * held >= 0 else 0
            if goal != held:
                purpose = "close" if abs(goal) < abs(held) else self.random.choice(["open", "hedge"])
                attempt = 1 + sum(client_id.startswith(f"{trade} ") for client_id in self.sent)
                order = intent(trade, goal - held, purpose, attempt)
                orders.append(replace(order, client_order_id=f"{trade} {attempt}"))
        return orders

    def step(self) -> None:
        intended = self.intents()
        decision = at_gate(*intended, pending=list(self.works.values()), held=self.held, broker_quantity=self.quantity)
        for crossing in decision.cross:
            for order in crossed(crossing, price=50.0, now=at(0)):
                self.note(order)
                self.held[order.spread_order_id] += order.executed
        for order in decision.send:
            self.note(order)
            assert not any(each.sign != order.sign for each in self.works.values()), "a wash trade"
            reserved = sum(each.remaining for each in self.works.values())
            if self.quantity * order.sign < 0:
                assert abs(self.quantity) >= abs(reserved) + abs(order.quantity), "through zero in one order"
            self.works[order.client_order_id] = order
        assert all(waiting.reason for waiting in decision.wait)
        for client_id, order in list(self.works.items()):
            if self.random.random() < 0.6:
                shares = self.random.randint(1, abs(order.remaining))
                fill = fill_of(shares, f"{client_id} {abs(order.filled)}")
                order = applied(order, working(fill=fill)).order
                self.held[order.spread_order_id] += order.sign * shares
                self.quantity += order.sign * shares
            if not order.status.ended and self.random.random() < 0.2:
                order = applied(order, ended(OrderStatus.CANCELED)).order
            self.works[client_id] = order
            if order.status.ended:
                del self.works[client_id]
        assert sum(self.held.values()) == self.quantity, "the pairs add up to the broker's position"

    def note(self, order: Order) -> None:
        assert order.client_order_id not in self.sent, "one order for each intent"
        self.sent.add(order.client_order_id)
        limit = self.wanted[order.spread_order_id] - self.held[order.spread_order_id]
        assert order.purpose == "close" or abs(order.quantity) <= abs(limit)


class TestRandomPairs:
    @hypothesis_settings(max_examples=40)
    @given(seed=st.integers(0, 10**9))
    def test_nothing_is_sent_that_a_broker_refuses_and_every_pair_gets_its_shares(self, seed):
        symbol = Symbol(seed)
        for _ in range(12):
            trade = symbol.random.choice("abcd")
            symbol.wanted[trade] = symbol.random.choice([0, 0, symbol.random.randint(-60, 60)])
            symbol.step()
        for _ in range(400):
            if symbol.held == symbol.wanted:
                break
            symbol.step()
        assert symbol.held == symbol.wanted


FAULTS = Faults(
    lost_answer=0.05, rejected=0.02, never_fills=0.1, lost_message=0.1, repeated_message=0.2, cancel_lost=0.1,
    silent_question=0.2,
)  # fmt: skip
PAIRS = [("PDFS", "AVGO"), ("AVGO", "MSFT"), ("PDFS", "MSFT")]


class SeveralPairs:
    """Three pairs that share each symbol with another one, traded by legging and gate against a broker of chance."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.broker = ChanceBroker(seed, faults)
        self.random = self.broker.random
        self.now = at(0)
        self.trades = {}
        for y, x in PAIRS:
            trade = trade_of(position=self.random.choice([1, -1]), id=f"{y} {x}", pair=f"{y}_{x}", y=y, x=x)
            self.trades[trade.id] = replace(trade, price_x=50.0, target_x=-trade.target_y)
        self.begins = {name: at(self.random.choice([0, 2, 30])) for name in self.trades}
        self.closes = {name: at(self.random.choice([5, 40, 41, 90])) for name in self.trades}
        self.crossed = 0

    def play(self) -> None:
        for step in range(600):
            for name, trade in self.trades.items():
                if self.now >= self.closes[name] and not trade.broken:
                    self.trades[name] = trade.to_leave(Goal.CLOSE, "exit")
            self.send([order for name in self.trades for order in self.decided(name)])
            self.now = at(step + 1)
            self.broker.pass_time(self.now)
            for client_id, report in self.broker.messages(self.now):
                self.said(client_id, report)
            if step % 30 == 29:
                self.compare()
            over = [trade.state.ended or bool(trade.broken) for trade in self.trades.values()]
            if all(over) and not self.broker.has_messages and not self.compare():
                return
        raise AssertionError(f"no end: {[(trade.id, trade.state) for trade in self.trades.values()]}")

    def decided(self, name: str) -> list[Order]:
        """Orders that legging asks for; everything else that it asks for is done."""
        if self.now < self.begins[name] and not self.trades[name].orders:
            return []
        quote = Quote(bid=49.99, ask=50.01, quoted_utc=self.now)
        while True:
            trade = self.trades[name]
            actions = next_actions(
                trade, {"y": quote, "x": quote}, self.now, ExecutionSettings(), profile="demo", account="paper"
            )
            done = [action for action in actions if not isinstance(action, Send)]
            self.trades[name] = recorded(trade, done, self.now)
            for action in done:
                if isinstance(action, Cancel):
                    self.broker.cancel(action.client_order_id, self.now)
                elif isinstance(action, Ask) and (answer := self.broker.ask(action.client_order_id)):
                    self.said(action.client_order_id, answer)
            if not any(isinstance(action, GoFlat | Resize) for action in actions):
                return [action.order for action in actions if isinstance(action, Send)]

    def send(self, intended: list[Order]) -> None:
        for symbol in sorted({order.symbol for order in intended}):
            legs = [(trade, leg) for trade in self.trades.values() for leg in LEGS if trade.symbol(leg) == symbol]
            decision = gate(
                symbol,
                [order for order in intended if order.symbol == symbol],
                pending=[order for trade, leg in legs for order in trade.pending(leg)],
                held={trade.id: trade.held(leg) for trade, leg in legs},
                broker_quantity=self.random.choice([self.broker.position(symbol), None]),
            )
            for crossing in decision.cross:
                self.crossed += 1
                for order in crossed(crossing, price=50.0, now=self.now):
                    self.write_down(order)
            for order in decision.send:
                self.write_down(order)
                answer = self.broker.submit(order, self.now)
                if answer is None:
                    trade = self.trades[order.spread_order_id]
                    self.trades[trade.id] = trade.with_state_of(sent_without_answer(order))
                else:
                    self.said(order.client_order_id, answer)

    def write_down(self, order: Order) -> None:
        self.trades[order.spread_order_id] = self.trades[order.spread_order_id].with_order(order)

    def said(self, client_id: str, report: Report) -> None:
        (trade,) = [
            each for each in self.trades.values() if any(order.client_order_id == client_id for order in each.orders)
        ]
        self.trades[trade.id], applied_ = trade.after(client_id, report)
        assert applied_.anomaly == ""

    def compare(self) -> bool:
        """Whether a comparison with the broker changed something; shares are never different after it."""
        ours = OurSide(trades=list(self.trades.values()), cash=0.0)
        result = reconciled(ours, self.broker.side(), self.now, ExecutionSettings())
        self.trades = {trade.id: trade for trade in corrected(ours.trades, result.corrections)}
        assert not [each.message for each in result.differences if each.subject is Subject.POSITION]
        return bool(result.corrections)


class TestSeveralPairs:
    @hypothesis_settings(max_examples=25)
    @given(seed=st.integers(0, 10**9))
    def test_pairs_that_share_symbols_end_without_a_share_at_the_broker(self, seed):
        pairs = SeveralPairs(seed, FAULTS)
        pairs.play()
        assert {trade.state for trade in pairs.trades.values()} <= {SpreadState.CLOSED, SpreadState.FLAT}
        assert pairs.broker.working() == []
        for symbol in ("PDFS", "AVGO", "MSFT"):
            assert pairs.broker.position(symbol) == shares_of_pairs(pairs.trades.values())[symbol] == 0

    def test_without_faults_the_broker_refuses_nothing_and_some_orders_never_reach_it(self):
        runs = [SeveralPairs(seed, Faults()) for seed in range(8)]
        for pairs in runs:
            pairs.play()
            assert pairs.broker.refused == []
            assert {trade.state for trade in pairs.trades.values()} <= {SpreadState.CLOSED, SpreadState.FLAT}
        assert sum(pairs.crossed for pairs in runs) > 0
