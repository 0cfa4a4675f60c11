"""The assets `pair_scores`, `composite_rankings` and `trading_config`."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.calendar import session_offset, sessions_between
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform


@dg.asset(
    deps=[price_history, garch_fits],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "numba"},
    owners=["team:research"],
    code_version="1",
    pool="compute",
)
def pair_scores(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Composite score of every fitted pair: fit 40 %, volatility forecast 30 %, trading 20 %, diagnostics 10 %.

    Volatility and trading are measured on the last part of the window with in-sample parameters, net of costs.
    """
    from pairs_platform.core.selection.contracts import PAIR_SCORES
    from pairs_platform.core.selection.scores import score_pairs
    from pairs_platform.core.selection.settings import COMPONENTS
    from pairs_platform.core.volatility.contracts import GARCH_FITS
    from pairs_platform.views.drawing.plots import score_components
    from pairs_platform.views.windows import load_window, window_metadata

    settings = platform.settings

    def score(key: PartitionKey) -> dict[str, Any]:
        window = load_window(platform, key)
        fits = platform.lake.read(GARCH_FITS, key)
        scores = score_pairs(
            window, fits, session=key.session, scoring=settings.scores, pair_settings=settings.pair_settings
        )
        facts = window_metadata(platform, key, window)
        platform.lake.write(PAIR_SCORES, key, scores, facts)
        best = scores[scores["score"].notna()].sort_values("score", ascending=False)
        shown = ["pair", "score", *COMPONENTS, "n_entries", "net_return", "sharpe_ann", "break_even_cost_multiple"]
        weights = [settings.scores.weights[name] for name in COMPONENTS]
        page = {
            **facts,
            "dagster/row_count": len(scores),
            "pairs_scored": len(best),
            "pairs_above_gate": int((best["score"] > settings.selection.gate).sum()),
            "statuses": scores["status"].value_counts().to_dict(),
            "best_scores": table(best[shown]),
        }
        if len(best):
            drawn = score_components(best, COMPONENTS, weights, settings.selection.gate)
            page["score_components"] = picture(drawn, "score components")
        return page

    for_each_partition(context, score)


@dg.asset(
    deps=[correlation_matrix, cointegrated_pairs, pair_scores],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "pandas"},
    owners=["team:research"],
    code_version="1",
)
def composite_rankings(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Every pair with the gates that it passed, its rank, and why it stopped where it did.

    The ranking score averages the newest scores of a pair, so scores of earlier sessions in the lake are read too.
    """
    from pairs_platform.core.prices.window import ExcludedSymbol
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES
    from pairs_platform.core.selection.ranking import monitor_scores, rank_pairs, selection_funnel

    settings, lake = platform.settings, platform.lake

    def rank(key: PartitionKey) -> dict[str, Any]:
        correlations, scores = lake.read(CORRELATION_MATRIX, key), lake.read(PAIR_SCORES, key)
        facts = lake.metadata(CORRELATION_MATRIX, key)
        first = session_offset(key.session, 1 - settings.selection.lookback_sessions)
        earlier = keys_of(sessions_between(first, key.session)[:-1], key.sector)
        stored = [past for past in earlier if lake.exists(PAIR_SCORES.table, past)]
        history = lake.read_many(PAIR_SCORES, stored, ["session", "pair", "score"])
        rankings = rank_pairs(
            correlations,
            lake.read(COINTEGRATED_PAIRS, key),
            scores,
            history,
            session=key.session,
            settings=settings.funnel_settings,
            excluded=[ExcludedSymbol(symbol, reason) for symbol, reason in facts["symbols_excluded"].items()],
        )
        funnel = asdict(selection_funnel(rankings, n_symbols=int(facts["symbols"])))
        monitor = asdict(monitor_scores(scores, correlations))
        lake.write(COMPOSITE_RANKINGS, key, rankings, {**facts, "funnel": funnel, "monitor": monitor})
        shown = ["rank", "pair", "selected", "size", "score", "ranking_score", "first_failed_gate", "explanation"]
        return {
            **facts,
            "dagster/row_count": len(rankings),
            "funnel": funnel,
            "pairs_selected": funnel["n_selected"],
            "monitor": {name: value for name, value in monitor.items() if value is not None},
            "rankings": table(rankings[shown]),
        }

    for_each_partition(context, rank)


@dg.asset(
    deps=[garch_fits, composite_rankings],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="selection",
    kinds={"parquet", "json"},
    owners=["team:trading"],
    code_version="1",
)
def trading_config(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """What may be traded in the next session: pairs, spreads, GARCH states, thresholds, sizes; empty is valid.

    Stored as a JSON document with a content hash, and as a table. Watched and pinned pairs are in it with size 0.
    """
    from pairs_platform.core.prices.contracts import PRICE_HISTORY
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, TRADING_CONFIG
    from pairs_platform.core.selection.trading_config import ConfigOrigin, build_trading_config
    from pairs_platform.core.volatility.contracts import GARCH_FITS
    from pairs_platform.database.audit import record_configuration
    from pairs_platform.workflows.champion import configured_model

    settings, lake = platform.settings, platform.lake
    record_configuration(platform.database, settings.public_values(), actor=f"run {context.run.run_id}")

    def configure(key: PartitionKey) -> dict[str, Any]:
        model, reason = configured_model(platform, key)
        config = build_trading_config(
            lake.read(COMPOSITE_RANKINGS, key),
            lake.read(GARCH_FITS, key),
            ConfigOrigin(
                session=key.session,
                sector=key.sector,
                source_label=str(lake.metadata(PRICE_HISTORY, key)["source"]),
                frequency=settings.frequency,
                price_basis=settings.price_basis,
            ),
            trading=settings.trading,
            costs=settings.costs,
            model=model,
            model_reason=reason,
        )
        facts = {"source": config.source_label, "valid_for": str(config.valid_for), "content_hash": config.content_hash}
        document = lake.write_document(TRADING_CONFIG.table, key, config.document())
        listed = config.table()
        lake.write(TRADING_CONFIG, key, listed, facts)
        return {
            **facts,
            "dagster/row_count": len(listed),
            "pairs_selected": len(config.with_role("selected")),
            "model": f"version {model.version}: {reason}" if model else f"none: {reason}",
            "document": "/".join(document.parts[-3:]),
            "pairs": table(listed[["pair", "role", "size", "ranking_score", "explanation"]]),
        }

    for_each_partition(context, configure)
