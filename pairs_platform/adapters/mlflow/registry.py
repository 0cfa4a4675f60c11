"""MLflow as tracker and registry: a database and files in the profile's folder, or a server.

What does not belong here: what a model is (`core.models.bundle`), when one is promoted (`core.models.promotion`), and
how a model answers when MLflow serves it (`pyfunc`).
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa
from filelock import FileLock
from pydantic import SecretStr

from pairs_platform.core.errors import DataError, NoSuchModel, RegistryUnavailable
from pairs_platform.core.masking import keep_url, masked
from pairs_platform.core.models.bundle import (
    DOCUMENT_FILE,
    SCHEMA_VERSION,
    WEIGHTS_FILE,
    SectorBundle,
    bundle_files,
    bundle_from_files,
)
from pairs_platform.core.time import moment_ns, utc_now
from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform.ports.model_registry import Alias, ModelVersion, TrackedTraining, TrainingRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENTS = "pairs_trading/"
RUN_TAG = "dagster_run_id"
"""Tag of every run; dagster-mlflow uses the same name."""

LOCK_SECONDS = 120
DATA_FOLDER = "files"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
REQUIREMENTS = ["mlflow", "numpy", "pandas", "safetensors", "pairs-platform"]


def silence_mlflow() -> None:
    """Let MLflow report nothing home, print nothing and give up soon; before its first import."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def model_name(sector: str) -> str:
    """Name of a sector's registered model; the version in it is that of the files' schema."""
    return f"pairs_trading_gru_garch_{sector}_v{SCHEMA_VERSION}"


def run_name(of: str, trained_utc: datetime) -> str:
    """Name of a run for a person: GRU_Training_{pair}_{timestamp}_v1."""
    return f"GRU_Training_{of}_{trained_utc:%Y%m%dT%H%M%SZ}_v{SCHEMA_VERSION}"


_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's tables that hold the place of files."""


