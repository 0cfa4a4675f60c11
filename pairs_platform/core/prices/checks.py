"""Checks of stored prices: coverage of a session, and rows that were refused or flagged.

What does not belong here: judging single bars (`validation`, `flags`), and reading what is checked.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.folding import listed

if TYPE_CHECKING:
    import pandas as pd


def check_session_coverage(
    bars_found: Mapping[str, int], *, symbols: Sequence[str], bars_expected: int, min_coverage: float
) -> CheckResult:
    """Whether every symbol has at least `min_coverage` of a session's bars.

    Parameters
    ----------
    bars_found : mapping of symbol to number of bars
    symbols : sequence of str
        Symbols of the sector.
    bars_expected : int
        Bars of the session on the calendar's grid.
    """
    thin = {
        symbol: bars_found.get(symbol, 0)
        for symbol in symbols
        if bars_found.get(symbol, 0) < min_coverage * bars_expected
    }
    missing = sorted(symbol for symbol, count in thin.items() if count == 0)
    partial = [f"{symbol} {count}" for symbol, count in sorted(thin.items()) if count]
    total = sum(min(bars_found.get(symbol, 0), bars_expected) for symbol in symbols)
    coverage = total / (bars_expected * len(symbols)) if symbols else 1.0
    summary = f"{coverage:.1%} of {bars_expected} bars for {len(symbols)} symbols"
    if missing:
        summary += f"; without any bar, and left out: {listed(missing, 12)}"
    if partial:
        summary += f"; thin: {listed(partial, 12)} bars"
    return CheckResult(
        passed=not thin,
        summary=summary,
        figures={"coverage": coverage, "symbols_missing": len(missing), "symbols_thin": len(partial)},
        see="symbols status" if missing else "",
    )


def check_price_quality(quarantined: "pd.DataFrame", flags: "pd.DataFrame") -> CheckResult:
    """Whether a session's rows were all accepted without a flag; counts by reason and kind, first remedy.

    Parameters
    ----------
    quarantined, flags : DataFrame
        `price_quarantine` and `price_flags` of one session.
    """
    reasons = ", ".join(f"{reason} {count}" for reason, count in quarantined["reason"].value_counts().items())
    kinds = ", ".join(f"{kind} {count}" for kind, count in flags["kind"].value_counts().items())
    summary = f"{len(quarantined)} rows quarantined" + (f" ({reasons})" if reasons else "")
    summary += f", {len(flags)} flags" + (f" ({kinds}); first remedy: {flags['remedy'].iloc[0]}" if kinds else "")
    return CheckResult(
        passed=quarantined.empty and flags.empty,
        summary=summary,
        figures={"rows_quarantined": len(quarantined), "flags": len(flags)},
    )
