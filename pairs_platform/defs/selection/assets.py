"""The assets `pair_scores`, `composite_rankings` and `trading_config`, and what their pages show.

What does not belong here: computing and storing them (`workflows.selection`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.defs.selection.metadata import backtest_page
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.views.trading_plan import TradingPlan
    from pairs_platform.workflows.selection import Rankings, Scores, StoredConfig


@dg.asset(
    deps=[price_history, garch_fits],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "numba"},
    code_version="1",
    pool="compute",
)
def pair_scores(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the best scores: fit 40 %, volatility forecast 30 %, trading 20 %, diagnostics 10 % of every fitted pair.

    Volatility and trading are measured on the last part of the window with in-sample parameters, net of costs.
    """
    from pairs_platform.workflows.selection import score_partition

    for_each_partition(context, lambda key: _score_page(score_partition(platform, key), platform, key))


def _score_page(stored: "Scores", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.core.selection.settings import COMPONENTS
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.drawing.plots import score_components
    from pairs_platform.views.pair_orders import LOW_Z, with_orders_of_screen

    settings, scores = platform.settings, stored.scores
    best = scores[scores["score"].notna()].sort_values("score", ascending=False)
    best = with_orders_of_screen(platform, key, best)
    shown = ["pair", LOW_Z, "score", *COMPONENTS, "n_entries", "net_return", "sharpe_ann", "break_even_cost_multiple"]
    page = {
        **stored.metadata,
        "dagster/row_count": len(scores),
        "pairs_scored": len(best),
        "pairs_above_gate": int((best["score"] > settings.selection.gate).sum()),
        "statuses": scores["status"].value_counts().to_dict(),
        "best_scores": table(best[shown]),
    }
    if len(best):
        weights = [settings.scores.weights[name] for name in COMPONENTS]
        label = drawing_label(platform, key, str(stored.metadata["source"]))
        drawn = score_components(best, COMPONENTS, weights, settings.selection.gate, label=label)
        page["plot_score_components"] = picture(drawn, "score components")
        page |= backtest_page(platform, key, best["pair"], settings.pair_settings, label)
    return page


@dg.asset(
    deps=[correlation_matrix, cointegrated_pairs, pair_scores],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "pandas"},
    code_version="1",
)
def composite_rankings(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the rankings: every pair with the gates that it passed, its rank, and why it was rejected.

    The ranking score averages the newest scores of a pair, so scores of earlier sessions in the lake are read too.
    """
    from pairs_platform.workflows.selection import rank_partition

    for_each_partition(context, lambda key: _ranking_page(rank_partition(platform, key), platform, key))


def _ranking_page(stored: "Rankings", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.views.pair_orders import LOW_Z, with_orders_of_screen

    shown = ["rank", "pair", LOW_Z, "selected", "size", "score", "ranking_score", "first_failed_gate", "explanation"]
    return {
        **stored.window_metadata,
        "dagster/row_count": len(stored.rankings),
        "funnel": dict(stored.funnel),
        "pairs_selected": stored.funnel["n_selected"],
        "monitor": {name: value for name, value in stored.monitor.items() if value is not None},
        "rankings": table(with_orders_of_screen(platform, key, stored.rankings)[shown]),
    }


@dg.asset(
    deps=[price_history, garch_fits, composite_rankings],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "json"},
    code_version="2",
)
def trading_config(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the pairs: what may be traded in the next session, with spreads, states and sizes; empty is valid.

    Stored as a JSON document with a content hash, and as a table. Pairs of the watchlist, pinned pairs, and pairs whose
    session shows that they have changed have size 0.
    """
    from pairs_platform.database.audit import record_configuration
    from pairs_platform.workflows.selection import configure_partition

    settings = platform.settings
    record_configuration(platform.database, settings.public_values(), actor=f"run {context.run.run_id}")
    for_each_partition(context, lambda key: _config_page(configure_partition(platform, key), platform, key))


def _config_page(stored: "StoredConfig", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.core.selection.trading_config import SHOWN_ROLES
    from pairs_platform.views.backtests import configured_settings
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.pair_orders import LOW_Z, with_orders
    from pairs_platform.views.trading_plan import trading_plan

    config, model = stored.config, stored.config.model
    selected = [pair.pair for pair in config.with_role("selected")]
    label = drawing_label(platform, key, config.source_label)
    shown = with_orders(stored.table.assign(role=stored.table["role"].map(SHOWN_ROLES)))
    return {
        **_plan(trading_plan(platform, key)),
        **stored.metadata,
        "dagster/row_count": len(stored.table),
        "pairs_selected": len(selected),
        "model": f"version {model.version}: {config.model_reason}" if model else f"none: {config.model_reason}",
        "document": stored.document,
        "pairs": table(shown[["pair", "role", "size", LOW_Z, "ranking_score", "explanation"]]),
        **backtest_page(platform, key, selected, configured_settings(platform, config), label),
    }


def _plan(plan: "TradingPlan") -> dict[str, Any]:
    """What to trade in the next session, as the first thing on the page."""
    from pairs_platform.views.trading_plan import plan_frame

    head = [f"**{plan.headline}**", plan.place]
    if not plan.pairs:
        return {"trading_plan": dg.MetadataValue.md("\n\n".join([*head, *plan.why_none, *plan.notes]))}
    return {
        "trading_plan": dg.MetadataValue.md("\n\n".join([*head, plan.rule])),
        "orders": table(plan_frame(plan), rows=len(plan.pairs)),
        "orders_are": dg.MetadataValue.md("\n\n".join(plan.notes)),
    }
