"""Puts the definitions together for one set of settings.

What does not belong here: the definitions themselves (`defs`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from pairs_platform.defs import automation
from pairs_platform.defs.alerts import sensors as alerts
from pairs_platform.defs.housekeeping import assets as housekeeping
from pairs_platform.defs.models import assets as models
from pairs_platform.defs.models import automation as model_automation
from pairs_platform.defs.models import checks as model_checks
from pairs_platform.defs.partitions import lookback_mapping
from pairs_platform.defs.prices import assets as prices
from pairs_platform.defs.prices import checks as price_checks
from pairs_platform.defs.reports import assets as reports
from pairs_platform.defs.resources import resources
from pairs_platform.defs.screening import assets as screening
from pairs_platform.defs.screening import checks as screening_checks
from pairs_platform.defs.selection import assets as selection
from pairs_platform.defs.selection import checks as selection_checks
from pairs_platform.defs.signals import assets as live
from pairs_platform.defs.signals import checks as live_checks
from pairs_platform.defs.signals import sensors as live_sensors
from pairs_platform.defs.volatility import assets as volatility
from pairs_platform.defs.volatility import checks as volatility_checks
from pairs_platform.settings.model import Settings


def build_definitions(settings: Settings, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors over `settings`.

    Parameters
    ----------
    settings : Settings
        Decide the state folder, the lookback in the lineage, the active sectors.
    resource_overrides : mapping of str to resource, optional
        Resources that replace the ones made from the settings, by key.
    """
    return dg.Definitions(
        assets=dg.map_asset_specs(
            lambda spec: _with_lookbacks(spec, settings),
            [
                prices.price_history,
                screening.correlation_matrix,
                screening.cointegrated_pairs,
                volatility.garch_fits,
                selection.pair_scores,
                selection.composite_rankings,
                selection.trading_config,
                models.pair_features,
                models.gru_models,
                models.model_tables,
                models.shadow_losses,
                models.champion_model,
                models.gru_tuning,
                reports.exports,
                reports.session_report,
                housekeeping.storage_report,
                housekeeping.retention,
                live.streamed_bars,
                live.signals,
            ],
        ),
        asset_checks=dg.load_asset_checks_from_modules(
            [
                price_checks,
                screening_checks,
                volatility_checks,
                selection_checks,
                model_checks,
                live_checks,
                automation,
                alerts,
                housekeeping,
            ]
        ),
        jobs=[
            automation.daily_job,
            automation.readiness_job,
            model_automation.baseline_job,
            model_automation.tuning_job,
            live_sensors.signal_job,
            live_sensors.save_job,
            housekeeping.housekeeping_job,
        ],
        schedules=[
            automation.daily_schedule,
            automation.readiness_schedule,
            housekeeping.housekeeping_schedule,
            model_automation.baseline_schedule,
            model_automation.tuning_schedule,
        ],
        sensors=[
            automation.retry_sensor,
            model_automation.run_closer,
            live_sensors.signal_sensor,
            live_sensors.health_sensor,
            alerts.run_alerts,
            alerts.alert_watch,
            alerts.alert_delivery,
        ],
        resources={**resources(settings), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def _with_lookbacks(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Say in the lineage how many sessions of prices and of scores an asset reads."""
    if spec.group_name == live.GROUP:
        return spec
    sessions = {
        dg.AssetKey("price_history"): settings.lookback_sessions,
        dg.AssetKey("pair_scores"): settings.selection.lookback_sessions
        if spec.key.path == ["composite_rankings"]
        else 1,
    }
    deps = [
        dg.AssetDep(dep.asset_key, partition_mapping=lookback_mapping(1 - sessions[dep.asset_key]))
        if sessions.get(dep.asset_key, 1) > 1
        else dep
        for dep in spec.deps
    ]
    return spec.replace_attributes(deps=deps)
