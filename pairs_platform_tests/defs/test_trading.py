"""The assets of trading over a session of a desk: its database, and the bars that were streamed."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from pairs_platform.build import build_definitions
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.trading.contracts import PERFORMANCE_ATTRIBUTION, PORTFOLIO
from pairs_platform.defs.trading.sensors import trading_sensor
from pairs_platform.platform import Platform
from pairs_platform.settings.model import Settings
from pairs_platform.views.reports.document import Table
from pairs_platform.views.reports.trades import result_blocks
from pairs_platform_tests.support.attributed_desk import Replayed, left
from pairs_platform_tests.support.runs import QUIET
from pairs_platform_tests.support.trading_desk import SECTOR, SESSION, copied_database

KEY = PartitionKey(SESSION, SECTOR)


@pytest.fixture
def traded(alpaca_settings: Settings, template: Path) -> Platform:
    """A profile in which a pair was traded and left."""
    settings = alpaca_settings
    settings.profile_root.mkdir(parents=True)
    desk = left(Replayed(settings, copied_database(template, settings.profile_root)))
    platform = Platform(settings)
    frame = pd.DataFrame(desk.bars, columns=["symbol", "ts_utc", "open", "close"])
    frame = frame.assign(run_mode="live", revision=0, source="a test", volume=1.0)
    frame["high"], frame["low"] = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
    platform.lake.write(STREAMED_BARS, KEY, frame[list(STREAMED_BARS.columns)], {"bar": "5min"})
    return platform


def test_a_run_shows_what_was_traded_and_where_the_money_came_from(traded):
    assert "is not stored: the job session_trading" in next(result_blocks(traded, KEY)).text
    job = build_definitions(traded.settings, {"platform": traded}).resolve_job_def("session_trading")
    result = job.execute_in_process(partition_key=str(KEY), run_config=QUIET, raise_on_error=False)
    assert result.success, [event.message for event in result.all_events if event.is_failure]
    failed = [e.description for e in result.get_asset_check_evaluations() if not e.passed]
    assert failed == []
    assert len(result.get_asset_check_evaluations()) == 9
    pages = {
        name: result.asset_materializations_for_node(name)[0].metadata
        for name in ("orders", "fills", "portfolio", "performance_attribution")
    }
    assert pages["orders"]["trades_by_state"].value == {"closed": 1}
    assert pages["orders"]["signals_by_outcome"].value == {"filled": 2}
    assert pages["fills"]["dagster/row_count"].value == 4
    assert "data:image/svg" in pages["portfolio"]["plot_equity"].value
    assert "data:image/svg" in pages["performance_attribution"]["plot_components"].value
    portfolio = traded.lake.read(PORTFOLIO, KEY)
    attribution = traded.lake.read(PERFORMANCE_ATTRIBUTION, KEY)
    assert (
        attribution["total"].sum()
        == pytest.approx(portfolio["change"].iloc[-1])
        == pytest.approx(pages["performance_attribution"]["equity_change_usd"].value, rel=1e-5)
    )
    assert attribution["pair"].tolist() == ["PDFS_ROG", "PDFS_ROG", ""]
    assert portfolio["gross"].max() > 0
    assert portfolio["sector_gross"].equals(portfolio["gross"])
    assert portfolio["value_at_risk"].tail(1).tolist() == [0.0]
    said = {block.caption.split(" · ")[0]: block for block in result_blocks(traded, KEY) if isinstance(block, Table)}
    earned = said["What each pair earned"].rows[0]
    assert (earned[1], earned[-1]) == ("PDFS_ROG", f"{attribution['total'].sum():+,.2f}")
    assert ("gross", "1.5") in [(row[2], row[5]) for row in said["Exposure of the account beside its limits"].rows]
    assert "Drift, limits, trading states, rejected orders" in said


def test_the_sensor_asks_once_for_each_bars_signals_of_a_sector_that_trades(traded, monkeypatch):
    monkeypatch.setattr(type(traded.settings.stream), "run_mode", property(lambda _: "live"))
    asked = [trading_sensor(dg.build_sensor_context(resources={"platform": traded})).run_requests for _ in range(2)]
    assert [request.partition_key for request in asked[0]] == [str(KEY)]
    assert asked[0] == asked[1], "the same run keys are not requested again"
