"""What the pages of the models show: results of the workflows as tables, pictures and figures.

What does not belong here: computing anything that they show (`core.models`, `workflows`).
"""

from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.defs.metadata import page, picture, rows_table, table
from pairs_platform.settings.model import Settings
from pairs_platform.views.mlflow_pages import run_page

if TYPE_CHECKING:
    import pandas as pd

    from pairs_platform.core.models.gru.tuning import TuningResult
    from pairs_platform.workflows.features import StoredFeatures
    from pairs_platform.workflows.model_tables import RecordedTraining
    from pairs_platform.workflows.promotion import PromotionOutcome, ShadowEvaluation
    from pairs_platform.workflows.training import StoredTraining

MODEL_COLUMNS = ["pair", "status", "lift", "lift_low", "lift_high", "skill", "f1", "f1_always", "roc_auc", "best_epoch"]


def feature_metadata(stored: "StoredFeatures") -> dict[str, Any]:
    """Of one partition of `pair_features`."""
    features = stored.tables.features
    labels = features.groupby("part")["label"].agg(["count", "mean"]).reset_index()
    return {
        **stored.provenance,
        "dagster/row_count": len(features),
        "statuses": stored.tables.scaling["status"].value_counts().to_dict(),
        "purge_bars": stored.tables.purge_bars,
        "overnight_labels": float(features["overnight"].mean()) if len(features) else 0.0,
        "labels": table(labels.rename(columns={"count": "labels", "mean": "share that reverts"})),
        "megabytes": stored.size_bytes / 1e6,
    }


def mlflow_run(settings: Settings, run_id: str) -> dg.MetadataValue:
    """A run of MLflow as a link to its page, or as its id where no server shows it."""
    address = run_page(settings, run_id)
    return dg.MetadataValue.text(run_id) if address is None else dg.MetadataValue.url(address)


def training_metadata(stored: "StoredTraining", settings: Settings) -> dict[str, Any]:
    """Of one partition of `gru_models`."""
    result, tracked = stored.result, stored.tracked
    return {
        **stored.provenance,
        "dagster/row_count": len(result.rows),
        "model_version": tracked.version.version if tracked.version else None,
        "mlflow_run": mlflow_run(settings, tracked.run_id),
        "scope": f"{result.choice.scope}: {result.choice.scope_reason}",
        "statuses": result.rows["status"].value_counts().to_dict(),
        "seconds": result.training.seconds,
        "registry_megabytes": stored.registry_bytes / 1e6,
        "pooled": {name: value for name, value in result.pooled.items() if value is not None},
        "report": table(result.report.table()),
        "best_models": _models_by(result.rows, "lift"),
        **{f"plot_{name}": picture(png, name) for name, png in result.pictures.items()},
    }


def table_results(recorded: "RecordedTraining", settings: Settings) -> list[dg.MaterializeResult]:
    """Of the three assets of the performance tables."""
    head = {"source": recorded.source, "mlflow_run": mlflow_run(settings, recorded.run_id)}
    n_judged = int((recorded.rows["status"] == "ok").sum())
    pages: dict[str, dict[str, Any]] = {
        "model_performance": {
            "dagster/row_count": len(recorded.rows),
            "rows_of_7_sessions": recorded.n_recent_rows,
            "performance": table(recorded.rows[MODEL_COLUMNS]),
        },
        "model_rankings": {
            "dagster/row_count": n_judged,
            "by_lift": _models_by(recorded.rows, "lift"),
            "by_f1": _models_by(recorded.rows, "f1"),
        },
        "model_trends": {"dagster/row_count": n_judged, "best_over_30_sessions": table(recorded.best_pairs)},
    }
    return [dg.MaterializeResult(asset_key=name, metadata=page(name, head | own)) for name, own in pages.items()]


def shadow_metadata(evaluation: "ShadowEvaluation") -> dict[str, Any]:
    """Of one partition of `shadow_losses`."""
    losses = evaluation.losses
    sums = losses.groupby("alias")[["n_labels", "loss", "base_loss", "baseline_loss"]].sum().reset_index()
    return {
        "source": evaluation.source,
        **evaluation.versions,
        "dagster/row_count": len(losses),
        "losses": table(sums),
    }


def promotion_metadata(outcome: "PromotionOutcome", session: date) -> dict[str, Any]:
    """Of one partition of `champion_model`."""
    if outcome.decided_until is not None:
        return {
            "source": outcome.source,
            "decision": f"sessions up to {outcome.decided_until} are decided; {session} changes nothing",
            "decisions": 0,
        }
    changes = outcome.changes
    decisions = [
        f"{change.action} {change.version_after or change.version_before}: {change.reason}" for change in changes
    ]
    rows = [(change.action, change.alias, change.version_after, change.reason) for change in changes]
    return {
        "source": outcome.source,
        "decision": "; ".join(decisions) or "nothing changes",
        "decisions": len(changes),
        "champion": outcome.champion or "none",
        "changes": rows_table(["action", "alias", "version_after", "reason"], rows, rows=10),
    }


def tuning_metadata(result: "TuningResult") -> dict[str, Any]:
    """Of one partition of `gru_tuning`."""
    return {**result.document(), "trials_table": table(result.trials)}


def _models_by(rows: "pd.DataFrame", metric: str) -> dg.MetadataValue:
    """The judged models, best first."""
    judged = rows[rows["status"] == "ok"]
    return table(judged.sort_values(metric, ascending=False)[MODEL_COLUMNS])
