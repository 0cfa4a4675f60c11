"""What is worth an alert: a failed run or check, a late daily run or configuration, a silent stream, stopped trading.

Pure decisions. What does not belong here: how alerts are composed and sent (`alerts`), reading what they are decided
from (`workflows.alerts`, `defs.alerts`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pairs_platform.core.errors import NotFound
from pairs_platform.core.folding import cut_at_word
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.core.operations.scheduling import READY_BY, RUN_AT, SectorState, as_of_session
from pairs_platform.core.partition_key import PartitionKey, key_of
from pairs_platform.core.prices.calendar import is_session
from pairs_platform.core.time import MARKET_TIMEZONE, MINUTE_NS

STANDING_CHECK = "what_is_broken_now"
NOT_ALERTS = (STANDING_CHECK, "up_to_date", "found_against_chance", "lift_beside_f1")
"""Checks that repeat what alerts report, and checks whose failure is a finding: nothing is to be repaired."""

RANGE_SEPARATOR = "..."
_LONGEST = 400
_LONGEST_PART = 149
"""Characters of each of the two parts of a key, which may have 300."""


@dataclass(frozen=True)
class Subject:
    """What an alert is about.

    Attributes
    ----------
    family : str
        The job and its assets, or the check.
    scope : str
        The partition, the range of partitions, or the sector; empty where there is none.
    """

    family: str
    scope: str

    @property
    def key(self) -> str:
        """Key of the alert: names that are too long for the database are cut, and told apart by a digest."""
        return f"{_short(self.family)}|{_short(self.scope)}"

    @property
    def earlier(self) -> tuple[str, PartitionKey] | None:
        """Prefix of the keys, and partition, before which alerts of the same family are of earlier sessions.

        None for a range, which concerns prices alone and nothing that is computed from them.
        """
        partition = self.partition
        return (f"{_short(self.family)}|", partition) if partition and RANGE_SEPARATOR not in self.scope else None

    @property
    def partition(self) -> PartitionKey | None:
        """The partition, or the last one of a range; None where there is none of a session and a sector."""
        try:
            return key_of(self.scope.rpartition(RANGE_SEPARATOR)[2])
        except (ValueError, NotFound):
            return None


def _short(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return text if len(text) <= _LONGEST_PART else f"{text[: _LONGEST_PART - len(digest) - 1]}#{digest}"


def _storable(text: str) -> str:
    """A text that every database stores: valid UTF-8, without NUL, not too long."""
    return cut_at_word(text.encode("utf-8", "replace").decode().replace("\x00", ""), _LONGEST)


def failed_run_alert(subject: Subject, *, job: str, run_id: str, message: str, sector: str | None) -> Alert:
    """The alert about a failed run.

    Parameters
    ----------
    message : str
        Innermost error of its first failed step.
    sector : str or None
        Of a run without a partition.
    """
    partition = subject.partition
    return Alert(
        key=subject.key,
        kind="run_failed",
        severity="error",
        what=_storable(f"{job}: {message.strip() or 'no message'}"),
        remedy="read the first error of the run; `failed_session_retry` runs daily sessions again by itself",
        sector=partition.sector if partition else sector,
        session=partition.session if partition else None,
        path=f"/runs/{run_id}",
    )


@dataclass(frozen=True, kw_only=True)
class CheckEvaluation:
    """One evaluation of an asset check.

    Attributes
    ----------
    asset : tuple of str
        Parts of the asset's key.
    check, description : str
    scope : str
        As `Subject.scope`.
    passed, is_error : bool
    """

    asset: tuple[str, ...]
    check: str
    description: str
    scope: str
    passed: bool
    is_error: bool

    @property
    def subject(self) -> Subject:
        """What an alert about it is about."""
        return Subject(f"check|{'/'.join(self.asset)}|{self.check}", self.scope)


def check_alert(evaluation: CheckEvaluation, *, warnings: bool) -> Alert | None:
    """The alert about a check that failed; None where it passed, or is a warning and `warnings` are no alerts."""
    if evaluation.passed or not (evaluation.is_error or warnings):
        return None
    partition = evaluation.subject.partition
    return Alert(
        key=evaluation.subject.key,
        kind="check_failed",
        severity="error" if evaluation.is_error else "warning",
        what=_storable(f"{'/'.join(evaluation.asset)}: {evaluation.check}: {evaluation.description or 'failed'}"),
        remedy="the check's page names the figures and the rule; run the partition again once the cause is repaired",
        sector=partition.sector if partition else None,
        session=partition.session if partition else None,
        path=f"/assets/{'/'.join(evaluation.asset)}?view=checks",
    )


def due_alerts(state: SectorState, now: datetime, *, job: str, missed_after_minutes: float) -> Iterator[Alert]:
    """Alerts about what is due by now for the newest session; `is_over` tells which of them it has already.

    Parameters
    ----------
    now : datetime
        Aware.
    job : str
        The daily job.
    """
    local = now.astimezone(ZoneInfo(MARKET_TIMEZONE))
    if not is_session(local.date()):
        return
    session, sector = as_of_session(now), state.sector
    if local >= datetime.combine(local.date(), RUN_AT, local.tzinfo) + timedelta(minutes=missed_after_minutes):
        yield Alert(
            key=f"missed|{sector}|{session}",
            kind="run_missed",
            severity="error",
            sector=sector,
            session=session,
            what=f"no run of {job} for {session}|{sector}, which was due at {RUN_AT:%H:%M} New York",
            remedy="look whether the daemon runs and the schedule is on; then launch the partition in the UI",
            path=f"/automation?search={job}",
        )
    if local.time() >= READY_BY:
        yield Alert(
            key=f"late|{sector}|{session}",
            kind="config_late",
            severity="error",
            sector=sector,
            session=session,
            what=f"no trading configuration of {session}|{sector} by {READY_BY:%H:%M} New York: nothing is traded",
            remedy="read the failed run of the session, repair its cause, and launch the partition again",
            path="/assets/trading_config",
        )


def is_over(alert: Alert, state: SectorState) -> bool:
    """Whether the session of an alert has what was missing, or a later configuration has replaced its own."""
    assert alert.session is not None
    if max(state.configured, default=date.min) >= alert.session:
        return True
    return alert.kind == "run_missed" and alert.session in state.requested


@dataclass(frozen=True, kw_only=True)
class StreamActivity:
    """Health and newest bars of a stream in an open session.

    Attributes
    ----------
    opened_ns, now_ns : int
        Open of the session, and market time now.
    health : mapping of str to str
        What the collector reports about itself; empty where none has ever run.
    last_bars : mapping of symbol to int
        Start of each symbol's newest bar, in nanoseconds.
    """

    opened_ns: int
    now_ns: int
    health: Mapping[str, str]
    last_bars: Mapping[str, int]

    @property
    def has_bars(self) -> bool:
        """Whether a bar of this session came."""
        return max(self.last_bars.values(), default=0) >= self.opened_ns

    def silence(self, silent_after_minutes: float) -> str:
        """How long which part of the stream has been silent; empty where it is not."""
        heartbeat_ns = int(self.health.get("heartbeat_wall_ns", 0))
        gone_min = (self.now_ns - max(heartbeat_ns, self.opened_ns)) / MINUTE_NS
        silent_min = (self.now_ns - max(*self.last_bars.values(), self.opened_ns, 0)) / MINUTE_NS
        if gone_min > silent_after_minutes:
            collector = "the collector" if self.health else "a collector, which has never run on this Redis,"
            return f"{collector} has reported nothing for {gone_min:.0f} minutes of an open session"
        if silent_min > silent_after_minutes:
            state = self.health.get("state")
            return f"no bar for {silent_min:.0f} minutes of an open session; the collector is {state}"
        return ""


def silence_key(run_mode: str) -> str:
    """Key of the alert about a stream."""
    return f"silent|{run_mode}"


def silence_alert(run_mode: str, session: date, silence: str) -> Alert:
    """The alert about a silent stream; `silence` describes what is missing."""
    return Alert(
        key=silence_key(run_mode),
        kind="stream_silent",
        severity="error",
        what=f"run mode {run_mode}: {silence}",
        remedy="look at the collector's state, then its log, the keys of the vendor, and the vendor's own status page",
        see="stream status",
        session=session,
        path="/assets/streamed_bars",
    )


def kill_switch_alert(run_mode: str, level: str, reason: str, *, is_flat: bool) -> Alert:
    """The alert about a kill switch that is in force."""
    flat = "the account was seen to be flat" if is_flat else "the account was not seen to be flat"
    return Alert(
        key=kill_switch_key(run_mode),
        kind="trading_stopped",
        severity="error",
        what=_storable(f"run mode {run_mode}: the kill switch is at {level}, {flat}: {reason}"),
        remedy="look at what is still open; release it, with a reason, once trading may go on",
        see="risk",
        path="/assets/portfolio",
    )


def kill_switch_key(run_mode: str) -> str:
    """Key of the alert about a kill switch."""
    return f"kill_switch|{run_mode}"


def trading_state_alert(run_mode: str, account: str, *, is_halted: bool, message: str, session: date) -> Alert:
    """The alert about an account in which nothing is begun; `message` says why."""
    return Alert(
        key=trading_state_key(run_mode, account),
        kind="trading_stopped",
        severity="error" if is_halted else "warning",
        what=_storable(f"run mode {run_mode}, account {account}: {message}"),
        remedy="the message names the limit; entries begin again by themselves once it is kept",
        see="risk",
        session=session,
        path="/assets/portfolio",
    )


def trading_state_key(run_mode: str, account: str) -> str:
    """Key of the alert about the trading state of an account."""
    return _short(f"trading_state|{run_mode}|{account}")


def rejects_alert(run_mode: str, session: date, messages: Sequence[str]) -> Alert:
    """The alert about orders of a session that the broker rejected; the newest message last."""
    count = "an order was rejected" if len(messages) == 1 else f"{len(messages)} orders were rejected"
    return Alert(
        key=f"rejects|{run_mode}|{session}",
        kind="orders_rejected",
        severity="warning",
        what=_storable(f"run mode {run_mode}, {session}: {count}; the newest: {messages[-1]}"),
        remedy="the broker's reason is in the message; several one after another end entries",
        see="orders",
        session=session,
        path="/assets/orders",
    )
