"""What the pages of scores, ranking and configuration show first, and the backtests below it."""

import dagster as dg
import pytest

from pairs_platform.core.selection.contracts import PAIR_SCORES
from pairs_platform.defs.selection.assets import _config_page, _score_page
from pairs_platform.defs.selection.metadata import PAIRS_SHOWN
from pairs_platform.views.pair_orders import LOW_Z, with_orders_of_screen
from pairs_platform.views.trading_plan import trading_plan
from pairs_platform.workflows.selection import Scores, configure_partition
from pairs_platform_tests.support.demo_profile import key

INLINE = 1000
"""Markdown of so many characters and more is hidden behind a link in Dagster's UI."""


def cells(table: dg.TableMetadataValue) -> list[dict[str, str]]:
    """Rows of a table that stands inline."""
    return [dict(record.data) for record in table.records]


def test_what_to_trade_is_the_first_thing_on_the_configurations_page(copied):
    page = _config_page(configure_partition(copied, key()), copied, key())
    plan = trading_plan(copied, key())
    name, shown = next(iter(page.items()))
    assert name == "trading_plan"
    assert shown.value.startswith(f"**{plan.headline}**\n\n{plan.place}")
    assert plan.pairs
    assert len(shown.value) < INLINE
    orders = [word for row in cells(page["orders"]) for word in row.values()]
    assert all(pair.legs.entry(side) in orders for pair in plan.pairs for side in (1, -1))
    assert [row["pair"] for row in cells(page["backtests"])] == [pair.pair for pair in plan.pairs][:PAIRS_SHOWN]
    assert "data:image/png" in page["plot_backtests"].value


def test_scores_page_has_orders_and_the_backtests_that_the_best_scores_rest_on(stored):
    scores = stored.lake.read(PAIR_SCORES, key())
    page = _score_page(Scores(scores, stored.lake.metadata(PAIR_SCORES, key())), stored, key())
    best = scores.sort_values("score", ascending=False).head(PAIRS_SHOWN)
    assert [row[LOW_Z.replace("_", " ")] for row in cells(page["best_scores"])][:PAIRS_SHOWN] == list(
        with_orders_of_screen(stored, key(), best)[LOW_Z]
    )
    summary = cells(page["backtests"])
    assert [row["pair"] for row in summary] == list(best["pair"])
    for row, net, trades in zip(summary, best["net_return"], best["n_entries"], strict=True):
        assert float(row["net bp"]) == pytest.approx(1e4 * net, abs=0.0501)
        assert int(row["trades"]) == trades
        assert f"**{row['pair']}**, {row['trades']} trades" in page["backtest_trades"].value
    assert "data:image/png" in page["plot_backtests"].value
