"""Trading: outcomes of signals, orders of pairs, fills, positions, risk, the kill switch, the paper broker's books."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = (
    "signal_outcomes",
    "spread_orders",
    "orders",
    "fills",
    "positions",
    "equity",
    "risk_events",
    "kill_switch",
    "paper_accounts",
    "paper_orders",
    "paper_fills",
    "paper_bookings",
)
"""In the order in which they are made: each refers to earlier ones alone."""

STATUSES = "'intended', 'unknown', 'working', 'canceling', 'filled', 'canceled', 'expired', 'rejected', 'denied'"


def upgrade() -> None:
    """Make the tables."""
    _outcomes()
    _trades()
    _book()
    _risk()
    _paper()


def downgrade() -> None:
    """Remove them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _outcomes() -> None:
    op.create_table(
        "signal_outcomes",
        sa.Column("run_mode", sa.String(10), primary_key=True),
        sa.Column("sector", sa.String(40), primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("bar_utc", Moment, primary_key=True),
        sa.Column("pair", sa.String(30), primary_key=True),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("code", sa.String(40), nullable=False, comment="of a denial; empty else"),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("spread_order_id", sa.String(80)),
        sa.Column("decided_market_utc", Moment, nullable=False),
        sa.Column("decided_utc", Moment, nullable=False),
        sa.CheckConstraint("outcome <> 'denied' OR code <> ''", name=op.f("ck_signal_outcomes_denied_with_a_code")),
        sa.CheckConstraint(
            "outcome IN ('filled', 'denied', 'late', 'expired')", name=op.f("ck_signal_outcomes_outcome_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["run_mode", "sector", "session", "bar_utc", "pair"],
            ["signals.run_mode", "signals.sector", "signals.session", "signals.bar_utc", "signals.pair"],
            name=op.f("fk_signal_outcomes_run_mode"),
            ondelete="CASCADE",
        ),
    )


def _trades() -> None:
    op.create_table(
        "spread_orders",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("run_mode", sa.String(10), nullable=False, comment="live or replay"),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="of the signal that asked for it"),
        sa.Column("bar_utc", Moment, nullable=False, comment="of the signal that asked for it"),
        sa.Column("pair", sa.String(30), nullable=False),
        sa.Column("y", sa.String(12), nullable=False),
        sa.Column("x", sa.String(12), nullable=False),
        sa.Column("position", sa.Integer, nullable=False, comment="1 long, -1 short the spread"),
        sa.Column("beta", sa.Float(53), nullable=False),
        sa.Column("target_y", sa.Integer, nullable=False, comment="signed shares"),
        sa.Column("target_x", sa.Integer, nullable=False, comment="signed shares"),
        sa.Column("decided_utc", Moment, nullable=False),
        sa.Column("price_y", sa.Float(53), nullable=False, comment="at the decision"),
        sa.Column("price_x", sa.Float(53), nullable=False, comment="at the decision"),
        sa.Column("adjusted_y", sa.Integer, nullable=False, comment="shares that splits added"),
        sa.Column("adjusted_x", sa.Integer, nullable=False, comment="shares that splits added"),
        sa.Column("goal", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, comment="why it is left; empty while it is held"),
        sa.Column("exit_bar_utc", Moment, comment="of the signal that ended it"),
        sa.Column("broken", sa.Text, nullable=False, comment="why it needs a person; empty else"),
        sa.Column("state", sa.String(10), nullable=False, comment="follows from orders and fills; written with them"),
        sa.Column("recorded_utc", Moment, nullable=False),
        sa.Column("changed_utc", Moment, nullable=False),
        sa.Column("ended_utc", Moment, comment="null while it holds or expects something"),
        sa.CheckConstraint("target_y <> 0 AND target_x <> 0", name=op.f("ck_spread_orders_both_legs_have_shares")),
        sa.CheckConstraint("goal IN ('hold', 'close', 'unwind')", name=op.f("ck_spread_orders_goal_is_known")),
        sa.CheckConstraint("position IN (-1, 1)", name=op.f("ck_spread_orders_position_is_a_side")),
        sa.CheckConstraint(
            "state IN ('intended', 'opening', 'open', 'closing', 'closed', 'unwinding', 'flat', 'broken')",
            name=op.f("ck_spread_orders_state_is_known"),
        ),
        sa.UniqueConstraint(
            "account",
            "run_mode",
            "sector",
            "bar_utc",
            "pair",
            name="uq_spread_orders_account_run_mode_sector_bar_utc_pair",
        ),
    )
    op.create_index(
        "ix_spread_orders_account_run_mode_ended_utc", "spread_orders", ["account", "run_mode", "ended_utc"]
    )
    op.create_table(
        "orders",
        sa.Column("client_order_id", sa.String(48), primary_key=True),
        sa.Column("spread_order_id", sa.String(80), nullable=False),
        sa.Column("place", sa.Integer, nullable=False, comment="among the orders of the trade, from 0"),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="in which it was written down"),
        sa.Column("symbol", sa.String(12), nullable=False),
        sa.Column("leg", sa.String(1), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
        sa.Column("limit_price", sa.Float(53), comment="null for a market order"),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("broker_order_id", sa.String(128), nullable=False, comment="empty until the broker has said it"),
        sa.Column("reported_filled", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("intended_utc", Moment, nullable=False),
        sa.Column("arrival_price", sa.Float(53), comment="middle of the quote when it was written down"),
        sa.Column("cancel_requested_utc", Moment),
        sa.Column("recorded_utc", Moment, nullable=False),
        sa.Column("changed_utc", Moment, nullable=False),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_orders_has_shares")),
        sa.CheckConstraint("leg IN ('y', 'x')", name=op.f("ck_orders_leg_is_known")),
        sa.CheckConstraint("purpose IN ('open', 'hedge', 'close', 'flatten')", name=op.f("ck_orders_purpose_is_known")),
        sa.CheckConstraint(
            f"status IN ({STATUSES})",
            name=op.f("ck_orders_status_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["spread_order_id"], ["spread_orders.id"], name=op.f("fk_orders_spread_order_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "spread_order_id", "leg", "purpose", "attempt", name="uq_orders_spread_order_id_leg_purpose_attempt"
        ),
    )
    op.create_index("ix_orders_account_run_mode_status", "orders", ["account", "run_mode", "status"])
    op.create_table(
        "fills",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("execution_id", sa.String(128), primary_key=True, comment="the broker's"),
        sa.Column("client_order_id", sa.String(48), nullable=False),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="in which it was filled"),
        sa.Column("symbol", sa.String(12), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False, comment="shares; the order has the direction"),
        sa.Column("price", sa.Float(53), nullable=False),
        sa.Column("commission", sa.Float(53), nullable=False),
        sa.Column("filled_utc", Moment, nullable=False),
        sa.Column("recorded_utc", Moment, nullable=False),
        sa.CheckConstraint("quantity > 0 AND price > 0 AND commission >= 0", name=op.f("ck_fills_is_an_execution")),
        sa.ForeignKeyConstraint(
            ["client_order_id"], ["orders.client_order_id"], name=op.f("fk_fills_client_order_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_fills_client_order_id", "fills", ["client_order_id"])
    op.create_index("ix_fills_run_mode_session", "fills", ["run_mode", "session"])


def _book() -> None:
    op.create_table(
        "positions",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("run_mode", sa.String(10), primary_key=True),
        sa.Column("at_utc", Moment, primary_key=True, comment="by the market's clock"),
        sa.Column(
            "spread_order_id", sa.String(80), primary_key=True, comment="empty for what no trade of the platform holds"
        ),
        sa.Column("symbol", sa.String(40), primary_key=True),
        sa.Column("sector", sa.String(40)),
        sa.Column("session", sa.Date, nullable=False),
        sa.Column("pair", sa.String(30), nullable=False, comment="empty for what no trade of the platform holds"),
        sa.Column("quantity", sa.Float(53), nullable=False, comment="signed shares"),
        sa.Column("average_price", sa.Float(53)),
        sa.Column("price", sa.Float(53)),
        sa.Column("market_value", sa.Float(53)),
        sa.Column("realized", sa.Float(53)),
        sa.Column("commission", sa.Float(53)),
        sa.Column("borrow", sa.Float(53)),
        sa.Column("dividends", sa.Float(53)),
    )
    op.create_index("ix_positions_run_mode_session", "positions", ["run_mode", "session"])
    op.create_table(
        "equity",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("run_mode", sa.String(10), primary_key=True),
        sa.Column("at_utc", Moment, primary_key=True, comment="by the market's clock"),
        sa.Column("session", sa.Date, nullable=False),
        sa.Column("equity", sa.Float(53), nullable=False),
        sa.Column("cash", sa.Float(53), nullable=False),
        sa.Column("long_value", sa.Float(53), nullable=False),
        sa.Column("short_value", sa.Float(53), nullable=False),
        sa.Column("high_water", sa.Float(53), nullable=False),
        sa.Column("buying_power", sa.Float(53)),
        sa.CheckConstraint("long_value >= 0 AND short_value <= 0", name=op.f("ck_equity_values_have_their_sign")),
    )
    op.create_index("ix_equity_run_mode_session", "equity", ["run_mode", "session"])


def _risk() -> None:
    op.create_table(
        "risk_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at_utc", Moment, nullable=False),
        sa.Column("market_utc", Moment, nullable=False),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("session", sa.Date, nullable=False),
        sa.Column("sector", sa.String(40)),
        sa.Column(
            "kind",
            sa.String(20),
            nullable=False,
            comment="what happened: denial, limit, state, anomaly, reject and others",
        ),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("pair", sa.String(30)),
        sa.Column("symbol", sa.String(40)),
        sa.Column("spread_order_id", sa.String(80)),
        sa.Column("client_order_id", sa.String(128)),
        sa.Column("value", sa.Float(53)),
        sa.Column("bound", sa.Float(53)),
        sa.Column("detail", sa.Text, nullable=False, comment="JSON"),
        sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name=op.f("ck_risk_events_severity_is_known")),
    )
    op.create_index("ix_risk_events_run_mode_session", "risk_events", ["run_mode", "session"])
    op.create_table(
        "kill_switch",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="day in New York on which it was set"),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False, comment="a person as user@host, or a part of the platform"),
        sa.Column("person", sa.Boolean, nullable=False, comment="whether a person set it"),
        sa.Column("set_utc", Moment, nullable=False),
        sa.Column("flat_utc", Moment, comment="when the account was seen to be flat"),
        sa.Column("released_utc", Moment, comment="null while it is in force"),
        sa.Column("released_by", sa.String(120)),
        sa.Column("release_reason", sa.Text),
        sa.CheckConstraint("level IN ('reducing', 'halt', 'flatten')", name=op.f("ck_kill_switch_level_is_known")),
        sa.CheckConstraint(
            "(released_utc IS NULL) = (released_by IS NULL)", name=op.f("ck_kill_switch_released_by_somebody")
        ),
    )
    op.create_index("ix_kill_switch_run_mode_released_utc", "kill_switch", ["run_mode", "released_utc"])


