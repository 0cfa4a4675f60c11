"""What is due: pure decisions of the daily schedule and of the retry sensor.

What does not belong here: asking the instance or the lake for the state that these decisions need (`defs.automation`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pairs_platform.core.prices.calendar import (
    is_session,
    last_session_before,
    session_offset,
    sessions_between,
    sessions_ending,
)
from pairs_platform.core.settings import SettingsGroup, setting
from pairs_platform.core.time import MARKET_TIMEZONE

RUN_AT = time(6, 0)
"""New York time at which the session before is due."""

READY_BY = time(8, 0)
"""New York time by which the session before must be there, its trading configuration above all."""


class AutomationSettings(SettingsGroup):
    """How far the schedule catches up and how failed runs are retried."""

    catch_up_sessions: int = setting(
        5,
        unit="sessions",
        ge=1,
        le=120,
        description="Missed sessions, today's included, that the daily schedule still requests.",
    )
    run_retries: int = setting(
        3,
        unit="runs",
        ge=0,
        le=10,
        description="New runs of a session after its run failed, before a person has to look.",
    )
    first_retry_minutes: float = setting(
        5.0,
        unit="minutes",
        ge=0.5,
        le=240,
        description="Wait before the first new run; each later one waits twice as long.",
    )


@dataclass(frozen=True)
class Failure:
    """Failed runs of one session: how many, which one was last, and when that ended (aware)."""

    runs: int
    last_run: str
    last_end: datetime


@dataclass(frozen=True)
class SectorState:
    """What is stored and what is under way for one sector.

    Attributes
    ----------
    sector : str
    priced, configured : frozenset of date
        Sessions with a stored `price_history` and with a stored `trading_config`.
    in_flight : frozenset of date
        Sessions with a run that is queued, starting or running.
    failures : mapping of date to Failure
        Sessions whose runs failed, and none after them succeeded or was cancelled by a person.
    requested : frozenset of date
        Sessions with any run of the last days, whatever its outcome.
    """

    sector: str
    priced: frozenset[date]
    configured: frozenset[date]
    in_flight: frozenset[date] = frozenset()
    failures: Mapping[date, Failure] = field(default_factory=dict)
    requested: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Retry:
    """A failed session to be run again.

    Attributes
    ----------
    sector : str
    session : date
    attempt : int
        Counts from 1.
    failed_run : str
        The run that failed last.
    models_only : bool
        The configuration is stored, and may be in use: it stays as it is.
    """

    sector: str
    session: date
    attempt: int
    failed_run: str
    models_only: bool = False


def as_of_session(now: datetime, at: time = RUN_AT) -> date:
    """The newest session that is due at `now` (aware): on a session day, from `at` New York on, the one before today's.

    Before `at`, on week-ends and on holidays: the session that was due last. With ``at=READY_BY``: the newest session
    that must be there.
    """
    local = now.astimezone(ZoneInfo(MARKET_TIMEZONE))
    today = local.date()
    if not is_session(today) or local.time() < at:
        today = last_session_before(today)
    return last_session_before(today)


def due_sessions(state: SectorState, *, as_of: date, settings: AutomationSettings) -> tuple[date, ...]:
    """The as-of session and the missed ones before it, oldest first.

    A session is missed when the sector was configured before it, it has no configuration and no run in flight, and it
    lies within `catch_up_sessions`.
    """
    started = min(state.configured, default=as_of)
    return tuple(
        day
        for day in sessions_ending(as_of, settings.catch_up_sessions)
        if (day == as_of or day > started) and day not in state.configured and day not in state.in_flight
    )


def missing_prices(
    state: SectorState, sessions: Sequence[date], *, lookback: int, earliest: date
) -> tuple[date, date] | None:
    """First and last session without prices in the lookbacks of `sessions`; None when nothing is missing.

    The newest of `sessions` itself does not count: its own run fetches its prices. Nor does what lies before
    `earliest`, which nobody fetches.
    """
    if not sessions:
        return None
    window = sessions_between(session_offset(sessions[0], 1 - lookback), session_offset(sessions[-1], -1))
    missing = [day for day in window if day >= earliest and day not in state.priced]
    return (missing[0], missing[-1]) if missing else None


def due_retries(state: SectorState, *, as_of: date, now: datetime, settings: AutomationSettings) -> tuple[Retry, ...]:
    """Failed sessions whose back-off has passed, oldest first; the wait doubles with every failed run."""
    recent = set(sessions_ending(as_of, settings.catch_up_sessions))
    due = []
    for session, failure in sorted(state.failures.items()):
        if session not in recent or session in state.in_flight:
            continue
        wait = timedelta(minutes=settings.first_retry_minutes * 2 ** (failure.runs - 1))
        if failure.runs <= settings.run_retries and now >= failure.last_end + wait:
            due.append(
                Retry(state.sector, session, failure.runs, failure.last_run, models_only=session in state.configured)
            )
    return tuple(due)
