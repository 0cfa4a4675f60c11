"""Alerts and messages in the database: raised once, reported once, sent until it succeeds.

What does not belong here: what an alert is and how it is said (`core.operations.alerts`), and sending
(`adapters.notify.apprise_notifier`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pairs_platform.core.masking import masked
from pairs_platform.core.operations.alerts import Alert, AlertSettings, OpenAlert, compose, may_send, next_attempt
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.store import Database
from pairs_platform.database.tables import ALERT_MESSAGES, ALERTS, OPEN

CLAIM = timedelta(minutes=5)
"""For so long a message belongs to the process that took it to send it."""

_FIELDS = ("key", "kind", "severity", "what", "remedy", "sector", "session", "path")
_KEPT = (*_FIELDS, "id", "opened_utc", "seen_utc", "times", "resolved_utc")


@dataclass(frozen=True)
class Delivery:
    """A message for one receiver.

    Attributes
    ----------
    id : int
    target : str
        Receiver, see `adapters.notify.apprise_notifier`.
    title, body : str
    made_utc : datetime
    attempts : int
        Failed ones so far.
    sent_utc : datetime or None
    error : str
        Of the last attempt.
    """

    id: int
    target: str
    title: str
    body: str
    made_utc: datetime
    attempts: int
    sent_utc: datetime | None
    error: str


def raise_alert(database: Database, alert: Alert, now: datetime) -> None:
    """Open an alert, or note that one which is open was seen again."""
    values = {name: getattr(alert, name) for name in _FIELDS} | {"what": masked(alert.what)}
    with database.begin() as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(ALERTS).values(
            **values, opened_utc=now, seen_utc=now, times=1, reported=False, resolution_reported=False
        )
        again = {"seen_utc": now, "times": ALERTS.c.times + 1, "what": values["what"], "path": alert.path}
        connection.execute(statement.on_conflict_do_update(index_elements=["key"], index_where=OPEN, set_=again))


def resolve_alerts(database: Database, keys: Sequence[str], now: datetime) -> int:
    """Close the open alerts among `keys`; how many there were."""
    if not keys:
        return 0
    condition = ALERTS.c.key.in_(keys) & ALERTS.c.resolved_utc.is_(None)
    with database.begin() as connection:
        return int(connection.execute(sa.update(ALERTS).where(condition).values(resolved_utc=now)).rowcount)


def end_earlier(database: Database, begin: str, sector: str, session: date, now: datetime, *, report: bool) -> int:
    """Close the open alerts about the same in earlier sessions: a later one says how it is now.

    Parameters
    ----------
    begin : str
        Begin of their keys.
    sector : str
    session : date
        Of the later check result.
    report : bool
        Whether their end is reported; not where the later session is no better.

    Returns
    -------
    How many there were.
    """
    condition = (
        ALERTS.c.key.startswith(begin, autoescape=True)
        & (ALERTS.c.sector == sector)
        & (ALERTS.c.session < session)
        & ALERTS.c.resolved_utc.is_(None)
    )
    values = {"resolved_utc": now} if report else {"resolved_utc": now, "resolution_reported": True}
    with database.begin() as connection:
        return int(connection.execute(sa.update(ALERTS).where(condition).values(values)).rowcount)


def close_alert(database: Database, number: int, *, actor: str, reason: str, now: datetime) -> OpenAlert | None:
    """Close an open alert by hand, with a row in the audit; the alert, or None where none of that number is open."""
    with database.begin() as connection:
        alerts = _read(connection, (ALERTS.c.id == number) & ALERTS.c.resolved_utc.is_(None))
        if not alerts:
            return None
        connection.execute(sa.update(ALERTS).where(ALERTS.c.id == number).values(resolved_utc=now))
        what = AuditEntry(
            actor=actor, action="alert_closed", object=alerts[0].key[:200], reason=reason, sector=alerts[0].sector,
            session=alerts[0].session,
        )  # fmt: skip
        record(connection, what)
        return alerts[0]


def open_alerts(database: Database) -> list[OpenAlert]:
    """What is broken, oldest first."""
    return _alerts(database, ALERTS.c.resolved_utc.is_(None))


def recent_alerts(database: Database, since: datetime) -> list[OpenAlert]:
    """What is open, and what was opened or closed since a moment, oldest first."""
    closed = ALERTS.c.resolved_utc
    return _alerts(database, closed.is_(None) | (closed >= since) | (ALERTS.c.opened_utc >= since))


def make_message(
    database: Database, targets: Sequence[str], now: datetime, settings: AlertSettings, *, list_command: str
) -> bool:
    """Put what is not reported yet into one message for every receiver, unless the last hour had enough messages.

    An alert that was closed before anybody heard of it is not reported. `list_command` lists alerts in a terminal.

    Returns
    -------
    Whether a message was made.
    """
    if not targets:
        return False
    unreported = ALERTS.c.reported.is_(False) & ALERTS.c.resolved_utc.is_(None)
    resolved = (
        ALERTS.c.reported.is_(True) & ALERTS.c.resolution_reported.is_(False) & ALERTS.c.resolved_utc.is_not(None)
    )
    made = sa.select(ALERT_MESSAGES.c.made_utc).where(
        (ALERT_MESSAGES.c.target == targets[0]) & (ALERT_MESSAGES.c.made_utc > now - timedelta(hours=1))
    )
    with database.begin() as connection:
        new, closed = (_read(connection, condition) for condition in (unreported, resolved))
        if (not new and not closed) or not may_send(list(connection.scalars(made)), now, settings):
            return False
        message = compose(new, closed, settings, list_command=list_command)
        rows = [
            {
                "target": target, "title": message.title, "body": message.body, "made_utc": now, "sent_utc": None,
                "attempts": 0, "next_utc": now, "error": "",
            }
            for target in targets
        ]  # fmt: skip
        connection.execute(sa.insert(ALERT_MESSAGES), rows)
        _mark(connection, new, {"reported": True})
        _mark(connection, closed, {"resolution_reported": True})
    return True


def due_deliveries(database: Database, targets: Sequence[str], now: datetime) -> list[Delivery]:
    """Messages for these receivers that are to be tried at `now`, oldest first."""
    return _deliveries(database, _unsent(targets) & (ALERT_MESSAGES.c.next_utc <= now))


def claim_delivery(database: Database, delivery: Delivery, now: datetime) -> bool:
    """Take a message to send it; False where another process has it. One that dies with it holds it for a while."""
    mine = (ALERT_MESSAGES.c.id == delivery.id) & ALERT_MESSAGES.c.sent_utc.is_(None)
    due = mine & (ALERT_MESSAGES.c.next_utc <= now)
    with database.begin() as connection:
        taken = connection.execute(sa.update(ALERT_MESSAGES).where(due).values(next_utc=now + CLAIM))
        return int(taken.rowcount) == 1


def failed_deliveries(database: Database, targets: Sequence[str]) -> list[Delivery]:
    """Messages for these receivers that were tried and are not sent, oldest first."""
    return _deliveries(database, _unsent(targets) & (ALERT_MESSAGES.c.attempts > 0))


def note_delivery(database: Database, delivery: Delivery, error: str, now: datetime, settings: AlertSettings) -> None:
    """Note that a message was sent, or why it was not and when it is tried again."""
    if error:
        attempts = delivery.attempts + 1
        values = {"attempts": attempts, "error": error, "next_utc": next_attempt(now, attempts, settings)}
    else:
        values = {"sent_utc": now, "error": ""}
    with database.begin() as connection:
        connection.execute(sa.update(ALERT_MESSAGES).where(ALERT_MESSAGES.c.id == delivery.id).values(values))


def _alerts(database: Database, condition: sa.ColumnElement[bool]) -> list[OpenAlert]:
    with database.begin() as connection:
        return _read(connection, condition)


def _read(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[OpenAlert]:
    statement = sa.select(*(ALERTS.c[name] for name in _KEPT)).where(condition).order_by(ALERTS.c.id)
    return [OpenAlert(**row) for row in connection.execute(statement).mappings()]


def _mark(connection: sa.Connection, alerts: Sequence[OpenAlert], values: dict[str, bool]) -> None:
    ids = [alert.id for alert in alerts]
    connection.execute(sa.update(ALERTS).where(ALERTS.c.id.in_(ids)).values(values))


def _unsent(targets: Sequence[str]) -> sa.ColumnElement[bool]:
    return ALERT_MESSAGES.c.sent_utc.is_(None) & ALERT_MESSAGES.c.target.in_(targets)


def _deliveries(database: Database, condition: sa.ColumnElement[bool]) -> list[Delivery]:
    names = ("id", "target", "title", "body", "made_utc", "attempts", "sent_utc", "error")
    statement = sa.select(*(ALERT_MESSAGES.c[name] for name in names)).where(condition).order_by(ALERT_MESSAGES.c.id)
    with database.begin() as connection:
        return [Delivery(**row) for row in connection.execute(statement).mappings()]
