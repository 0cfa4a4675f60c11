"""The desk and the simulated broker while a service is away for minutes, and where content is none.

Nothing is lost and nothing is sent twice; what nobody can read is named and sends nothing. What does not belong here:
what users of other platforms report (`test_reported_failures.py`).
"""

import threading

import pytest

from pairs_platform.core.errors import DatabaseUnavailable, StreamUnavailable
from pairs_platform.core.risk.trading_state import TradingState
from pairs_platform.core.trading.spread_order import SpreadState
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform_tests.support.broker_desk import DeskAtServer, QuickBroker
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until


def require_left(desk: DeskAtServer, bar: int = 6) -> None:
    """Without faults the trade is left, both sides agree, and nothing is held."""
    desk.running.script()
    if not desk.trades[0].state.ended:
        desk.leave(bar)
        desk.step_until(lambda: desk.trades[0].state.ended)
    desk.require_equal()
    assert not desk.running.state()["positions"]


class TestAway:
    def test_the_database_for_three_minutes_between_the_legs(self, desk, monkeypatch):
        desk.listen()
        desk.step()
        desk.signal(5, "enter_long")
        desk.step()
        away = lambda *_, **__: (_ for _ in ()).throw(DatabaseUnavailable("the database is away"))  # noqa: E731
        with monkeypatch.context() as patch:
            patch.setattr(desk.database, "begin", away)
            patch.setattr(desk.database, "begin_alone", away)
            desk.step(3, seconds=60)
        assert sum(desk.posted().values()) == 1
        desk.step_until(desk.is_at_rest)
        desk.require_equal()
        require_left(desk)

    def test_redis_for_three_minutes(self, desk, monkeypatch):
        desk.enter()
        away = lambda *_: (_ for _ in ()).throw(StreamUnavailable("Redis does not answer"))  # noqa: E731
        monkeypatch.setattr(desk.market, "refresh", away)
        monkeypatch.setattr(desk.market, "quoted", lambda _: False)
        desk.at_end_of(6)
        desk.signal(6, "exit", position=1, also="enter_long")
        desk.step(4, seconds=60)
        assert desk.posted() == {"ROG": 2, "PDFS": 2}
        assert sorted(desk.outcomes()) == [
            ("enter_long", "expired", ""), ("enter_long", "filled", ""), ("exit", "filled", ""),
        ]  # fmt: skip
        assert not desk.running.state()["positions"]

    def test_the_broker_for_three_minutes_while_a_trade_is_held(self, desk):
        desk.enter()
        desk.script({"do": "bad_gateway", "times": 0}, {"do": "refuse_stream", "times": 0})
        desk.running.server.do(desk.running.server._break_stream)
        desk.at_end_of(6)
        desk.signal(6, "hold", position=1, also="enter_long")
        desk.step(6, seconds=30)
        assert desk.posted() == {"ROG": 1, "PDFS": 1}
        assert desk.outcomes()[-1][1] in ("denied", "late")
        desk.running.script()
        desk.listen()
        desk.step(3)
        desk.require_equal()
        require_left(desk, 7)

    def test_a_stream_that_answers_pings_and_says_nothing(self, desk):
        desk.listen()
        desk.script({"do": "mute_stream", "times": 0})
        desk.running.server.do(desk.running.server._break_stream)
        until(lambda: "mute_stream" in desk.running.server.faults.acted)
        desk.enter()
        desk.require_equal()
        assert max(desk.posted().values()) == 1
        require_left(desk)

    def test_a_second_connection_is_refused_and_named_and_the_first_goes_on(self, desk):
        desk.listen()
        second, stopping = Inbox(lambda: desk.time), threading.Event()
        broker = QuickBroker(desk.running.url, desk.clock_)
        thread = threading.Thread(target=broker.follow, args=(second, stopping), daemon=True)
        thread.start()
        try:
            said = until(second.remarks)
        finally:
            stopping.set()
            thread.join(WAIT_SECONDS)
        assert "429" in said[0]
        assert "one connection" in said[0]
        desk.enter()
        assert desk.trades[0].state is SpreadState.OPEN


class TestWhatNobodyCanRead:
    @pytest.mark.parametrize(
        ("fault", "named"),
        [
            ("unknown_status", "under_examination"),
            ("unknown_event", "under_examination"),
            ("unknown_field", "venue_hint"),
            ("zero_quantity", "0"),
            ("price_nan", "NaN"),
        ],
    )
    def test_an_update_is_named_and_what_really_happened_is_asked_for(self, desk, fault, named):
        desk.script({"do": fault, "event": "fill", "times": 0})
        desk.enter()
        assert any(named in message for message in desk.events("anomaly", "stream"))
        assert desk.trades[0].state is SpreadState.OPEN
        desk.require_equal()
        assert max(desk.posted().values()) == 1

    def test_an_order_that_is_answered_by_a_page_is_asked_for_and_sent_once(self, desk):
        desk.script({"do": "accept_then_504", "times": 0})
        desk.enter()
        assert desk.asked("submit") == sum(desk.posted().values()) == 2
        assert desk.trades[0].state is SpreadState.OPEN

    def test_an_account_without_equity_is_named_once_and_begins_nothing(self, desk):
        desk.script({"do": "missing_fields", "fields": ["equity"]})
        desk.listen()
        desk.step()
        desk.signal(5, "enter_long")
        desk.step(4)
        assert desk.asked("submit") == 0
        (named,) = desk.events("anomaly")
        assert "equity" in named
        desk.running.script()
        desk.step(3)
        desk.step_until(desk.is_at_rest)
        assert desk.trades[0].state is SpreadState.OPEN

    def test_a_price_that_is_none_begins_nothing(self, desk):
        desk.market.now["PDFS"] = float("nan")
        desk.listen()
        desk.step()
        desk.signal(5, "enter_long")
        desk.step(3)
        assert desk.asked("submit") == 0
        assert desk.outcomes()[0][1:] == ("denied", "unusable_input")
        assert desk.desk.standing.state is not TradingState.HALTED
