"""The assets `correlation_matrix` and `cointegrated_pairs`."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from pairs_platform.core.errors import DataError
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.platform import Platform
from pairs_platform.views.remedies import materialize_command


@dg.asset(
    deps=[price_history],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="screening",
    kinds={"parquet", "numpy"},
    owners=["team:research"],
    code_version="1",
)
def correlation_matrix(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Correlation of log prices and of log returns for every pair of the sector over the lookback."""
    from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
    from pairs_platform.core.screening.correlation import pair_correlations
    from pairs_platform.views.drawing.plots import correlation_heat_map
    from pairs_platform.views.windows import load_window, window_metadata

    settings = platform.settings.correlation

    def correlate(key: PartitionKey) -> dict[str, Any]:
        window = load_window(platform, key)
        facts = window_metadata(platform, key, window)
        with platform.compute_backend() as backend:
            pairs = pair_correlations(window, settings, backend=backend)
        platform.lake.write(CORRELATION_MATRIX, key, pairs, facts)
        column = f"corr_{settings.basis}"
        best = pairs.nlargest(15, column)[["pair", "corr_log_price", "corr_log_return", "n_bars"]]
        return {
            **facts,
            "dagster/row_count": len(pairs),
            "pairs_past_gate": int(pairs["passes_correlation"].sum()),
            "highest_correlations": table(best),
            "heat_map": picture(correlation_heat_map(window.symbols, pairs, column, settings.gate), "correlations"),
        }

    for_each_partition(context, correlate)


@dg.asset(
    deps=[price_history, correlation_matrix],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="screening",
    kinds={"parquet", "numba"},
    owners=["team:research"],
    code_version="1",
    pool="compute",
)
def cointegrated_pairs(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Engle–Granger in both directions for every pair, calibrated and set beside what chance alone finds.

    Every tested pair is kept with its status; `passes_cointegration` marks a calibrated p below the gate. Two placebos
    send prices without any long-run tie through the same gates.
    """
    from pairs_platform.core.screening.cointegration import screen_pairs
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
    from pairs_platform.core.screening.placebo import placebo_counts
    from pairs_platform.core.screening.spread import pair_table
    from pairs_platform.views.windows import load_window, window_metadata

    settings = platform.settings

    def screen(key: PartitionKey) -> dict[str, Any]:
        window = load_window(platform, key)
        gates = platform.lake.read(CORRELATION_MATRIX, key).set_index("pair")["passes_correlation"]
        names = pair_table(window.symbols)["pair"]
        if set(names) != set(gates.index):
            raise DataError(
                f"correlation_matrix {key} holds other pairs than the prices stored now; write it again with\n  "
                f"{materialize_command(CORRELATION_MATRIX.table, key)}"
            )
        correlated = gates.loc[names].to_numpy()
        with platform.compute_backend() as backend:
            pairs = screen_pairs(
                window,
                settings=settings.cointegration,
                entry_z=settings.trading.entry_z,
                exit_z=settings.trading.exit_z,
                round_trip_cost_bps=settings.costs.round_trip_bps,
                correlated=correlated,
                backend=backend,
            )
            found = pairs[correlated & pairs["passes_cointegration"]]
            placebos = placebo_counts(
                window,
                correlation=settings.correlation,
                cointegration=settings.cointegration,
                placebo=settings.placebo,
                found=len(found),
                backend=backend,
            )
        facts = window_metadata(platform, key, window)
        facts["placebo"] = {kind: asdict(result) for kind, result in placebos.items()}
        platform.lake.write(COINTEGRATED_PAIRS, key, pairs, facts)
        shown = ["pair", "y", "beta", "p_cal", "q_value", "half_life_bars", "expected_move_bps", "wild_bootstrap_p"]
        return {
            **facts,
            "dagster/row_count": len(pairs),
            "pairs_found": len(found),
            "found_by_chance_joint": placebos["joint"].mean,
            "found_by_chance_independent": placebos["independent"].mean,
            "smallest_q_value": float(pairs["q_value"].min()),
            "statuses": pairs["status"].value_counts().to_dict(),
            "pairs_past_both_gates": table(found.nsmallest(25, "p_cal")[shown]),
        }

    for_each_partition(context, screen)
