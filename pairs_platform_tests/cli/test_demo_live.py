"""The replayed part of the demo: server, collector and trader are processes, and trade what the rule says."""

import os

import pytest

from pairs_platform.cli import demo_live
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.views.rule_pnl import session_pnl
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform.views.windows import load_window
from pairs_platform.workflows.signals import signal_partition
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, copied, demo, key
from pairs_platform_tests.support.rule_trades import (
    LENIENT,
    TOLERANCE,
    busy_config,
    compared,
    stored_trades,
    unexplained_dollars,
    window_closes,
)
from pairs_platform_tests.support.streamed_profile import Live, never_streamed, where

__all__ = ["copied", "demo"]


def replayed(session=SESSION, sector: str = SECTOR) -> demo_live.Replayed:
    """Replay bars of a profile in which signals are computed in this process."""
    platforms: list[Platform] = []

    def execute(request) -> list[str]:
        if not platforms:  # by the settings of the replay
            platforms.append(Platform(load_settings()))
        signal_partition(platforms[0], PartitionKey(request.session, request.sector), run_id="a test")
        return []

    return demo_live.replay_part(load_settings(), [sector], session, execute)


@pytest.mark.skipif(os.name == "nt", reason="there is no embedded Redis on Windows")
def test_the_trader_s_trades_are_those_of_the_rule_and_every_cent_is_explained(copied, monkeypatch):
    for name, value in LENIENT.items():
        monkeypatch.setenv(variable(name), value)
    monkeypatch.setattr(demo_live, "BAR_SECONDS", 2.0)
    never_streamed(Live(copied))
    busy_config(copied, read_trading_config(copied, key(SESSIONS[1])), entry_z=0.1, exit_z=0.0, max_half_lives=0.2)
    hour = replayed().hour
    platform = Platform(load_settings())
    rule = {one.pair: one.pnl.trades for one in session_pnl(platform, where()) if one.pnl is not None}
    window = load_window(platform, key())
    differences = compared(stored_trades(platform), rule, window)
    assert differences.closed > 0
    assert differences.largest < TOLERANCE
    assert unexplained_dollars(platform, window_closes(window)) == pytest.approx(0.0, abs=0.005)
    assert hour.attribution.closes
    assert {line.trade_id for line in hour.lines} == {each.trade.id for each in stored_trades(platform)}
