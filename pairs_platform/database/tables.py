"""Tables and views of the database, as SQLAlchemy Core has them; the migrations make exactly these.

What does not belong here: statements (`models`, `signals`, `alerts`, `audit`, `queries`).
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

SCHEMA = "0006"
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
