"""What the assets of the models do with one partition: read, call `core.gru`, track, store.

What does not belong here: rules and numerics (`core.gru`), and Dagster's declarations (`assets`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd

from pairs_platform import __version__
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.calendar import session_offset, sessions_between
from pairs_platform.defs.metadata import picture, table
from pairs_platform.lake.atomic import replace_file
from pairs_platform.lake.files import LakePath, read_file
from pairs_platform.platform import Platform
from pairs_platform.views.drawing import plots

if TYPE_CHECKING:
    from pairs_platform.core.models.gru.training import Progress, TrainedPair
    from pairs_platform.core.models.pair_choice import TrainingHistory
    from pairs_platform.core.models.promotion import Candidate

TUNING = "gru_tuning"
"""Name of the document with the best settings of a study."""

SHOWN = ("pair", "status", "lift", "lift_low", "lift_high", "skill", "f1", "f1_always", "roc_auc", "best_epoch")


def settings_of_run(platform: Platform, key: PartitionKey, choice: Mapping[str, Any]) -> GruSettings:
    """The settings of one training: the configuration, the newest tuning up to its session, what the run asks for."""
    settings = platform.settings.gru
    tuned = [day for day in tuned_sessions(platform, key.sector) if day <= key.session]
    if tuned:
        best = platform.lake.read_document(TUNING, PartitionKey(tuned[-1], key.sector))["best"]
        settings = settings.model_copy(update={"network": settings.network.model_copy(update=best)})
    if choice.get("n_seeds") is not None:
        settings = settings.model_copy(
            update={"training": settings.training.model_copy(update={"n_seeds": choice["n_seeds"]})}
        )
    return GruSettings.model_validate(settings.model_dump())


def tuned_sessions(platform: Platform, sector: str) -> list[date]:
    """Sessions with a document of tuned settings, ascending."""
    return platform.lake.document_sessions(TUNING, sector)


@dataclass(frozen=True)
class ChunkFiles:
    """Finished chunks of one training as files (`training.Checkpoint`); other data or settings have other names."""

    folder: Path
    fingerprint: str

    def load(self, pairs: Sequence[str]) -> "list[TrainedPair] | None":
        """The stored outcome of a chunk, None where there is none."""
        from pairs_platform.core.models.gru.training import chunk_from_bytes

        path = self._path(pairs)
        return chunk_from_bytes(path.read_bytes()) if path.is_file() else None

    def save(self, pairs: Sequence[str], trained: "Sequence[TrainedPair]") -> None:
        """Store the outcome of a chunk."""
        from pairs_platform.core.models.gru.training import chunk_to_bytes

        replace_file(self._path(pairs), chunk_to_bytes(trained))

    def clear(self) -> None:
        """Remove the chunks of this training and of older attempts at it."""
        for path in self.folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)

    def _path(self, pairs: Sequence[str]) -> Path:
        name = hashlib.sha256(f"{self.fingerprint}|{'|'.join(pairs)}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.safetensors"


def training_history(platform: Platform, sector: str) -> "TrainingHistory":
    """Past trainings of a sector and the lifts of their pairs, from the database."""
    from pairs_platform.core.models.pair_choice import TrainingHistory
    from pairs_platform.database.models import read_performance, read_trainings

    trainings = read_trainings(platform.database, sector)
    performance = read_performance(platform.database, sector)
    judged = performance[performance["status"] == "ok"] if len(performance) else performance
    return TrainingHistory(
        trainings=trainings[["session", "full_baseline", "seconds"]],
        lifts=judged[["session", "pair", "lift"]],
    )


def train_partition(
    context: dg.AssetExecutionContext, platform: Platform, key: PartitionKey, choice: Mapping[str, Any]
) -> dict[str, Any]:
    """Train, judge, track and store one sector-day; the metadata of its page."""
    from pairs_platform.core.models.bundle import SectorBundle
    from pairs_platform.core.models.contracts import (
        FEATURE_FITS,
        FEATURE_SCALING,
        GRU_FORECASTS,
        GRU_MODELS,
        PAIR_FEATURES,
        datasets_of,
    )
    from pairs_platform.core.models.pair_choice import choose_pairs, training_triggers
    from pairs_platform.core.models.report import sector_report
    from pairs_platform.core.models.sector_training import first_test_session, pooled_figures, train_sector
    from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
    from pairs_platform.core.selection.contracts import PAIR_SCORES
    from pairs_platform.core.volatility.contracts import GARCH_FITS
    from pairs_platform.ports.model_registry import TrainingRecord

    lake = platform.lake
    settings = settings_of_run(platform, key, choice)
    features, scaling, fits = (lake.read(one, key) for one in (PAIR_FEATURES, FEATURE_SCALING, FEATURE_FITS))
    datasets, plan = datasets_of(features, scaling, fits)
    history = training_history(platform, key.sector)
    test_begins = first_test_session(datasets, plan) or key.session
    chosen = choose_pairs(
        [one.pair for one in datasets if one.status == "ok"], history, session=key.session, test_begins=test_begins,
        settings=settings, full_baseline=bool(choice.get("full_baseline")),
    )  # fmt: skip
    context.log.info(f"{key}: {len(chosen.pairs)} of {len(datasets)} pairs are trained ({chosen.reason})")
    files = ChunkFiles(
        platform.settings.profile_root / "training" / key.sector / key.session.isoformat(),
        _fingerprint(lake.path(PAIR_FEATURES.table, key), settings),
    )

    def tell(progress: "Progress") -> None:
        context.log.info(
            f"training {key}: chunk {progress.chunk} of {progress.chunks}, epoch {progress.epoch} of at most "
            f"{progress.max_epochs}, {progress.pairs_active} of {progress.pairs} pairs active, at most "
            f"{progress.seconds_left:.0f} s left"
        )

    with platform.compute_backend() as backend:
        training = train_sector(
            datasets, chosen.pairs, plan, settings=settings, listener=tell, checkpoint=files, backend=backend
        )
    facts = lake.metadata(PAIR_FEATURES, key)
    basis = f"corr_{platform.settings.correlation.basis}"
    correlations = lake.read(CORRELATION_MATRIX, key, ["pair", basis]).set_index("pair")[basis]
    rows = training.rows.assign(correlation=training.rows["pair"].map(correlations.to_dict()))
    pooled = pooled_figures(training.pooled)
    folds = _walk_forward(platform, key, settings, choice) if choice.get("walk_forward_folds") else None
    report = sector_report(rows, pooled=pooled, seconds=training.seconds, folds=folds)
    pictures = _pictures(rows, training)
    bundle = None
    if training.models:
        bundle = SectorBundle(
            sector=key.sector,
            source_label=str(facts["source"]),
            code_version=__version__,
            dagster_run_id=context.run.run_id,
            first_session=date.fromisoformat(str(facts["first_session"])),
            session=key.session,
            frequency=platform.settings.frequency,
            label=settings.label.kind,
            sequence_length=settings.network.sequence_length,
            bars_per_session=int(facts["bars_per_session"]),
            pairs=training.models,
        )
    scores = lake.read(PAIR_SCORES, key)
    tracked = platform.registry.log_training(
        TrainingRecord(
            sector=key.sector,
            session=key.session,
            dagster_run_id=context.run.run_id,
            trained_utc=platform.clock(),
            params={
                **{f"network.{name}": value for name, value in settings.network.model_dump().items()},
                **{f"label.{name}": value for name, value in settings.label.model_dump().items()},
                "strategy": chosen.strategy,
                "seed": settings.training.seed,
                "n_seeds": settings.training.n_seeds,
                "source": facts["source"],
                "first_session": facts["first_session"],
            },
            pooled={
                name: value for name, value in {**pooled, "seconds": training.seconds}.items() if value is not None
            },
            pairs=rows,
            tables={
                "curves": training.curves,
                "forecasts": training.forecasts,
                "garch_fits": lake.read(GARCH_FITS, key),
                "pair_scores": scores,
                "report": report.table(),
            },
            pictures=pictures,
            bundle=bundle,
        )
    )
    rows["model_run_id"] = [tracked.pair_runs.get(pair, (None, None))[0] for pair in rows["pair"]]
    rows["run_name"] = [tracked.pair_runs.get(pair, (None, None))[1] for pair in rows["pair"]]
    registry_bytes = platform.registry.storage_bytes()
    statuses = rows["status"].value_counts()
    n_trained = int(statuses.get("ok", 0))
    own = pd.DataFrame(
        {"session": [key.session], "full_baseline": [chosen.full_baseline], "seconds": [training.seconds]}
    )
    past = history.before(key.session)
    lifts = rows.loc[rows["status"] == "ok", ["pair", "lift"]].assign(session=key.session)
    seen = replace(
        past,
        trainings=pd.concat([past.trainings, own]) if len(past.trainings) else own,
        lifts=pd.concat([past.lifts, lifts]) if len(past.lifts) else lifts,
    )
    record = {
        "run_id": tracked.run_id,
        "run_name": tracked.run_name,
        "dagster_run_id": context.run.run_id,
        "model_version": tracked.version.version if tracked.version else None,
        "strategy": chosen.strategy,
        "strategy_reason": chosen.reason[:400],
        "full_baseline": chosen.full_baseline,
        "n_candidates": len(rows),
        "n_trained": n_trained,
        "n_failed": int(statuses.get("failed", 0)),
        "n_pairs": n_trained,
        "seconds": training.seconds,
        "registry_bytes": registry_bytes,
        "triggers": training_triggers(
            seen, len(sessions_between(test_begins, key.session)), registry_bytes=registry_bytes, settings=settings
        ),
        "trained_utc": platform.clock().isoformat(),
        **{name: value for name, value in pooled.items() if name not in ("n_pairs", "n_labels", "n_sessions")},
    }
    stored = {**facts, "training": record, "report": report.document()}
    lake.write(GRU_FORECASTS, key, training.forecasts, stored)
    lake.write(GRU_MODELS, key, GRU_MODELS.frame(rows), stored)
    files.clear()
    best = rows[rows["status"] == "ok"].sort_values("lift", ascending=False)
    return {
        **facts,
        "dagster/row_count": len(rows),
        "model_version": record["model_version"],
        "mlflow_run": tracked.run_id,
        "strategy": f"{chosen.strategy}: {chosen.reason}",
        "statuses": statuses.to_dict(),
        "seconds": training.seconds,
        "registry_megabytes": registry_bytes / 1e6,
        "pooled": {name: value for name, value in pooled.items() if value is not None},
        "report": table(report.table()),
        "best_models": table(best[list(SHOWN)]),
        **{name: picture(png, name) for name, png in pictures.items()},
    }


def _fingerprint(features: LakePath, settings: GruSettings) -> str:
    """Changes with the stored features and with every setting that training obeys."""
    digest = hashlib.sha256(read_file(features))
    digest.update(settings.model_dump_json().encode())
    digest.update(__version__.encode())
    return digest.hexdigest()


def _pictures(rows: pd.DataFrame, training: Any) -> dict[str, bytes]:
    judged = rows[rows["status"] == "ok"]
    if judged.empty:
        return {}
    return {
        "reliability": plots.reliability_diagram(
            training.forecasts["probability"].to_numpy(), training.forecasts["label"].to_numpy()
        ),
        "lift": plots.lift_distribution(judged["lift"].to_numpy(), judged["lift_low"].to_numpy(), list(judged["pair"])),
        "learning_curves": plots.learning_curves(training.curves),
    }


def _walk_forward(
    platform: Platform, key: PartitionKey, settings: GruSettings, choice: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Pooled figures of models trained on the first part of the window and judged on the stretch behind it."""
    from pairs_platform.core.models.sector_training import walk_forward_figures
    from pairs_platform.views.windows import load_window, past_correlation_gate

    configured = platform.settings
    return walk_forward_figures(
        load_window(platform, key), past_correlation_gate(platform, key), int(choice["walk_forward_folds"]),
        settings=settings, garch=configured.garch, trading=configured.trading, costs=configured.costs,
    )  # fmt: skip


