"""Signals in the database: the signals of a bar of a sector are stored as a whole, once.

What does not belong here: what a signal is (`core.signals.engine`), and the table (`tables`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pairs_platform.core.signals.engine import Signal
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.database.rows import matching, read_rows
from pairs_platform.database.store import Database
from pairs_platform.database.tables import SIGNALS

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = (
    "pair", "role", "action", "reason", "y", "x", "champion_version", "challenger_version", "position", "bars_held",
    "blocked", "late",
)  # fmt: skip
_NUMBERS = (
    "beta", "spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence", "size",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SignalKey:
    """Whose signals: run mode, sector and session."""

    run_mode: str
    sector: str
    session: date


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What the signals of one bar rest on, and when they were decided; moments are aware."""

    config_session: date
    config_hash: str
    decided_market_utc: datetime
    decided_utc: datetime
    run_id: str


def store_signals(database: Database, key: SignalKey, signals: Sequence[Signal], provenance: Provenance) -> bool:
    """Store the signals of one bar in one transaction; False, and nothing is changed, where it has signals.

    Raises
    ------
    DatabaseUnavailable
    """
    rows = [{**vars(key), **vars(provenance), **_values(signal)} for signal in signals]
    try:
        with database.begin() as connection:
            connection.execute(sa.insert(SIGNALS), rows)
    except sa.exc.IntegrityError:
        if rows[0]["bar_utc"] in bars_with_signals(database, key):
            return False
        raise
    return True


def bars_with_signals(database: Database, key: SignalKey) -> set[datetime]:
    """Starts of the bars that have signals, aware."""
    statement = sa.select(SIGNALS.c.bar_utc).where(matching(SIGNALS, vars(key))).distinct()
    with database.begin() as connection:
        return set(connection.scalars(statement))


def signals_at(database: Database, key: SignalKey, bar_utc: datetime) -> dict[str, Signal]:
    """The signals of one bar by pair."""
    statement = sa.select(SIGNALS).where(matching(SIGNALS, vars(key)) & (SIGNALS.c.bar_utc == bar_utc))
    with database.begin() as connection:
        return {row["pair"]: _signal(row) for row in connection.execute(statement).mappings()}


def last_signals(database: Database, key: SignalKey) -> dict[str, Signal]:
    """The signals of the newest bar of a session by pair; empty where it has none."""
    starts = bars_with_signals(database, key)
    return signals_at(database, key, max(starts)) if starts else {}


def last_signal_moment(database: Database, key: SignalKey) -> datetime | None:
    """When the newest signals of a session were decided, by this machine's clock; None where it has none."""
    with database.begin() as connection:
        return connection.scalar(sa.select(sa.func.max(SIGNALS.c.decided_utc)).where(matching(SIGNALS, vars(key))))


def signal_rows(database: Database, key: SignalKey, *, after: datetime | None = None) -> list[dict[str, Any]]:
    """Signals of a session by bar and pair, columns of the table; of the bars after `after`."""
    statement = sa.select(SIGNALS).where(matching(SIGNALS, vars(key))).order_by(SIGNALS.c.bar_utc, SIGNALS.c.pair)
    if after is not None:
        statement = statement.where(SIGNALS.c.bar_utc > after)
    return read_rows(database, statement)


def signal_frame(database: Database, key: SignalKey, *, after: datetime | None = None) -> "pd.DataFrame":
    """`signal_rows` as a frame."""
    import pandas as pd

    return pd.DataFrame(signal_rows(database, key, after=after), columns=[column.name for column in SIGNALS.columns])


def sessions_with_signals(database: Database, run_mode: str, sector: str) -> list[date]:
    """Sessions of a sector that have signals of a run mode, ascending."""
    statement = (
        sa.select(SIGNALS.c.session)
        .where((SIGNALS.c.run_mode == run_mode) & (SIGNALS.c.sector == sector))
        .distinct()
        .order_by(SIGNALS.c.session)
    )
    with database.begin() as connection:
        return list(connection.scalars(statement))


def signals_by_session(database: Database, sector: str) -> dict[date, int]:
    """How many signals of any run mode each session of a sector has, ascending by session."""
    statement = (
        sa.select(SIGNALS.c.session, sa.func.count())
        .where(SIGNALS.c.sector == sector)
        .group_by(SIGNALS.c.session)
        .order_by(SIGNALS.c.session)
    )
    with database.begin() as connection:
        return {session: int(n) for session, n in connection.execute(statement)}


def _values(signal: Signal) -> dict[str, Any]:
    return {
        **{name: getattr(signal, name) for name in _PLAIN},
        **{name: None if math.isnan(getattr(signal, name)) else getattr(signal, name) for name in _NUMBERS},
        "bar_utc": moment_utc(signal.start_ns),
        "data_utc": moment_utc(signal.data_ns) if signal.data_ns else None,
    }


def _signal(row: Mapping[Any, Any]) -> Signal:
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    values |= {name: math.nan if row[name] is None else row[name] for name in _NUMBERS}
    return Signal(
        **values,
        start_ns=moment_ns(row["bar_utc"]),
        data_ns=moment_ns(row["data_utc"]) if row["data_utc"] else 0,
    )
