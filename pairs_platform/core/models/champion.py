"""Which registered version may give signals, and why one may not: the one rule, whoever asks.

Free of pandas, because the run behind a bar-close event asks it. What does not belong here: reading decisions
(`workflows.champion`), and deciding who is promoted (`promotion`).
"""

from dataclasses import dataclass
from datetime import date

from pairs_platform.core.prices.calendar import sessions_between


@dataclass(frozen=True, kw_only=True)
class AliasDecision:
    """The newest decision about an alias that counts, and where the version that it names comes from.

    Attributes
    ----------
    version : int or None
        None where the alias was removed.
    reason : str
        Why it was decided.
    run_id : str or None
        Run that trained the version; None for one that the database does not know.
    trained_session : date or None
        Last session of the window that it was trained on; None like the run.
    """

    version: int | None
    reason: str
    run_id: str | None = None
    trained_session: date | None = None


@dataclass(frozen=True, kw_only=True)
class UsableVersion:
    """A version that signals may use.

    Attributes
    ----------
    version : int
    run_id : str
        Run that trained it.
    session : date
        Last session of the window that it was trained on.
    age_sessions : int
        Exchange sessions since.
    reason : str
        Why it has its alias.
    """

    version: int
    run_id: str
    session: date
    age_sessions: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChampionChoice:
    """The versions that signals use after a session.

    Attributes
    ----------
    champion, challenger : UsableVersion or None
    reason : str
        Why there is no champion; empty where there is one.
    """

    champion: UsableVersion | None
    challenger: UsableVersion | None
    reason: str

    @property
    def versions(self) -> tuple[int | None, int | None]:
        """Numbers of champion and challenger."""
        champion, challenger = (usable.version if usable else None for usable in (self.champion, self.challenger))
        return champion, challenger


def age_sessions(trained_session: date, session: date) -> int:
    """Exchange sessions between the end of a version's window and `session`."""
    return len(sessions_between(trained_session, session)) - 1


def usable_version(
    decision: AliasDecision | None, session: date, *, max_age_sessions: int
) -> tuple[UsableVersion | None, str]:
    """The version that an alias gives to the signals after `session`.

    A version that was trained on later sessions is never used, whoever promoted it; neither is one that is older than
    `max_age_sessions`, or unknown.

    Returns
    -------
    UsableVersion or None
    str
        Why there is none; empty where there is one.
    """
    if decision is None:
        return None, "no model has been promoted"
    if decision.version is None:
        return None, f"the champion left: {decision.reason}"
    if decision.run_id is None or decision.trained_session is None or decision.trained_session > session:
        return None, f"version {decision.version} was trained after {session}"
    age = age_sessions(decision.trained_session, session)
    if age > max_age_sessions:
        return None, f"version {decision.version} is {age} sessions old, {max_age_sessions} are allowed"
    usable = UsableVersion(
        version=decision.version,
        run_id=decision.run_id,
        session=decision.trained_session,
        age_sessions=age,
        reason=decision.reason,
    )
    return usable, ""
