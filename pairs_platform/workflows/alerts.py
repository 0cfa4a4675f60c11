"""Alerts: what should be there and is not, keeping what is broken, sending what is new.

What does not belong here: what is worth an alert (`core.operations.alert_causes`), tables and messages
(`database.alerts`), and what Dagster's event log says about runs and checks (`defs.alerts`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pairs_platform.core.errors import ConfigurationError, Refused, StreamUnavailable
from pairs_platform.core.operations.alert_causes import (
    StreamActivity,
    due_alerts,
    is_over,
    kill_switch_alert,
    kill_switch_key,
    rejects_alert,
    silence_alert,
    silence_key,
    trading_state_alert,
    trading_state_key,
)
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.core.operations.scheduling import SectorState
from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.risk.trading_state import TradingState
from pairs_platform.core.streaming.sessions import is_open, session_at
from pairs_platform.core.time import MINUTE_NS, moment_ns
from pairs_platform.database.alerts import (
    claim_delivery,
    due_deliveries,
    note_delivery,
    open_alerts,
    raise_alert,
    resolve_alerts,
)
from pairs_platform.database.kill_switch import kill_switch
from pairs_platform.database.risk_events import event_rows
from pairs_platform.database.store import Database
from pairs_platform.platform import Platform
from pairs_platform.settings.hints import stored_hint
from pairs_platform.views.remedies import with_remedy

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pairs_platform.adapters.redis.streams import Streams


@dataclass(frozen=True)
class AlertChanges:
    """Alerts to raise, and keys of alerts that are over."""

    raised: tuple[Alert, ...] = ()
    over: tuple[str, ...] = ()


def keep_alerts(platform: Platform, changes: AlertChanges) -> None:
    """Raise and close, in the database."""
    for alert in changes.raised:
        raise_alert(platform.database, _with_command(alert), platform.clock())
    resolve_alerts(platform.database, changes.over, platform.clock())


def _with_command(alert: Alert) -> Alert:
    """The alert whose remedy names the command that shows more."""
    return replace(alert, remedy=f"{alert.remedy}: `{stored_hint(alert.see)}`") if alert.see else alert


def late_sessions(platform: Platform, states: Sequence[SectorState], now: datetime, *, job: str) -> AlertChanges:
    """Daily runs that were not asked for, and configurations that are not there by 08:00 New York.

    Parameters
    ----------
    states : sequence of SectorState
        Of every active sector.
    job : str
        The daily job.

    Returns
    -------
    AlertChanges
        What is missing of today's session; over are alerts of earlier sessions, and of sectors that are no longer
        active, among them.
    """
    patience = platform.settings.alerts.missed_after_minutes
    by_sector = {state.sector: state for state in states}
    due = [alert for state in states for alert in due_alerts(state, now, job=job, missed_after_minutes=patience)]
    is_open_now = [alert for alert in open_alerts(platform.database) if alert.kind in ("run_missed", "config_late")]
    over = {
        alert.key
        for alert in [*due, *is_open_now]
        if alert.sector not in by_sector or is_over(alert, by_sector[alert.sector])
    }
    return AlertChanges(tuple(alert for alert in due if alert.key not in over), tuple(sorted(over)))


def silent_stream(streams: "Streams", silent_after_minutes: float) -> AlertChanges:
    """A Redis that does not answer, or a collector that is gone or gets no bar, in an open session.

    Parameters
    ----------
    streams : Streams
        Of the run mode live: a replay may end when it likes.
    silent_after_minutes : float
        Of the open session without a word or a bar.

    Returns
    -------
    AlertChanges
        Over where bars come; nothing while nothing can be said, as when the market is closed, or when it has just
        opened and nothing came yet.
    """
    now_ns = streams.clock.now_ns()
    session = session_at(now_ns)
    if session is None or not is_open(now_ns):
        return AlertChanges()
    opened_ns = moment_ns(session_open(session))
    try:
        last_bars = streams.bars.newest()
        activity = StreamActivity(opened_ns=opened_ns, now_ns=now_ns, health=streams.health.read(), last_bars=last_bars)
    except (StreamUnavailable, Refused) as error:
        if now_ns - opened_ns <= silent_after_minutes * MINUTE_NS:
            return AlertChanges()
        return AlertChanges((silence_alert(streams.run_mode, session, with_remedy(error, stored=True)),))
    silence = activity.silence(silent_after_minutes)
    if silence:
        return AlertChanges((silence_alert(streams.run_mode, session, silence),))
    return AlertChanges(over=(silence_key(streams.run_mode),) if activity.has_bars else ())


def stopped_trading(database: Database, run_mode: str) -> AlertChanges:
    """A kill switch that is in force, accounts in which nothing is begun, and rejected orders of the newest session.

    Returns
    -------
    AlertChanges
        Over where the switch is released, where trading is active again, and rejects of earlier sessions.
    """
    events = event_rows(database, [run_mode], kinds=["state", "reject"])
    newest = max((event["session"] for event in events), default=None)
    raised, over = [], [kill_switch_key(run_mode)]
    switch = kill_switch(database, run_mode)
    if switch.level is not None:
        over = []
        level, is_flat = str(switch.level), switch.flat_utc is not None
        raised.append(kill_switch_alert(run_mode, level, switch.reason, is_flat=is_flat))
    states: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["kind"] == "state":
            states.setdefault(event["account"], event)
    for account, event in states.items():
        if event["code"] == TradingState.ACTIVE or event["session"] != newest:
            over.append(trading_state_key(run_mode, account))
        else:
            is_halted = event["code"] == TradingState.HALTED
            raised.append(
                trading_state_alert(
                    run_mode, account, is_halted=is_halted, message=event["message"], session=event["session"]
                )
            )
    rejects = [e["message"] for e in reversed(events) if e["kind"] == "reject" and e["session"] == newest]
    if rejects and newest is not None:
        raised.append(rejects_alert(run_mode, newest, rejects))
    kept = {alert.key for alert in raised}
    old = (alert.key for alert in open_alerts(database) if alert.kind == "orders_rejected")
    over += [key for key in old if key.startswith(f"rejects|{run_mode}|") and key not in kept]
    return AlertChanges(tuple(raised), tuple(over))


def alert_receivers(platform: Platform) -> "dict[str, SecretStr]":
    """The configured receivers, by the name under which deliveries are kept."""
    from pairs_platform.adapters.notify.apprise_notifier import receivers

    return receivers(platform.settings.alert_urls)


def deliver(platform: Platform, *, seconds: float) -> str:
    """Try what is due to be sent, each message by one process at a time; how that went, as a sentence.

    Parameters
    ----------
    seconds : float
        After so long nothing more is begun.
    """
    from pairs_platform.adapters.notify.apprise_notifier import send

    receivers = alert_receivers(platform)
    sent, failed = 0, []
    until = time.monotonic() + seconds
    for delivery in due_deliveries(platform.database, list(receivers), platform.clock()):
        if time.monotonic() > until:
            break
        if not claim_delivery(platform.database, delivery, platform.clock()):
            continue
        try:
            error = send(delivery.target, receivers[delivery.target], delivery.title, delivery.body)
        except ConfigurationError as mistake:
            error = str(mistake)
        note_delivery(platform.database, delivery, error, platform.clock(), platform.settings.alerts)
        sent += not error
        failed += [f"{delivery.target}: {error}"] if error else []
    if not receivers:
        return f"no receiver is configured: alerts are kept, see `{stored_hint('alerts')}`"
    return f"{sent} sent" + (f", {len(failed)} not: {'; '.join(failed)}" if failed else "")
