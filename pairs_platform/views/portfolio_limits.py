"""The exposure of an account beside its limits.

What does not belong here: what follows from a limit that is broken (`core.risk.limits`).
"""

from collections.abc import Mapping

import pandas as pd

from pairs_platform.core.risk.settings import LimitSettings


def exposure_limits(limits: LimitSettings) -> dict[str, float]:
    """The largest value of columns of `PORTFOLIO`, as shares of equity; open pairs are counted."""
    return {
        "gross": limits.max_gross,
        "net": limits.max_net,
        "largest_name": limits.max_name,
        "sector_gross": limits.max_sector_gross,
        "open_pairs": float(limits.max_open_pairs),
        "drawdown": limits.drawdown,
        "volatility": limits.max_volatility,
        "value_at_risk": limits.max_value_at_risk,
        "expected_shortfall": limits.max_expected_shortfall,
    }


def carried_limits(limits: LimitSettings) -> dict[str, float]:
    """The same, as far as prices may carry the book before it is made smaller."""
    found = exposure_limits(limits)
    for name in ("gross", "net", "largest_name", "sector_gross"):
        found[name] *= limits.trim_beyond
    return found


def newest_exposure(portfolio: pd.DataFrame, bounds: Mapping[str, float]) -> pd.DataFrame:
    """What each account is exposed to at its newest snapshot, the most of the session, and what is allowed.

    Parameters
    ----------
    portfolio : DataFrame
        Columns of `PORTFOLIO`.
    bounds : mapping of column to float
    """
    rows = []
    for (mode, account), own in portfolio.groupby(["run_mode", "account"]):
        for name, bound in bounds.items():
            newest, most = own[name].iloc[-1], own[name].abs().max()
            rows.append((mode, account, name.replace("_", " "), newest, most, bound, most / bound))
    columns = ["run_mode", "account", "exposure", "newest", "most", "limit", "most / limit"]
    return pd.DataFrame(rows, columns=columns)
