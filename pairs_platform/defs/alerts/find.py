"""What is broken, as alerts: from a finished run and its checks, and from what should be there and is not.

What does not belong here: keeping and sending alerts (`database.alerts`).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg

from pairs_platform.core.errors import NotFound
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.core.operations.run_tags import SECTOR_TAG, SIGNALS_TAG
from pairs_platform.core.operations.scheduling import READY_BY, RUN_AT, SectorState, as_of_session
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import is_session, session_open
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.core.streaming.sessions import is_open, session_at
from pairs_platform.core.time import MARKET_TIMEZONE, MINUTE_NS, moment_ns
from pairs_platform.defs.automation import RANGE_END, RANGE_START, daily_job, sector_state
from pairs_platform.defs.partitions import lake_key
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.streams import Streams

CHECK = "what_is_broken_now"
NOT_ALERTS = (CHECK, "ready_by_0800", "found_against_chance", "lift_beside_f1")
"""Checks that say what alerts say, and checks whose failure is a finding: nothing is to be repaired."""

PARTITION_TAG = "dagster/partition"
_LONGEST = 400
_LONGEST_PART = 149
"""Of the two parts of a key, which has room for 300 characters."""


@dataclass(frozen=True)
class Subject:
    """What an alert is about.

    Attributes
    ----------
    family : str
        The job and its assets, or the check.
    of : str
        The partition, the stretch of partitions, or the sector; empty where there is none.
    """

    family: str
    of: str

    @property
    def key(self) -> str:
        """Key of the alert: names that are too long for the database are cut, and told apart by a digest."""
        return f"{_short(self.family)}|{_short(self.of)}"

    @property
    def earlier(self) -> tuple[str, PartitionKey] | None:
        """Begin of the keys, and the partition, before which alerts about the same are of earlier sessions.

        None for a stretch, which is about prices alone and says nothing about what rests on them.
        """
        place = self.place
        return (f"{_short(self.family)}|", place) if place and _TO not in self.of else None

    @property
    def place(self) -> PartitionKey | None:
        """The partition, or the last one of a stretch; None where there is none of a session and a sector."""
        try:
            return lake_key(self.of.rpartition(_TO)[2])
        except (ValueError, NotFound):
            return None


_TO = "..."
_SECTOR_TAGS = (SIGNALS_TAG, SECTOR_TAG)


def _short(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return text if len(text) <= _LONGEST_PART else f"{text[: _LONGEST_PART - len(digest) - 1]}#{digest}"


def _what(text: str) -> str:
    """A text that every database takes."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:_LONGEST]


def subject_of(run: dg.DagsterRun) -> Subject:
    """What the alert about a run is about: another run of the same job and partition is about the same.

    The assets of a run belong to it, but for daily runs: one that failed is run again with what is missing alone.
    """
    stretch = _TO.join(run.tags[name] for name in (RANGE_START, RANGE_END) if name in run.tags)
    of = run.tags.get(SIGNALS_TAG) or run.tags.get(PARTITION_TAG) or stretch or run.tags.get(SECTOR_TAG, "")
    is_daily = run.job_name == daily_job.name and bool(of)
    assets = () if is_daily else sorted(str(one.to_user_string()) for one in run.asset_selection or ())
    return Subject(f"run|{run.job_name}|{','.join(assets)}", of)


def failed_run(run: dg.DagsterRun, message: str) -> Alert:
    """The alert about a failed run."""
    subject = subject_of(run)
    key = subject.place
    return Alert(
        key=subject.key,
        kind="run_failed",
        severity="error",
        what=_what(f"{run.job_name}: {message.strip() or 'no message'}"),
        remedy="read the first error of the run; `failed_session_retry` runs daily sessions again by itself",
        sector=key.sector
        if key
        else next((run.tags[tag] for tag in _SECTOR_TAGS if run.tags.get(tag) in SECTORS), None),
        session=key.session if key else None,
        path=f"/runs/{run.run_id}",
    )


def judged_checks(
    instance: dg.DagsterInstance, run: dg.DagsterRun, *, warnings: bool
) -> list[tuple[Subject, Alert | None]]:
    """The checks of a run, each with its alert or None where it passed; the last verdict of each counts.

    Parameters
    ----------
    warnings : bool
        Whether a failed check of severity WARN is an alert.
    """
    found_of: dict[Subject, Alert | None] = {}
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    for event in events:
        assert event.dagster_event is not None
        found = event.dagster_event.asset_check_evaluation_data
        if found.check_name in NOT_ALERTS:
            continue
        of = found.partition or subject_of(run).of
        subject = Subject(f"check|{found.asset_key.to_user_string()}|{found.check_name}", of)
        is_error = found.severity is dg.AssetCheckSeverity.ERROR
        if found.passed or not (is_error or warnings):
            found_of[subject] = None
            continue
        place = subject.place
        found_of[subject] = Alert(
            key=subject.key,
            kind="check_failed",
            severity="error" if is_error else "warning",
            what=_what(f"{found.asset_key.to_user_string()}: {found.check_name}: {found.description or 'failed'}"),
            remedy="the check's page names the figures and the rule; run the partition again once the cause is mended",
            sector=place.sector if place else None,
            session=place.session if place else None,
            path=f"/assets/{'/'.join(found.asset_key.path)}?view=checks",
        )
    return list(found_of.items())


