"""Names of tables, columns and values follow the glossary; no figure changes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = {
    ("signals", "feed"): "run_mode",
    ("signals", "bucket_utc"): "bar_utc",
    ("model_training", "strategy"): "scope",
    ("model_training", "strategy_reason"): "scope_reason",
    ("model_training", "full_baseline"): "full_retrain",
    ("alerts", "told"): "reported",
    ("alerts", "told_over"): "resolution_reported",
}
ROLES = {"watched": "watchlist", "left": "closing"}
PARTS = {"ledger.db": "database.db", "ledger/": "database/"}
"""Beginnings of the parts in `storage_sizes`."""

COMMENTS = {
    ("model_training", "triggers"): "JSON: name and message of what asks for attention",
    ("signals", "bar_utc"): "start of the bar at whose close it was decided",
    ("signals", "role"): "selected, pinned, watchlist, or closing: no longer configured",
    ("signals", "late"): "decided when a later bar was complete",
    ("alerts", "reported"): "whether a message reports it",
    ("alerts", "resolution_reported"): "whether a message reports that it is resolved",
    ("storage_sizes", "session"): "newest session that had closed",
}
EARLIER_COMMENTS = {
    ("model_training", "triggers"): "JSON: name and words of what asks for attention",
    ("signals", "bucket_utc"): "start of the bucket at whose close it was decided",
    ("signals", "role"): "selected, pinned, watched, or left: no longer configured",
    ("signals", "late"): "decided when a later bucket was complete",
    ("alerts", "told"): "whether a message has it",
    ("alerts", "told_over"): "whether a message has that it is over",
    ("storage_sizes", "session"): "newest one that had closed",
}
VIEW = """
CREATE VIEW current_best_models AS
SELECT r.sector, r.session, r.pair, r.rank_by_lift, r.rank_by_f1, r.lift, p.lift_low, p.lift_high, r.skill, r.f1,
       p.f1_always, p.roc_auc, p.log_loss, t.model_version, p.model_run_id, p.run_name
FROM model_rankings r
JOIN (SELECT sector, MAX(session) AS session FROM model_rankings GROUP BY sector) newest
  ON newest.sector = r.sector AND newest.session = r.session
JOIN model_performance p ON p.run_id = r.run_id AND p.pair = r.pair
JOIN model_training t ON t.run_id = r.run_id
"""


def upgrade() -> None:
    """Rename."""
    op.execute("DROP VIEW current_best_models")
    _move_profile("ledger_profile", "database_profile")
    for (table, column), name in COLUMNS.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO {name}")
    _replace_values(ROLES, PARTS)
    _comment(COMMENTS)
    op.execute(VIEW)


def downgrade() -> None:
    """Give the earlier names back."""
    op.execute("DROP VIEW current_best_models")
    _move_profile("database_profile", "ledger_profile")
    for (table, column), name in COLUMNS.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {name} TO {column}")
    _replace_values({new: old for old, new in ROLES.items()}, {new: old for old, new in PARTS.items()})
    _comment(EARLIER_COMMENTS)
    op.execute(VIEW)


def _move_profile(old: str, new: str) -> None:
    op.create_table(new, sa.Column("profile", sa.String(80), primary_key=True))
    op.execute(f"INSERT INTO {new} SELECT profile FROM {old}")
    op.drop_table(old)


def _replace_values(roles: dict[str, str], parts: dict[str, str]) -> None:
    for old, new in roles.items():
        op.execute(f"UPDATE signals SET role = '{new}' WHERE role = '{old}'")
    for old, new in parts.items():
        op.execute(
            f"UPDATE storage_sizes SET part = '{new}' || substr(part, {len(old) + 1}) "
            f"WHERE substr(part, 1, {len(old)}) = '{old}'"
        )


def _comment(comments: dict[tuple[str, str], str]) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps none
        for (table, column), text in comments.items():
            op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{text}'")
