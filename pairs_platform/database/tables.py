"""Tables and views of the database, as SQLAlchemy Core has them; the migrations make exactly these.

What does not belong here: statements, which have a module for each subject (`models`, `signals`, `spread_orders`, …).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.models.metrics import DESCRIPTIONS

SCHEMA = "0008"
"""Newest version of the schema."""

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

METRICS = (
    "base_rate", "f1", "f1_always", "accuracy", "accuracy_always", "mcc", "roc_auc", "pr_auc", "log_loss",
    "log_loss_base", "log_loss_baseline", "brier", "calibration_error", "skill", "skill_low", "skill_high", "skill_p",
    "skill_q", "lift", "lift_low", "lift_high", "lift_p", "lift_seed_sd", "threshold",
)  # fmt: skip
COUNTS = ("n_train", "n_validation", "n_test", "n_overnight", "best_epoch", "epochs")
POOLED = (
    "skill", "skill_low", "skill_high", "skill_p", "lift", "lift_low", "lift_high", "lift_p", "log_loss",
    "log_loss_baseline",
)  # fmt: skip


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC that is aware on both sides of both databases; SQLite keeps none of the zone by itself."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a moment without a zone, and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Give back an aware moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _floats(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Float(53)) for name in names]


def _name(name: str, length: int = 80, **given: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), **{"nullable": False, **given})


def _describe(table: sa.Table, words: Mapping[str, str]) -> None:
    """Say what each column is, with the unit of a number, for people: no part of the schema."""
    for column in table.columns:
        column.doc = words[column.name]


_SESSION = "Session whose close is the newest data."
_SECTOR = "GICS sector."
_PAIR = "Both symbols in alphabetical order, joined by an underscore."
_TRAINING = "MLflow run of the training."


DATABASE_PROFILE = sa.Table("database_profile", METADATA, _name("profile", primary_key=True))
"""One row: the profile whose figures these are."""

MODEL_TRAINING = sa.Table(
    "model_training",
    METADATA,
    _name("run_id", primary_key=True, comment="MLflow run of the training"),
    _name("run_name", 200),
    _name("dagster_run_id"),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("model_version", sa.Integer, comment="null when no pair could be trained"),
    _name("scope", 20),
    _name("scope_reason", 400),
    sa.Column("full_retrain", sa.Boolean, nullable=False),
    *[sa.Column(name, sa.Integer, nullable=False) for name in ("n_candidates", "n_trained", "n_failed", "n_pairs")],
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("registry_bytes", sa.BigInteger),
    *_floats(*POOLED),
    sa.Column("triggers", sa.Text, nullable=False, comment="JSON: name and message of what asks for attention"),
    sa.Column("trained_utc", Moment, nullable=False),
    sa.CheckConstraint("n_trained <= n_candidates", name="trained_are_candidates"),
    sa.Index(None, "sector", "session"),
)
"""One row for each training of a sector-day."""

MODEL_PERFORMANCE = sa.Table(
    "model_performance",
    METADATA,
    sa.Column(
        "run_id",
        sa.String(80),
        sa.ForeignKey("model_training.run_id", ondelete="CASCADE"),
        primary_key=True,
        comment="MLflow run of the training",
    ),
    _name("pair", 30, primary_key=True),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False),
    _name("model_run_id", nullable=True, comment="MLflow run of the pair; null where it was not trained"),
    _name("run_name", 200, nullable=True),
    _name("status", 30),
    sa.Column("reason", sa.Text),
    *_floats("correlation", *METRICS),
    *[sa.Column(name, sa.Integer) for name in COUNTS],
    _name("baseline", 20, nullable=True),
    sa.Index(None, "sector", "pair", "session"),
)
"""One row for each pair and training."""
_describe(
    MODEL_PERFORMANCE,
    {
        **DESCRIPTIONS,
        "run_id": _TRAINING,
        "pair": _PAIR,
        "sector": _SECTOR,
        "session": _SESSION,
        "model_run_id": "MLflow run of the pair; null where it was not trained.",
        "run_name": "Name of that run.",
        "status": "Whether the pair was trained and judged.",
        "reason": "Why the status is not ok.",
        "baseline": "Simple forecast chosen on validation.",
    },
)

MODEL_RANKINGS = sa.Table(
    "model_rankings",
    METADATA,
    sa.Column("session", sa.Date, primary_key=True),
    _name("sector", 40, primary_key=True),
    _name("pair", 30, primary_key=True),
    sa.Column("rank_by_lift", sa.Integer, nullable=False),
    sa.Column("rank_by_f1", sa.Integer, nullable=False),
    *_floats("lift", "f1", "skill"),
    sa.Column("run_id", sa.String(80), sa.ForeignKey("model_training.run_id", ondelete="CASCADE"), nullable=False),
    sa.CheckConstraint("rank_by_lift >= 1 AND rank_by_f1 >= 1", name="ranks_count_from_one"),
)
"""The models of a sector-day by lift and by F1; those of its newest training."""
_describe(
    MODEL_RANKINGS,
    {
        **DESCRIPTIONS,
        "session": _SESSION,
        "sector": _SECTOR,
        "pair": _PAIR,
        "rank_by_lift": "Place by lift, from 1 [1].",
        "rank_by_f1": "Place by F1, from 1 [1].",
        "run_id": _TRAINING,
    },
)

MODEL_TRENDS = sa.Table(
    "model_trends",
    METADATA,
    sa.Column("session", sa.Date, primary_key=True),
    _name("sector", 40, primary_key=True),
    _name("pair", 30, primary_key=True),
    *_floats("lift_7", "lift_30", "f1_7", "f1_30"),
    sa.Column("n_7", sa.Integer, nullable=False),
    sa.Column("n_30", sa.Integer, nullable=False),
    *_floats("best_lift", "best_f1"),
    sa.Column("best_lift_session", sa.Date),
    sa.Column("n_trainings", sa.Integer, nullable=False),
)
"""Means over the trainings of the last 7 and 30 sessions, the best so far, and how many there were."""
_describe(
    MODEL_TRENDS,
    {
        "session": _SESSION,
        "sector": _SECTOR,
        "pair": _PAIR,
        **{f"lift_{n}": f"Mean lift over the trainings of the last {n} sessions [nats per label]." for n in (7, 30)},
        **{f"f1_{n}": f"Mean F1 over the trainings of the last {n} sessions [1]." for n in (7, 30)},
        **{f"n_{n}": f"Trainings in the last {n} sessions [trainings]." for n in (7, 30)},
        "best_lift": "Largest lift so far [nats per label].",
        "best_f1": "Largest F1 so far [1].",
        "best_lift_session": "Session of the largest lift.",
        "n_trainings": "Trainings so far [trainings].",
    },
)

MODEL_DECISIONS = sa.Table(
    "model_decisions",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("decided_utc", Moment, nullable=False),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False, comment="newest session that the decision knows"),
    _name("action", 40),
    _name("alias", 20, nullable=True),
    sa.Column("version_before", sa.Integer),
    sa.Column("version_after", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False, comment="JSON"),
    _name("actor", 80),
    sa.Index(None, "sector", "session"),
)
"""What became of champion and challenger, by whom and why; rows are only ever added."""
_describe(
    MODEL_DECISIONS,
    {
        "id": "Number of the row [1].",
        "decided_utc": "Moment of the decision, UTC.",
        "sector": _SECTOR,
        "session": "Newest session that the decision knows.",
        "action": "What was done: promote, demote, expire and the like.",
        "alias": "champion or challenger.",
        "version_before": "Registered version before [1].",
        "version_after": "Registered version after [1].",
        "reason": "Why, in words.",
        "figures": "JSON: the figures on which it rests.",
        "actor": "A person as user@host, or the run that decided.",
    },
)

AUDIT_LOG = sa.Table(
    "audit_log",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at_utc", Moment, nullable=False),
    _name("actor", 120, comment="a person as user@host, or a part of the platform"),
    _name("action", 40),
    _name("object", 200),
    _name("sector", 40, nullable=True),
    sa.Column("session", sa.Date),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="JSON"),
    _name("process", 120, comment="host and process id"),
    _name("run_id", 80, nullable=True, comment="Dagster's"),
    sa.Index(None, "action", "at_utc"),
)
"""Who changed what, and why; rows are only ever added."""

ALERTS = sa.Table(
    "alerts",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    _name("key", 300),
    _name("kind", 20),
    _name("severity", 10),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("remedy", sa.Text, nullable=False),
    _name("sector", 40, nullable=True),
    sa.Column("session", sa.Date),
    _name("path", 300, comment="of the page in the UI"),
    sa.Column("opened_utc", Moment, nullable=False),
    sa.Column("seen_utc", Moment, nullable=False),
    sa.Column("times", sa.Integer, nullable=False, comment="how often it was seen"),
    sa.Column("resolved_utc", Moment),
    sa.Column("reported", sa.Boolean, nullable=False, comment="whether a message reports it"),
    sa.Column(
        "resolution_reported", sa.Boolean, nullable=False, comment="whether a message reports that it is resolved"
    ),
)
OPEN = sa.text("resolved_utc IS NULL")
sa.Index("uq_alerts_open_key", ALERTS.c.key, unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
"""A problem is open once."""

ALERT_MESSAGES = sa.Table(
    "alert_messages",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    _name("target", 80, comment="receiver: kind and digest of its URL"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("made_utc", Moment, nullable=False),
    sa.Column("sent_utc", Moment),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_utc", Moment, nullable=False, comment="not tried before"),
    sa.Column("error", sa.Text, nullable=False, comment="of the last attempt"),
)
"""What was or is to be sent, a row for each receiver."""

STORAGE_SIZES = sa.Table(
    "storage_sizes",
    METADATA,
    sa.Column("session", sa.Date, primary_key=True, comment="newest session that had closed"),
    _name("part", 80, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("measured_utc", Moment, nullable=False),
)
"""How large every part of the state was."""
_describe(
    STORAGE_SIZES,
    {
        "session": "Newest session that had closed.",
        "part": "Part of the state: a table, models, the database, logs.",
        "bytes": "Size of the part [bytes].",
        "measured_utc": "Moment of the measurement, UTC.",
    },
)

APPEND_ONLY = ("model_decisions", "audit_log")
"""Tables whose rows nobody changes or removes: triggers see to it."""

SIGNALS = sa.Table(
    "signals",
    METADATA,
    _name("run_mode", 10, primary_key=True, comment="live or replay"),
    _name("sector", 40, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("bar_utc", Moment, primary_key=True, comment="start of the bar at whose close it was decided"),
    _name("pair", 30, primary_key=True),
    _name("role", 10, comment="selected, pinned, watchlist, or closing: no longer configured"),
    _name("action", 15),
    sa.Column("reason", sa.Text, nullable=False, comment="why it is skipped; empty where it is not"),
    _name("y", 12),
    _name("x", 12),
    *_floats(
        "beta", "spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence",
        "size",
    ),
    sa.Column("champion_version", sa.Integer),
    sa.Column("challenger_version", sa.Integer),
    sa.Column("position", sa.Integer, nullable=False, comment="before the fill: 1 long, -1 short the spread"),
    sa.Column("bars_held", sa.Integer, nullable=False),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False, comment="decided when a later bar was complete"),
    sa.Column("config_session", sa.Date, nullable=False),
    _name("config_hash", 64),
    sa.Column("data_utc", Moment, comment="start of the newest bar of the leg whose newest bar is older"),
    sa.Column("decided_market_utc", Moment, nullable=False),
    sa.Column("decided_utc", Moment, nullable=False),
    _name("run_id"),
    sa.CheckConstraint("position IN (-1, 0, 1)", name="position_is_a_side"),
    sa.CheckConstraint(
        "action IN ('enter_long', 'enter_short', 'exit', 'stop', 'hold', 'skip')", name="action_is_known"
    ),
)  # fmt: skip
"""What was decided about every configured pair at every bar; the signals of a bar are stored as a whole, once."""
_describe(
    SIGNALS,
    {
        "run_mode": "live or replay.",
        "sector": _SECTOR,
        "session": "Session under way.",
        "bar_utc": "Start of the bar at whose close it was decided, UTC.",
        "pair": _PAIR,
        "role": "selected, pinned, watchlist, or closing: no longer configured.",
        "action": "What to do.",
        "reason": "Why it is skipped; empty where it is not.",
        "y": "Dependent leg of the spread.",
        "x": "Explanatory leg of the spread.",
        "beta": "Hedge ratio: ln x for one ln y in the spread [1].",
        "spread": "Spread at the close [ln US dollars].",
        "z": "Distance of the spread from its mean [σ].",
        "band": "Distance at which the dynamic stop lies [ln US dollars].",
        "volatility": "GARCH volatility of the next bar [ln US dollars].",
        "probability_champion": "Probability of a reversion by the champion [1].",
        "probability_challenger": "Probability of a reversion by the challenger [1].",
        "confidence": "Confidence in the action, from 0 to 1 [1].",
        "size": "Share of a full position [1].",
        "champion_version": "Registered version of the champion [1].",
        "challenger_version": "Registered version of the challenger [1].",
        "position": "Position before the fill: 1 long, -1 short the spread [1].",
        "bars_held": "Age of the position [bars].",
        "blocked": "Whether a stop forbids a new entry.",
        "late": "Whether a later bar was complete when it was decided.",
        "config_session": "Session of the configuration.",
        "config_hash": "Content hash of the configuration.",
        "data_utc": "Start of the newest bar of the leg whose newest bar is older, UTC.",
        "decided_market_utc": "Moment of the decision by the market's clock, UTC.",
        "decided_utc": "Moment of the decision, UTC.",
        "run_id": "Dagster's run.",
    },
)

SIGNAL_KEY = ("run_mode", "sector", "session", "bar_utc", "pair")

SIGNAL_OUTCOMES = sa.Table(
    "signal_outcomes",
    METADATA,
    _name("run_mode", 10, primary_key=True),
    _name("sector", 40, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("bar_utc", Moment, primary_key=True),
    _name("pair", 30, primary_key=True),
    _name("outcome", 10),
    _name("code", 40, comment="of a denial; empty else"),
    sa.Column("message", sa.Text, nullable=False),
    _name("account", 80),
    _name("spread_order_id", nullable=True),
    sa.Column("decided_market_utc", Moment, nullable=False),
    sa.Column("decided_utc", Moment, nullable=False),
    sa.ForeignKeyConstraint(SIGNAL_KEY, [f"signals.{name}" for name in SIGNAL_KEY], ondelete="CASCADE"),
    sa.CheckConstraint("outcome IN ('filled', 'denied', 'late', 'expired')", name="outcome_is_known"),
    sa.CheckConstraint("outcome <> 'denied' OR code <> ''", name="denied_with_a_code"),
)
"""What became of every signal that asks for a trade; a table of its own, because a stored signal never changes."""
_describe(
    SIGNAL_OUTCOMES,
    {
        "run_mode": "live or replay.",
        "sector": _SECTOR,
        "session": "Session of the signal.",
        "bar_utc": "Start of the signal's bar, UTC.",
        "pair": _PAIR,
        "outcome": "filled, denied, late, or expired: sent and never filled.",
        "code": "Why it was denied, as a code; empty else.",
        "message": "Why, in words.",
        "account": "Account with the broker.",
        "spread_order_id": "The pair's trade that it began or ended.",
        "decided_market_utc": "Moment of the outcome by the market's clock, UTC.",
        "decided_utc": "Moment of the outcome, UTC.",
    },
)

GOALS = ("hold", "close", "unwind")
SPREAD_STATES = ("intended", "opening", "open", "closing", "closed", "unwinding", "flat", "broken")
ORDER_STATUSES = (
    "intended", "unknown", "working", "canceling", "filled", "canceled", "expired", "rejected", "denied",
)  # fmt: skip


def _one_of(column: str, values: tuple[str, ...], name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=name)


SPREAD_ORDERS = sa.Table(
    "spread_orders",
    METADATA,
    _name("id", primary_key=True),
    _name("account", 80),
    _name("run_mode", 10, comment="live or replay"),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False, comment="of the signal that asked for it"),
    sa.Column("bar_utc", Moment, nullable=False, comment="of the signal that asked for it"),
    _name("pair", 30),
    _name("y", 12),
    _name("x", 12),
    sa.Column("position", sa.Integer, nullable=False, comment="1 long, -1 short the spread"),
    sa.Column("beta", sa.Float(53), nullable=False),
    sa.Column("target_y", sa.Integer, nullable=False, comment="signed shares"),
    sa.Column("target_x", sa.Integer, nullable=False, comment="signed shares"),
    sa.Column("decided_utc", Moment, nullable=False),
    sa.Column("price_y", sa.Float(53), nullable=False, comment="at the decision"),
    sa.Column("price_x", sa.Float(53), nullable=False, comment="at the decision"),
    sa.Column("adjusted_y", sa.Integer, nullable=False, comment="shares that splits added"),
    sa.Column("adjusted_x", sa.Integer, nullable=False, comment="shares that splits added"),
    _name("goal", 10),
    sa.Column("reason", sa.Text, nullable=False, comment="why it is left; empty while it is held"),
    sa.Column("exit_bar_utc", Moment, comment="of the signal that ended it"),
    sa.Column("broken", sa.Text, nullable=False, comment="why it needs a person; empty else"),
    _name("state", 10, comment="follows from orders and fills; written with them"),
    sa.Column("recorded_utc", Moment, nullable=False),
    sa.Column("changed_utc", Moment, nullable=False),
    sa.Column("ended_utc", Moment, comment="null while it holds or expects something"),
    sa.UniqueConstraint(
        "account", "run_mode", "sector", "bar_utc", "pair", name="uq_spread_orders_account_run_mode_sector_bar_utc_pair"
    ),
    sa.CheckConstraint("position IN (-1, 1)", name="position_is_a_side"),
    sa.CheckConstraint("target_y <> 0 AND target_x <> 0", name="both_legs_have_shares"),
    _one_of("goal", GOALS, "goal_is_known"),
    _one_of("state", SPREAD_STATES, "state_is_known"),
    sa.Index(None, "account", "run_mode", "ended_utc"),
)
"""A pair's trade from its intent to its end, both legs as one; a signal begins one trade at most."""
_describe(
    SPREAD_ORDERS,
    {
        "id": "Name of the trade.",
        "account": "Account with the broker.",
        "run_mode": "live or replay.",
        "sector": _SECTOR,
        "session": "Session of the signal that asked for it.",
        "bar_utc": "Start of the bar of the signal that asked for it, UTC.",
        "pair": _PAIR,
        "y": "Dependent leg of the spread.",
        "x": "Explanatory leg of the spread.",
        "position": "1 long, -1 short the spread [1].",
        "beta": "Hedge ratio for the whole life of the trade: dollars of x against one of y [1].",
        "target_y": "Shares of y to hold; below 0 short [shares].",
        "target_x": "Shares of x to hold; below 0 short [shares].",
        "goal": "hold, close as the rule says, or unwind: leave at once.",
        "decided_utc": "Moment at which it was decided, UTC.",
        "price_y": "Price of y at the decision [US dollars].",
        "price_x": "Price of x at the decision [US dollars].",
        "adjusted_y": "Shares of y that splits added to what was filled [shares].",
        "adjusted_x": "Shares of x that splits added to what was filled [shares].",
        "reason": "Why it is left; empty while it is held.",
        "exit_bar_utc": "Start of the bar of the signal that ended it, UTC.",
        "broken": "Why only a person can say what is to be done; empty else.",
        "state": "Where it stands, as orders and fills show.",
        "recorded_utc": "Moment at which it was stored, before anything was sent, UTC.",
        "changed_utc": "Moment of its last change, UTC.",
        "ended_utc": "Moment since which it holds and expects nothing, UTC.",
    },
)

