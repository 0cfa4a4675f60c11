"""The asset `garch_fits`, and what its page shows.

What does not belong here: fitting and storing (`workflows.volatility`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.volatility import Fits


@dg.asset(
    deps=[price_history, correlation_matrix, cointegrated_pairs],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="volatility",
    kinds={"parquet", "numba"},
    code_version="1",
    pool="compute",
)
def garch_fits(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the spread of the best pair: AR(1)-GARCH(1,1) of every pair past the correlation gate.

    Two rows per pair: in-sample is estimated on the first part of the window alone and serves every out-of-sample
    number; full-window is estimated on all of it and goes into the trading configuration.
    """
    from pairs_platform.workflows.volatility import fit_partition

    for_each_partition(context, lambda key: _fit_page(fit_partition(platform, key), platform, key))


SHOWN = [
    "pair",
    "status",
    "alpha1",
    "beta1",
    "persistence",
    "half_life_bars",
    "ljung_box_p_z",
    "ljung_box_p_z2",
]


def _fit_page(stored: "Fits", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.core.volatility.contracts import FULL_WINDOW
    from pairs_platform.views.drawing.fits import fit_pictures
    from pairs_platform.views.drawing.label import drawing_label

    window, label = stored.inputs.window, drawing_label(platform, key, str(stored.metadata["source"]))
    full_window = stored.fits[stored.fits["parameter_set"] == FULL_WINDOW]
    pictures: dict[str, Any] = {}
    for pair in stored.inputs.pairs.nsmallest(1, "p_cal")["pair"]:
        drawn = fit_pictures(window, full_window, pair, platform, label)
        pictures |= {f"plot_{name}": picture(png, name) for name, png in drawn.items()}
    return {
        **stored.metadata,
        "dagster/row_count": len(stored.fits),
        "pairs_fitted": int((full_window["status"] == "ok").sum()),
        "statuses": full_window["status"].value_counts().to_dict(),
        "fits": table(full_window[SHOWN]),
        **pictures,
    }