def record_partition(platform: Platform, key: PartitionKey) -> dict[str, dict[str, Any]]:
    """Bring one stored training into the database; the metadata of the three tables."""
    from datetime import datetime

    from pairs_platform.core.models.contracts import GRU_MODELS
    from pairs_platform.database.models import record_training
    from pairs_platform.database.queries import best_performing_pairs, recent_pair_performance

    rows, facts = platform.lake.read(GRU_MODELS, key), platform.lake.metadata(GRU_MODELS, key)
    record = facts["training"]
    record_training(
        platform.database,
        {
            **record,
            "sector": key.sector,
            "session": key.session,
            "triggers": json.dumps(record["triggers"], sort_keys=True),
            "trained_utc": datetime.fromisoformat(record["trained_utc"]),
        },
        rows,
    )
    judged = rows[rows["status"] == "ok"]
    recent = recent_pair_performance(platform.database, key.sector, as_of=key.session)
    head = {"source": facts["source"], "mlflow_run": record["run_id"]}
    return {
        "model_performance": {
            **head,
            "dagster/row_count": len(rows),
            "rows_of_7_sessions": len(recent),
            "performance": table(rows[list(SHOWN)]),
        },
        "model_rankings": {
            **head,
            "dagster/row_count": len(judged),
            "by_lift": table(judged.sort_values("lift", ascending=False)[list(SHOWN)]),
            "by_f1": table(judged.sort_values("f1", ascending=False)[list(SHOWN)]),
        },
        "model_trends": {
            **head,
            "dagster/row_count": len(judged),
            "best_over_30_sessions": table(best_performing_pairs(platform.database, key.sector)),
        },
    }


