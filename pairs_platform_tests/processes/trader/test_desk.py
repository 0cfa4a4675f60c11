"""A session of signals: every one becomes a trade or a reason, and the account ends as the broker has it."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pairs_platform.core.errors import AnswerLost, DatabaseUnavailable, StreamUnavailable, Unavailable
from pairs_platform.core.prices.calendar import session_offset, session_open
from pairs_platform.core.risk.drift.result import DriftStatistic, not_tested
from pairs_platform.core.risk.trading_state import KillLevel, TradingState
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.netting import shares_of_pairs
from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.spread_order import Goal, SpreadState
from pairs_platform.database.equity import equity_rows, newest_equity
from pairs_platform.database.kill_switch import kill_switch, release_kill_switch, set_kill_switch
from pairs_platform.database.positions import positions_at
from pairs_platform.database.risk_events import event_rows
from pairs_platform.ports.broker import Throttled
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.trading_desk import GRID, SESSION, DeskInTest, copied_database, drift_of


@pytest.fixture
def desk(tmp_path: Path, alpaca_settings: Settings, template: Path) -> DeskInTest:
    """A desk with a broker like Alpaca, six bars into its session."""
    return DeskInTest(alpaca_settings, copied_database(template, tmp_path))


def entered(desk: DeskInTest) -> DeskInTest:
    """With one pair that is held."""
    desk.step()
    desk.signal(5, "enter_long")
    desk.step(3)
    assert [trade.state for trade in desk.trades] == [SpreadState.OPEN]
    return desk


def events(desk: DeskInTest, kind: str) -> list[str]:
    return [row["message"] for row in reversed(event_rows(desk.database, ["live"], kinds=[kind]))]


class TestSignals:
    def test_an_entry_is_filled_held_and_left(self, desk):
        entered(desk)
        (trade,) = desk.trades
        assert (desk.broker.position("PDFS"), desk.broker.position("ROG")) == (trade.target_y, trade.target_x)
        assert desk.outcomes() == [("enter_long", "filled", "")]
        desk.at_end_of(6)
        desk.signal(6, "exit", position=1)
        desk.step(3)
        (trade,) = desk.trades
        assert trade.state is SpreadState.CLOSED
        assert desk.broker.position("PDFS") == desk.broker.position("ROG") == 0
        assert desk.outcomes() == [("enter_long", "filled", ""), ("exit", "filled", "")]
        assert set(desk.broker.posts.values()) == {1}

    def test_a_late_signal_begins_nothing(self, desk):
        desk.step()
        desk.signal(5, "enter_long", late=True)
        desk.step()
        assert desk.outcomes() == [("enter_long", "late", "")]
        assert desk.trades == []

    def test_a_signal_that_is_too_old_when_it_is_seen_is_late(self, desk):
        desk.step()
        desk.signal(5, "enter_long")
        desk.time += timedelta(seconds=desk.settings.risk.entries.max_signal_age_seconds + 1)
        desk.step()
        assert desk.outcomes() == [("enter_long", "late", "")]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"spread": -0.0399, "band": 0.00999}, "move_below_cost"),
            ({"spread": -0.05}, "beyond_stop"),
            ({"data_ns": GRID[1].start_ns}, "data_old"),
            ({"champion_version": 3}, "model_changed"),
            ({"volatility": float("nan")}, "unusable_input"),
            ({"data_ns": 0}, "unusable_input"),
        ],
        ids=lambda given: given if isinstance(given, str) else ",".join(given),
    )
    def test_what_risk_denies_is_written_down_with_its_code(self, desk, change, code):
        if code == "move_below_cost":
            change = {"spread": -0.0051}
        desk.step()
        desk.signal(5, "enter_long", **change)
        desk.step()
        assert desk.outcomes() == [("enter_long", "denied", code)]
        assert desk.broker.posts == {}
        assert len(events(desk, "denial")) == 1

    def test_a_pair_that_is_followed_is_not_traded_and_nobody_is_told(self, desk):
        desk.step()
        desk.signal(5, "enter_long", size=0.0)
        desk.step()
        assert desk.outcomes() == [("enter_long", "denied", "followed")]
        assert events(desk, "denial") == []

    def test_an_entry_that_buys_no_share_of_a_leg_is_too_small(self, desk, monkeypatch):
        monkeypatch.setenv(variable("risk.entries.max_order_notional"), "30")
        desk.settings = load_settings()
        desk.begin()
        desk.step()
        desk.signal(5, "enter_long")
        desk.step()
        assert desk.outcomes() == [("enter_long", "denied", "hedge_error")]

    def test_an_exit_of_what_is_not_held_has_its_reason(self, desk):
        desk.step()
        desk.signal(5, "stop", position=1)
        desk.step()
        assert desk.outcomes() == [("stop", "denied", "not_held")]

    @pytest.mark.parametrize(
        ("drift", "outcome"),
        [
            (drift_of(1.0), ("enter_long", "filled", "")),
            (drift_of(0.5, alarm=True), ("enter_long", "filled", "")),
            (drift_of(0.049, alarm=True), ("enter_long", "denied", "drift")),
            (drift_of(0.0, alarm=True), ("enter_long", "denied", "drift")),
            ((not_tested(DriftStatistic.MEAN, "no bar"),), ("enter_long", "denied", "drift")),
            (None, ("enter_long", "denied", "drift")),
        ],
        ids=["unchanged", "warning", "no entries", "exit", "not tested", "unknown"],
    )
    def test_a_pair_that_drifts_or_of_which_that_is_not_known_takes_no_entries(self, desk, drift, outcome):
        """Of two pairs: 10 % / 2 takes no entries, 5 % / 2 is left."""
        if drift is None:
            del desk.market.drifts["PDFS_ROG"]
        else:
            desk.market.drifts["PDFS_ROG"] = drift
        desk.step()
        desk.signal(5, "enter_long")
        desk.step(3)
        assert desk.outcomes() == [outcome]

    def test_a_pair_that_drifts_is_left_at_this_close_and_each_step_is_written_down_once(self, desk):
        entered(desk)
        for p, state, events in (
            (0.5, SpreadState.OPEN, [("mean", "info", "warn")]),
            (0.03, SpreadState.OPEN, [("mean", "info", "warn"), ("mean", "warning", "no_entries")]),
            (
                0.01,
                SpreadState.CLOSED,
                [("mean", "info", "warn"), ("mean", "warning", "no_entries"), ("mean", "error", "exit")],
            ),
        ):
            desk.market.drifts["PDFS_ROG"] = drift_of(p, alarm=True)
            desk.step(3)
            assert desk.trades[0].state is state
            desk.begin()  # another process says nothing twice
            desk.step(2)
            rows = event_rows(desk.database, ["live"], kinds=["drift"])[::-1]
            assert [(row["code"], row["severity"], row["detail"]["action"]) for row in rows] == events
        assert {(row["pair"], row["value"], row["bound"]) for row in rows} == {("PDFS_ROG", 6.0, 5.0)}
        assert desk.trades[0].reason.startswith("drift: the mean of the spread shifts")
        assert desk.broker.position("PDFS") == desk.broker.position("ROG") == 0

    def test_an_exit_asks_neither_risk_nor_how_late_it_is(self, desk):
        entered(desk)
        set_kill_switch(desk.database, ["live"], KillLevel.REDUCING, reason="a test", actor="ann", now=desk.time)
        desk.at_end_of(6, seconds=250)
        desk.signal(6, "stop", position=1, late=True)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert desk.outcomes()[-1] == ("stop", "filled", "")

    def test_an_exit_of_the_last_close_is_decided_again_by_the_first_bar(self, desk):
        entered(desk)
        desk.at_end_of(len(GRID) - 1)
        desk.signal(len(GRID) - 1, "exit", position=1)
        desk.step()
        assert desk.outcomes()[-1] == ("exit", "denied", "session_over")
        assert desk.trades[0].state is SpreadState.OPEN

    def test_an_entry_that_nobody_fills_expires(self, desk):
        desk.broker.fills_at_once = False
        desk.step()
        desk.signal(5, "enter_long")
        desk.step(8, seconds=5)
        assert [trade.state for trade in desk.trades] == [SpreadState.FLAT]
        assert desk.outcomes() == [("enter_long", "expired", "")]
        assert desk.broker.working() == []

    def test_two_entries_of_one_bar_share_what_the_book_may_hold(self, desk, monkeypatch):
        monkeypatch.setenv(variable("risk.limits.max_open_pairs"), "1")
        desk.settings = load_settings()
        desk.begin()
        desk.step()
        desk.signal(5, "enter_long", also="enter_long")
        desk.step(3)
        assert len(desk.trades) == 1
        assert sorted(desk.outcomes()) == [("enter_long", "denied", "open_pairs"), ("enter_long", "filled", "")]

    def test_a_pair_that_the_rule_has_left_unseen_is_left(self, desk):
        entered(desk)
        desk.at_end_of(7)
        desk.signal(7, "hold", position=0)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert desk.trades[0].reason == "the rule holds nothing of it"

    def test_a_pair_that_left_the_configuration_is_left(self, desk):
        entered(desk)
        desk.at_end_of(7)
        desk.signal(7, "hold", pair="AMD_TXN", alone=True)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert "left the configuration" in desk.trades[0].reason

    def test_a_pair_that_the_rule_holds_stays(self, desk):
        entered(desk)
        desk.at_end_of(7)
        desk.signal(7, "hold", position=1)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.OPEN


class TestKillSwitch:
    def test_it_is_read_last_before_each_order(self, desk, monkeypatch):
        """A person sets it after the order was written down."""
        desk.step()
        desk.signal(5, "enter_long")

        def set_now(name: str, when: str) -> None:
            if name == "positions":  # the gate asks it after everything was decided
                set_kill_switch(desk.database, ["live"], KillLevel.HALT, reason="now", actor="ann", now=desk.time)
                desk.broker.on_call = lambda *_: None

        desk.broker.on_call = set_now
        desk.step(2)
        assert desk.broker.posts == {}
        (trade,) = desk.trades
        assert [order.status for order in trade.orders] == [OrderStatus.DENIED]

    def test_halt_sends_nothing_at_all(self, desk):
        entered(desk)
        set_kill_switch(desk.database, ["live"], KillLevel.HALT, reason="a test", actor="ann", now=desk.time)
        desk.at_end_of(6)
        desk.signal(6, "exit", position=1)
        desk.step(3)
        assert sum(desk.broker.posts.values()) == 2
        release_kill_switch(desk.database, ["live"], reason="all is well", actor="ann", now=desk.time)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.CLOSED

    def test_flatten_cancels_closes_and_says_flat_only_then(self, desk):
        entered(desk)
        desk.broker.fills_at_once = False
        set_kill_switch(
            desk.database, ["live"], KillLevel.FLATTEN, reason="prices look wrong", actor="ann", now=desk.time
        )
        desk.step(3)
        assert kill_switch(desk.database, "live").flat_utc is None
        assert {order.purpose for order in desk.trades[0].orders[2:]} == {"flatten"}
        desk.broker.fill_all()
        desk.step(4, seconds=5)
        assert desk.trades[0].state is SpreadState.FLAT
        assert kill_switch(desk.database, "live").flat_utc is not None
        assert events(desk, "state")[-1] == "the account is flat: no order and no position"

    def test_flatten_with_a_position_that_no_pair_explains_calls_a_person(self, desk):
        desk.broker.foreign = {"AMD": 7.0}
        set_kill_switch(desk.database, ["live"], KillLevel.FLATTEN, reason="a test", actor="ann", now=desk.time)
        desk.step(6, seconds=5)
        assert kill_switch(desk.database, "live").flat_utc is None
        assert any("AMD" in message for message in events(desk, "state"))

    def test_a_loss_that_flattens_sets_it_and_a_release_begins_anew(self, desk):
        entered(desk)
        desk.broker.cash -= 3_000.0
        desk.step(2, seconds=6)
        switch = kill_switch(desk.database, "live")
        assert switch.level is KillLevel.FLATTEN
        assert switch.actor is not None
        assert not switch.actor.person
        desk.step(8, seconds=5)
        assert desk.trades[0].state is SpreadState.FLAT
        release_kill_switch(desk.database, ["live"], reason="a transfer", actor="ann", now=desk.time)
        desk.step(3, seconds=6)
        assert kill_switch(desk.database, "live").level is None


class TestLimits:
    def test_a_pair_that_loses_too_much_is_closed_and_locked(self, desk):
        entered(desk)
        desk.market.now["PDFS"] = 44.0
        desk.step(3, seconds=6)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert "loss of PDFS_ROG" in desk.trades[0].reason
        desk.at_end_of(7)
        desk.market.now["PDFS"] = 50.0
        desk.signal(7, "enter_long")
        desk.step()
        assert desk.outcomes()[-1] == ("enter_long", "denied", "pair_locked")

    def test_a_book_beyond_its_limit_is_made_smaller_once(self, desk, monkeypatch):
        entered(desk)
        before = desk.broker.position("ROG")
        monkeypatch.setenv(variable("risk.limits.max_gross"), "0.05")
        desk.settings = load_settings()
        desk.begin()
        desk.step(6, seconds=6)
        after = desk.broker.position("ROG")
        assert 0 > after > before
        assert 0.03 < abs(after) * 40 * 2.25 / 100_000 <= 0.0525
        assert desk.trades[0].state is SpreadState.OPEN

    def test_a_leg_that_falls_ex_tomorrow_is_not_held_into_it(self, desk):
        entered(desk)
        desk.market.facts_ = replace(desk.market.facts_, ex_dates={"ROG": (session_offset(SESSION, 1),)})
        desk.step()
        assert desk.trades[0].goal is Goal.HOLD
        desk.at_end_of(len(GRID) - 2)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert "ROG falls ex" in desk.trades[0].reason

    def test_rejects_one_after_another_end_entries(self, desk):
        desk.broker.rejects = {"ROG": "no shares to borrow"}
        desk.step()
        for bar in (5, 6, 7):
            desk.at_end_of(bar)
            desk.signal(bar, "enter_long")
            desk.step(3)
        assert desk.desk.standing.state is TradingState.REDUCING
        assert [outcome for _, outcome, _ in desk.outcomes()] == ["expired"] * 3


class TestBrokerAndDatabase:
    def test_an_answer_that_is_lost_is_asked_for_and_never_sent_again(self, desk):
        desk.step()
        desk.signal(5, "enter_long")

        def lose(name: str, when: str) -> None:
            if (name, when) == ("submit", "after"):
                desk.broker.on_call = lambda *_: None
                raise AnswerLost("connection reset")

        desk.broker.on_call, desk.broker.is_mute = lose, True
        desk.step(6, seconds=3)
        assert desk.trades[0].state is SpreadState.OPEN
        assert set(desk.broker.posts.values()) == {1}

    def test_a_broker_that_is_busy_is_asked_again_with_the_same_order(self, desk):
        desk.step()
        desk.signal(5, "enter_long")

        def throttle(name: str, when: str) -> None:
            if (name, when) == ("submit", "before"):
                desk.broker.on_call = lambda *_: None
                raise Throttled("200 requests a minute", wait_s=2.0)

        desk.broker.on_call = throttle
        desk.step(5)
        assert desk.trades[0].state is SpreadState.OPEN
        assert [order.attempt for order in desk.trades[0].orders] == [1, 1]

    def test_a_stream_that_says_nothing_costs_time_and_no_fill(self, desk):
        desk.broker.is_mute, desk.broker.fills_at_once = True, False
        desk.step()
        desk.signal(5, "enter_long")
        for _ in range(8):
            desk.step(2, seconds=9)
            desk.broker.fill_all()
        desk.step(8, seconds=10)
        shares = shares_of_pairs(desk.trades)
        assert shares == {symbol: desk.broker.position(symbol) for symbol in shares}
        assert desk.outcomes()[0][1] in ("filled", "expired")

    def test_a_stream_that_says_nothing_delays_no_hedge(self, desk):
        """Orders that should have been filled by now are asked for, long before one leg is naked for too long."""
        desk.broker.is_mute, desk.broker.fills_at_once = True, False
        desk.step()
        desk.signal(5, "enter_long")
        for _ in range(3):
            desk.step(2)
            desk.broker.fill_all()
        desk.step(4)
        assert desk.trades[0].state is SpreadState.OPEN
        assert [order.purpose for order in desk.trades[0].orders] == ["open", "hedge"]
        hedge = desk.trades[0].orders[1]
        assert (hedge.intended_utc - desk.trades[0].decided_utc).total_seconds() < 10

    def test_nothing_is_sent_before_the_account_is_known(self, desk):
        desk.broker.stays_away = True
        desk.signal(5, "enter_long")
        with pytest.raises(Unavailable):
            desk.step()
        assert desk.trades == []
        desk.broker.stays_away = False
        desk.step(3)
        assert desk.trades[0].state is SpreadState.OPEN

    def test_what_is_held_is_left_while_the_broker_answers_no_question(self, desk):
        entered(desk)
        questions = ("account", "positions", "orders", "open_orders", "fills", "asset")

        def answers_nothing(name: str, when: str) -> None:
            if name in questions:
                raise Unavailable("the broker does not answer")

        desk.broker.on_call = answers_nothing
        desk.at_end_of(6)
        desk.signal(6, "exit", position=1, also="enter_long")
        for _ in range(4):
            with suppress(Unavailable):
                desk.step()
            desk.time += timedelta(seconds=30)
        assert desk.trades[0].state is SpreadState.CLOSED
        assert sorted(desk.outcomes())[-2:] == [("enter_long", "late", ""), ("exit", "filled", "")]

    def test_what_is_held_is_left_while_the_stream_of_bars_is_away(self, desk, monkeypatch):
        entered(desk)

        def away(_) -> bool:
            raise StreamUnavailable("Redis does not answer")

        monkeypatch.setattr(desk.market, "refresh", away)
        set_kill_switch(desk.database, ["live"], KillLevel.FLATTEN, reason="a test", actor="ann", now=desk.time)
        desk.step(4, seconds=6)
        assert desk.trades[0].state is SpreadState.FLAT

    def test_an_execution_of_two_orders_calls_a_person_and_stops_nothing(self, desk):
        entered(desk)
        first = next(iter(desk.broker.held.values()))
        desk.at_end_of(6)
        desk.signal(6, "exit", position=1)
        desk.broker.fills_at_once = False
        desk.step(2)
        (order,) = [each for each in desk.broker.working() if each.symbol == "PDFS"]
        desk.broker.fill(order.client_order_id, execution_id=first.fills[0].execution_id)
        desk.broker.fill_all()
        desk.step(6, seconds=6)
        assert any("execution" in message for message in events(desk, "anomaly"))
        assert desk.trades[0].state is SpreadState.CLOSED

    def test_a_database_that_is_away_loses_nothing_that_the_broker_said(self, desk, monkeypatch):
        desk.step()
        desk.signal(5, "enter_long")
        away = lambda *_, **__: (_ for _ in ()).throw(DatabaseUnavailable("the database is away"))  # noqa: E731

        def leave(name: str, when: str) -> None:
            if (name, when) == ("submit", "after"):
                monkeypatch.setattr(desk.database, "begin", away)

        desk.broker.on_call = leave
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                desk.step()
            desk.time += timedelta(seconds=60)
        desk.broker.on_call = lambda *_: None
        monkeypatch.undo()
        desk.step(3)
        (trade,) = desk.trades
        assert shares_of_pairs([trade]) == {s: desk.broker.position(s) for s in ("PDFS", "ROG")}
        assert set(desk.broker.posts.values()) == {1}
        assert trade.orders[0].fills

    def test_what_no_trade_explains_ends_entries(self, desk):
        entered(desk)
        desk.broker.foreign = {"PDFS": 30.0}
        desk.step(6, seconds=20)
        assert desk.desk.standing.state is TradingState.REDUCING
        assert any("PDFS" in message for message in events(desk, "reconciliation"))

    def test_what_the_account_held_before_is_foreign_and_stays_so_over_restarts(self, desk):
        desk.broker.foreign = {"AMD": 7.0}
        entered(desk)
        desk.at_end_of(6)
        desk.signal(6, "hold", position=1)
        desk.step(2)
        desk.begin()
        desk.step(6, seconds=20)
        assert desk.desk.standing.state is TradingState.ACTIVE
        newest = newest_equity(desk.database, desk.key)
        rows = {row.symbol: row.quantity for row in positions_at(desk.database, desk.key, newest.at_utc)}
        assert rows == {"AMD": 7.0, "PDFS": desk.broker.position("PDFS"), "ROG": desk.broker.position("ROG")}

    def test_cash_that_no_fill_explains_ends_entries(self, desk):
        entered(desk)
        desk.step(3, seconds=61)
        desk.broker.cash -= 50.0
        desk.step(6, seconds=20)
        assert desk.desk.standing.state is TradingState.REDUCING
        assert any("cash" in message for message in events(desk, "reconciliation"))

    def test_a_split_over_night_is_that_of_the_trade_once_the_broker_shows_it(self, desk):
        entered(desk)
        held, following = desk.broker.position("PDFS"), session_offset(SESSION, 1)
        desk.broker.prices = dict(desk.market.now)
        desk.market.now["PDFS"] /= 2
        desk.market.facts_ = replace(desk.market.facts_, session=following, actions=(("PDFS", "split", 2.0),))
        desk.time = session_open(following) + timedelta(minutes=6)
        desk.step(3)
        assert desk.trades[0].state is SpreadState.OPEN, "a price of half is no loss"
        desk.broker.foreign, desk.broker.prices = {"PDFS": float(held)}, desk.market.now
        desk.step(3, seconds=6)
        (trade,) = desk.trades
        assert (trade.held("y"), trade.target_y) == (2 * held, 2 * held)
        desk.step(3, seconds=6)
        assert desk.desk.standing.state is TradingState.ACTIVE
        desk.begin()
        desk.step(3, seconds=6)
        assert desk.trades[0].held("y") == 2 * held


def test_the_account_is_written_down_with_the_prices_of_a_bar_and_not_before_they_are_there(desk):
    """The market's clock may reach the end of a bar before its bars have come."""

    def snapshots() -> int:
        return len(equity_rows(desk.database, desk.key.run_mode))

    desk.step(2)
    before = snapshots()
    desk.market.said = lambda end: False
    desk.at_end_of(6)
    desk.step(2)
    assert snapshots() == before
    desk.market.said = lambda end: end == moment_utc(GRID[6].end_ns)
    desk.step(2)
    assert snapshots() == before + 1
    desk.at_end_of(8)
    desk.step(2)
    assert snapshots() == before + 2, "a bar that nobody announces is over when the next one is"
