"""Rows of the attribution of a session as tables for people.

What does not belong here: making the rows (`workflows.trading_results`).
"""

import pandas as pd

from pairs_platform.core.trading.attribution import COMPONENTS
from pairs_platform.core.trading.contracts import LEG

CENT_SHOWN = 0.005


def component_totals(attribution: pd.DataFrame) -> pd.DataFrame:
    """Dollars by component, of the rows of each run mode and account: those that are not nothing, and their sum.

    Parameters
    ----------
    attribution : DataFrame
        Columns of `PERFORMANCE_ATTRIBUTION`.
    """
    parts = [*COMPONENTS, "total"]
    sums = attribution.groupby(["run_mode", "account"], as_index=False)[parts].sum()
    long = sums.melt(["run_mode", "account"], parts, "component", "US$")
    return long[(long["US$"].abs() >= CENT_SHOWN) | (long["component"] == "total")].reset_index(drop=True)


def gains_by_pair(attribution: pd.DataFrame) -> pd.DataFrame:
    """What each pair of the sector earned: by the rule, what of it costs took, and in all."""
    legs = attribution[attribution["scope"] == LEG].copy()
    legs["rule"] = legs["gross_spread"] + legs["residual_beta"]
    legs["costs"] = legs[["half_spread", "impact", "commission", "borrow", "delay", "legging"]].sum(axis=1)
    found = legs.groupby(["run_mode", "pair"], as_index=False)[["rule", "costs", "total"]].sum()
    found["other"] = found["total"] - found["rule"] - found["costs"]
    return found[["run_mode", "pair", "rule", "costs", "other", "total"]]
