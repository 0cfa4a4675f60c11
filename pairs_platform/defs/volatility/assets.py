"""The asset `garch_fits`."""

from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.platform import Platform


@dg.asset(
    deps=[price_history, correlation_matrix, cointegrated_pairs],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="volatility",
    kinds={"parquet", "numba"},
    owners=["team:research"],
    code_version="1",
    pool="compute",
)
def garch_fits(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """AR(1)-GARCH(1,1) of the spread of every pair past the correlation gate, with the shape of the day taken out.

    Two rows per pair: in-sample is estimated on the first part of the window alone and serves every out-of-sample
    number; full-window is estimated on all of it and goes into the trading configuration.
    """
    from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS
    from pairs_platform.core.volatility.parameters import fit_parameter_sets
    from pairs_platform.views.drawing.fits import fit_pictures
    from pairs_platform.views.windows import load_window, past_correlation_gate, window_metadata

    def fit(key: PartitionKey) -> dict[str, Any]:
        window = load_window(platform, key)
        pairs = past_correlation_gate(platform, key)
        with platform.compute_backend() as backend:
            fits = fit_parameter_sets(window, pairs, settings=platform.settings.garch, backend=backend)
        facts = window_metadata(platform, key, window)
        platform.lake.write(GARCH_FITS, key, fits, facts)
        full_window = fits[fits["parameter_set"] == FULL_WINDOW]
        shown = [
            "pair",
            "status",
            "alpha1",
            "beta1",
            "persistence",
            "half_life_bars",
            "ljung_box_p_z",
            "ljung_box_p_z2",
        ]
        best = pairs.nsmallest(1, "p_cal")["pair"].tolist()
        return {
            **facts,
            "dagster/row_count": len(fits),
            "pairs_fitted": int((full_window["status"] == "ok").sum()),
            "statuses": full_window["status"].value_counts().to_dict(),
            "fits": table(full_window[shown]),
            **{
                name: picture(png, name)
                for pair in best
                for name, png in fit_pictures(window, full_window, pair, platform, str(facts["source"])).items()
            },
        }

    for_each_partition(context, fit)
