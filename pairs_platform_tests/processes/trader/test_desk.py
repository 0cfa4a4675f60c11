"""A session of signals: every one becomes a trade or a reason, and the account ends as the broker has it."""

from pathlib import Path

import pytest

from pairs_platform.core.trading.spread_order import SpreadState
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.trading_desk import DeskInTest


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeskInTest:
    """A desk with a broker like Alpaca, five bars into its session."""
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    return DeskInTest(tmp_path, load_settings())


def test_an_entry_is_filled_held_and_left(desk):
    desk.step()
    desk.signal(5, "enter_long")
    desk.step(3)
    (trade,) = desk.trades
    assert trade.state is SpreadState.OPEN
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