def late_sessions(instance: dg.DagsterInstance, platform: Platform, now: datetime) -> tuple[list[Alert], list[str]]:
    """Alerts about daily runs that were not asked for, and configurations that are not there by 08:00 New York.

    Returns
    -------
    The alerts of today's session, and the keys of what is well: alerts of earlier sessions, and of sectors that are
    no longer active, among them.
    """
    from pairs_platform.database.alerts import open_alerts

    states = {one: sector_state(instance, platform, one, now=now) for one in platform.settings.active_sectors}
    alerts = [one for state in states.values() for one in _session_alerts(state, platform, now)]
    watched = alerts + [one for one in open_alerts(platform.database) if one.kind in ("run_missed", "config_late")]
    well = {one.key for one in watched if one.sector not in states or _is_well(one, states[one.sector])}
    return [one for one in alerts if one.key not in well], sorted(well)


def _is_well(alert: Alert, state: SectorState) -> bool:
    """Whether the session of an alert has what was missing, or a later configuration has replaced its own."""
    assert alert.session is not None
    if max(state.configured, default=date.min) >= alert.session:
        return True
    return alert.kind == "run_missed" and alert.session in state.asked


def _session_alerts(state: SectorState, platform: Platform, now: datetime) -> Iterator[Alert]:
    """What is due by now for the newest session, whether it is there or not."""
    local = now.astimezone(ZoneInfo(MARKET_TIMEZONE))
    if not is_session(local.date()):
        return
    session, sector = as_of_session(now), state.sector
    patience = timedelta(minutes=platform.settings.alerts.missed_after_minutes)
    if local >= datetime.combine(local.date(), RUN_AT, local.tzinfo) + patience:
        yield Alert(
            key=f"missed|{sector}|{session}", kind="run_missed", severity="error", sector=sector, session=session,
            what=f"no run of {daily_job.name} for {session}|{sector}, which was due at {RUN_AT:%H:%M} New York",
            remedy="look whether the daemon runs and the schedule is on; then launch the partition in the UI",
            path=f"/automation?search={daily_job.name}",
        )  # fmt: skip
    if local.time() >= READY_BY:
        yield Alert(
            key=f"late|{sector}|{session}", kind="config_late", severity="error", sector=sector, session=session,
            what=f"no trading configuration of {session}|{sector} by {READY_BY:%H:%M} New York: nothing is traded",
            remedy="read the failed run of the session, mend its cause, and launch the partition again",
            path="/assets/trading_config",
        )  # fmt: skip


def silent_stream(streams: "Streams", silent_after_minutes: float) -> tuple[list[Alert], list[str]]:
    """Alerts about a Redis that does not answer, or a collector that is gone or gets no bar, in an open session.

    Parameters
    ----------
    streams : Streams
        Of the live feed: a replay may end when it likes.
    silent_after_minutes : float
        Of the open session without a word or a bar.

    Returns
    -------
    The alert, or its key where bars come; neither while nothing can be said, as when the market is closed, or when
    it has just opened and nothing came yet.
    """
    from pairs_platform.core.errors import StreamUnavailable
    from pairs_platform.views.remedies import with_remedy

    now_ns = streams.clock.now_ns()
    session = session_at(now_ns)
    if session is None or not is_open(now_ns):
        return [], []
    key = f"silent|{streams.run_mode}"
    opened_ns = moment_ns(session_open(session))
    try:
        bars = streams.bars.newest()
        what = _silence(streams.health.read(), bars, opened_ns, now_ns, silent_after_minutes)
        heard = max(bars.values(), default=0) >= opened_ns
    except StreamUnavailable as error:
        if now_ns - opened_ns <= silent_after_minutes * MINUTE_NS:
            return [], []
        what, heard = with_remedy(error), False
    if not what:
        return [], [key] if heard else []
    alert = Alert(
        key=key,
        kind="stream_silent",
        severity="error",
        what=f"run mode {streams.run_mode}: {what}",
        remedy="pairs-platform stream status; then its log, the keys of the vendor, and the vendor's own status page",
        session=session,
        path="/assets/streamed_bars",
    )
    return [alert], []


def _silence(
    facts: Mapping[str, str], last_bars: Mapping[str, int], opened_ns: int, now_ns: int, silent_after_minutes: float
) -> str:
    """How long which part of the stream has been silent; empty where it is not."""
    gone_min = (now_ns - max(int(facts.get("heartbeat_wall_ns", 0)), opened_ns)) / MINUTE_NS
    silent_min = (now_ns - max(*last_bars.values(), opened_ns, 0)) / MINUTE_NS
    if gone_min > silent_after_minutes:
        who = "the collector" if facts else "a collector, which has never run on this Redis,"
        return f"{who} has said nothing for {gone_min:.0f} minutes of an open session"
    if silent_min > silent_after_minutes:
        return f"no bar for {silent_min:.0f} minutes of an open session; the collector is {facts.get('state')}"
    return ""
