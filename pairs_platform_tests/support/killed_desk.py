"""A desk that is killed at a step of its work, and another one that goes on with what database and broker have.

The steps are the transactions that change trades, and what the broker is asked to do: a process dies before one of
them, or after it and before it has learned of it. What does not belong here: processes that are really killed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from pairs_platform.core.trading.netting import shares_of_pairs
from pairs_platform.database.store import Database
from pairs_platform.settings.model import Settings
from pairs_platform_tests.support.trading_desk import DeskInTest, copied_database


class Killed(BaseException):
    """The process is gone: nothing of it runs on."""


class Steps:
    """Counts the steps of processes, and ends the process at some of them, or at one of those around a submission."""

    def __init__(self, *kill_at: int, kill_at_submit: int | None = None) -> None:
        self.kill_at, self.kill_at_submit, self.names = kill_at, kill_at_submit, list[str]()

    def __call__(self, name: str, when: str) -> None:
        if name not in ("submit", "cancel", "order", "change"):
            return
        self.names.append(f"{when} {name}")
        submissions = sum("submit" in each for each in self.names)
        is_submission = name == "submit" and submissions - 1 == self.kill_at_submit
        if len(self.names) - 1 in self.kill_at or is_submission:
            raise Killed(self.names[-1])


class CountedDatabase(Database):
    """A database that says when a transaction of trading begins and has ended."""

    steps: Callable[[str, str], None] = staticmethod(lambda name, when: None)

    @contextmanager
    def begin_alone(self) -> Iterator[sa.Connection]:
        self.steps("change", "before")
        with super().begin_alone() as connection:
            yield connection
        self.steps("change", "after")


def desk_with_steps(folder: Path, settings: Settings, template: Path, steps: Steps) -> DeskInTest:
    """A desk on a copy of an empty database, whose steps are counted."""
    database = copied_database(template, folder, CountedDatabase)
    desk = DeskInTest(settings, database)
    database.steps = steps
    desk.broker.on_call = steps
    return desk


def live_through(desk: DeskInTest, *, fill_later: bool = False) -> int:
    """An entry of one pair and its exit, with another process after each that is killed; how many were."""
    killed = 0

    def look(pauses: tuple[float, ...]) -> None:
        nonlocal killed
        for pause in pauses:
            try:
                desk.desk.step()
            except Killed:
                killed += 1
                desk.begin()
            desk.time = desk.time + timedelta(seconds=pause)
            if fill_later:
                desk.broker.fill_all()

    desk.broker.fills_at_once = not fill_later
    desk.signal(5, "enter_long")
    look((0.5, 0.5, 0.5, 6, 6, 6, 6, 6, 6))
    desk.at_end_of(6)
    desk.signal(6, "exit", position=1)
    look((0.5, 0.5, 0.5, 6, 6, 6, 6, 6, 6))
    desk.at_end_of(7)
    look((1, 10, 1))
    return killed


def require_nothing_lost(desk: DeskInTest) -> None:
    """No order twice, no leg forgotten, the broker's account is what the trades say, and every signal has its end."""
    twice = {name: n for name, n in desk.broker.posts.items() if n != 1}
    assert not twice, twice
    assert len(desk.trades) == 1
    assert all(trade.state.ended for trade in desk.trades), desk.trades
    shares = shares_of_pairs(desk.trades)
    assert shares == {symbol: desk.broker.position(symbol) for symbol in shares}
    assert not any(shares.values()), shares
    assert not desk.broker.working()
    known = {fill.execution_id for trade in desk.trades for order in trade.orders for fill in order.fills}
    assert known == {fill.execution_id for held in desk.broker.held.values() for fill in held.fills}
    assert [action for action, _, _ in desk.outcomes()] == ["enter_long", "exit"]
