"""Predicates of the checks on features, models and champions.

What does not belong here: what a metric is (`evaluation`), and reading what a predicate compares.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.prices.calendar import sessions_between

DRIFT_BINS = 10


def population_stability(reference: np.ndarray, recent: np.ndarray) -> float:
    """Population stability index of two samples of one feature, over deciles of the reference.

    Parameters
    ----------
    reference, recent : ndarray
        Values; NaN is left out. Shares are kept above half an observation of the smaller sample, so that an empty bin
        gives a finite figure.

    Returns
    -------
    float
        Σ (recent − reference) ln(recent / reference) over bins, ≥ 0; NaN where a sample is empty. Below 0.1 is usually
        called stable, above 0.25 shifted.
    """
    reference, recent = reference[np.isfinite(reference)], recent[np.isfinite(recent)]
    if not len(reference) or not len(recent):
        return float("nan")
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, DRIFT_BINS + 1)[1:-1]))
    floor = 0.5 / min(len(reference), len(recent))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1) / len(sample), floor)
        for sample in (reference, recent)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def check_feature_drift(
    training: pd.DataFrame, recent: pd.DataFrame, *, features: Sequence[str], max_drift: float
) -> CheckResult:
    """Whether the features of the test part are distributed as in training: median over pairs of each feature's index.

    Parameters
    ----------
    training, recent : DataFrame
        Columns pair and `features`: rows of the training part and of the newest part.
    """
    drift: dict[str, float] = {}
    groups = dict(tuple(recent.groupby("pair")))
    for feature in features:
        values = [
            population_stability(part[feature].to_numpy(), groups[pair][feature].to_numpy())
            for pair, part in training.groupby("pair")
            if pair in groups
        ]
        finite = [value for value in values if np.isfinite(value)]
        if finite:
            drift[feature] = float(np.median(finite))
    if not drift:
        return CheckResult(passed=True, summary="no pair has features in both parts", figures={})
    shifted = {name: value for name, value in drift.items() if value > max_drift}
    indices = ", ".join(f"{name} {value:.2f}" for name, value in sorted(shifted.items(), key=lambda item: -item[1]))
    worst = max(drift, key=lambda name: drift[name])
    return CheckResult(
        passed=not shifted,
        summary=f"shifted since training (stability index above {max_drift:g}): {indices}; predictions rest on values "
        "that training has seldom seen"
        if shifted
        else f"no feature is shifted; the largest index is {drift[worst]:.2f} ({worst})",
        figures={f"drift_{name}": value for name, value in drift.items()},
    )


def check_lift(pooled: Mapping[str, float | None], rows: pd.DataFrame) -> CheckResult:
    """Whether the models beat the simple forecasts on the test part; F1 stands beside what "always reverts" gets."""
    judged = rows[rows["status"] == "ok"]
    if judged.empty or pooled.get("lift") is None:
        return CheckResult(passed=True, summary="no pair has a test part that is long enough to be judged", figures={})
    if pooled.get("lift_low") is None:
        return CheckResult(
            passed=False,
            summary=f"pooled lift {float(pooled['lift'] or 0.0):+.5f} nats without an interval: the test part has one "
            "session, or its losses do not vary",
            figures={},
        )
    lift, low, high = (float(pooled[name] or 0.0) for name in ("lift", "lift_low", "lift_high"))
    f1, always = float(judged["f1"].mean()), float(judged["f1_always"].mean())
    summary = (
        f"pooled lift {lift:+.5f} nats ({low:+.5f} to {high:+.5f}) over the better of base rate and AR(1)-logit; mean "
        f'F1 {f1:.3f}, where always saying "reverts" gets {always:.3f}'
    )
    return CheckResult(
        passed=low > 0.0,
        summary=summary if low > 0.0 else f"no lift above zero: {summary}",
        figures={"lift": lift, "lift_low": low, "lift_high": high, "f1_mean": f1, "f1_always_mean": always},
    )


def check_calibration(rows: pd.DataFrame, *, max_error: float) -> CheckResult:
    """Whether predicted probabilities come true: mean over pairs of the calibration error."""
    errors = rows.loc[rows["status"] == "ok", "calibration_error"].dropna()
    if errors.empty:
        return CheckResult(passed=True, summary="no pair has a test part that is long enough to be judged", figures={})
    mean = float(errors.mean())
    return CheckResult(
        passed=mean <= max_error,
        summary=f"mean calibration error {mean:.3f} of {len(errors)} pairs, at most {max_error:g} is asked; worst: "
        f"{rows.loc[errors.index[int(errors.to_numpy().argmax())], 'pair']} {errors.max():.3f}",
        figures={"calibration_error_mean": mean, "calibration_error_max": float(errors.max())},
    )


def check_trained(rows: pd.DataFrame, *, min_share: float) -> CheckResult:
    """Whether enough of the chosen pairs were trained; pairs with too little data do not count against it."""
    tried = rows[rows["status"].isin(["ok", "failed"])]
    failed = tried[tried["status"] == "failed"]
    share = 1.0 - len(failed) / len(tried) if len(tried) else 1.0
    reasons = "; ".join(f"{row.pair}: {row.reason}" for row in failed.head(3).itertuples())
    counts = ", ".join(f"{count} {status}" for status, count in rows["status"].value_counts().items())
    return CheckResult(
        passed=share >= min_share,
        summary=f"{counts or 'no candidate'}" + (f"; failed: {reasons}" if reasons else ""),
        figures={"pairs_tried": len(tried), "pairs_failed": len(failed)},
    )


def check_staleness(champion_session: date | None, session: date, *, max_age: int) -> CheckResult:
    """Whether there is a champion that is young enough to give signals."""
    if champion_session is None:
        return CheckResult(
            passed=True, summary="no champion: signals go without a model", figures={"champion_age_sessions": -1}
        )
    age = len(sessions_between(champion_session, session)) - 1
    young = age <= max_age
    return CheckResult(
        passed=young,
        summary=f"the champion's window ended {age} sessions ago ({champion_session}), at most {max_age} are allowed"
        + ("" if young else ": signals go without a model until a newer one is promoted"),
        figures={"champion_age_sessions": age},
    )


def check_triggers(triggers: Mapping[str, str]) -> CheckResult:
    """Whether nothing about the training asks for attention: its time, the registry's size, its return."""
    return CheckResult(
        passed=not triggers,
        summary="; ".join(triggers.values()) if triggers else "training time, registry size and return are in order",
        figures={f"trigger_{name}": message for name, message in triggers.items()},
    )
