"""Champion and challenger of a sector: their losses on sessions they have never seen, and what follows from them.

What does not belong here: the rules (`core.models.promotion`), the losses (`core.models.shadow`), and which version
signals use (`champion`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.models.bundle import SectorBundle
from pairs_platform.core.models.contracts import SHADOW_LOSSES
from pairs_platform.core.models.promotion import Candidate, Change, PromotionState, decide_promotion
from pairs_platform.core.models.shadow import shadow_losses
from pairs_platform.core.models.splits import n_test_sessions
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.calendar import session_offset, sessions_between
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.database.models import Decision, add_decisions, alias_as_of, read_decisions, read_trainings
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_window

ALIASES = ("champion", "challenger")


@dataclass(frozen=True, eq=False, kw_only=True)
class ShadowInputs:
    """The models to be judged on a session, and its window.

    Attributes
    ----------
    versions : mapping of str to int
        What each alias named before the session.
    models : mapping of str to SectorBundle
        By alias, those alone that have not seen the session.
    window : PriceWindow or None
        Ends with the session; None where no model is judged.
    """

    versions: Mapping[str, int]
    models: Mapping[str, SectorBundle]
    window: PriceWindow | None


@dataclass(frozen=True, eq=False, kw_only=True)
class ShadowEvaluation:
    """The stored losses of one session.

    Attributes
    ----------
    source : str
        Where the prices come from.
    versions : mapping of str to int
        What each alias named before the session.
    losses : DataFrame
        `SHADOW_LOSSES`.
    """

    source: str
    versions: Mapping[str, int]
    losses: pd.DataFrame


def shadow_partition(platform: Platform, key: PartitionKey) -> ShadowEvaluation:
    """Judge the models that were champion and challenger before the session on its bars, and store their losses.

    Raises
    ------
    PartitionMissing
        A session of the lookback has no prices.
    RegistryUnavailable, NoSuchModel, DatabaseUnavailable
    """
    inputs = _gather_shadow(platform, key)
    losses = _losses(inputs, key.session)
    platform.lake.write(SHADOW_LOSSES, key, losses, dict(inputs.versions))
    return ShadowEvaluation(source=platform.market_data.label, versions=inputs.versions, losses=losses)


def _gather_shadow(platform: Platform, key: PartitionKey) -> ShadowInputs:
    before = session_offset(key.session, -1)
    decisions = {alias: alias_as_of(platform.database, key.sector, alias, before) for alias in ALIASES}
    versions = {
        alias: decision.version_after
        for alias, decision in decisions.items()
        if decision is not None and decision.version_after is not None
    }
    bundles = {alias: platform.registry.load(key.sector, version) for alias, version in versions.items()}
    models = {alias: bundle for alias, bundle in bundles.items() if bundle.session < key.session}
    return ShadowInputs(versions=versions, models=models, window=load_window(platform, key) if models else None)


def _losses(inputs: ShadowInputs, session: date) -> pd.DataFrame:
    if inputs.window is None:
        return SHADOW_LOSSES.empty()
    frames = [
        shadow_losses(inputs.window, bundle, alias=alias, version=inputs.versions[alias], session=session)
        for alias, bundle in inputs.models.items()
    ]
    return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True, kw_only=True)
class PromotionOutcome:
    """What was decided on a session.

    Attributes
    ----------
    source : str
        Where the prices come from.
    changes : sequence of Change
        In order; empty where nothing changed.
    champion : int or None
        Version as of the session.
    decided_until : date or None
        A later session that is decided, because of which nothing was decided here.
    """

    source: str
    changes: Sequence[Change] = ()
    champion: int | None = None
    decided_until: date | None = None


def decide_partition(platform: Platform, key: PartitionKey, *, actor: str) -> PromotionOutcome:
    """Decide on champion and challenger as of one session, and carry it out.

    Parameters
    ----------
    actor : str
        Who decides, as the audit names it.

    Raises
    ------
    RegistryUnavailable, DatabaseUnavailable
    """
    source, database = platform.market_data.label, platform.database
    decisions = read_decisions(database, key.sector)
    newest = max((decision.session for decision in decisions), default=key.session)
    if newest > key.session:
        return PromotionOutcome(source=source, decided_until=newest)
    state = _gather_promotion(platform, key, decisions)
    changes = decide_promotion(state, platform.settings.gru.promotion)
    _carry_out(platform, key, changes, actor)
    champion = alias_as_of(database, key.sector, "champion", key.session)
    return PromotionOutcome(
        source=source, changes=changes, champion=None if champion is None else champion.version_after
    )


def _gather_promotion(platform: Platform, key: PartitionKey, decisions: Sequence[Decision]) -> PromotionState:
    candidates = model_candidates(platform, key)
    champion, challenger = (
        _named(candidates, alias_as_of(platform.database, key.sector, alias, key.session)) for alias in ALIASES
    )
    of_champion = [decision for decision in decisions if decision.alias == "champion"]
    last = of_champion[-1] if of_champion else None
    looks = sum(
        "level" in decision.figures for decision in decisions if last is None or decision.decided_utc > last.decided_utc
    )
    settings = platform.settings
    return PromotionState(
        session=key.session,
        candidates=candidates,
        champion=champion,
        challenger=challenger,
        champion_looks=looks,
        vacant_since=last.session if last is not None and last.version_after is None else None,
        test_sessions=n_test_sessions(settings.lookback_sessions, settings.gru.split),
        shadow=_stored_losses(platform, key),
    )


def _stored_losses(platform: Platform, key: PartitionKey) -> pd.DataFrame:
    """Losses of the sessions that a champion may have served, of the pairs that could be predicted."""
    first = session_offset(key.session, -2 * platform.settings.gru.promotion.max_age_sessions)
    stored = [
        partition
        for partition in keys_of(sessions_between(first, key.session), key.sector)
        if platform.lake.exists(SHADOW_LOSSES.table, partition)
    ]
    losses = platform.lake.read_many(SHADOW_LOSSES, stored, with_session=True)
    return losses[losses["status"] == "ok"].assign(session=lambda frame: frame["session"].dt.date)


def _carry_out(platform: Platform, key: PartitionKey, changes: Sequence[Change], actor: str) -> None:
    decisions = [
        Decision(sector=key.sector, session=key.session, actor=actor, decided_utc=platform.clock(), **asdict(change))
        for change in changes
    ]
    with platform.database.begin() as connection:
        add_decisions(connection, decisions)
        # Inside the transaction: where an alias cannot be set, no row says that it was.
        for change in changes:
            platform.registry.set_alias(key.sector, change.alias, change.version_after)


def model_candidates(platform: Platform, key: PartitionKey) -> list[Candidate]:
    """Every registered version whose training ended at the session or before, with its pooled test skill."""
    trainings = read_trainings(platform.database, key.sector)
    registered = trainings[trainings["model_version"].notna() & (trainings["session"] <= key.session)]

    def number(value: Any) -> float | None:
        return None if value is None or not np.isfinite(float(value)) else float(value)

    return [
        Candidate(int(row["model_version"]), row["session"], number(row["skill"]), number(row["skill_p"]))
        for row in registered.to_dict("records")
    ]


def _named(candidates: Sequence[Candidate], decision: Decision | None) -> Candidate | None:
    version = None if decision is None else decision.version_after
    return next((candidate for candidate in candidates if candidate.version == version), None)
