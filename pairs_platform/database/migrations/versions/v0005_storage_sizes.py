"""How large every part of the state was."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "storage_sizes",
        sa.Column("session", sa.Date, primary_key=True, comment="newest one that had closed"),
        sa.Column("part", sa.String(80), primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("measured_utc", Moment, nullable=False),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("storage_sizes")
