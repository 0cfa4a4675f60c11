"""The runs and models of one database of MLflow into another, under the same ids and version numbers.

The API of MLflow gives every run a new id, and the figures of the platform name runs by theirs: rows are copied, and
files as they are. What does not belong here: tracking and registering (`registry`).
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.registry import (
    ARTIFACTS,
    EXPERIMENTS,
    PLACES,
    database_of,
    experiment_tags,
    move_artifacts,
    silence_mlflow,
)
from pairs_platform.core.errors import RegistryUnavailable
from pairs_platform.database.copying import Row, add_missing, require_only_known

SERVED = "mlflow-artifacts:/"
"""How MLflow names what its server hands out."""


def copy_registry(folder: Path, target: SecretStr, served_from: Path | None) -> int:
    """Add what the embedded registry of a folder holds to another database of MLflow; how many runs were added.

    Parameters
    ----------
    folder : Path
        Of the embedded registry.
    target : SecretStr
        A database of MLflow of the same version.
    served_from : Path or None
        Folder from which a server hands out artifacts: they are copied there. Without a server they stay.

    Raises
    ------
    Refused
        The target has runs that the embedded registry does not have.
    RegistryUnavailable
    """
    silence_mlflow()
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.model_registry.dbmodels import models as _models  # noqa: F401
    from mlflow.store.tracking.dbmodels import models as _runs  # noqa: F401

    embedded = database_of(folder)
    move_artifacts(embedded, folder)
    if served_from is not None and (folder / ARTIFACTS).is_dir():
        shutil.copytree(folder / ARTIFACTS, served_from, dirs_exist_ok=True)
    source_engine, target_engine = (sa.create_engine(url.get_secret_value()) for url in (embedded, target))
    tables = Base.metadata.sorted_tables
    runs = Base.metadata.tables["runs"]
    try:
        with source_engine.connect() as reading, target_engine.begin() as writing:
            require_only_known(reading, writing, runs.c.run_uuid, "MLflow's database")
            there = set(sa.inspect(reading).get_table_names()) & set(sa.inspect(writing).get_table_names())
            added = {
                table.name: add_missing(reading, writing, table, _moved(table.name, folder, served_from))
                for table in tables
                if table.name in there and table.primary_key
            }
            _describe(writing, Base.metadata.tables)
            for table in tables:
                if added.get(table.name) and writing.dialect.name == "postgresql":
                    _count_on(writing, table)
    except sa.exc.OperationalError as error:
        raise RegistryUnavailable(f"MLflow's database does not answer: {error.orig}") from None
    finally:
        source_engine.dispose()
        target_engine.dispose()
    return added["runs"]


def _describe(connection: sa.Connection, tables: Mapping[str, sa.Table]) -> None:
    """Give the platform's experiments the tags of this version, where an earlier one made them."""
    experiments, tags = tables["experiments"], tables["experiment_tags"]
    names = sa.select(experiments.c.experiment_id, experiments.c.name).where(experiments.c.name.startswith(EXPERIMENTS))
    for experiment, name in connection.execute(names).all():
        there = set(connection.scalars(sa.select(tags.c.key).where(tags.c.experiment_id == experiment)))
        for key, value in experiment_tags(name.removeprefix(EXPERIMENTS)).items():
            if key not in there:
                connection.execute(sa.insert(tags).values(experiment_id=experiment, key=key, value=value))


def _moved(table: str, folder: Path, served_from: Path | None) -> Callable[[Row], Row]:
    """What makes of a row one whose files the server hands out; without a server it stays."""
    if served_from is None:
        return lambda row: row
    columns = [column for name, column in PLACES if name == table]
    old = f"{folder.resolve().as_uri()}/{ARTIFACTS}/"

    def change(row: Row) -> Row:
        moved = {
            column: SERVED + row[column].removeprefix(old)
            for column in columns
            if isinstance(row.get(column), str) and row[column].startswith(old)
        }
        return row | moved

    return change


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let the numbers that PostgreSQL gives go on after those that were copied."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    if connection.scalar(sa.select(sequence)) is not None:
        connection.execute(sa.select(sa.func.setval(sequence, sa.select(sa.func.max(column)).scalar_subquery())))