ORDERS = sa.Table(
    "orders",
    METADATA,
    _name("client_order_id", 48, primary_key=True),
    sa.Column("spread_order_id", sa.String(80), sa.ForeignKey("spread_orders.id", ondelete="CASCADE"), nullable=False),
    sa.Column("place", sa.Integer, nullable=False, comment="among the orders of the trade, from 0"),
    _name("account", 80),
    _name("run_mode", 10),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False, comment="in which it was written down"),
    _name("symbol", 12),
    _name("leg", 1),
    _name("purpose", 10),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
    sa.Column("limit_price", sa.Float(53), comment="null for a market order"),
    _name("status", 10),
    _name("broker_order_id", 128, comment="empty until the broker has said it"),
    sa.Column("reported_filled", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("intended_utc", Moment, nullable=False),
    sa.Column("arrival_price", sa.Float(53), comment="middle of the quote when it was written down"),
    sa.Column("cancel_requested_utc", Moment),
    sa.Column("recorded_utc", Moment, nullable=False),
    sa.Column("changed_utc", Moment, nullable=False),
    sa.UniqueConstraint(
        "spread_order_id", "leg", "purpose", "attempt", name="uq_orders_spread_order_id_leg_purpose_attempt"
    ),
    sa.CheckConstraint("quantity <> 0", name="has_shares"),
    sa.CheckConstraint("leg IN ('y', 'x')", name="leg_is_known"),
    sa.CheckConstraint("purpose IN ('open', 'hedge', 'close', 'flatten')", name="purpose_is_known"),
    _one_of("status", ORDER_STATUSES, "status_is_known"),
    sa.Index(None, "account", "run_mode", "status"),
)
"""Every order, written down before it is sent."""
_describe(
    ORDERS,
    {
        "client_order_id": "The platform's id of the order, unique for ever.",
        "spread_order_id": "The pair's trade that it belongs to.",
        "place": "Place among the orders of the trade, from 0 [1].",
        "account": "Account with the broker.",
        "run_mode": "live or replay.",
        "sector": _SECTOR,
        "session": "Session in which it was written down.",
        "symbol": "What is bought or sold.",
        "leg": "y or x.",
        "purpose": "open, hedge, close or flatten.",
        "attempt": "Number of the attempt, from 1 [1].",
        "quantity": "Shares; above 0 bought, below 0 sold [shares].",
        "limit_price": "Limit; null for a market order [US dollars].",
        "status": "Where it stands.",
        "broker_order_id": "The broker's id; empty until it has said it.",
        "reported_filled": "Most shares that a report said were filled [shares].",
        "reason": "Why it was denied, rejected or canceled.",
        "intended_utc": "Moment from which its time-out counts, UTC.",
        "arrival_price": "Middle of the quote when it was written down; null without a quote [US dollars].",
        "cancel_requested_utc": "Moment at which the broker was last asked to cancel it, UTC.",
        "recorded_utc": "Moment at which it was stored, before it was sent, UTC.",
        "changed_utc": "Moment of its last change, UTC.",
    },
)

