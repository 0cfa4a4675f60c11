"""Champion and challenger: which version gives signals, and what it takes to replace it.

Everything is decided on sessions that the models concerned have never seen. What does not belong here: carrying a
decision out (`workflows.promotion`), computing losses (`shadow`), and which version signals use (`champion`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from pairs_platform.core.models.champion import age_sessions
from pairs_platform.core.models.evaluation import varies
from pairs_platform.core.models.settings import PromotionSettings
from pairs_platform.core.models.trends import LONG_SESSIONS, SHORT_SESSIONS
from pairs_platform.core.prices.calendar import sessions_between

PromotionAction = Literal[
    "promote_first",
    "promote_significance",
    "promote_succession",
    "freeze_challenger",
    "retire_challenger",
    "demote",
    "expire",
    "manual_promote",
    "manual_rollback",
]


@dataclass(frozen=True)
class Candidate:
    """A version that could be promoted.

    Attributes
    ----------
    version : int
    session : date
        Last session of its window.
    skill, skill_p : float or None
        Pooled skill on its own test part, and the one-sided p of "it is not above zero".
    """

    version: int
    session: date
    skill: float | None
    skill_p: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class PromotionState:
    """What is known when a session is decided.

    Attributes
    ----------
    session : date
    candidates : sequence of Candidate
        Every version whose window ends at `session` or before.
    champion, challenger : Candidate or None
    champion_looks : int
        How many challengers the champion has been compared with.
    vacant_since : date or None
        Session at which the last champion left and none followed; None while there has never been one.
    test_sessions : int
        Sessions of a test part.
    shadow : DataFrame
        session (date), alias, version, pair, n_labels, loss, base_loss, baseline_loss: sums of losses over the labels
        of one session, on sessions behind the model's window.
    """

    session: date
    candidates: Sequence[Candidate]
    champion: Candidate | None
    challenger: Candidate | None
    champion_looks: int
    vacant_since: date | None
    test_sessions: int
    shadow: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Change:
    """One decision: what happens to an alias, and why."""

    action: PromotionAction
    alias: Literal["champion", "challenger"]
    version_before: int | None
    version_after: int | None
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same unseen sessions; the difference is the challenger's skill less the champion's [nats].

    Attributes
    ----------
    n_sessions, n_pairs : int
    difference, low, high : float
        Mean over sessions with its two-sided 95 % interval; NaN with fewer than two sessions.
    t, p : float
        Student's t of the session means, and the one-sided p of "the challenger is not better".
    challenger_skill, champion_skill : float
        Mean per label over the paired sessions.
    """

    n_sessions: int
    n_pairs: int
    difference: float
    low: float
    high: float
    t: float
    p: float
    challenger_skill: float
    champion_skill: float

    @property
    def conclusion(self) -> str:
        """What the comparison says, as a sentence."""
        if self.n_sessions < 2:
            return f"{self.n_sessions} paired sessions: nothing can be said yet"
        if np.isnan(self.low):
            each = f"{self.difference:+.5f} nats on each of {self.n_sessions} sessions"
            return f"{each}: without variance nothing can be said"
        figures = f"{self.difference:+.5f} nats ({self.low:+.5f} to {self.high:+.5f}) over {self.n_sessions} sessions"
        if self.low > 0:
            return f"the challenger is better: {figures}"
        return f"the champion is better: {figures}" if self.high < 0 else f"no difference can be told: {figures}"


def compare(champion: pd.DataFrame, challenger: pd.DataFrame) -> Comparison:
    """Compare two models by their losses on the sessions and pairs that both predicted.

    Each model's label is defined by its own spread and mean, so raw losses are losses on different questions. What is
    paired is skill: the loss that each model saves against the base rate of its own training labels.

    Parameters
    ----------
    champion, challenger : DataFrame
        Rows of `PromotionState.shadow` of one version each.

    Returns
    -------
    Comparison
        The sessions are the units: pairs share legs, and labels of a session share its news.
    """
    columns = ["session", "pair", "n_labels", "loss", "base_loss"]
    both = champion[columns].merge(challenger[columns], on=["session", "pair"], suffixes=("_1", "_2"))
    both = both[(both["n_labels_1"] > 0) & (both["n_labels_2"] > 0)]
    sums = both.groupby("session")[["n_labels_1", "n_labels_2", "loss_1", "loss_2", "base_loss_1", "base_loss_2"]].sum()
    skills = [(sums[f"base_loss_{k}"] - sums[f"loss_{k}"]) / sums[f"n_labels_{k}"] for k in (1, 2)]
    difference = (skills[1] - skills[0]).to_numpy(dtype=float)
    n = len(difference)
    mean = float(difference.mean()) if n else float("nan")
    nan = float("nan")
    low = high = t = p = nan
    # A difference that does not vary says nothing about its error; one of zero is a model compared with itself.
    if n >= 2 and (varies(difference) or not difference.any()):
        from scipy.stats import t as student

        error = float(difference.std(ddof=1)) / np.sqrt(n)
        width = float(student.ppf(0.975, n - 1)) * error
        low, high = mean - width, mean + width
        t = mean / error if error > 0 else 0.0
        p = float(student.sf(t, n - 1))
    return Comparison(
        n_sessions=n,
        n_pairs=int(both["pair"].nunique()),
        difference=mean,
        low=low,
        high=high,
        t=t,
        p=p,
        challenger_skill=float(skills[1].mean()) if n else nan,
        champion_skill=float(skills[0].mean()) if n else nan,
    )


