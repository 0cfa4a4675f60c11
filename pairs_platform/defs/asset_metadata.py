"""What every asset says about itself, in one place: its table and columns, its code, its tags, how fresh it is.

What does not belong here: what a single materialization shows (`metadata` and the pages of the assets), and what a
column means (the contracts of `core`, the tables of `database`).
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.prices.calendar import longest_pause
from pairs_platform.platform import DATABASE_FILE
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import dagster_home

if TYPE_CHECKING:
    from pydantic import SecretStr

IN_THE_LAKE = (
    "price_history",
    "correlation_matrix",
    "cointegrated_pairs",
    "garch_fits",
    "pair_scores",
    "composite_rankings",
    "trading_config",
    "pair_features",
    "gru_models",
    "shadow_losses",
    "streamed_bars",
    "portfolio",
    "performance_attribution",
)
"""Assets whose table is that of the lake with their name."""

IN_THE_DATABASE = {
    "model_performance": "model_performance",
    "model_rankings": "model_rankings",
    "model_trends": "model_trends",
    "champion_model": "model_decisions",
    "signals": "signals",
    "orders": "orders",
    "fills": "fills",
    "storage_report": "storage_sizes",
}
"""Assets whose rows are in a table of the database, and that table."""

_LAKE = "lake/"

IN_FOLDERS = {
    "exports": "exports",
    "session_report": "exports",
    "gru_tuning": f"{_LAKE}gru_tuning",
}
"""Assets without a table, and the profile's folder in which their result is."""

IN_DAGSTER = ("retention",)
"""Assets that change Dagster's own storage."""

ON_DEMAND = (
    "streamed_bars",
    "signals",
    "gru_tuning",
    "orders",
    "fills",
    "portfolio",
    "performance_attribution",
)
"""Made when somebody streams, trades or asks for them, so that none is due."""

OF_THE_EVENING = ("storage_report", "retention")
"""Made once for all partitions in the evening of a session."""

DAILY_ASSETS = tuple(sorted({*IN_THE_LAKE, *IN_THE_DATABASE, *IN_FOLDERS} - {*ON_DEMAND, *OF_THE_EVENING}))
"""Made for each session of each active sector by the daily job."""

TIME_FOR_A_RUN = timedelta(hours=2)


def described(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """The spec with its storage location, tags and, without partitions, a freshness policy.

    A policy of Dagster knows neither a calendar nor partitions: any partition that is made again makes its asset fresh.
    So what has partitions has the check `up_to_date` instead (`defs.freshness`). Where there is nothing but the time of
    the last materialization, a policy says what it can: it is late when the longest pause of the calendar has passed.
    """
    name, profile = spec.key.to_user_string(), settings.profile.name
    spec = spec.merge_attributes(
        metadata=_location(name, settings),
        tags={"domain": spec.group_name or "", "storage": _storage(name), "profile": profile},
    )
    if name not in OF_THE_EVENING:
        return spec
    window = dg.FreshnessPolicy.time_window(fail_window=longest_pause() + TIME_FOR_A_RUN)
    return spec.replace_attributes(freshness_policy=window)


def with_code(definitions: dg.Definitions, settings: Settings) -> dg.Definitions:
    """The definitions whose assets link to their code: in the repository that the settings name, else on this disk."""
    assets = dg.with_source_code_references(list(definitions.assets or []))
    if settings.code_url is not None:
        root = Path(__file__).resolve().parents[2]
        mapping = dg.AnchorBasedFilePathMapping(local_file_anchor=root, file_anchor_path_in_repository="")
        assets = dg.link_code_references_to_git(assets, settings.code_url, settings.code_branch, mapping)
    return dg.Definitions(
        assets=assets,
        asset_checks=definitions.asset_checks,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
        jobs=definitions.jobs,
        resources=definitions.resources,
        executor=definitions.executor,
    )


@cache
def columns(asset: str) -> Mapping[str, dg.TableSchemaMetadataValue]:
    """Columns of an asset's table with types, descriptions and units, as metadata; empty without a table.

    For materializations and not for definitions: reading the contracts imports pandas, which loading the definitions
    does not.
    """
    if asset in IN_THE_LAKE:
        found = _columns_of_contract(asset)
    elif asset in IN_THE_DATABASE:
        found = _columns_of_database(IN_THE_DATABASE[asset])
    else:
        return {}
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns=found))}


def _columns_of_contract(name: str) -> list[dg.TableColumn]:
    from pairs_platform.lake.tables import TABLES

    contract = next(contract for contract in TABLES if contract.table == name)
    return [
        dg.TableColumn(
            name,
            type=str(column.dtype),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.unique),
        )
        for name, column in contract.schema.columns.items()
    ]


def _columns_of_database(name: str) -> list[dg.TableColumn]:
    from pairs_platform.database.tables import METADATA

    return [
        dg.TableColumn(
            column.name,
            type=type(column.type).__name__.lower(),
            description=column.doc,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
        )
        for column in METADATA.tables[name].columns
    ]


def _storage(name: str) -> str:
    if name in IN_THE_LAKE:
        return "lake"
    if name in IN_DAGSTER:
        return "dagster"
    return "database" if name in IN_THE_DATABASE else "files"


def _location(name: str, settings: Settings) -> Mapping[str, Any]:
    """Name and place of the table, without a password; the folder where there is no table."""
    schema = settings.profile.name.replace("-", "_")
    if name in IN_THE_LAKE:
        return {"dagster/table_name": f"lake.{schema}.{name}", "dagster/uri": _folder(f"{_LAKE}{name}", settings)}
    if name in IN_THE_DATABASE:
        table = IN_THE_DATABASE[name]
        uri, place = _database(settings), f"database.{schema}"
        if uri.startswith("postgresql:"):
            place = f"{uri.rpartition('/')[2]}.public"
        return {"dagster/table_name": f"{place}.{table}", "dagster/uri": f"{uri}#{table}"}
    if name in IN_DAGSTER:
        url = settings.dagster_url
        return {"dagster/uri": dagster_home(settings).absolute().as_uri() if url is None else _public(url)}
    return {"dagster/uri": _folder(IN_FOLDERS[name], settings)}


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        return f"sqlite:///{settings.profile_root.absolute().as_posix()}/{DATABASE_FILE}"
    return _public(settings.database_url)


def _public(url: "SecretStr") -> str:
    """A database's URL without driver, user, password and options."""
    from urllib.parse import urlsplit

    parts = urlsplit(url.get_secret_value())
    return f"{parts.scheme.partition('+')[0]}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _folder(name: str, settings: Settings) -> str:
    """A folder of the profile; one of the lake may be on object storage."""
    if settings.lake_url is not None and name.startswith(_LAKE):
        return f"{settings.lake_url}/{settings.profile.name}/{name.removeprefix(_LAKE)}"
    return (settings.profile_root / name).absolute().as_uri()