def _paper() -> None:
    op.create_table(
        "paper_accounts",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("run_mode", sa.String(10), nullable=False),
        sa.Column("cash", sa.Float(53), nullable=False),
        sa.Column("last_equity", sa.Float(53), nullable=False),
        sa.Column(
            "positions", sa.Text, nullable=False, comment="JSON: quantity, average price and last price by symbol"
        ),
        sa.Column("booked_session", sa.Date, comment="newest session whose actions and borrowing fees are booked"),
        sa.Column("market_utc", Moment, comment="end of the newest bar"),
        sa.Column("changed_utc", Moment, nullable=False),
    )
    op.create_table(
        "paper_orders",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("client_order_id", sa.String(48), primary_key=True),
        sa.Column("broker_order_id", sa.String(40), nullable=False),
        sa.Column("symbol", sa.String(12), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
        sa.Column("limit_price", sa.Float(53), comment="null for a market order"),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("filled_quantity", sa.Integer, nullable=False),
        sa.Column("average_price", sa.Float(53)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("valid_session", sa.Date, nullable=False),
        sa.Column("submitted_utc", Moment, nullable=False, comment="by the market's clock"),
        sa.Column("updated_utc", Moment, nullable=False, comment="by the market's clock"),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_paper_orders_has_shares")),
        sa.CheckConstraint(
            f"status IN ({STATUSES})",
            name=op.f("ck_paper_orders_status_is_known"),
        ),
        sa.UniqueConstraint("account", "broker_order_id", name="uq_paper_orders_account_broker_order_id"),
    )
    op.create_index("ix_paper_orders_account_submitted_utc", "paper_orders", ["account", "submitted_utc"])
    op.create_table(
        "paper_fills",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("execution_id", sa.String(80), primary_key=True),
        sa.Column("broker_order_id", sa.String(40), nullable=False),
        sa.Column("symbol", sa.String(12), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
        sa.Column("cumulative_quantity", sa.Integer, nullable=False),
        sa.Column("price", sa.Float(53), nullable=False),
        sa.Column("commission", sa.Float(53), nullable=False),
        sa.Column("filled_utc", Moment, nullable=False),
    )
    op.create_index("ix_paper_fills_account_filled_utc", "paper_fills", ["account", "filled_utc"])
    op.create_table(
        "paper_bookings",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("symbol", sa.String(12), primary_key=True),
        sa.Column("quantity", sa.Float(53), nullable=False),
        sa.Column("amount", sa.Float(53), nullable=False),
        sa.CheckConstraint(
            "kind IN ('borrow', 'dividend', 'split', 'cash_in_lieu')", name=op.f("ck_paper_bookings_kind_is_known")
        ),
    )
