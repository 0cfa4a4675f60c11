"""What became of signals that ask for a trade: filled, denied, late or expired.

What does not belong here: the signals (`signals`), and when a signal is denied (`core.risk`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from pairs_platform.core.signals.engine import FILLED_ACTIONS
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.rows import matching, read_rows, storable
from pairs_platform.database.signals import SignalKey
from pairs_platform.database.store import Database
from pairs_platform.database.tables import SIGNAL_KEY, SIGNAL_OUTCOMES, SIGNALS

Outcome = Literal["filled", "denied", "late", "expired"]

_SAME_SIGNAL = sa.and_(*(SIGNALS.c[name] == SIGNAL_OUTCOMES.c[name] for name in SIGNAL_KEY))


@dataclass(frozen=True, kw_only=True)
class SignalOutcome:
    """What became of a signal.

    Attributes
    ----------
    pair : str
    bar_utc : datetime
        Start of its bar.
    outcome : str
        "filled", "denied", "late", or "expired": sent and never filled.
    code : str
        Why it was denied; empty else.
    message : str
    account : str
    spread_order_id : str or None
        The trade that it began or ended.
    """

    pair: str
    bar_utc: datetime
    outcome: Outcome
    code: str = ""
    message: str = ""
    account: str
    spread_order_id: str | None = None


def store_outcomes(database: Database, key: SignalKey, outcomes: Sequence[SignalOutcome], at: StoredAt) -> int:
    """Store outcomes of a session's signals in one transaction; how many were new.

    The first outcome of a signal stays, but for a fill: shares that were filled count, whatever was said before.
    """
    new = 0
    with database.begin_alone() as connection:
        for outcome in outcomes:
            values = vars(outcome) | vars(key)
            values |= {"message": storable(outcome.message), "decided_market_utc": at.market_utc, "decided_utc": at.utc}
            mine = matching(SIGNAL_OUTCOMES, {name: values[name] for name in SIGNAL_KEY})
            stored = connection.scalar(sa.select(SIGNAL_OUTCOMES.c.outcome).where(mine).with_for_update())
            if stored is None:
                connection.execute(sa.insert(SIGNAL_OUTCOMES), values)
            elif outcome.outcome == "filled" and stored != "filled":
                connection.execute(sa.update(SIGNAL_OUTCOMES).where(mine).values(values))
            else:
                continue
            new += 1
    return new


def signals_without_outcome(database: Database, key: SignalKey) -> list[dict[str, Any]]:
    """Signals of a session that ask for a trade and have no outcome, by bar and pair: columns of `signals`."""
    statement = (
        sa.select(SIGNALS)
        .outerjoin(SIGNAL_OUTCOMES, _SAME_SIGNAL)
        .where(SIGNAL_OUTCOMES.c.outcome.is_(None) & SIGNALS.c.action.in_(FILLED_ACTIONS))
        .where(matching(SIGNALS, vars(key)))
        .order_by(SIGNALS.c.bar_utc, SIGNALS.c.pair)
    )
    return read_rows(database, statement)


def denials_of_session(database: Database, run_mode: str, session: date) -> list[str]:
    """Codes of the signals of a session that were denied, of all sectors."""
    table = SIGNAL_OUTCOMES.c
    statement = sa.select(table.code).where(
        (table.run_mode == run_mode) & (table.session == session) & (table.outcome == "denied")
    )
    with database.begin() as connection:
        return [str(code) for code in connection.scalars(statement)]


def outcome_rows(database: Database, key: SignalKey) -> list[dict[str, Any]]:
    """Outcomes of a session's signals by bar and pair: columns of the table, and the signal's `action`."""
    statement = (
        sa.select(SIGNAL_OUTCOMES, SIGNALS.c.action)
        .join(SIGNALS, _SAME_SIGNAL)
        .where(matching(SIGNAL_OUTCOMES, vars(key)))
        .order_by(SIGNAL_OUTCOMES.c.bar_utc, SIGNAL_OUTCOMES.c.pair)
    )
    return read_rows(database, statement)
