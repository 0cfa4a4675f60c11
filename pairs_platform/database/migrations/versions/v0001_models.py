"""Trainings, performance, rankings, trends and decisions of the models."""

import sqlalchemy as sa
from alembic import op

from pairs_platform.database.tables import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PERFORMANCE = (
    "correlation", "base_rate", "f1", "f1_always", "accuracy", "accuracy_always", "mcc", "roc_auc", "pr_auc",
    "log_loss", "log_loss_base", "log_loss_baseline", "brier", "calibration_error", "skill", "skill_low", "skill_high",
    "skill_p", "skill_q", "lift", "lift_low", "lift_high", "lift_p", "lift_seed_sd", "threshold",
)  # fmt: skip
POOLED = (
    "skill", "skill_low", "skill_high", "skill_p", "lift", "lift_low", "lift_high", "lift_p", "log_loss",
    "log_loss_baseline",
)  # fmt: skip
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


def _floats(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Float(53)) for name in names]


def _training_key() -> sa.ForeignKey:
    return sa.ForeignKey("model_training.run_id", ondelete="CASCADE")


def upgrade() -> None:
    """Make the five tables, the profile's claim and the view."""
    op.create_table("ledger_profile", sa.Column("profile", sa.String(80), primary_key=True))
    op.create_table(
        "model_training",
        sa.Column("run_id", sa.String(80), primary_key=True, comment="MLflow run of the training"),
        sa.Column("run_name", sa.String(200), nullable=False),
        sa.Column("dagster_run_id", sa.String(80), nullable=False),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False),
        sa.Column("model_version", sa.Integer, comment="null when no pair could be trained"),
        sa.Column("strategy", sa.String(20), nullable=False),
        sa.Column("strategy_reason", sa.String(400), nullable=False),
        sa.Column("full_baseline", sa.Boolean, nullable=False),
        *[sa.Column(name, sa.Integer, nullable=False) for name in ("n_candidates", "n_trained", "n_failed", "n_pairs")],
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("registry_bytes", sa.BigInteger),
        *_floats(*POOLED),
        sa.Column("triggers", sa.Text, nullable=False, comment="JSON: name and words of what asks for attention"),
        sa.Column("trained_utc", Moment, nullable=False),
        sa.CheckConstraint("n_trained <= n_candidates", name=op.f("ck_model_training_trained_are_candidates")),
    )
    op.create_index("ix_model_training_sector_session", "model_training", ["sector", "session"])
    op.create_table(
        "model_performance",
        sa.Column("run_id", sa.String(80), _training_key(), primary_key=True, comment="MLflow run of the training"),
        sa.Column("pair", sa.String(30), primary_key=True),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False),
        sa.Column("model_run_id", sa.String(80), comment="MLflow run of the pair; null where it was not trained"),
        sa.Column("run_name", sa.String(200)),
        sa.Column("status", sa.String(30), nullable=False),
        sa.Column("reason", sa.Text),
        *_floats(*PERFORMANCE),
        *[
            sa.Column(name, sa.Integer)
            for name in ("n_train", "n_validation", "n_test", "n_overnight", "best_epoch", "epochs")
        ],
        sa.Column("baseline", sa.String(20)),
    )
    op.create_index("ix_model_performance_sector_pair_session", "model_performance", ["sector", "pair", "session"])
    op.create_table(
        "model_rankings",
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("sector", sa.String(40), primary_key=True),
        sa.Column("pair", sa.String(30), primary_key=True),
        sa.Column("rank_by_lift", sa.Integer, nullable=False),
        sa.Column("rank_by_f1", sa.Integer, nullable=False),
        *_floats("lift", "f1", "skill"),
        sa.Column("run_id", sa.String(80), _training_key(), nullable=False),
        sa.CheckConstraint(
            "rank_by_lift >= 1 AND rank_by_f1 >= 1", name=op.f("ck_model_rankings_ranks_count_from_one")
        ),
    )
    op.create_table(
        "model_trends",
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("sector", sa.String(40), primary_key=True),
        sa.Column("pair", sa.String(30), primary_key=True),
        *_floats("lift_7", "lift_30", "f1_7", "f1_30"),
        sa.Column("n_7", sa.Integer, nullable=False),
        sa.Column("n_30", sa.Integer, nullable=False),
        *_floats("best_lift", "best_f1"),
        sa.Column("best_lift_session", sa.Date),
        sa.Column("n_trainings", sa.Integer, nullable=False),
    )
    op.create_table(
        "model_decisions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("decided_utc", Moment, nullable=False),
        sa.Column("sector", sa.String(40), nullable=False),
        sa.Column("session", sa.Date, nullable=False, comment="newest session that the decision knows"),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("alias", sa.String(20)),
        sa.Column("version_before", sa.Integer),
        sa.Column("version_after", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("figures", sa.Text, nullable=False, comment="JSON"),
        sa.Column("actor", sa.String(80), nullable=False),
    )
    op.create_index("ix_model_decisions_sector_session", "model_decisions", ["sector", "session"])
    op.execute(VIEW)


def downgrade() -> None:
    """Remove all of it."""
    op.execute("DROP VIEW current_best_models")
    for table in (
        "model_decisions", "model_trends", "model_rankings", "model_performance", "model_training", "ledger_profile",
    ):  # fmt: skip
        op.drop_table(table)
