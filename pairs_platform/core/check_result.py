"""Predicates of the asset checks: what is found is judged here, shown by Dagster, and tested as it is.

What does not belong here: schemas (`core/<stage>/contracts.py`), and reading what a predicate compares.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pairs_platform.core.settings import SettingsGroup, setting

if TYPE_CHECKING:
    import pandas as pd


class CheckSettings(SettingsGroup):
    """From when on a check that carries economics warns."""

    max_pair_churn: float = setting(
        0.5, unit="1", ge=0, le=1, description="Largest share of pairs selected on only one of two following sessions."
    )
    min_convergence_rate: float = setting(
        0.9, unit="1", ge=0, le=1, description="Smallest share of GARCH fits that must converge."
    )
    max_chance_p: float = setting(
        0.05,
        unit="1",
        gt=0,
        le=1,
        description="Largest share of placebo draws with at least as many pairs as were found.",
    )
    min_trained_share: float = setting(
        0.95, unit="1", ge=0, le=1, description="Smallest share of the pairs given to training that must be trained."
    )
    max_calibration_error: float = setting(
        0.08, unit="1", gt=0, le=1, description="Largest mean calibration error of the models of a sector."
    )
    max_late_share: float = setting(
        0.1, unit="1", ge=0, le=1, description="Largest share of a session's buckets whose signals were decided late."
    )
    max_skipped_share: float = setting(
        0.1, unit="1", ge=0, le=1, description="Largest share of signals of selected pairs that were skipped."
    )
    max_stream_difference: float = setting(
        0.01, unit="1", ge=0, le=1, description="Largest share of a session's bars in which stream and history differ."
    )
    max_feature_drift: float = setting(
        0.25, unit="1", gt=0, le=10, description="Largest population stability index of a feature since training."
    )


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Outcome of one predicate.

    Attributes
    ----------
    passed : bool
    summary : str
        One sentence for a person, with the remedy where it did not pass.
    figures : mapping of str to number or text
        What the sentence rests on.
    """

    passed: bool
    summary: str
    figures: Mapping[str, float | int | str]


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
    words = f"{coverage:.1%} of {bars_expected} bars for {len(symbols)} symbols"
    if missing:
        words += f"; without any bar, and left out: {', '.join(missing)}; see `pairs-platform symbols status`"
    if partial:
        words += f"; thin: {', '.join(partial)} bars"
    return CheckResult(
        passed=not thin,
        summary=words,
        figures={"coverage": coverage, "symbols_missing": len(missing), "symbols_thin": len(partial)},
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
    words = f"{len(quarantined)} rows quarantined" + (f" ({reasons})" if reasons else "")
    words += f", {len(flags)} flags" + (f" ({kinds}); first remedy: {flags['remedy'].iloc[0]}" if kinds else "")
    return CheckResult(
        passed=quarantined.empty and flags.empty,
        summary=words,
        figures={"rows_quarantined": len(quarantined), "flags": len(flags)},
    )


def check_document(document: Mapping[str, object], table: "pd.DataFrame") -> CheckResult:
    """Whether the JSON document of a trading configuration is whole and lists the same pairs as its table."""
    from pydantic import ValidationError

    from pairs_platform.core.selection.trading_config import TradingConfig

    try:
        config = TradingConfig.model_validate(document)
    except ValidationError as error:
        return CheckResult(passed=False, summary=f"the document cannot be read back: {error}", figures={})
    same = [pair.pair for pair in config.pairs] == table["pair"].tolist()
    return CheckResult(
        passed=same,
        summary=f"{len(table)} pairs in document and table" if same else "document and table list different pairs",
        figures={"pairs": len(table), "content_hash": config.content_hash},
    )


def check_pair_churn(today: Iterable[str], previous: Iterable[str] | None, *, max_churn: float) -> CheckResult:
    """How far today's selected pairs differ from the previous session's; `previous` is None where there is none.

    Churn is the share of pairs in either set that are not in both (Jaccard distance); two empty sets have churn 0.
    """
    if previous is None:
        return CheckResult(passed=True, summary="no previous session to compare with", figures={})
    now, before = set(today), set(previous)
    either = now | before
    churn = len(now ^ before) / len(either) if either else 0.0
    entered, left = sorted(now - before), sorted(before - now)
    words = f"{len(now & before)} stayed, {len(entered)} entered, {len(left)} left (churn {churn:.0%})"
    passed = churn <= max_churn
    return CheckResult(
        passed=passed,
        summary=words if passed else f"{words}, above {max_churn:.0%}: look for a data change before trading",
        figures={"churn": churn, "entered": ", ".join(entered), "left": ", ".join(left)},
    )


def check_convergence(statuses: Iterable[str], *, min_rate: float) -> CheckResult:
    """Whether enough fits have status "ok"; no fits at all pass."""
    import pandas as pd

    counts = pd.Series(list(statuses), dtype=object).value_counts()
    total = int(counts.sum())
    rate = float(counts.get("ok", 0)) / total if total else 1.0
    others = ", ".join(f"{n} {name}" for name, n in counts.items() if name != "ok")
    passed = rate >= min_rate
    return CheckResult(
        passed=passed,
        summary=f"{rate:.1%} of {total} fits converged" + (f"; {others}" if others else ""),
        figures={"convergence_rate": rate, "n_fits": total},
    )


def check_found_against_chance(found: int, *, chance_mean: float, p_at_least_found: float, max_p: float) -> CheckResult:
    """Whether more pairs were found than the joint placebo finds by chance.

    Parameters
    ----------
    found : int
        Pairs past correlation and cointegration.
    chance_mean, p_at_least_found : float
        Mean count of the placebo draws, and the share of draws with at least `found`.
    max_p : float
        Largest `p_at_least_found` that passes.
    """
    passed = found > chance_mean and p_at_least_found <= max_p
    words = f"{found} pairs found, {chance_mean:.1f} expected by chance (P(chance ≥ found) = {p_at_least_found:.2f})"
    return CheckResult(
        passed=passed,
        summary=words if passed else f"{words}: the pairs found are no evidence of lasting relations",
        figures={"found": found, "chance_mean": chance_mean, "p_at_least_found": p_at_least_found},
    )


def differing_columns(
    stored: Mapping[str, object], recomputed: Mapping[str, object], *, relative: float = 0.0
) -> tuple[str, ...]:
    """Names of the columns in which two rows differ, a column that only one of them has included.

    Numbers are equal within `relative`·|stored|; null equals null; lists are compared value by value.
    """
    names = list(dict.fromkeys([*stored, *recomputed]))
    return tuple(
        name
        for name in names
        if name not in stored or name not in recomputed or not _equal(stored[name], recomputed[name], relative)
    )


def _equal(a: object, b: object, relative: float) -> bool:
    import pandas as pd

    if isinstance(a, list | tuple | np.ndarray) or isinstance(b, list | tuple | np.ndarray):
        if not (isinstance(a, list | tuple | np.ndarray) and isinstance(b, list | tuple | np.ndarray)) or len(a) != len(
            b
        ):
            return False
        return all(_equal(one, other, relative) for one, other in zip(a, b, strict=True))
    if bool(pd.isna(a)) or bool(pd.isna(b)):  # type: ignore[call-overload]
        return bool(pd.isna(a)) and bool(pd.isna(b))  # type: ignore[call-overload]
    if isinstance(a, bool | np.bool_ | str) or isinstance(b, bool | np.bool_ | str):
        return a == b
    if isinstance(a, int | float | np.number) and isinstance(b, int | float | np.number):
        return abs(float(a) - float(b)) <= relative * abs(float(a))
    return a == b


def check_no_lookahead(
    stored: Mapping[str, object], recomputed: Mapping[str, object] | None, *, row: str, relative: float = 0.0
) -> CheckResult:
    """Whether a stored row equals the row recomputed from data truncated at its time.

    Parameters
    ----------
    stored : mapping
        One row as it was published.
    recomputed : mapping or None
        The same row from truncated data; None where truncated data gave no such row.
    row : str
        Name of the row for the summary, for example a pair.
    """
    if recomputed is None:
        return CheckResult(
            passed=False, summary=f"{row} cannot be recomputed from data up to its own time", figures={"row": row}
        )
    differing = differing_columns(stored, recomputed, relative=relative)
    first = differing[0] if differing else ""
    words = f"{row} is the same when recomputed from data up to its own time"
    if differing:
        words = (
            f"{row} differs from its recomputation in {', '.join(differing)}: {first} is {stored.get(first)!r}, "
            f"recomputed {recomputed.get(first)!r}; a later value leaked into it, or the stored data were replaced"
        )
    return CheckResult(passed=not differing, summary=words, figures={"row": row, "n_differing": len(differing)})