def decide_promotion(state: PromotionState, settings: PromotionSettings) -> list[Change]:
    """What happens to champion and challenger at the close of a session, in order; empty when nothing changes.

    * A champion whose 7-session lift falls below its 30-session lift by more than `demotion_drop` is demoted.
    * A challenger is frozen for `challenger_sessions` sessions. Then, with at least `min_sessions_for_significance`
      paired sessions, it takes over when it is significantly better, at level α / (k (k + 1)) for the k-th challenger
      of this champion: the levels of all looks sum to α. Otherwise it takes over only when the champion will be too old
      before the next challenger is ready, and its own skill in shadow is above zero. Otherwise it is retired.
    * A champion that is older than `max_age_sessions` without a successor expires.
    * Without a champion the newest version becomes champion when its pooled test skill is significantly above zero. It
      is tried only where its test part does not overlap with that of the version tried before, at level α / (k (k + 1))
      for the k-th one since the last champion left: the levels of all of them sum to α.
    * With a champion and no challenger the newest later version becomes challenger; newer ones wait.
    """
    changes: list[Change] = []
    champion, challenger = state.champion, state.challenger
    if champion is not None:
        fallen = _demotion(state, champion, settings)
        if fallen is not None:
            changes.append(fallen)
            champion = None
    if champion is not None and challenger is not None:
        ended = _end_of_freeze(state, champion, challenger, settings)
        if ended is not None:
            changes.append(ended)
            if ended.alias == "champion":
                changes.append(_challenger_leaves(challenger, "it is champion now"))
                champion = challenger
            challenger = None
    if champion is not None and age_sessions(champion.session, state.session) > settings.max_age_sessions:
        age = age_sessions(champion.session, state.session)
        changes.append(
            _lose(champion, "expire", f"its window ended {age} sessions ago, {settings.max_age_sessions} are allowed")
        )
        champion = None
    if champion is None:
        vacant_since = state.session if state.champion is not None else state.vacant_since
        barred = {change.version_before for change in changes if change.action == "demote"}
        first = _first(state, vacant_since, settings, barred=barred)
        if first is not None:
            changes.append(first)
            champion = next(candidate for candidate in state.candidates if candidate.version == first.version_after)
            if challenger is not None and challenger.session <= champion.session:
                changes.append(_challenger_leaves(challenger, "the new champion is not older"))
                challenger = None
    if champion is None and challenger is not None:
        changes.append(_challenger_leaves(challenger, "there is no champion to challenge"))
    if champion is not None and challenger is None:
        changes += _freeze(state, champion, settings)
    return changes


def _of(state: PromotionState, candidate: Candidate) -> pd.DataFrame:
    return state.shadow[state.shadow["version"] == candidate.version].drop_duplicates(["session", "pair"])


def _demotion(state: PromotionState, champion: Candidate, settings: PromotionSettings) -> Change | None:
    sums = _of(state, champion).groupby("session")[["n_labels", "loss", "baseline_loss"]].sum()
    sums = sums[sums["n_labels"] > 0].sort_index()
    lift = ((sums["baseline_loss"] - sums["loss"]) / sums["n_labels"]).to_numpy(dtype=float)[-LONG_SESSIONS:]
    if len(lift) <= SHORT_SESSIONS:
        return None
    short, long = float(lift[-SHORT_SESSIONS:].mean()), float(lift.mean())
    if short >= long - settings.demotion_drop:
        return None
    reason = (
        f"its lift over 7 sessions, {short:+.5f} nats, is more than {settings.demotion_drop:g} below that over "
        f"{len(lift)} sessions, {long:+.5f}"
    )
    return _lose(champion, "demote", reason, {"lift_7": short, "lift_30": long})


