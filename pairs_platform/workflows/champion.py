"""Which version is champion: read from the database, judged by `core.models.champion`; the only answer to the question.

Free of pandas, because the run behind a bar-close event asks it. What does not belong here: the rule itself, and
deciding who is promoted (`promotion`).
"""

from datetime import date
from typing import TYPE_CHECKING, Literal

from pairs_platform.core.models.champion import AliasDecision, ChampionChoice, UsableVersion, usable_version
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.core.selection.trading_config import ModelSection


def resolve_champion(platform: Platform, sector: str, session: date, *, manual_since: bool) -> ChampionChoice:
    """The versions that give signals in the session after `session`.

    Parameters
    ----------
    session : date
        Newest session that is known: no version is used that was trained on a later one.
    manual_since : bool
        Which decisions count. False: those that knew no session after `session`, so that the answer about a past
        session never changes (the trading configuration). True: also those made by hand since, so that a promotion or
        a rollback counts from the next bar on (the session under way).

    Raises
    ------
    DatabaseUnavailable
    """
    limit = platform.settings.gru.promotion.max_age_sessions

    def version(alias: Literal["champion", "challenger"]) -> tuple[UsableVersion | None, str]:
        decision = _newest_decision(platform, sector, alias, session, manual_since=manual_since)
        return usable_version(decision, session, max_age_sessions=limit)

    champion, reason = version("champion")
    return ChampionChoice(champion=champion, challenger=version("challenger")[0], reason=reason)


def _newest_decision(
    platform: Platform, sector: str, alias: str, session: date, *, manual_since: bool
) -> AliasDecision | None:
    from pairs_platform.database.models import alias_as_of, alias_now, training_of_version

    database = platform.database
    decision = (alias_now if manual_since else alias_as_of)(database, sector, alias, session)
    if decision is None or decision.version_after is None:
        return None if decision is None else AliasDecision(version=None, reason=decision.reason)
    run_id, trained_session = training_of_version(database, sector, decision.version_after) or (None, None)
    return AliasDecision(
        version=decision.version_after, reason=decision.reason, run_id=run_id, trained_session=trained_session
    )


def configured_model(platform: Platform, key: PartitionKey) -> "tuple[ModelSection | None, str]":
    """The champion that the trading configuration of a partition carries, and why that one or none.

    A database that cannot be read is a reason to go without a model: a configuration is due every morning.
    """
    from pairs_platform.adapters.mlflow.registry import model_name
    from pairs_platform.core.errors import DatabaseUnavailable
    from pairs_platform.core.selection.trading_config import ModelSection
    from pairs_platform.database.models import pairs_of_run

    try:
        choice = resolve_champion(platform, key.sector, key.session, manual_since=False)
        champion = choice.champion
        if champion is None:
            return None, choice.reason
        pairs = pairs_of_run(platform.database, champion.run_id)
    except DatabaseUnavailable as error:
        return None, f"the database cannot be read, so signals go without a model: {error}"
    section = ModelSection(name=model_name(key.sector), version=champion.version, session=champion.session, pairs=pairs)
    return section, f"champion, {champion.age_sessions} sessions old: {champion.reason}"