FILLS = sa.Table(
    "fills",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("execution_id", 128, primary_key=True, comment="the broker's"),
    sa.Column(
        "client_order_id", sa.String(48), sa.ForeignKey("orders.client_order_id", ondelete="CASCADE"), nullable=False
    ),
    _name("run_mode", 10),
    _name("sector", 40),
    sa.Column("session", sa.Date, nullable=False, comment="in which it was filled"),
    _name("symbol", 12),
    sa.Column("quantity", sa.Integer, nullable=False, comment="shares; the order has the direction"),
    sa.Column("price", sa.Float(53), nullable=False),
    sa.Column("commission", sa.Float(53), nullable=False),
    sa.Column("filled_utc", Moment, nullable=False),
    sa.Column("recorded_utc", Moment, nullable=False),
    sa.CheckConstraint("quantity > 0 AND price > 0 AND commission >= 0", name="is_an_execution"),
    sa.Index(None, "client_order_id"),
    sa.Index(None, "run_mode", "session"),
)
"""Every execution, once."""
_describe(
    FILLS,
    {
        "account": "Account with the broker.",
        "execution_id": "The broker's id of the execution.",
        "client_order_id": "The order that was filled.",
        "run_mode": "live or replay.",
        "sector": _SECTOR,
        "session": "Session in which it was filled.",
        "symbol": "What was bought or sold.",
        "quantity": "Shares, above 0; the order has the direction [shares].",
        "price": "Price of a share [US dollars].",
        "commission": "Commission and fees of the execution [US dollars].",
        "filled_utc": "Moment of the execution, UTC.",
        "recorded_utc": "Moment at which it was stored, UTC.",
    },
)