def _end_of_freeze(
    state: PromotionState, champion: Candidate, challenger: Candidate, settings: PromotionSettings
) -> Change | None:
    compared = compare(_of(state, champion), _of(state, challenger))
    frozen = age_sessions(challenger.session, state.session)
    if frozen < settings.challenger_sessions:
        return None
    figures = {
        "n_sessions": compared.n_sessions,
        "difference": _finite(compared.difference),
        "p": _finite(compared.p),
        "challenger_skill": _finite(compared.challenger_skill),
        "look": state.champion_looks + 1,
    }
    change: dict[str, Any] = {
        "alias": "champion",
        "version_before": champion.version,
        "version_after": challenger.version,
    }
    if compared.n_sessions >= settings.min_sessions_for_significance:
        look = state.champion_looks + 1
        level = settings.significance / (look * (look + 1))
        figures["level"] = level
        if compared.p < level:
            reason = (
                f"{compared.conclusion}; one-sided p {compared.p:.4f} is below {level:.4f}, the level of look {look}"
            )
            return Change(action="promote_significance", reason=reason, figures=figures, **change)
    too_old = age_sessions(champion.session, state.session) + settings.challenger_sessions > settings.max_age_sessions
    if too_old and compared.challenger_skill > 0.0:
        reason = (
            f"the champion would be older than {settings.max_age_sessions} sessions before another "
            f"challenger is ready, "
            f"and this one's skill is {compared.challenger_skill:+.5f} nats over {compared.n_sessions} unseen sessions"
        )
        return Change(action="promote_succession", reason=reason, figures=figures, **change)
    return _challenger_leaves(challenger, f"frozen for {frozen} sessions: {compared.conclusion}", figures)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _lose(
    champion: Candidate, action: PromotionAction, reason: str, figures: Mapping[str, Any] | None = None
) -> Change:
    return Change(
        action=action,
        alias="champion",
        version_before=champion.version,
        version_after=None,
        reason=reason,
        figures=figures or {},
    )


def _challenger_leaves(challenger: Candidate, reason: str, figures: Mapping[str, Any] | None = None) -> Change:
    return Change(
        action="retire_challenger",
        alias="challenger",
        version_before=challenger.version,
        version_after=None,
        reason=reason,
        figures=figures or {},
    )


def first_tries(sessions: Sequence[date], vacant_since: date | None, test_sessions: int) -> list[date]:
    """Sessions whose versions are tried as first champions.

    The newest one when the last champion left, then each that is a whole test part behind the one before.

    Parameters
    ----------
    sessions : sequence of date
        With a version.
    vacant_since, test_sessions
        As in `PromotionState`.
    """
    tries: list[date] = []
    begin = max((day for day in sessions if vacant_since is not None and day <= vacant_since), default=date.min)
    for day in sorted(set(sessions)):
        if day >= begin and (not tries or len(sessions_between(tries[-1], day)) > test_sessions):
            tries.append(day)
    return tries


def _by_age(candidate: Candidate) -> tuple[date, int]:
    return candidate.session, candidate.version


def _first(
    state: PromotionState, vacant_since: date | None, settings: PromotionSettings, barred: set[int | None]
) -> Change | None:
    newest = max(state.candidates, key=_by_age, default=None)
    if newest is None or newest.version in barred or newest.skill is None or newest.skill_p is None:
        return None
    tries = first_tries([candidate.session for candidate in state.candidates], vacant_since, state.test_sessions)
    look = len(tries)
    level = settings.significance / (look * (look + 1))
    if newest.session != tries[-1] or newest.skill_p >= level:
        return None
    if age_sessions(newest.session, state.session) > settings.max_age_sessions:
        return None
    return Change(
        action="promote_first",
        alias="champion",
        version_before=None,
        version_after=newest.version,
        reason=f"there is no champion, and its pooled skill on test is {newest.skill:+.5f} nats; one-sided p "
        f"{newest.skill_p:.4f} is below {level:.4f}, the level of try {look}",
        figures={"skill": newest.skill, "skill_p": newest.skill_p, "try": look},
    )


def _freeze(state: PromotionState, champion: Candidate, settings: PromotionSettings) -> list[Change]:
    later = [candidate for candidate in state.candidates if candidate.session > champion.session]
    if not later:
        return []
    newest = max(later, key=_by_age)
    return [
        Change(
            action="freeze_challenger",
            alias="challenger",
            version_before=None,
            version_after=newest.version,
            reason=f"the newest version; it is compared with the champion for {settings.challenger_sessions} sessions",
        )
    ]
