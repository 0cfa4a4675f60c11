"""Pairs' trades on both databases: whole or not at all, once, and read back exactly, after whatever happened."""

import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError, NotFound, Refused
from pairs_platform.core.trading.orders import (
    Fill,
    OrderStatus,
    Report,
    applied,
    cancel_requested,
    denied,
    sent_without_answer,
)
from pairs_platform.core.trading.spread_order import Goal, SpreadOrder, SpreadState
from pairs_platform.database.spread_orders import (
    apply_report,
    change_trade,
    change_trades,
    open_trades,
    store_intent,
    stored_trade,
    trades_at_work,
    trades_of_account,
    trades_of_session,
)
from pairs_platform.database.store import Database
from pairs_platform.database.tables import FILLS, ORDERS, SPREAD_ORDERS
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.support.trades import (
    OPENED,
    ORIGIN,
    REPLAYED,
    SESSION,
    at,
    fill_of,
    filled,
    order_of,
    trade_of,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS

TABLES = (SPREAD_ORDERS, ORDERS, FILLS)


def contents(database: Database) -> list[list[dict]]:
    with database.begin() as connection:
        return [
            [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]
            for table in TABLES
        ]


class TestIntent:
    def test_it_is_read_back_as_it_was_given(self, database):
        assert store_intent(database, trade_of(), ORIGIN, at())
        stored = stored_trade(database, "t1")
        assert (stored.trade, stored.origin, stored.ended_utc) == (trade_of(), ORIGIN, None)
        assert stored.recorded_utc == at().utc
        (head,), orders, fills = contents(database)
        assert (head["state"], len(orders), fills) == ("opening", 2, [])
        assert {row["session"] for row in orders} == {SESSION}

    @ON_SQLITE
    def test_the_same_intent_twice_is_one_row(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        apply_report(database, trade_of().orders[0].client_order_id, filled(trade_of().orders[0], "e1"), at())
        before = contents(database)
        assert not store_intent(database, trade_of(), ORIGIN, at(9))
        assert contents(database) == before

    @ON_SQLITE
    def test_another_intent_under_its_id_is_a_mistake(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        for other, origin in ((trade_of(beta=0.8), ORIGIN), (trade_of(), replace(ORIGIN, sector="energy"))):
            with pytest.raises(ValueError, match="t1 is stored as another intent"):
                store_intent(database, other, origin, at())

    @ON_SQLITE
    def test_a_signal_begins_one_trade(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        with pytest.raises(Refused, match=r"the signal of A_B at 2023-03-08 14:30:00\+00:00 has begun the trade t1"):
            store_intent(database, trade_of("t2"), ORIGIN, at())
        assert stored_trade(database, "t2") is None
        assert store_intent(database, trade_of("t3"), REPLAYED, at())

    def test_processes_that_store_it_at_once_store_it_once(self, database):
        with database.begin():
            pass
        with ThreadPoolExecutor(4) as pool:
            stored = list(pool.map(lambda _: store_intent(database, trade_of(), ORIGIN, at()), range(4)))
        assert sorted(stored) == [False, False, False, True]


class Killed(BaseException):
    """What ends a process at some statement."""


def killed_at(database: Database, n: int, work) -> bool:
    """Whether `work` reaches its statement `n`, where it is killed; beginning and commit count too."""
    engine, left = database._ready, [n]

    def count(*_: object) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    for name in ("before_cursor_execute", "commit"):
        sa.event.listen(engine, name, count)
    try:
        work()
    except Killed:
        return True
    finally:
        for name in ("before_cursor_execute", "commit"):
            sa.event.remove(engine, name, count)
    return False


class TestWhole:
    """Killed before each statement in turn: nothing is stored, or all of it."""

    @pytest.mark.parametrize("step", ["intent", "change", "report"])
    def test_a_kill_leaves_nothing_or_all(self, database, step):
        first, second = trade_of().orders
        hedge = order_of("t1", "x", -150, purpose="hedge")

        def change(trade: SpreadOrder) -> SpreadOrder:
            return replace(
                trade.with_order(hedge).after(first.client_order_id, filled(first, "e1"))[0], goal=Goal.CLOSE
            )

        def work() -> None:
            if step == "intent":
                store_intent(database, trade_of(), ORIGIN, at())
            elif step == "change":
                change_trade(database, "t1", change, at())
            else:
                apply_report(database, second.client_order_id, filled(second, "e2"), at())

        if step != "intent":
            store_intent(database, trade_of(), ORIGIN, at())
        before = contents(database)
        n = 0
        while killed_at(database, n, work):
            assert contents(database) == before, f"killed at statement {n}"
            n += 1
        assert n > 4
        stored = stored_trade(database, "t1").trade
        if step == "change":
            assert stored == change(trade_of())
        assert contents(database) != before


KILLED = """
import os, signal, sys
from pairs_platform.database import spread_orders
from pairs_platform.database.store import Database
from pairs_platform_tests.support.trades import ORIGIN, at, trade_of
added = spread_orders.add_order
def add_order(connection, order, *, place, **more):
    added(connection, order, place=place, **more)
    if place == 1:
        os.kill(os.getpid(), signal.SIGKILL)
spread_orders.add_order = add_order
spread_orders.store_intent(Database(sys.argv[1], "simulated-5min-raw"), trade_of(), ORIGIN, at())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_process_that_is_killed_before_the_end_of_an_intent_leaves_nothing(database, url):
    with database.begin():
        pass
    killed = subprocess.run([sys.executable, "-c", KILLED, url], timeout=WAIT_SECONDS, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert contents(database) == [[], [], []]
    assert store_intent(database, trade_of(), ORIGIN, at())


class TestChange:
    def test_fills_of_both_legs_open_it_and_an_end_is_noted_until_a_late_fill(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        y, x = trade_of().orders
        after, result = apply_report(database, y.client_order_id, filled(y, "e1"), at(6))
        ((stored_fill,),) = contents(database)[2:]
        assert (stored_fill["session"], stored_fill["sector"], stored_fill["symbol"]) == (SESSION, "technology", "A")
        assert (after.state, result.new_fill.execution_id) == (SpreadState.OPENING, "e1")
        apply_report(database, x.client_order_id, filled(x, "e2", 149), at(6))
        rest = Report(status=OrderStatus.CANCELED, broker_order_id=f"b-{x.client_order_id}")
        apply_report(database, x.client_order_id, rest, at(7))
        close = [order_of("t1", "y", -100, purpose="close"), order_of("t1", "x", 149, purpose="close")]
        change_trade(
            database, "t1",
            lambda trade: trade.with_order(close[0]).with_order(close[1]).to_leave(Goal.CLOSE, "exit"),
            at(60), exit_bar_utc=OPENED + timedelta(minutes=55),
        )  # fmt: skip
        for k, order in enumerate(close):
            after, _ = apply_report(database, order.client_order_id, filled(order, f"c{k}"), at(61 + k))
        stored = stored_trade(database, "t1")
        assert (after.state, stored.trade) == (SpreadState.CLOSED, after)
        assert (stored.trade.reason, stored.exit_bar_utc) == ("exit", OPENED + timedelta(minutes=55))
        assert stored.ended_utc == at(62).utc
        assert open_trades(database, ["live"]) == []
        late = Report(
            status=OrderStatus.FILLED, broker_order_id=rest.broker_order_id, filled_quantity=150, fill=fill_of("e3", 1)
        )
        after, _ = apply_report(database, x.client_order_id, late, at(70))
        assert after.held("x") == -1
        (again,) = open_trades(database, ["live"], account="PA1")
        assert (again.trade, again.ended_utc, again.exit_bar_utc) == (after, None, stored.exit_bar_utc)

    @ON_SQLITE
    def test_a_report_that_says_nothing_new_writes_nothing(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        order = trade_of().orders[0]
        apply_report(database, order.client_order_id, filled(order, "e1"), at(6))
        before = contents(database)
        _, result = apply_report(database, order.client_order_id, filled(order, "e1"), at(9))
        assert (result.new_fill, contents(database)) == (None, before)

    @ON_SQLITE
    def test_a_foreign_order_is_told_from_an_own_one(self, database):
        assert apply_report(database, "of a person", Report(status=OrderStatus.WORKING), at()) is None

    def test_an_execution_belongs_to_one_order(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        y, x = trade_of().orders
        apply_report(database, y.client_order_id, filled(y, "e1"), at())
        before = contents(database)
        with pytest.raises(DataError, match=f"execution e1 of PA1 is order {y.client_order_id}'s"):
            apply_report(database, x.client_order_id, filled(x, "e1"), at())
        assert contents(database) == before

    @ON_SQLITE
    def test_another_account_may_have_the_same_execution_id(self, database):
        for name, account in (("t1", "PA1"), ("t2", "PA2")):
            trade = trade_of(name)
            store_intent(database, trade, replace(ORIGIN, account=account), at())
            apply_report(database, trade.orders[0].client_order_id, filled(trade.orders[0], "e1"), at())
        assert len(contents(database)[2]) == 2

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda trade: replace(trade, beta=1.0), "makes another trade of it"),
            (lambda trade: replace(trade, orders=trade.orders[1:]), "takes stored orders back"),
            (lambda trade: trade.with_state_of(replace(trade.orders[0], quantity=7)), "stored as another intent"),
            (lambda trade: trade.with_state_of(replace(trade.orders[0], fills=())), "lacks executions"),
        ],
    )
    @ON_SQLITE
    def test_what_is_stored_is_not_taken_back(self, database, change, message):
        store_intent(database, trade_of(), ORIGIN, at())
        order = trade_of().orders[0]
        apply_report(database, order.client_order_id, filled(order, "e1"), at())
        before = contents(database)
        with pytest.raises(ValueError, match=message):
            change_trade(database, "t1", change, at())
        assert contents(database) == before

    @ON_SQLITE
    def test_an_unknown_trade_is_named(self, database):
        with pytest.raises(NotFound, match="no trade t9 is stored"):
            change_trade(database, "t9", lambda trade: trade, at())

    def test_reports_that_come_at_once_are_all_stored(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        order = trade_of().orders[0]

        def report(n: int) -> None:
            one = Report(status=OrderStatus.WORKING, broker_order_id="b", fill=fill_of(f"e{n}", 10))
            apply_report(database, order.client_order_id, one, at(n))

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(report, range(10)))
        stored = stored_trade(database, "t1").trade.orders[0]
        assert (stored.executed, stored.status) == (100, OrderStatus.FILLED)

    def test_words_that_no_database_takes_are_replaced(self, database):
        store_intent(database, trade_of(), ORIGIN, at())
        order = trade_of().orders[0]
        odd = Report(status=OrderStatus.REJECTED, reason="no \0 borrow \ud800")
        apply_report(database, order.client_order_id, odd, at())
        assert stored_trade(database, "t1").trade.orders[0].reason == "no \ufffd borrow ?"


class TestRead:
    def test_run_modes_accounts_and_sessions_are_kept_apart(self, database):
        store_intent(database, trade_of("t1"), ORIGIN, at())
        store_intent(database, trade_of("t2"), REPLAYED, at())
        store_intent(database, trade_of("t3"), replace(ORIGIN, account="PA2"), at())

        def ids(stored) -> list[str]:
            return [each.trade.id for each in stored]

        assert ids(open_trades(database, ["live"])) == ["t1", "t3"]
        assert ids(open_trades(database, ["live", "replay"])) == ["t1", "t2", "t3"]
        assert ids(open_trades(database, ["live"], account="PA2")) == ["t3"]
        assert ids(trades_of_account(database, "PA1", "live")) == ["t1"]
        assert ids(trades_of_session(database, "replay", "technology", SESSION)) == ["t2"]
        assert ids(trades_of_session(database, "live", "energy", SESSION)) == []
        order, next_day = trade_of("t1").orders[0], OPENED + timedelta(1)
        report = filled(order, "e1")
        apply_report(
            database, order.client_order_id, replace(report, fill=replace(report.fill, filled_utc=next_day)), at()
        )
        assert ids(trades_of_session(database, "live", "technology", SESSION + timedelta(1))) == ["t1"]
        assert ids(trades_of_session(database, "live", "technology", SESSION)) == ["t1", "t3"]


prices = st.floats(0.01, 1e5, allow_nan=False)
reports = st.builds(
    lambda status, shares, price, execution, known, reason, seconds, commission: Report(
        status=status,
        broker_order_id="b",
        filled_quantity=known,
        fill=None
        if not shares
        else Fill(
            execution_id=f"e{execution}", quantity=shares, price=price, commission=commission,
            filled_utc=OPENED + timedelta(seconds=seconds, microseconds=execution),
        ),
        reason=reason,
    ),
    st.sampled_from([status for status in OrderStatus if status is not OrderStatus.INTENDED]),
    st.integers(0, 200), prices, st.integers(0, 5), st.integers(0, 200),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.integers(0, 23_000), st.floats(0, 10, allow_nan=False),
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(["y", "x"]), st.integers(1, 500), st.none() | prices),
        st.tuples(st.just("report"), st.integers(0, 5), reports),
        st.tuples(st.sampled_from(["cancel", "lose", "deny"]), st.integers(0, 5)),
        st.tuples(st.just("goal"), st.sampled_from(list(Goal))),
        st.tuples(st.just("target"), st.integers(1, 10**6)),
    ),
    max_size=8,
)


def stepped(trade: SpreadOrder, step: tuple) -> SpreadOrder:
    """The trade after a step, whose execution ids are those of the order that it meets."""
    kind, *given_ = step
    if kind == "order":
        leg, shares, limit = given_
        attempt = trade.attempt(leg, "hedge")
        return trade.with_order(order_of(trade.id, leg, shares, purpose="hedge", attempt=attempt, limit_price=limit))
    if kind == "goal":
        return trade.to_break("look at it") if given_[0] is Goal.HOLD else trade.to_leave(given_[0], "stop")
    if kind == "target":
        split = replace(trade, adjusted_x=given_[0], price_x=50.0 / given_[0])
        return split.resized(int(math.copysign(given_[0], trade.target_y)), trade.target_x)
    order = trade.orders[given_[0] % len(trade.orders)]
    if kind == "report":
        report = given_[1]
        if report.fill is not None:
            own = f"{order.client_order_id}-{report.fill.execution_id}"
            report = replace(report, fill=replace(report.fill, execution_id=own))
        return trade.with_state_of(applied(order, report).order)
    if kind == "deny":
        return trade.with_state_of(denied(order, "no")) if order.status is OrderStatus.INTENDED else trade
    return trade.with_state_of(cancel_requested(order, at(7).utc) if kind == "cancel" else sent_without_answer(order))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, beta=st.floats(-5, 5).filter(lambda beta: beta != 0))
def test_whatever_happens_to_a_trade_is_read_back_exactly(database, steps, beta):
    n = uuid4()
    trade = trade_of(str(n), beta=beta, target_x=round(math.copysign(150, -beta)))
    store_intent(database, trade, replace(ORIGIN, account=str(n)), at())
    for k, step in enumerate(steps):
        trade = stepped(trade, step)
        change_trade(database, trade.id, lambda stored, step=step: stepped(stored, step), at(k))
    stored = stored_trade(database, trade.id)
    assert stored.trade == trade
    assert math.copysign(1, stored.trade.beta) == math.copysign(1, beta)
    with database.begin() as connection:
        row = connection.execute(sa.select(SPREAD_ORDERS).where(SPREAD_ORDERS.c.id == trade.id)).mappings().one()
    assert row["state"] == trade.state
    assert (row["ended_utc"] is not None) == trade.state.ended


def test_changes_of_two_trades_that_fill_each_other_are_stored_both_or_not_at_all(database):
    other = replace(ORIGIN, bar_utc=OPENED + timedelta(minutes=5))
    store_intent(database, trade_of("t1"), ORIGIN, at())
    store_intent(database, trade_of("t2"), other, at())
    before = contents(database)
    with pytest.raises(ValueError, match="for a reason"):
        change_trades(
            database,
            {"t1": lambda trade: trade.to_leave(Goal.CLOSE, "exit"), "t2": lambda trade: trade.to_break("")},
            at(6),
        )
    assert contents(database) == before
    stored = change_trades(
        database, {name: lambda trade: trade.to_leave(Goal.CLOSE, "exit") for name in ("t1", "t2")}, at(6)
    )
    assert {name: trade.goal for name, trade in stored.items()} == {"t1": Goal.CLOSE, "t2": Goal.CLOSE}


def test_trades_at_work_are_those_that_are_open_and_those_that_worked_since_a_moment(database):
    origins = [replace(ORIGIN, bar_utc=OPENED + timedelta(minutes=5 * k)) for k in range(3)]
    for k, origin in enumerate(origins):
        store_intent(database, trade_of(f"t{k}"), origin, at())
    for name in ("t0", "t1"):
        end = {order.client_order_id: "never sent" for order in trade_of(name).orders}
        for client_id, reason in end.items():
            change_trade(
                database,
                name,
                lambda trade, client_id=client_id, reason=reason: trade.with_state_of(
                    denied(trade.order(client_id), reason)
                ),
                at(6),
            )
        change_trade(database, name, lambda trade: trade.to_leave(Goal.UNWIND, "nothing was sent"), at(6))
    names = lambda since: [each.trade.id for each in trades_at_work(database, "live", "PA1", since)]  # noqa: E731
    assert names(at().market_utc) == ["t0", "t1", "t2"]
    assert names(at(9).market_utc) == ["t2"]
    assert trades_at_work(database, "replay", "PA1", at().market_utc) == []
    assert trades_at_work(database, "live", "PA2", at().market_utc) == []
