"""The checks of the models, and the one that says which model the trading configuration carries."""

import json

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions
from pairs_platform.defs.models.assets import champion_model, gru_models, pair_features, shadow_losses
from pairs_platform.defs.selection.assets import trading_config
from pairs_platform.platform import Platform


@dg.asset_check(asset=pair_features, name="schema_and_uniqueness", blocking=True)
def feature_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, one row for each pair and bar, labels that are 0, 1 or missing."""
    from pairs_platform.core.models.contracts import PAIR_FEATURES

    return check_contract(context, platform, PAIR_FEATURES)


@dg.asset_check(asset=pair_features, name="no_look_ahead", blocking=True)
def feature_no_look_ahead(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """A sampled row, made again from bars up to its own alone, is the stored one to the last bit."""
    from pairs_platform.core.check_result import check_no_lookahead
    from pairs_platform.core.models.contracts import FEATURE_FITS, PAIR_FEATURES
    from pairs_platform.core.models.features import row_features
    from pairs_platform.core.models.inputs import FEATURES
    from pairs_platform.views.windows import load_truncated_window
    from pairs_platform.workflows.recomputed import sampled

    def judge(key: PartitionKey) -> CheckResult:
        features = platform.lake.read(PAIR_FEATURES, key)
        complete = features[features[list(FEATURES)].notna().all(axis=1)]
        if complete.empty:
            return CheckResult(passed=True, summary="no pair has features", figures={})
        stored = sampled(complete, key)
        fits = platform.lake.read(FEATURE_FITS, key)
        (row,) = fits[fits["pair"] == stored["pair"]].to_dict("records")
        window = load_truncated_window(platform, key, [row["y"], row["x"]])
        again = row_features(window, fits, stored["pair"], stored["ts_utc"])
        names = f"{stored['pair']} at {stored['ts_utc']}"
        return check_no_lookahead({name: stored[name] for name in FEATURES}, again, row=names)

    return check_partitions(context, judge)


@dg.asset_check(asset=pair_features, name="feature_drift")
def feature_drift(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The features of the test part are distributed as in training, as far as slow movement allows."""
    from pairs_platform.core.models.checks import check_feature_drift
    from pairs_platform.core.models.contracts import PAIR_FEATURES
    from pairs_platform.core.models.inputs import FEATURES

    def judge(key: PartitionKey) -> CheckResult:
        rows = platform.lake.read(PAIR_FEATURES, key, ["pair", "part", *FEATURES])
        return check_feature_drift(
            rows[rows["part"] == "train"],
            rows[rows["part"] == "test"],
            features=FEATURES,
            max_drift=platform.settings.checks.max_feature_drift,
        )

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=gru_models, name="schema_and_uniqueness", blocking=True)
def model_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """One row for each candidate, with metrics exactly where it was judged and a reason everywhere else."""
    from pairs_platform.core.models.contracts import GRU_MODELS

    return check_contract(context, platform, GRU_MODELS)


@dg.asset_check(asset=gru_models, name="pairs_trained")
def pairs_trained(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Few of the pairs that were given to training failed."""
    from pairs_platform.core.models.checks import check_trained
    from pairs_platform.core.models.contracts import GRU_MODELS

    def judge(key: PartitionKey) -> CheckResult:
        rows = platform.lake.read(GRU_MODELS, key, ["pair", "status", "reason"])
        return check_trained(rows, min_share=platform.settings.checks.min_trained_share)

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=gru_models, name="lift_beside_f1")
def lift_beside_f1(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The models are no worse than the simple forecasts; F1 is shown beside what "always reverts" gets."""
    from pairs_platform.core.models.checks import check_lift
    from pairs_platform.core.models.contracts import GRU_MODELS

    def judge(key: PartitionKey) -> CheckResult:
        pooled = platform.lake.metadata(GRU_MODELS, key)["report"]["pooled"]
        return check_lift(pooled, platform.lake.read(GRU_MODELS, key, ["pair", "status", "f1", "f1_always"]))

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=gru_models, name="calibration")
def calibration(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Forecast probabilities come true."""
    from pairs_platform.core.models.checks import check_calibration
    from pairs_platform.core.models.contracts import GRU_MODELS

    def judge(key: PartitionKey) -> CheckResult:
        rows = platform.lake.read(GRU_MODELS, key, ["pair", "status", "calibration_error"])
        return check_calibration(rows, max_error=platform.settings.checks.max_calibration_error)

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=gru_models, name="training_triggers")
def training_monitor(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Training time, size of the registry and the return of training every pair are in order."""
    from pairs_platform.core.models.checks import check_triggers
    from pairs_platform.core.models.contracts import GRU_MODELS

    def judge(key: PartitionKey) -> CheckResult:
        return check_triggers(platform.lake.metadata(GRU_MODELS, key)["training"]["triggers"])

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=shadow_losses, name="schema_and_uniqueness", blocking=True)
def shadow_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """One row for each alias and pair, with losses exactly where the pair could be predicted."""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES

    return check_contract(context, platform, SHADOW_LOSSES)


@dg.asset_check(asset=champion_model, name="decisions")
def decisions(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """What was decided on the session, in words; WARN where a champion was demoted or left without a successor."""

    from pairs_platform.database.models import read_decisions

    def judge(key: PartitionKey) -> CheckResult:
        made = [
            decision for decision in read_decisions(platform.database, key.sector) if decision.session == key.session
        ]
        sentences = [
            f"{decision.action} {decision.version_after or decision.version_before}: {decision.reason}"
            for decision in made
        ]
        lost = [decision for decision in made if decision.action in ("demote", "expire")]
        return CheckResult(
            passed=not lost,
            summary="; ".join(sentences) or "nothing changed",
            figures={"decisions": len(made), "last": json.dumps(dict(made[-1].figures)) if made else ""},
        )

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=champion_model, name="champion_age")
def champion_age(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The champion is young enough to give signals."""
    from pairs_platform.core.models.checks import check_staleness
    from pairs_platform.database.models import alias_as_of
    from pairs_platform.workflows.promotion import model_candidates

    def judge(key: PartitionKey) -> CheckResult:
        named = alias_as_of(platform.database, key.sector, "champion", key.session)
        version = named.version_after if named else None
        candidates = model_candidates(platform, key)
        session = next((candidate.session for candidate in candidates if candidate.version == version), None)
        return check_staleness(session, key.session, max_age=platform.settings.gru.promotion.max_age_sessions)

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=trading_config, name="model_to_use")
def model_carried(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The configuration says which model signals use; WARN where the training of the session before is missing."""
    from pairs_platform.core.models.contracts import GRU_MODELS
    from pairs_platform.core.prices.calendar import session_offset
    from pairs_platform.views.trading_config import trading_document

    def judge(key: PartitionKey) -> CheckResult:
        document = trading_document(platform, key)
        model, reason = document["model"], document["model_reason"]
        before = PartitionKey(session_offset(key.session, -1), key.sector)
        started = any(day < before.session for day in platform.lake.sessions(GRU_MODELS.table, key.sector))
        missing = started and not platform.lake.exists(GRU_MODELS.table, before)
        unread = "database cannot be read" in reason
        carried = f"version {model['version']} of {model['session']}" if model else "no model"
        trouble = f"; the training of {before} is missing: look at its run" if missing else ""
        return CheckResult(
            passed=not (missing or unread),
            summary=f"{carried}: {reason}{trouble}",
            figures={"model_version": model["version"]} if model else {},
        )

    return check_partitions(context, judge, warn=True)
