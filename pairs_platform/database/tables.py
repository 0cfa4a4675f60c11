"""Tables and views of the database, as SQLAlchemy Core has them; the migrations make exactly these.

What does not belong here: statements (`models`, `signals`, `alerts`, `audit`, `queries`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.models.metrics import DESCRIPTIONS

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