BOOKINGS = sa.Table(
    "bookings",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("id", 200, primary_key=True),
    _name("run_mode", 10),
    sa.Column("session", sa.Date, nullable=False, comment="in which it was booked"),
    _name("kind", 10),
    sa.Column("booked_utc", Moment, nullable=False),
    _name("spread_order_id", comment="empty for cash of the account"),
    _name("symbol", 40, comment="empty for cash of the account"),
    sa.Column("shares", sa.Integer, nullable=False, comment="signed change"),
    sa.Column("cash", sa.Float(53), nullable=False, comment="above 0 comes in"),
    sa.Column("commission", sa.Float(53), nullable=False),
    sa.Column("recorded_utc", Moment, nullable=False),
    sa.CheckConstraint("kind IN ('borrow', 'dividend', 'split', 'cash')", name="kind_is_known"),
    sa.Index(None, "run_mode", "session"),
)
"""What changed shares or cash beside fills, each event once; with the fills they are the whole account."""
_describe(
    BOOKINGS,
    {
        "account": "Account with the broker.",
        "id": "Name of the event: the same however it became known.",
        "run_mode": "live or replay.",
        "session": "Session in which it was booked.",
        "kind": "borrow, dividend, split, or cash of the account.",
        "booked_utc": "Moment of the event, UTC.",
        "spread_order_id": "The pair's trade that it concerns; empty for cash of the account.",
        "symbol": "Symbol that it concerns; empty for cash of the account.",
        "shares": "Change of the shares [shares].",
        "cash": "Cash; above 0 comes in [US dollars].",
        "commission": "Fees that go out beside [US dollars].",
        "recorded_utc": "Moment at which it was stored, UTC.",
    },
)