class MlflowRegistry:
    """A `ports.ModelRegistry` over MLflow's client; touches no global setting of MLflow but its silence.

    Parameters
    ----------
    uri : SecretStr
        MLflow server (http…) or database (postgresql+psycopg2://…, sqlite:///…).
    folder : Path, optional
        Holds the artifacts where no server does.
    """

    def __init__(self, uri: SecretStr, *, folder: Path | None = None) -> None:
        keep_url(uri.get_secret_value())  # MLflow repeats it
        self._uri = uri
        self._folder = None if folder is None else folder.resolve()

    @classmethod
    def embedded(cls, folder: Path) -> "MlflowRegistry":
        """SQLite and local artifacts in `folder`, made by the first use; safe with several processes at once."""
        return cls(database_of(folder), folder=folder)

    @cached_property
    def _client(self) -> "MlflowClient":
        silence_mlflow()
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        uri = self._uri.get_secret_value()
        if self._folder is None:
            return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._folder.mkdir(parents=True, exist_ok=True)
        # Of several first users only one may make the tables.
        with FileLock(self._folder / "mlflow.lock", timeout=LOCK_SECONDS):
            if uri == database_of(self._folder).get_secret_value():
                move_artifacts(self._uri, self._folder)  # the folder may have been moved or copied
            client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
        return client

    @property
    def _where(self) -> str:
        return sa.make_url(self._uri.get_secret_value()).set(query={}).render_as_string()

    @contextmanager
    def _reachable(self) -> Iterator["MlflowClient"]:
        """The client, with failures to reach its store as `RegistryUnavailable`."""
        from mlflow.exceptions import MlflowException

        try:
            yield self._client
        except sa.exc.OperationalError as error:
            raise RegistryUnavailable(f"the registry {self._where} does not answer: {error.orig}") from None
        except MlflowException as error:
            if error.error_code in ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED"):
                raise RegistryUnavailable(f"the registry {self._where} does not answer: {error.message}") from None
            raise

    def _experiment(self, client: "MlflowClient", sector: str) -> str:
        from mlflow.exceptions import MlflowException

        name = f"{EXPERIMENTS}{sector}"
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        location = None if self._folder is None else (self._folder / "artifacts" / sector).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            made = client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or made is None:
                raise
            return str(made.experiment_id)

    def log_training(self, record: TrainingRecord) -> TrackedTraining:
        """Track a training: a run for the sector-day, one for each pair that was tried, a version for the bundle.

        Raises
        ------
        RegistryUnavailable
            The runs that were opened are ended as FAILED where the registry still answers.
        """
        with self._reachable() as client:
            experiment = self._experiment(client, record.sector)
            name = run_name(f"{record.sector}_{record.session}", record.trained_utc)
            tags = {
                RUN_TAG: record.dagster_run_id,
                "sector": record.sector,
                "session": record.session.isoformat(),
            }
            with _run(client, experiment, name, tags, record.trained_utc) as parent:
                _log_values(client, parent, record.params, record.pooled)
                self._log_files(client, parent, record)
                pair_runs = {
                    row["pair"]: self._log_pair(client, experiment, parent, tags, row, record.trained_utc)
                    for row in record.pairs.to_dict("records")
                    if row["status"] in ("ok", "failed")
                }
                version = self._register(client, parent, record) if record.bundle else None
            return TrackedTraining(run_id=parent, run_name=name, pair_runs=pair_runs, version=version)

    @staticmethod
    def _log_pair(
        client: "MlflowClient",
        experiment: str,
        parent: str,
        tags: Mapping[str, str],
        row: Mapping[Any, Any],
        trained_utc: datetime,
    ) -> tuple[str, str]:
        name = run_name(row["pair"], trained_utc)
        own = {**tags, "mlflow.parentRunId": parent, "pair": row["pair"], "status": row["status"]}
        if row["status"] != "ok":
            own["reason"] = masked(str(row["reason"]))
        ends = "FINISHED" if row["status"] == "ok" else "FAILED"
        with _run(client, experiment, name, own, trained_utc, ends=ends) as run:
            numbers = {name: value for name, value in row.items() if _is_number(value)}
            _log_values(client, run, {}, numbers)
        return run, name

    @staticmethod
    def _log_files(client: "MlflowClient", run: str, record: TrainingRecord) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for name, frame in {"pairs": record.pairs, **record.tables}.items():
                frame.to_parquet(Path(scratch) / f"{name}.parquet", compression="zstd", index=False)
            for name, png in record.pictures.items():
                (Path(scratch) / f"{name}.png").write_bytes(png)
            client.log_artifacts(run, scratch, "report")

    def _register(self, client: "MlflowClient", run: str, record: TrainingRecord) -> ModelVersion:
        from mlflow import pyfunc
        from mlflow.exceptions import MlflowException

        bundle = record.bundle
        assert bundle is not None
        files = bundle_files(bundle)
        with tempfile.TemporaryDirectory() as scratch:
            data = Path(scratch) / DATA_FOLDER
            data.mkdir()
            for name, content in files.items():
                (data / name).write_bytes(content)
            with warnings.catch_warnings():
                # The signature is given: an example would only be asked for to guess one.
                warnings.filterwarnings("ignore", message=".*input example was not provided", category=UserWarning)
                pyfunc.save_model(
                    Path(scratch) / "model",
                    loader_module="pairs_platform.adapters.mlflow.pyfunc",
                    data_path=str(data),
                    signature=_signature(),
                    pip_requirements=REQUIREMENTS,
                )
            client.log_artifacts(run, str(Path(scratch) / "model"), "model")
        name = model_name(record.sector)
        try:
            client.create_registered_model(name, description=f"GRU models of {record.sector}, one version a training.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        tags = {
            RUN_TAG: record.dagster_run_id,
            "session": bundle.session.isoformat(),
            "first_session": bundle.first_session.isoformat(),
            "frequency": bundle.frequency.value,
            "source": bundle.source_label,
            "code_version": bundle.code_version,
            "pairs": str(len(bundle.pairs)),
            "bytes": str(sum(len(content) for content in files.values())),
            **{name: repr(float(value)) for name, value in record.pooled.items() if name.startswith(("skill", "lift"))},
        }
        made = client.create_model_version(
            name, source=f"{client.get_run(run).info.artifact_uri}/model", run_id=run, tags=tags
        )
        return self._version(record.sector, made, {})

    def _version(self, sector: str, registered: Any, aliases: Mapping[str, Any]) -> ModelVersion:
        return ModelVersion(
            sector=sector,
            name=model_name(sector),
            version=int(registered.version),
            session=date.fromisoformat(registered.tags["session"]),
            run_id=str(registered.run_id),
            tags=dict(registered.tags),
            aliases=tuple(sorted(name for name, number in aliases.items() if int(number) == int(registered.version))),
        )

    def _aliases(self, client: "MlflowClient", sector: str) -> dict[str, Any]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(client.get_registered_model(model_name(sector)).aliases)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}

    def versions(self, sector: str) -> list[ModelVersion]:
        """Every version of a sector's model, oldest first."""
        with self._reachable() as client:
            aliases = self._aliases(client, sector)
            registered: list[Any] = []
            token = None
            while True:
                page = client.search_model_versions(f"name='{model_name(sector)}'", page_token=token)
                registered += page
                token = page.token
                if not token:
                    break
        return sorted((self._version(sector, version, aliases) for version in registered), key=lambda one: one.version)

    def version(self, sector: str, number: int) -> ModelVersion:
        """One version of a sector's model.

        Raises
        ------
        NoSuchModel
            Names the versions that there are.
        """
        versions = {version.version: version for version in self.versions(sector)}
        if number in versions:
            return versions[number]
        there = ", ".join(map(str, versions)) or "none"
        raise NoSuchModel(f"{model_name(sector)} has no version {number}; it has {there}")

    def alias(self, sector: str, alias: Alias) -> ModelVersion | None:
        """The version that an alias names now."""
        with self._reachable() as client:
            number = self._aliases(client, sector).get(alias)
        return None if number is None else self.version(sector, int(number))

    def set_alias(self, sector: str, alias: Alias, version: int | None) -> None:
        """Let an alias name a version, or none; readers see it with their next question."""
        if version is not None:
            self.version(sector, version)
        with self._reachable() as client:
            if version is not None:
                client.set_registered_model_alias(model_name(sector), alias, str(version))
            elif alias in self._aliases(client, sector):
                client.delete_registered_model_alias(model_name(sector), alias)

    def load(self, sector: str, version: int) -> SectorBundle:
        """The models of a version, read from its two data files; no code of the model is run."""
        from mlflow.exceptions import MlflowException

        run = self.version(sector, version).run_id
        try:
            with self._reachable() as client, tempfile.TemporaryDirectory() as scratch:
                files = {}
                for name in (WEIGHTS_FILE, DOCUMENT_FILE):
                    path = client.download_artifacts(run, f"model/data/{DATA_FOLDER}/{name}", scratch)
                    files[name] = Path(path).read_bytes()
            return bundle_from_files(files)
        except DataError as error:
            raise NoSuchModel(f"{model_name(sector)} version {version} cannot be read: {error}") from error
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise NoSuchModel(f"the files of {model_name(sector)} version {version} are gone: {error}") from error

    def close_orphans(self, is_alive: Callable[[str], bool]) -> int:
        """End as KILLED every open run whose Dagster run is not alive."""
        closed = 0
        with self._reachable() as client:
            experiments = client.search_experiments(filter_string=f"name LIKE '{EXPERIMENTS}%'")
            token = None
            while experiments:
                page = client.search_runs(
                    [experiment.experiment_id for experiment in experiments],
                    filter_string="attributes.status = 'RUNNING'",
                    page_token=token,
                )
                for run in page:
                    owner = run.data.tags.get(RUN_TAG)
                    if owner is not None and not is_alive(owner):
                        client.set_terminated(run.info.run_id, "KILLED")
                        closed += 1
                token = page.token
                if not token:
                    break
        return closed

    def storage_bytes(self) -> int:
        """Bytes of database and artifacts; of a server, those of the registered models' files."""
        if self._folder is not None:
            return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        with self._reachable() as client:
            models = client.search_registered_models(filter_string="name LIKE 'pairs_trading_gru_garch_%'")
            sectors = [model.name.removeprefix("pairs_trading_gru_garch_").rsplit("_v", 1)[0] for model in models]
        return sum(int(version.tags["bytes"]) for sector in sectors for version in self.versions(sector))


