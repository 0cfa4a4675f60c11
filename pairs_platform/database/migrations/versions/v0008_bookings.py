"""Trading: what changes shares and cash of an account beside fills."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "bookings",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="in which it was booked"),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("booked_utc", Moment, nullable=False),
        sa.Column("spread_order_id", sa.String(80), nullable=False, comment="empty for cash of the account"),
        sa.Column("symbol", sa.String(40), nullable=False, comment="empty for cash of the account"),
        sa.Column("shares", sa.Integer, nullable=False, comment="signed change"),
        sa.Column("cash", sa.Float(53), nullable=False, comment="above 0 comes in"),
        sa.Column("commission", sa.Float(53), nullable=False),
        sa.Column("recorded_utc", Moment, nullable=False),
        sa.CheckConstraint("kind IN ('borrow', 'dividend', 'split', 'cash')", name=op.f("ck_bookings_kind_is_known")),
    )
    op.create_index("ix_bookings_run_mode_session", "bookings", ["run_mode", "session"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("bookings")
