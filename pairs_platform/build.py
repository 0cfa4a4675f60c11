"""Puts the definitions together for one set of settings.

What does not belong here: the definitions themselves (`defs`).
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import dagster as dg

from pairs_platform import defs
from pairs_platform.defs.asset_metadata import described, with_code
from pairs_platform.defs.partitions import SessionBySector, lookback_mapping, of_settings
from pairs_platform.defs.resources import resources
from pairs_platform.defs.signals.assets import GROUP as LIVE_GROUP
from pairs_platform.settings.model import Settings

MODULES = ("assets", "checks", "automation", "sensors")
"""Modules of these names hold definitions, whatever their package; no other is imported, so that loading is light."""


def build_definitions(settings: Settings, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """What `MODULES` of the packages of `defs` define at their top level, over `settings`.

    Parameters
    ----------
    settings : Settings
        Decide the state folder, the lookback in the lineage, the partitions, the active sectors.
    resource_overrides : mapping of str to resource, optional
        Resources that replace the ones made from the settings, by key.
    """
    definitions = dg.load_definitions_from_modules(
        _modules(),
        resources={**resources(settings), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
    return with_code(definitions, settings).map_asset_specs(
        func=lambda spec: described(_with_partitions(_with_lookbacks(spec, settings), settings), settings)
    )


def _modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.walk_packages(defs.__path__, f"{defs.__name__}.")]
    return [import_module(name) for name in names if name.rpartition(".")[2] in MODULES]


def _with_partitions(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Leave of the partitions of an asset those of the profile."""
    if not isinstance(spec.partitions_def, SessionBySector):
        return spec
    return spec.replace_attributes(partitions_def=of_settings(spec.partitions_def, settings))


def _with_lookbacks(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Add to the lineage how many sessions of prices and of scores an asset reads."""
    if spec.group_name == LIVE_GROUP:
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