def database_of(folder: Path) -> SecretStr:
    """URL of the embedded database in a folder."""
    return SecretStr(sqlite_url(folder.resolve() / "mlflow.db"))


def move_artifacts(database: SecretStr, folder: Path) -> None:
    """Let a database of MLflow find in `folder` the artifacts that were put there from elsewhere.

    MLflow stores the absolute place of every file. Those that a server hands out, or that are in a place of their own,
    stay as they are.

    Parameters
    ----------
    database : SecretStr
    folder : Path
        Of the registry that was opened without a server.
    """
    new = folder.resolve().as_uri()
    engine = sa.create_engine(database.get_secret_value())
    try:
        with engine.begin() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            for old in _places(connection) - {new} if "experiments" in tables else ():
                for name, place in _PLACES:
                    if name not in tables:
                        continue
                    column: sa.ColumnClause[str] = sa.column(place, sa.String)
                    moved = sa.literal(new) + sa.func.substr(column, len(old) + 1)
                    in_old = column.startswith(f"{old}/artifacts/", autoescape=True)
                    connection.execute(sa.update(sa.table(name, column)).where(in_old).values({place: moved}))
    finally:
        engine.dispose()


def _places(connection: sa.Connection) -> set[str]:
    """The folders in which the platform's experiments have their artifacts."""
    name_of: sa.ColumnClause[str] = sa.column("name", sa.String)
    experiments = sa.table("experiments", name_of, sa.column("artifact_location", sa.String))
    places = set()
    for name, location in connection.execute(sa.select(experiments).where(name_of.startswith(EXPERIMENTS))):
        place, below, sector = str(location).rpartition("/artifacts/")
        if below and sector == name.removeprefix(EXPERIMENTS) and place.startswith("file:"):
            places.add(place)
    return places


@contextmanager
def _run(
    client: "MlflowClient",
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    started_utc: datetime,
    *,
    ends: str = "FINISHED",
) -> Iterator[str]:
    """A run that is ended whatever happens: as `ends`, or as FAILED when the body raises."""
    run = client.create_run(
        experiment, start_time=int(started_utc.timestamp() * 1000), tags=dict(tags), run_name=name
    ).info.run_id
    try:
        yield run
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run, ends)


def _log_values(client: "MlflowClient", run: str, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric, Param

    now = moment_ns(utc_now()) // 10**6
    client.log_batch(
        run,
        metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items() if _is_number(value)],
        params=[Param(name, masked(str(value))) for name, value in params.items()],
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not pd.isna(value)


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    sequence = Array(Array(DataType.double))
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "pair"), ColSpec(sequence, "features")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "pair"),
                ColSpec(DataType.double, "probability"),
                ColSpec(DataType.double, "threshold"),
                ColSpec(DataType.boolean, "reverts"),
            ]
        ),
    )