POSITIONS = sa.Table(
    "positions",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("run_mode", 10, primary_key=True),
    sa.Column("at_utc", Moment, primary_key=True, comment="by the market's clock"),
    _name("spread_order_id", primary_key=True, comment="empty for what no trade of the platform holds"),
    _name("symbol", 40, primary_key=True),
    _name("sector", 40, nullable=True),
    sa.Column("session", sa.Date, nullable=False),
    _name("pair", 30, comment="empty for what no trade of the platform holds"),
    sa.Column("quantity", sa.Float(53), nullable=False, comment="signed shares"),
    *_floats("average_price", "price", "market_value", "realized", "commission", "borrow", "dividends"),
    sa.Index(None, "run_mode", "session"),
)
"""What was held at a moment: a row for each leg of each trade, and for each symbol that no trade holds.

The sum over a symbol is what the broker has.
"""
_describe(
    POSITIONS,
    {
        "account": "Account with the broker.",
        "run_mode": "live or replay.",
        "at_utc": "Moment of the snapshot by the market's clock, UTC.",
        "spread_order_id": "The pair's trade that holds it; empty where none does.",
        "symbol": "What is held.",
        "sector": "GICS sector of the trade.",
        "session": "Session of the snapshot.",
        "pair": "Pair of the trade; empty where none holds it.",
        "quantity": "Shares; below 0 short [shares].",
        "average_price": "Mean price at which they came [US dollars].",
        "price": "Price by which they are valued [US dollars].",
        "market_value": "Value; below 0 short [US dollars].",
        "realized": "Gains of shares that were given back, since the trade began [US dollars].",
        "commission": "Commissions since the trade began [US dollars].",
        "borrow": "Fees for borrowed shares since the trade began [US dollars].",
        "dividends": "Dividends since the trade began; below 0 paid for a short [US dollars].",
    },
)

