"""Predicates of the asset checks that concern pairs: judged here, shown by Dagster.

What does not belong here: schemas (`contracts`), and reading what a predicate compares.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Verdict:
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


def check_unique_pairs(pairs: Iterable[str]) -> Verdict:
    """Whether every pair appears once, in whichever order its symbols are written."""
    names = pd.Series(["_".join(sorted(pair.split("_"))) for pair in pairs], dtype=object)
    repeated = sorted(set(names[names.duplicated()]))
    return Verdict(
        passed=not repeated,
        summary=f"pairs appear more than once: {', '.join(repeated[:5])}"
        if repeated
        else f"{len(names)} pairs, each once",
        figures={"n_pairs": len(names), "n_repeated": len(repeated)},
    )


def check_pair_churn(today: Iterable[str], previous: Iterable[str] | None, *, max_churn: float) -> Verdict:
    """How far today's selected pairs differ from the previous session's; `previous` is None where there is none.

    Churn is the share of pairs in either set that are not in both (Jaccard distance); two empty sets have churn 0.
    """
    if previous is None:
        return Verdict(passed=True, summary="no previous session to compare with", figures={})
    now, before = set(today), set(previous)
    either = now | before
    churn = len(now ^ before) / len(either) if either else 0.0
    entered, left = sorted(now - before), sorted(before - now)
    words = f"{len(now & before)} stayed, {len(entered)} entered, {len(left)} left (churn {churn:.0%})"
    passed = churn <= max_churn
    return Verdict(
        passed=passed,
        summary=words if passed else f"{words}, above {max_churn:.0%}: look for a data change before trading",
        figures={"churn": churn, "entered": ", ".join(entered), "left": ", ".join(left)},
    )


def check_convergence(statuses: Iterable[str], *, min_rate: float) -> Verdict:
    """Whether enough fits have status "ok"; no fits at all pass."""
    counts = pd.Series(list(statuses), dtype=object).value_counts()
    total = int(counts.sum())
    rate = float(counts.get("ok", 0)) / total if total else 1.0
    others = ", ".join(f"{n} {name}" for name, n in counts.items() if name != "ok")
    passed = rate >= min_rate
    return Verdict(
        passed=passed,
        summary=f"{rate:.1%} of {total} fits converged" + (f"; {others}" if others else ""),
        figures={"convergence_rate": rate, "n_fits": total},
    )


def check_found_against_chance(found: int, *, chance_mean: float, p_at_least_found: float, max_p: float) -> Verdict:
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
    return Verdict(
        passed=passed,
        summary=words if passed else f"{words}: the pairs found are no evidence of lasting relations",
        figures={"found": found, "chance_mean": chance_mean, "p_at_least_found": p_at_least_found},
    )


def differing_columns(
    stored: Mapping[str, object], recomputed: Mapping[str, object], *, relative: float = 0.0, absolute: float = 0.0
) -> tuple[str, ...]:
    """Names of the columns in which two rows differ, a column that only one of them has included.

    Numbers are equal within `absolute` + `relative`·|stored|; null equals null; lists are compared value by value.
    """
    names = list(dict.fromkeys([*stored, *recomputed]))
    return tuple(
        name
        for name in names
        if name not in stored
        or name not in recomputed
        or not _equal(stored[name], recomputed[name], relative, absolute)
    )


def _equal(a: object, b: object, relative: float, absolute: float) -> bool:
    if isinstance(a, list | tuple | np.ndarray) or isinstance(b, list | tuple | np.ndarray):
        if not (isinstance(a, list | tuple | np.ndarray) and isinstance(b, list | tuple | np.ndarray)) or len(a) != len(
            b
        ):
            return False
        return all(_equal(one, other, relative, absolute) for one, other in zip(a, b, strict=True))
    if bool(pd.isna(a)) or bool(pd.isna(b)):  # type: ignore[call-overload]
        return bool(pd.isna(a)) and bool(pd.isna(b))  # type: ignore[call-overload]
    if isinstance(a, bool | np.bool_ | str) or isinstance(b, bool | np.bool_ | str):
        return a == b
    if isinstance(a, int | float | np.number) and isinstance(b, int | float | np.number):
        return abs(float(a) - float(b)) <= absolute + relative * abs(float(a))
    return a == b


def check_no_lookahead(
    stored: Mapping[str, object], recomputed: Mapping[str, object] | None, *, row: str, relative: float = 0.0
) -> Verdict:
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
        return Verdict(
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
    return Verdict(passed=not differing, summary=words, figures={"row": row, "n_differing": len(differing)})
