"""The audit log, and tables whose rows are only ever added."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("model_decisions", "audit_log")


def upgrade() -> None:
    """Make the table, and the triggers of both."""
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at_utc", Moment, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False, comment="a person as user@host, or a part of the platform"),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("sector", sa.String(40)),
        sa.Column("session", sa.Date),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, comment="JSON"),
        sa.Column("process", sa.String(120), nullable=False, comment="host and process id"),
        sa.Column("run_id", sa.String(80), comment="Dagster's"),
    )
    op.create_index("ix_audit_log_action_at_utc", "audit_log", ["action", "at_utc"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION rows_are_only_added() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME; END $$"
        )
    for table in TABLES:
        for statement in _triggers(table):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION rows_are_only_added() CASCADE")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER model_decisions_no_{verb}")
    op.drop_table("audit_log")


def _triggers(table: str) -> list[str]:
    if op.get_bind().dialect.name == "postgresql":
        return [
            f"CREATE TRIGGER {table}_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION rows_are_only_added()"
        ]
    return [
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
        for verb in ("update", "delete")
    ]
