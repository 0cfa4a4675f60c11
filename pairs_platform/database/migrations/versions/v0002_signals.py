"""Trading signals."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBERS = (
    "beta", "spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence", "size",
)  # fmt: skip


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "signals",
        sa.Column("feed", sa.String(10), primary_key=True, comment="live or replay"),
        sa.Column("sector", sa.String(40), primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("bucket_utc", Moment, primary_key=True, comment="start of the bucket at whose close it was decided"),
        sa.Column("pair", sa.String(30), primary_key=True),
        sa.Column(
            "role", sa.String(10), nullable=False, comment="selected, pinned, watched, or left: no longer configured"
        ),
        sa.Column("action", sa.String(15), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, comment="why it is skipped; empty where it is not"),
        sa.Column("y", sa.String(12), nullable=False),
        sa.Column("x", sa.String(12), nullable=False),
        *[sa.Column(name, sa.Float(53)) for name in NUMBERS],
        sa.Column("champion_version", sa.Integer),
        sa.Column("challenger_version", sa.Integer),
        sa.Column("position", sa.Integer, nullable=False, comment="before the fill: 1 long, -1 short the spread"),
        sa.Column("bars_held", sa.Integer, nullable=False),
        sa.Column("blocked", sa.Boolean, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False, comment="decided when a later bucket was complete"),
        sa.Column("config_session", sa.Date, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("data_utc", Moment, comment="start of the newest bar of the leg whose newest bar is older"),
        sa.Column("decided_market_utc", Moment, nullable=False),
        sa.Column("decided_utc", Moment, nullable=False),
        sa.Column("run_id", sa.String(80), nullable=False),
        sa.CheckConstraint("position IN (-1, 0, 1)", name=op.f("ck_signals_position_is_a_side")),
        sa.CheckConstraint(
            "action IN ('enter_long', 'enter_short', 'exit', 'stop', 'hold', 'skip')",
            name=op.f("ck_signals_action_is_known"),
        ),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("signals")
