"""The assets `correlation_matrix` and `cointegrated_pairs`, and what their pages show.

What does not belong here: computing and storing them (`workflows.screening`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.screening import Correlations, Screening


@dg.asset(
    deps=[price_history],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="screening",
    kinds={"parquet", "numpy"},
    code_version="1",
)
def correlation_matrix(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the pairs past the gate: correlation of log prices and of log returns for every pair of the sector."""
    from pairs_platform.workflows.screening import correlate_partition

    for_each_partition(context, lambda key: _correlation_page(correlate_partition(platform, key), platform, key))


def _correlation_page(correlations: "Correlations", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.drawing.plots import correlation_heat_map

    settings, pairs = platform.settings.correlation, correlations.pairs
    column = f"corr_{settings.basis}"
    highest = pairs.nlargest(15, column)[["pair", "corr_log_price", "corr_log_return", "n_bars"]]
    label = drawing_label(platform, key, str(correlations.metadata["source"]))
    heat_map = correlation_heat_map(correlations.symbols, pairs, column, settings.gate, label=label)
    return {
        **correlations.metadata,
        "dagster/row_count": len(pairs),
        "pairs_past_gate": int(pairs["passes_correlation"].sum()),
        "highest_correlations": table(highest),
        "plot_correlation": picture(heat_map, "correlations"),
    }


@dg.asset(
    deps=[price_history, correlation_matrix],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="screening",
    kinds={"parquet", "numba"},
    code_version="1",
    pool="compute",
)
def cointegrated_pairs(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the pairs past both gates beside what chance finds: Engle–Granger in both directions for every pair.

    Every tested pair is kept with its status; `passes_cointegration` marks a calibrated p below the gate. Two placebos
    send prices without any long-run tie through the same gates.
    """
    from pairs_platform.workflows.screening import screen_partition

    for_each_partition(context, lambda key: _screening_page(screen_partition(platform, key)))


def _screening_page(screening: "Screening") -> dict[str, Any]:
    from pairs_platform.views.pair_orders import LOW_Z, with_orders

    pairs, past_both_gates, placebos = screening.pairs, screening.past_both_gates, screening.placebos
    shown = ["pair", LOW_Z, "beta", "p_cal", "q_value", "half_life_bars", "expected_move_bps", "wild_bootstrap_p"]
    return {
        **screening.metadata,
        "dagster/row_count": len(pairs),
        "pairs_found": len(past_both_gates),
        "found_by_chance_joint": placebos["joint"].mean,
        "found_by_chance_independent": placebos["independent"].mean,
        "smallest_q_value": float(pairs["q_value"].min()),
        "statuses": pairs["status"].value_counts().to_dict(),
        "pairs_past_both_gates": table(with_orders(past_both_gates.nsmallest(25, "p_cal"))[shown]),
    }
