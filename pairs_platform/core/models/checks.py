"""Predicates of the checks on features, models and champions.

What does not belong here: what a metric is (`evaluation`), and reading what a predicate compares.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.models.drift import LARGEST_P, feature_drift
from pairs_platform.core.prices.calendar import sessions_between


def check_feature_drift(
    training: pd.DataFrame, recent: pd.DataFrame, *, features: Sequence[str], max_drift: float
) -> CheckResult:
    """Whether the features of the test part are distributed as in training: the median pair decides for each feature.

    A feature is shifted where its index is above `max_drift` and above what its own slow movement explains
    (`drift.feature_drift`, p below `LARGEST_P`), both in the median over pairs. Single pairs that moved are
    named: what moves one spread is no shift of the sector.

    Parameters
    ----------
    training, recent : DataFrame
        Columns pair and `features`: rows of the training part and of the newest part, each pair's in the order of time.
    """
    parts = dict(tuple(recent.groupby("pair")))
    rows = [
        {"pair": pair, "feature": feature, **vars(drift)}
        for pair, part in training.groupby("pair")
        if pair in parts
        for feature in features
        if (drift := feature_drift(part[feature].to_numpy(), parts[pair][feature].to_numpy())) is not None
    ]
    if not rows:
        return CheckResult(passed=True, summary="no pair has features in both parts", figures={})
    drifts = pd.DataFrame(rows)
    drifts["shifted"] = (drifts["index"] > max_drift) & (drifts["p"] < LARGEST_P)
    typical = drifts.groupby("feature")[["index", "expected", "p"]].median()
    shifted = typical[(typical["index"] > max_drift) & (typical["p"] < LARGEST_P)].sort_values("index", ascending=False)
    largest, n_pairs = typical.sort_values("index").iloc[-1], drifts["pair"].nunique()
    moved = sorted(drifts.loc[drifts["shifted"], "pair"].unique())
    indices = ", ".join(f"{row.Index} {row.index:.2f} ({row.expected:.2f})" for row in shifted.itertuples())
    alone = f"; moved on its own: {', '.join(moved[:3])}{' …' if len(moved) > 3 else ''}" if moved else ""
    return CheckResult(
        passed=shifted.empty,
        summary=f"shifted since training in most of {n_pairs} pairs: stability index (and what slow movement explains) "
        f"{indices}; predictions rest on values that training has seldom seen"
        if len(shifted)
        else f"no feature is shifted in most of {n_pairs} pairs; the largest stability index is "
        f"{largest['index']:.2f} ({largest.name}), and {largest['expected']:.2f} is explained by how "
        f"slowly it moves{alone}",
        figures={
            **{f"drift_{name}": float(index) for name, index in typical["index"].items()},
            "smallest_p": float(typical["p"].min()),
            "pairs": n_pairs,
            "pairs_moved": len(moved),
        },
    )


def check_lift(pooled: Mapping[str, float | None], rows: pd.DataFrame) -> CheckResult:
    """Whether the models are at least as good as the simple forecasts; F1 stands beside what "always reverts" gets.

    An interval around zero passes and says so: a test part is too short to show the gain of even the true model, and
    nothing is promoted without one. An interval below zero fails: training took noise for a pattern.
    """
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
    verdict = "" if low > 0.0 else "no lift above zero: " if high >= 0.0 else "worse than the simple forecasts: "
    return CheckResult(
        passed=high >= 0.0,
        summary=verdict + summary,
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
        return CheckResult(passed=True, summary="no champion: signals go without a model", figures={})
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
