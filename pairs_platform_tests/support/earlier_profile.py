"""Profiles as the version before the glossary's names made them: a database with schema 0005, and a lake."""

import sqlalchemy as sa
from alembic import command

from pairs_platform.database.store import Database

SCHEMA = "0005"
ROLES = ("selected", "pinned", "watched", "left")

_TRAINING = """
INSERT INTO model_training (run_id, run_name, dagster_run_id, sector, session, model_version, strategy, strategy_reason,
    full_baseline, n_candidates, n_trained, n_failed, n_pairs, seconds, triggers, trained_utc)
VALUES ('run', 'name', 'dagster', 'technology', '2023-03-08', 1, 'all', 'by default', TRUE, 2, 1, 1, 1, 12.5, '{}',
    '2023-03-09 11:00:00.000000')
"""
_PERFORMANCE = """
INSERT INTO model_performance (run_id, pair, sector, session, status, lift)
VALUES ('run', 'A_B', 'technology', '2023-03-08', 'ok', 0.002)
"""
_RANKING = """
INSERT INTO model_rankings (session, sector, pair, rank_by_lift, rank_by_f1, lift, run_id)
VALUES ('2023-03-08', 'technology', 'A_B', 1, 1, 0.002, 'run')
"""
_DECISION = """
INSERT INTO model_decisions (decided_utc, sector, session, action, reason, figures, actor)
VALUES ('2023-03-09 11:00:00.000000', 'technology', '2023-03-08', 'keep', 'no better one', '{}', 'test')
"""
_SIGNAL = """
INSERT INTO signals (feed, sector, session, bucket_utc, pair, role, action, reason, y, x, z, position, bars_held,
    blocked, late, config_session, config_hash, decided_market_utc, decided_utc, run_id)
VALUES ('replay', 'technology', '2023-03-09', '2023-03-09 14:30:00.000000', :pair, :role, 'hold', '', 'A', 'B', 1.5, 0,
    0, FALSE, FALSE, '2023-03-08', 'hash', '2023-03-09 14:35:00.000000', '2023-03-09 14:35:00.000000', 'run')
"""
_ALERT = """
INSERT INTO alerts (key, kind, severity, what, remedy, path, opened_utc, seen_utc, times, told, told_over)
VALUES ('key', 'silent', 'error', 'what', 'remedy', '/path', '2023-03-09 11:00:00.000000',
    '2023-03-09 11:00:00.000000', 2, TRUE, FALSE)
"""
_SIZE = """
INSERT INTO storage_sizes (session, part, bytes, measured_utc)
VALUES ('2023-03-08', :part, 7, '2023-03-09 11:00:00.000000')
"""


def make_earlier_database(database: Database) -> None:
    """Make the tables of schema 0005, with a row or two in each that changes its names."""
    with database._migrating() as config:
        command.upgrade(config, SCHEMA)
    engine = sa.create_engine(database._url)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO ledger_profile VALUES (:profile)"), {"profile": database.profile})
        for statement in (_TRAINING, _PERFORMANCE, _RANKING, _DECISION, _ALERT):
            connection.execute(sa.text(statement))
        for role in ROLES:
            connection.execute(sa.text(_SIGNAL), {"pair": f"{role}_X", "role": role})
        for part in ("ledger.db", "ledger/signals", "lake/garch_fits"):
            connection.execute(sa.text(_SIZE), {"part": part})
    engine.dispose()
