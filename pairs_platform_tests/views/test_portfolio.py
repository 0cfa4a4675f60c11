import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from pairs_platform.core.errors import Unavailable
from pairs_platform.views.portfolio import ORDERS_SECONDS, OTHER_SECONDS, PortfolioManager, portfolio_of
from pairs_platform_tests.support.memory_broker import MemoryBroker
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


class Watched:
    """A manager over a broker that counts what it is asked, and a clock that a test sets."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, Counter()
        self.broker = MemoryBroker(lambda: NOW, {"PDFS": 50.0})
        self.broker.on_call = lambda name, when: self.calls.update([name])
        self.manager = PortfolioManager(self.broker, monotonic=lambda: self.seconds, now=lambda: NOW)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_what_is_asked_again_within_its_time_is_not_asked_of_the_broker(watched):
    for watched.seconds in (0.0, 5.0, ORDERS_SECONDS - 0.1):
        watched.manager.summary()
    assert watched.calls == {"open_orders": 1, "account": 1, "positions": 1}
    assert watched.manager.account().age_seconds == ORDERS_SECONDS - 0.1
    watched.seconds = ORDERS_SECONDS
    watched.manager.summary()
    assert watched.calls == {"open_orders": 2, "account": 1, "positions": 1}
    watched.seconds = OTHER_SECONDS
    watched.manager.summary()
    assert watched.calls == {"open_orders": 3, "account": 2, "positions": 2}


def test_a_trade_update_and_a_forced_refresh_ask_at_once(watched):
    watched.manager.account()
    watched.manager.invalidate()
    watched.manager.account()
    watched.manager.account(refresh=True)
    watched.manager.account()
    assert watched.calls["account"] == 3


def test_many_threads_that_ask_at_once_are_one_question(watched):
    asked, answer = threading.Event(), threading.Event()

    def slowly(name: str, when: str) -> None:
        watched.calls.update([name])
        asked.set()
        assert answer.wait(WAIT_SECONDS)

    watched.broker.on_call = slowly
    with ThreadPoolExecutor(8) as pool:
        readings = [pool.submit(watched.manager.account) for _ in range(8)]
        until(asked.is_set)
        answer.set()
        values = [reading.result(WAIT_SECONDS).value for reading in readings]
    assert watched.calls["account"] == 1
    assert len({value.equity for value in values}) == 1


def test_a_refresh_is_not_satisfied_by_a_question_that_was_under_way(watched):
    asked, answer = threading.Event(), threading.Event()

    def slowly(name: str, when: str) -> None:
        watched.calls.update([name])
        asked.set()
        assert answer.wait(WAIT_SECONDS)

    watched.broker.on_call = slowly
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(watched.manager.account)
        until(asked.is_set)
        second = pool.submit(watched.manager.account, refresh=True)
        answer.set()
        first.result(WAIT_SECONDS), second.result(WAIT_SECONDS)
    assert watched.calls["account"] == 2


def test_while_the_broker_is_away_the_old_value_stands_there_and_says_so(watched):
    watched.manager.summary()
    watched.seconds, watched.broker.stays_away = 60.0, True
    reading = watched.manager.summary()
    assert reading.is_stale
    assert reading.age_seconds == 60.0
    assert "does not answer" in reading.failure
    watched.broker.stays_away = False
    assert not watched.manager.summary().is_stale


def test_without_any_value_the_failure_is_raised(watched):
    watched.broker.stays_away = True
    with pytest.raises(Unavailable):
        watched.manager.account()


def test_the_summary_adds_up(watched):
    watched.broker.foreign = {"PDFS": 10.0}
    summary = watched.manager.summary().value
    assert (summary.positions, summary.open_orders) == (1, 0)
    assert summary.gross == summary.net == 500.0


def test_after_a_trade_update_that_anybody_stored_all_is_asked_again(watched):
    newest = [NOW]
    watched.manager = PortfolioManager(
        watched.broker, newest_update=lambda: newest[0], monotonic=lambda: watched.seconds, now=lambda: NOW
    )
    for _ in range(3):
        watched.manager.summary()
    assert watched.calls == {"open_orders": 1, "account": 1, "positions": 1}
    newest[0] = NOW.replace(minute=1)
    for _ in range(3):
        watched.manager.summary()
    assert watched.calls == {"open_orders": 2, "account": 2, "positions": 2}


def test_updates_that_cannot_be_known_now_count_as_none(watched):
    def away() -> object:
        raise Unavailable("the database is away")

    manager = PortfolioManager(watched.broker, newest_update=away, monotonic=lambda: watched.seconds, now=lambda: NOW)
    manager.account(), manager.account()
    assert watched.calls == {"account": 1}


def test_whoever_looks_at_an_account_in_a_process_has_the_same_manager(watched):
    made = []

    def opened() -> PortfolioManager:
        made.append(PortfolioManager(watched.broker))
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        managers = list(pool.map(lambda _: portfolio_of("a test's account", opened), range(8)))
    assert len(made) == 1
    assert set(map(id, managers)) == {id(made[0])}
    assert portfolio_of("another account", opened) is not made[0]