EQUITY = sa.Table(
    "equity",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("run_mode", 10, primary_key=True),
    sa.Column("at_utc", Moment, primary_key=True, comment="by the market's clock"),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("equity", sa.Float(53), nullable=False),
    sa.Column("cash", sa.Float(53), nullable=False),
    sa.Column("long_value", sa.Float(53), nullable=False),
    sa.Column("short_value", sa.Float(53), nullable=False),
    sa.Column("high_water", sa.Float(53), nullable=False),
    *_floats("buying_power"),
    sa.CheckConstraint("long_value >= 0 AND short_value <= 0", name="values_have_their_sign"),
    sa.Index(None, "run_mode", "session"),
)
"""What the account was worth at a moment."""
_describe(
    EQUITY,
    {
        "account": "Account with the broker.",
        "run_mode": "live or replay.",
        "at_utc": "Moment of the snapshot by the market's clock, UTC.",
        "session": "Session of the snapshot.",
        "equity": "Cash and positions [US dollars].",
        "cash": "Cash, with the proceeds of shorts [US dollars].",
        "long_value": "Value of long positions [US dollars].",
        "short_value": "Value of short positions, 0 or below [US dollars].",
        "high_water": "Largest equity so far [US dollars].",
        "buying_power": "What the broker lets be bought; null where it does not say [US dollars].",
    },
)

