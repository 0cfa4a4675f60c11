"""Alerts and their messages."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("remedy", sa.Text, nullable=False),
        sa.Column("sector", sa.String(40)),
        sa.Column("session", sa.Date),
        sa.Column("path", sa.String(300), nullable=False, comment="of the page in the UI"),
        sa.Column("opened_utc", Moment, nullable=False),
        sa.Column("seen_utc", Moment, nullable=False),
        sa.Column("times", sa.Integer, nullable=False, comment="how often it was seen"),
        sa.Column("resolved_utc", Moment),
        sa.Column("told", sa.Boolean, nullable=False, comment="whether a message has it"),
        sa.Column("told_over", sa.Boolean, nullable=False, comment="whether a message has that it is over"),
    )
    op.create_index(
        "uq_alerts_open_key",
        "alerts",
        ["key"],
        unique=True,
        sqlite_where=sa.text("resolved_utc IS NULL"),
        postgresql_where=sa.text("resolved_utc IS NULL"),
    )
    op.create_table(
        "alert_messages",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("target", sa.String(80), nullable=False, comment="receiver: kind and digest of its URL"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_utc", Moment, nullable=False),
        sa.Column("sent_utc", Moment),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_utc", Moment, nullable=False, comment="not tried before"),
        sa.Column("error", sa.Text, nullable=False, comment="of the last attempt"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("alert_messages")
    op.drop_table("alerts")
