"""What a check says, and what the checks of every stage share: their limits, and the comparison with a recomputed row.

What does not belong here: predicates of one stage (`core/<stage>/checks.py`), schemas (`core/<stage>/contracts.py`),
and reading what a predicate compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pairs_platform.core.settings import SettingsGroup, setting


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
    max_false_discovery_rate: float = setting(
        0.05, unit="1", gt=0, lt=1, description="Largest q of a pair that is evidence of a lasting relation by itself."
    )
    min_trained_share: float = setting(
        0.95, unit="1", ge=0, le=1, description="Smallest share of the pairs given to training that must be trained."
    )
    max_calibration_error: float = setting(
        0.08, unit="1", gt=0, le=1, description="Largest mean calibration error of the models of a sector."
    )
    max_late_share: float = setting(
        0.1, unit="1", ge=0, le=1, description="Largest share of a session's bars whose signals were decided late."
    )
    max_skipped_share: float = setting(
        0.1, unit="1", ge=0, le=1, description="Largest share of signals of selected pairs that were skipped."
    )
    max_stream_difference: float = setting(
        0.01, unit="1", ge=0, le=1, description="Largest share of a session's bars in which stream and history differ."
    )
    min_stream_share: float = setting(
        0.95, unit="1", ge=0, le=1, description="Smallest share of a live session's bars that must be streamed."
    )
    max_feature_drift: float = setting(
        0.25,
        unit="1",
        gt=0,
        le=10,
        description="Largest population stability index of a feature since training that is no shift.",
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
    see : str
        Words of the console's command that shows more, such as ``stream status``; the profile is added where the
        result is shown.
    """

    passed: bool
    summary: str
    figures: Mapping[str, float | int | str]
    see: str = ""


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
    import numpy as np
    import pandas as pd

    if isinstance(a, list | tuple | np.ndarray) or isinstance(b, list | tuple | np.ndarray):
        if not (isinstance(a, list | tuple | np.ndarray) and isinstance(b, list | tuple | np.ndarray)) or len(a) != len(
            b
        ):
            return False
        return all(_equal(left, right, relative) for left, right in zip(a, b, strict=True))
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
    summary = f"{row} is the same when recomputed from data up to its own time"
    if differing:
        summary = (
            f"{row} differs from its recomputation in {', '.join(differing)}: {first} is {stored.get(first)!r}, "
            f"recomputed {recomputed.get(first)!r}; a later value leaked into it, or the stored data were replaced"
        )
    return CheckResult(passed=not differing, summary=summary, figures={"row": row, "n_differing": len(differing)})
