"""Which pairs are trained, and what about trainings asks for attention.

What does not belong here: training itself, and reading past trainings from the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pairs_platform.core.models.settings import GruSettings, ModelTrainingSettings, TrainingScope
from pairs_platform.core.prices.calendar import session_offset, sessions_between


@dataclass(frozen=True, kw_only=True)
class TrainingChoice:
    """The pairs of one training.

    Attributes
    ----------
    pairs : tuple of str
        In the order of the candidates.
    scope : str
        The training scope that was used.
    scope_reason : str
        Why that one.
    full_retrain : bool
        Whether every candidate is trained.
    """

    pairs: tuple[str, ...]
    scope: TrainingScope
    scope_reason: str
    full_retrain: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingHistory:
    """What earlier trainings of a sector did.

    Attributes
    ----------
    trainings : DataFrame
        session (date), full_retrain, seconds; oldest first.
    lifts : DataFrame
        session (date), pair, lift of every judged pair.
    """

    trainings: pd.DataFrame
    lifts: pd.DataFrame

    def before(self, session: date) -> "TrainingHistory":
        """The part that was known when `session` was trained."""
        return TrainingHistory(
            trainings=self.trainings[self.trainings["session"] < session],
            lifts=self.lifts[self.lifts["session"] < session],
        )

    def judged_before(self, session: date) -> "TrainingHistory":
        """All trainings, with the lifts alone whose test parts ended before `session`."""
        return TrainingHistory(trainings=self.trainings, lifts=self.lifts[self.lifts["session"] < session])

    def followed_by(
        self, session: date, *, full_retrain: bool, seconds: float, lifts: pd.DataFrame
    ) -> "TrainingHistory":
        """The part before `session`, and one training of that session with the lifts (pair, lift) of its pairs."""
        past = self.before(session)
        training = pd.DataFrame({"session": [session], "full_retrain": [full_retrain], "seconds": [seconds]})
        lifts = lifts.assign(session=session)
        return TrainingHistory(
            trainings=pd.concat([past.trainings, training]) if len(past.trainings) else training,
            lifts=pd.concat([past.lifts, lifts]) if len(past.lifts) else lifts,
        )


def choose_pairs(
    candidates: Sequence[str],
    history: TrainingHistory,
    *,
    session: date,
    test_begins: date,
    settings: GruSettings,
    full_retrain: bool = False,
) -> TrainingChoice:
    """The pairs to train on a session.

    Parameters
    ----------
    candidates : sequence of str
        Every pair with data.
    history : TrainingHistory
        Only trainings before `session` count, and only lifts that were judged before `test_begins`: a pair that was
        chosen for its gains on sessions on which it is judged again would make the judgement too good.
    test_begins : date
        First session of the test part on which this training is judged.
    full_retrain : bool
        Train every candidate, whatever the scope.

    Notes
    -----
    The scope `all` moves to `selected` while a trigger of the past trainings fires (`training_triggers`: their
    time, or diminishing returns). Every scope trains all candidates again when no training of the last
    `full_retrain_every_sessions` sessions did. `selected` keeps pairs whose mean past lift is above zero and pairs that
    were never judged; `top_n` keeps the best by mean past lift, those never judged first.
    """
    training, past = settings.training, history.before(session).judged_before(test_begins)
    everything = tuple(candidates)
    full = past.trainings.loc[past.trainings["full_retrain"].astype(bool), "session"]
    age = None if full.empty else len(sessions_between(full.iloc[-1], session)) - 1
    scope, reason = training.scope, f"gru.training.scope is {training.scope}"
    fired = training_triggers(past, len(sessions_between(test_begins, session)), registry_bytes=0, settings=settings)
    if scope == "all" and fired:
        scope, reason = "selected", "; ".join(fired.values())
    due = None
    if full_retrain:
        due = "a full retrain was asked for"
    elif age is None:
        due = "there has been no full retrain yet"
    elif scope != "all" and age >= training.full_retrain_every_sessions:
        due = f"the last full retrain is {age} sessions old"
    if due:
        return TrainingChoice(pairs=everything, scope="all", scope_reason=due, full_retrain=True)
    pairs = _pairs_of_scope(scope, everything, past.lifts, top_n=training.top_n)
    return TrainingChoice(pairs=pairs, scope=scope, scope_reason=reason, full_retrain=len(pairs) == len(everything))


def _pairs_of_scope(
    scope: TrainingScope, candidates: tuple[str, ...], lifts: pd.DataFrame, *, top_n: int
) -> tuple[str, ...]:
    if scope == "all":
        return candidates
    mean = lifts.groupby("pair")["lift"].mean()
    if scope == "top_n":
        best_first = sorted(candidates, key=lambda pair: (-float(mean.get(pair, float("inf"))), pair))
        kept = set(best_first[:top_n])
        return tuple(pair for pair in candidates if pair in kept)
    return tuple(pair for pair in candidates if float(mean.get(pair, float("inf"))) > 0.0)


def training_triggers(
    history: TrainingHistory, test_sessions: int, *, registry_bytes: int, settings: GruSettings
) -> dict[str, str]:
    """What about the trainings so far asks for attention: messages by name; empty when nothing does.

    * ``training_time``: the newest full retrain took longer than `max_training_minutes`;
    * ``diminishing_returns``: over the newest half of `diminishing_sessions` full retrains, the mean lift of the
      pairs is not above zero that the other half, judged on sessions before all of theirs, would leave out; with fewer
      full retrains it does not fire;
    * ``registry_size``: the registry holds more than `max_registry_gb`.

    Parameters
    ----------
    test_sessions : int
        Sessions that a test part touches.
    registry_bytes : int
        What the registry holds now.
    """
    fired: dict[str, str] = {}
    training = settings.training
    full = history.trainings[history.trainings["full_retrain"].astype(bool)]
    if len(full) and float(full["seconds"].iloc[-1]) > 60.0 * training.max_training_minutes:
        fired["training_time"] = (
            f"training every pair took {float(full['seconds'].iloc[-1]) / 60.0:.0f} minutes, at most "
            f"{training.max_training_minutes:g} are wanted"
        )
    left_out = _lift_left_out(full, history.lifts, test_sessions, training)
    if left_out is not None and left_out <= 0.0:
        fired["diminishing_returns"] = (
            f"in {training.diminishing_sessions} full retrains the pairs without a positive mean lift had later "
            f"{left_out:+.5f} nats: training them has no return"
        )
    if registry_bytes > settings.max_registry_gb * 1e9:
        fired["registry_size"] = (
            f"the registry holds {registry_bytes / 1e9:.1f} GB, more than max_registry_gb {settings.max_registry_gb:g}"
        )
    return fired


def _lift_left_out(
    full: pd.DataFrame, lifts: pd.DataFrame, test_sessions: int, settings: ModelTrainingSettings
) -> float | None:
    """Mean lift, over the newest full retrains, of the pairs that as many older ones would have left out.

    Chosen and judged on different sessions: a mean that was chosen for being negative would be negative by itself.
    """
    judged = set(lifts["session"])
    sessions = [session for session in dict.fromkeys(full["session"]) if session in judged]
    half = settings.diminishing_sessions // 2
    newest = sessions[-half:]
    before = [day for day in sessions if day <= session_offset(newest[0], -test_sessions)] if newest else []
    if len(before) < half or len(newest) < half:
        return None
    older = lifts[lifts["session"].isin(before[-half:])].groupby("pair")["lift"].mean()
    newer = lifts[lifts["session"].isin(newest) & lifts["pair"].isin(older[older <= 0.0].index)]
    return None if newer.empty else float(newer["lift"].mean())