def shadow_partition(platform: Platform, key: PartitionKey) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Losses of the models that were champion and challenger before the session, and which they were."""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES
    from pairs_platform.core.models.shadow import shadow_losses
    from pairs_platform.database.models import alias_as_of
    from pairs_platform.views.windows import load_window

    before = session_offset(key.session, -1)
    frames, facts = [], {}
    window = None
    for alias in ("champion", "challenger"):
        decision = alias_as_of(platform.database, key.sector, alias, before)
        if decision is None or decision.version_after is None:
            continue
        version = decision.version_after
        bundle = platform.registry.load(key.sector, version)
        facts[alias] = version
        if bundle.session >= key.session:
            continue
        window = window or load_window(platform, key)
        frames.append(shadow_losses(window, bundle, alias=alias, version=version, session=key.session))
    return (pd.concat(frames, ignore_index=True) if frames else SHADOW_LOSSES.empty()), facts


def decide_partition(platform: Platform, key: PartitionKey, *, actor: str) -> dict[str, Any]:
    """Decide on champion and challenger as of one session, and carry it out."""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES
    from pairs_platform.core.models.promotion import PromotionState, decide
    from pairs_platform.core.models.splits import n_test_sessions
    from pairs_platform.database.models import Decision, add_decisions, alias_as_of, read_decisions

    database, settings = platform.database, platform.settings.gru.promotion
    past = read_decisions(database, key.sector)
    newest = max((one.session for one in past), default=key.session)
    if newest > key.session:
        return {
            "source": platform.market_data.label,
            "decision": f"sessions up to {newest} are decided; {key.session} changes nothing",
            "decisions": 0,
        }
    candidates = model_candidates(platform, key)
    champion, challenger = (
        _named(candidates, alias_as_of(database, key.sector, alias, key.session))
        for alias in ("champion", "challenger")
    )
    first = session_offset(key.session, -2 * settings.max_age_sessions)
    stored = [
        one
        for one in keys_of(sessions_between(first, key.session), key.sector)
        if platform.lake.exists(SHADOW_LOSSES.table, one)
    ]
    shadow = platform.lake.read_many(SHADOW_LOSSES, stored, with_session=True)
    shadow = shadow[shadow["status"] == "ok"].assign(session=lambda frame: frame["session"].dt.date)
    since = [one for one in past if one.alias == "champion"]
    looks = sum("level" in one.figures for one in past if not since or one.decided_utc > since[-1].decided_utc)
    changes = decide(
        PromotionState(
            session=key.session,
            candidates=candidates,
            champion=champion,
            challenger=challenger,
            champion_looks=looks,
            left=since[-1].session if since and since[-1].version_after is None else None,
            test_sessions=n_test_sessions(platform.settings.lookback_sessions, platform.settings.gru.split),
            shadow=shadow,
        ),
        settings,
    )
    decisions = [
        Decision(sector=key.sector, session=key.session, actor=actor, decided_utc=platform.clock(), **asdict(change))
        for change in changes
    ]
    with database.begin() as connection:
        add_decisions(connection, decisions)
        # Inside the transaction: where an alias cannot be set, no row says that it was.
        for change in changes:
            platform.registry.set_alias(key.sector, change.alias, change.version_after)
    shown = pd.DataFrame([asdict(change) for change in changes], columns=["action", "alias", "version_after", "reason"])
    now = alias_as_of(database, key.sector, "champion", key.session)
    return {
        "source": platform.market_data.label,
        "decision": "; ".join(
            f"{one.action} {one.version_after or one.version_before}: {one.reason}" for one in changes
        )
        or "nothing changes",
        "decisions": len(changes),
        "champion": now.version_after if now and now.version_after else "none",
        "changes": table(shown, rows=10),
    }


def model_candidates(platform: Platform, key: PartitionKey) -> "list[Candidate]":
    """Every registered version whose training ended at the session or before, with its pooled test skill."""
    from pairs_platform.core.models.promotion import Candidate
    from pairs_platform.database.models import read_trainings

    trainings = read_trainings(platform.database, key.sector)
    known = trainings[trainings["model_version"].notna() & (trainings["session"] <= key.session)]

    def number(value: Any) -> float | None:
        return None if value is None or not np.isfinite(float(value)) else float(value)

    return [
        Candidate(int(row["model_version"]), row["session"], number(row["skill"]), number(row["skill_p"]))
        for row in known.to_dict("records")
    ]


def _named(candidates: "Sequence[Candidate]", decision: Any) -> "Candidate | None":
    version = None if decision is None else decision.version_after
    return next((one for one in candidates if one.version == version), None)


def tune_partition(context: dg.AssetExecutionContext, platform: Platform, key: PartitionKey) -> dict[str, Any]:
    """Add trials to the study of the session's window and store its best settings."""
    from pairs_platform.core.models.contracts import FEATURE_FITS, FEATURE_SCALING, PAIR_FEATURES, datasets_of
    from pairs_platform.core.models.gru.tuning import tune

    lake = platform.lake
    features, scaling, fits = (lake.read(one, key) for one in (PAIR_FEATURES, FEATURE_SCALING, FEATURE_FITS))
    datasets, plan = datasets_of(features, scaling, fits)
    folder = platform.settings.profile_root / "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    earlier = [day for day in tuned_sessions(platform, key.sector) if day < key.session]
    known = [platform.lake.read_document(TUNING, PartitionKey(earlier[-1], key.sector))["best"]] if earlier else []
    result = tune(
        [one for one in datasets if one.status == "ok"], plan, settings=platform.settings.gru,
        storage=f"sqlite:///{(folder / 'optuna.db').as_posix()}", study=f"gru_{key.sector}_{key.session}",
        known=known, tell=context.log.info,
    )  # fmt: skip
    lake.write_document(TUNING, key, result.document())
    return {**result.document(), "trials_table": table(result.trials)}
