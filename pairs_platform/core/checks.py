"""Predicates of the asset checks: what is found is judged here, shown by Dagster, and tested as it is.

What does not belong here: schemas (`core/<stage>/contracts.py`), and reading what a predicate compares.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from pairs_platform.core.rules import Rules, rule
from pairs_platform.core.selection.checks import (
    Verdict,
    check_convergence,
    check_found_against_chance,
    check_no_lookahead,
    check_pair_churn,
)

__all__ = ["Verdict", "check_convergence", "check_found_against_chance", "check_no_lookahead", "check_pair_churn"]


class CheckRules(Rules):
    """From when on a check that carries economics warns."""

    max_pair_churn: float = rule(
        0.5, unit="1", ge=0, le=1, description="Largest share of pairs selected on only one of two following sessions."
    )
    min_convergence_rate: float = rule(
        0.9, unit="1", ge=0, le=1, description="Smallest share of GARCH fits that must converge."
    )
    max_chance_p: float = rule(
        0.05,
        unit="1",
        gt=0,
        le=1,
        description="Largest share of placebo draws with at least as many pairs as were found.",
    )


def check_session_coverage(
    bars_found: Mapping[str, int], *, symbols: Sequence[str], bars_expected: int, min_coverage: float
) -> Verdict:
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
    words = f"{coverage:.1%} of {bars_expected} bars for {len(symbols)} symbols"
    if missing:
        words += f"; without any bar, and left out: {', '.join(missing)}; see `pairs-platform symbols status`"
    if partial:
        words += f"; thin: {', '.join(partial)} bars"
    return Verdict(
        passed=not thin,
        summary=words,
        figures={"coverage": coverage, "symbols_missing": len(missing), "symbols_thin": len(partial)},
    )


def check_price_quality(quarantined: pd.DataFrame, flags: pd.DataFrame) -> Verdict:
    """Whether a session's rows were all accepted without a flag; counts by reason and kind, first remedy.

    Parameters
    ----------
    quarantined, flags : DataFrame
        `price_quarantine` and `price_flags` of one session.
    """
    reasons = ", ".join(f"{reason} {count}" for reason, count in quarantined["reason"].value_counts().items())
    kinds = ", ".join(f"{kind} {count}" for kind, count in flags["kind"].value_counts().items())
    words = f"{len(quarantined)} rows quarantined" + (f" ({reasons})" if reasons else "")
    words += f", {len(flags)} flags" + (f" ({kinds}); first remedy: {flags['remedy'].iloc[0]}" if kinds else "")
    return Verdict(
        passed=quarantined.empty and flags.empty,
        summary=words,
        figures={"rows_quarantined": len(quarantined), "flags": len(flags)},
    )


def check_document(document: Mapping[str, object], table: pd.DataFrame) -> Verdict:
    """Whether the JSON document of a trading configuration is whole and lists the same pairs as its table."""
    from pydantic import ValidationError

    from pairs_platform.core.selection.trading_config import TradingConfig

    try:
        config = TradingConfig.model_validate(document)
    except ValidationError as error:
        return Verdict(passed=False, summary=f"the document cannot be read back: {error}", figures={})
    same = [pair.pair for pair in config.pairs] == table["pair"].tolist()
    return Verdict(
        passed=same,
        summary=f"{len(table)} pairs in document and table" if same else "document and table list different pairs",
        figures={"pairs": len(table), "content_hash": config.content_hash},
    )
