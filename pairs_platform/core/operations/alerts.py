"""Alerts as values, the text of a message about them, and how many messages may go out.

What does not belong here: what is worth an alert (`alert_causes`), keeping it (`database.alerts`), and sending
(`adapters.notify.apprise_notifier`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from pairs_platform.core.settings import SettingsGroup, setting

Kind = Literal[
    "run_failed", "check_failed", "run_missed", "config_late", "stream_silent", "trading_stopped", "orders_rejected"
]
Severity = Literal["error", "warning"]

TITLES: dict[str, str] = {
    "run_failed": "run failed",
    "check_failed": "asset check failed",
    "run_missed": "daily run missed",
    "config_late": "trading configuration not ready",
    "stream_silent": "stream silent",
    "trading_stopped": "trading stopped",
    "orders_rejected": "orders rejected",
}


class AlertSettings(SettingsGroup):
    """Which failures are alerts, and how many messages are sent, when and again."""

    warnings: bool = setting(
        True, unit="true or false", description="Whether failed checks of severity WARN are alerts."
    )
    ui_url: str = setting(
        "",
        unit="URL",
        form="an address written http://host:port or https://host, without user, password, ? and #, or an empty text",
        pattern=r"^(https?://[^@?#]+)?$",
        description="Address of the Dagster UI in the links of messages, without user or password; empty: that of "
        "`services`.",
    )
    messages_per_hour: int = setting(
        12, unit="messages", ge=1, le=1000, description="More wait, and go out together when an hour has passed."
    )
    lines_per_message: int = setting(20, unit="alerts", ge=1, le=200, description="More are counted, not listed.")
    missed_after_minutes: float = setting(
        30.0, unit="minutes", ge=1, le=600, description="After 06:00 New York without a run, it is missed."
    )
    silent_after_minutes: float = setting(
        10.0, unit="minutes", ge=1, le=120, description="Of an open session without a streamed bar."
    )
    first_retry_seconds: float = setting(
        30.0,
        unit="seconds",
        ge=1,
        le=3600,
        description="Before a failed delivery is tried again; doubles each time.",
        not_above="longest_retry_seconds",
    )
    longest_retry_seconds: float = setting(3600.0, unit="seconds", ge=1, le=86_400, description="Bound of that wait.")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something that is broken.

    Attributes
    ----------
    key : str
        Identifies the problem: while it is open there is one alert, however often the problem is seen.
    kind : Kind
    severity : Severity
    what : str
        One sentence about what failed.
    remedy : str
        The next step of a person.
    sector : str or None
    session : date or None
    path : str
        Path of the page in the UI, without the host; empty where there is none.
    see : str
        Words of the console's command that shows more, such as ``stream status``; it becomes a part of the remedy, with
        its profile, where the alert is stored.
    """

    key: str
    kind: Kind
    severity: Severity
    what: str
    remedy: str
    sector: str | None = None
    session: date | None = None
    path: str = ""
    see: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenAlert(Alert):
    """An alert as it is stored.

    Attributes
    ----------
    id : int
    opened_utc, seen_utc : datetime
        First and last seen.
    times : int
        How often it was seen.
    resolved_utc : datetime or None
    """

    id: int
    opened_utc: datetime
    seen_utc: datetime
    times: int = 1
    resolved_utc: datetime | None = None


@dataclass(frozen=True)
class AlertMessage:
    """One message about several alerts: plain text."""

    title: str
    body: str


def compose(
    opened: Sequence[OpenAlert], resolved: Sequence[OpenAlert], settings: AlertSettings, *, list_command: str
) -> AlertMessage:
    """One message about alerts that are new and alerts that are over, errors first, then by kind, session and key.

    Parameters
    ----------
    opened, resolved : sequence of OpenAlert
        Not both empty.
    settings : AlertSettings
    list_command : str
        What lists all of them in a terminal.
    """
    ordered = sorted(opened, key=lambda alert: (alert.severity != "error", alert.kind, str(alert.session), alert.key))
    shown = ordered[: settings.lines_per_message]
    lines = []
    for alert in shown:
        where = (
            f" · {alert.session}|{alert.sector}" if alert.session else (f" · {alert.sector}" if alert.sector else "")
        )
        lines.append(f"{alert.severity.upper()} {TITLES[alert.kind]}{where}: {alert.what}")
        lines.append(f"  do: {alert.remedy}")
        if alert.path:
            lines.append(f"  see: {settings.ui_url.rstrip('/')}{alert.path}")
    if len(ordered) > len(shown):
        lines.append(f"and {len(ordered) - len(shown)} more: {list_command}")
    over = sorted(resolved, key=lambda alert: alert.key)
    lines += [f"OVER {TITLES[alert.kind]}: {alert.what}" for alert in over[: settings.lines_per_message]]
    if len(over) > settings.lines_per_message:
        lines.append(f"and {len(over) - settings.lines_per_message} more are over")
    parts = []
    if opened:
        kinds = sorted({TITLES[alert.kind] for alert in opened})
        parts.append(f"{len(opened)} × {kinds[0]}" if len(kinds) == 1 else f"{len(opened)} alerts")
    if resolved:
        parts.append(f"{len(resolved)} over")
    return AlertMessage("pairs platform: " + ", ".join(parts), "\n".join(lines))


def may_send(sent: Sequence[datetime], now: datetime, settings: AlertSettings) -> bool:
    """Whether one more message may be made at `now`, after those of the last hour."""
    return sum(moment > now - timedelta(hours=1) for moment in sent) < settings.messages_per_hour


def next_attempt(now: datetime, attempts: int, settings: AlertSettings) -> datetime:
    """When a delivery that has failed `attempts` times, at least once, is tried again."""
    wait = min(settings.first_retry_seconds * 2.0 ** min(attempts - 1, 40), settings.longest_retry_seconds)
    return now + timedelta(seconds=wait)