RISK_EVENTS = sa.Table(
    "risk_events",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at_utc", Moment, nullable=False),
    sa.Column("market_utc", Moment, nullable=False),
    _name("account", 80),
    _name("run_mode", 10),
    sa.Column("session", sa.Date, nullable=False),
    _name("sector", 40, nullable=True),
    _name("kind", 20, comment="what happened: denial, limit, state, anomaly, reject and others"),
    _name("code", 40),
    _name("severity", 10),
    sa.Column("message", sa.Text, nullable=False),
    _name("pair", 30, nullable=True),
    _name("symbol", 40, nullable=True),
    _name("spread_order_id", nullable=True),
    _name("client_order_id", 128, nullable=True),
    *_floats("value", "bound"),
    sa.Column("detail", sa.Text, nullable=False, comment="JSON"),
    sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name="severity_is_known"),
    sa.Index(None, "run_mode", "session"),
)
"""What risk refused, limited or noticed, in the order in which it happened."""
_describe(
    RISK_EVENTS,
    {
        "id": "Number of the row [1].",
        "at_utc": "Moment of the event, UTC.",
        "market_utc": "The same by the market's clock, UTC.",
        "account": "Account with the broker.",
        "run_mode": "live or replay.",
        "session": "Session under way.",
        "sector": "GICS sector, where it concerns one.",
        "kind": "What happened: denial, limit, state, anomaly, reject and others.",
        "code": "Which check or limit.",
        "severity": "info, warning or error.",
        "message": "What happened, in words.",
        "pair": "Pair that it concerns.",
        "symbol": "Symbol that it concerns.",
        "spread_order_id": "The pair's trade that it concerns.",
        "client_order_id": "The order that it concerns.",
        "value": "Value that was judged, in the unit of its bound.",
        "bound": "Bound by which it was judged.",
        "detail": "JSON: further figures.",
    },
)

KILL_SWITCH = sa.Table(
    "kill_switch",
    METADATA,
    _name("id", 40, primary_key=True),
    _name("run_mode", 10),
    sa.Column("session", sa.Date, nullable=False, comment="day in New York on which it was set"),
    _name("level", 10),
    sa.Column("reason", sa.Text, nullable=False),
    _name("actor", 120, comment="a person as user@host, or a part of the platform"),
    sa.Column("person", sa.Boolean, nullable=False, comment="whether a person set it"),
    sa.Column("set_utc", Moment, nullable=False),
    sa.Column("flat_utc", Moment, comment="when the account was seen to be flat"),
    sa.Column("released_utc", Moment, comment="null while it is in force"),
    _name("released_by", 120, nullable=True),
    sa.Column("release_reason", sa.Text),
    sa.CheckConstraint("level IN ('reducing', 'halt', 'flatten')", name="level_is_known"),
    sa.CheckConstraint("(released_utc IS NULL) = (released_by IS NULL)", name="released_by_somebody"),
    sa.Index(None, "run_mode", "released_utc"),
)
"""Every time the kill switch was set, and who released it; of those in force the strictest counts."""
_describe(
    KILL_SWITCH,
    {
        "id": "Name of the row.",
        "run_mode": "live or replay.",
        "session": "Day in New York on which it was set.",
        "level": "reducing, halt or flatten.",
        "reason": "Why it was set.",
        "actor": "A person as user@host, or a part of the platform.",
        "person": "Whether a person set it, and not a limit.",
        "set_utc": "Moment at which it was set, UTC.",
        "flat_utc": "Moment at which the account was seen to be flat, UTC; null before.",
        "released_utc": "Moment at which a person released it, UTC; null while it is in force.",
        "released_by": "The person.",
        "release_reason": "Why it was released.",
    },
)

PAPER_ACCOUNTS = sa.Table(
    "paper_accounts",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("run_mode", 10),
    sa.Column("cash", sa.Float(53), nullable=False),
    sa.Column("last_equity", sa.Float(53), nullable=False),
    sa.Column("positions", sa.Text, nullable=False, comment="JSON: quantity, average price and last price by symbol"),
    sa.Column("booked_session", sa.Date, comment="newest session whose actions and borrowing fees are booked"),
    sa.Column("market_utc", Moment, comment="end of the newest bar"),
    sa.Column("changed_utc", Moment, nullable=False),
)
"""Accounts of the internal paper broker: its own books, as another broker has them in its house."""
_describe(
    PAPER_ACCOUNTS,
    {
        "account": "Name of the account.",
        "run_mode": "live or replay.",
        "cash": "Cash, with the proceeds of shorts [US dollars].",
        "last_equity": "Equity at the close of the session before [US dollars].",
        "positions": "JSON: by symbol shares, mean price and last price [shares, US dollars].",
        "booked_session": "Newest session whose corporate actions and borrowing fees are booked.",
        "market_utc": "End of the newest bar, UTC.",
        "changed_utc": "Moment of its last change, UTC.",
    },
)

PAPER_ORDERS = sa.Table(
    "paper_orders",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("client_order_id", 48, primary_key=True),
    _name("broker_order_id", 40),
    _name("symbol", 12),
    sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
    sa.Column("limit_price", sa.Float(53), comment="null for a market order"),
    _name("status", 10),
    sa.Column("filled_quantity", sa.Integer, nullable=False),
    sa.Column("average_price", sa.Float(53)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("valid_session", sa.Date, nullable=False),
    sa.Column("submitted_utc", Moment, nullable=False, comment="by the market's clock"),
    sa.Column("updated_utc", Moment, nullable=False, comment="by the market's clock"),
    sa.UniqueConstraint("account", "broker_order_id", name="uq_paper_orders_account_broker_order_id"),
    sa.CheckConstraint("quantity <> 0", name="has_shares"),
    _one_of("status", ORDER_STATUSES, "status_is_known"),
    sa.Index(None, "account", "submitted_utc"),
)
"""Orders as the internal paper broker has them."""
_describe(
    PAPER_ORDERS,
    {
        "account": "Name of the account.",
        "client_order_id": "Id with which it was sent.",
        "broker_order_id": "The paper broker's id.",
        "symbol": "What is bought or sold.",
        "quantity": "Shares; above 0 bought, below 0 sold [shares].",
        "limit_price": "Limit; null for a market order [US dollars].",
        "status": "Where it stands.",
        "filled_quantity": "Filled shares [shares].",
        "average_price": "Mean price of the filled shares [US dollars].",
        "reason": "Why it was canceled or has expired.",
        "valid_session": "Session at whose end it expires.",
        "submitted_utc": "Moment at which it came, by the market's clock, UTC.",
        "updated_utc": "Moment of its last change, by the market's clock, UTC.",
    },
)

PAPER_FILLS = sa.Table(
    "paper_fills",
    METADATA,
    _name("account", 80, primary_key=True),
    _name("execution_id", 80, primary_key=True),
    _name("broker_order_id", 40),
    _name("symbol", 12),
    sa.Column("quantity", sa.Integer, nullable=False, comment="signed shares"),
    sa.Column("cumulative_quantity", sa.Integer, nullable=False),
    sa.Column("price", sa.Float(53), nullable=False),
    sa.Column("commission", sa.Float(53), nullable=False),
    sa.Column("filled_utc", Moment, nullable=False),
    sa.Index(None, "account", "filled_utc"),
)
"""Executions of the internal paper broker."""
_describe(
    PAPER_FILLS,
    {
        "account": "Name of the account.",
        "execution_id": "The paper broker's id of the execution.",
        "broker_order_id": "The paper broker's id of the order.",
        "symbol": "What was bought or sold.",
        "quantity": "Shares; above 0 bought, below 0 sold [shares].",
        "cumulative_quantity": "Shares of the order that are filled with it [shares].",
        "price": "Price of a share [US dollars].",
        "commission": "Cost of the fill by the cost settings [US dollars].",
        "filled_utc": "Start of the bar at whose open it was filled, UTC.",
    },
)

PAPER_BOOKINGS = sa.Table(
    "paper_bookings",
    METADATA,
    _name("account", 80, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    _name("kind", 20, primary_key=True),
    _name("symbol", 12, primary_key=True),
    sa.Column("quantity", sa.Float(53), nullable=False),
    sa.Column("amount", sa.Float(53), nullable=False),
    sa.CheckConstraint("kind IN ('borrow', 'dividend', 'split', 'cash_in_lieu')", name="kind_is_known"),
)
"""What the internal paper broker booked beside fills, once for each session."""
_describe(
    PAPER_BOOKINGS,
    {
        "account": "Name of the account.",
        "session": "Session before whose open it was booked.",
        "kind": "borrow, dividend, split or cash_in_lieu.",
        "symbol": "Symbol whose position it concerns.",
        "quantity": "Shares that were held, after a split those that were added [shares].",
        "amount": "Cash; below 0 paid [US dollars].",
    },
)

CURRENT_BEST_MODELS = """
CREATE VIEW current_best_models AS
SELECT r.sector, r.session, r.pair, r.rank_by_lift, r.rank_by_f1, r.lift, p.lift_low, p.lift_high, r.skill, r.f1,
       p.f1_always, p.roc_auc, p.log_loss, t.model_version, p.model_run_id, p.run_name
FROM model_rankings r
JOIN (SELECT sector, MAX(session) AS session FROM model_rankings GROUP BY sector) newest
  ON newest.sector = r.sector AND newest.session = r.session
JOIN model_performance p ON p.run_id = r.run_id AND p.pair = r.pair
JOIN model_training t ON t.run_id = r.run_id
"""
"""The ranked models of each sector's newest session."""
VIEWS = {"current_best_models": CURRENT_BEST_MODELS}
