"""MLflow as tracker and registry: a database and files in the profile's folder, or a server.

What does not belong here: what a model is (`core.models.bundle`), when one is promoted (`core.models.promotion`), and
how a model answers when MLflow serves it (`pyfunc`).
"""

import json
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

import sqlalchemy as sa
from filelock import FileLock
from pydantic import SecretStr

from pairs_platform.core.errors import ConfigurationError, DataError, FolderReadOnly, NoSuchModel, RegistryUnavailable
from pairs_platform.core.masking import keep_url, masked
from pairs_platform.core.models.bundle_format import DOCUMENT_FILE, SCHEMA_VERSION, WEIGHTS_FILE
from pairs_platform.core.time import moment_ns, utc_now
from pairs_platform.database.read_only import copy_database, is_writable
from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform.ports.model_registry import Alias, ModelVersion, TrackedTraining, TrainingRecord

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

    from pairs_platform.core.models.bundle import SectorBundle

EXPERIMENTS = "pairs_trading/"
RUN_TAG = "dagster_run_id"
"""Tag of every run; dagster-mlflow uses the same name."""

NOTE_TAG, TABLES_TAG = "mlflow.note.content", "mlflow.loggedArtifacts"
"""What MLflow's pages show as a description, and where they find artifacts that they preview as tables."""

LIST_COLUMNS = (
    *("attributes.`Created`", "tags.`session`", "tags.`pair`", "tags.`status`"),
    *("metrics.`lift`", "metrics.`skill`", "metrics.`f1`", "metrics.`best_epoch`"),
)
LIST_VIEW = "pairs"
"""Name of a shared view of the experiment's list of runs, which shows `LIST_COLUMNS`."""

CURVE_POINTS = 10
"""Of a pair's learning curve in MLflow; every epoch is in the parent's table of curves."""

PAIR_PARAMS = (
    *("network.hidden_1", "network.hidden_2", "network.sequence_length", "network.learning_rate"),
    *("label.kind", "seed", "source", "first_session"),
)
"""Params of the training that the run of each pair repeats, so that its page says how it was trained."""

PREVIEWED_ROWS = 10_000
"""Tables up to this length are JSON, which MLflow's pages preview; longer ones are Parquet."""

LOCK_SECONDS = 120
DATA_FOLDER, REPORT_FOLDER = "files", "report"
ARTIFACTS = "artifacts"
"""Folder of all files below that of an embedded registry."""

DATABASE_FILE = "mlflow.db"

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


def experiment_tags(sector: str) -> dict[str, str]:
    """What MLflow's pages read of a sector's experiment: its kind, its description, and the columns of its list."""
    view = {
        **{"selectedColumns": list(LIST_COLUMNS), "viewMaximized": True, "orderByKey": "attributes.start_time"},
        **{"orderByAsc": False, "lifecycleFilter": "Active", "modelVersionFilter": "All Runs", "datasetsFilter": []},
    }
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{LIST_VIEW}": json.dumps(view),
        "sector": sector,
        NOTE_TAG: (
            f"GRU models of the sector **{sector}**. A run whose name begins with a session is the training of that "
            "session: its artifacts hold the report and its tables. Below it stands one run for each pair, with "
            "figures of the test part, and `train_loss` and `validation_loss` by epoch. Skill and lift are in nats "
            "per label: above zero is better than the base rate, and than the simple forecast."
        ),
    }


PLACES = (
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
        if not is_writable(self._folder):
            return self._client_of_a_copy()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Of several first users only one may make the tables.
        with FileLock(self._folder / "mlflow.lock", timeout=LOCK_SECONDS):
            if uri == database_of(self._folder).get_secret_value():
                move_artifacts(self._uri, self._folder)  # the folder may have been moved or copied
            client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
        return client

    def _client_of_a_copy(self) -> "MlflowClient":
        """A client for a folder that may only be read: MLflow writes into a database that it opens."""
        from mlflow import MlflowClient

        assert self._folder is not None
        uri = self._uri.get_secret_value()
        if uri == database_of(self._folder).get_secret_value():
            self._copy = tempfile.TemporaryDirectory(prefix="pairs-platform-mlflow-")
            copy = Path(self._copy.name) / DATABASE_FILE
            if (self._folder / DATABASE_FILE).is_file():
                copy_database(self._folder / DATABASE_FILE, copy)
            uri = sqlite_url(copy)
            move_artifacts(SecretStr(uri), self._folder)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

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

    @contextmanager
    def _writable(self) -> Iterator["MlflowClient"]:
        """The client of a registry that can be changed.

        Raises
        ------
        FolderReadOnly
        """
        if self._folder is not None and not is_writable(self._folder):
            raise FolderReadOnly(self._folder)
        with self._reachable() as client:
            yield client

    def _experiment(self, client: "MlflowClient", sector: str) -> str:
        from mlflow.exceptions import MlflowException

        name, tags = f"{EXPERIMENTS}{sector}", experiment_tags(sector)
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            for tag in tags.keys() - experiment.tags.keys():
                client.set_experiment_tag(experiment.experiment_id, tag, tags[tag])
            return str(experiment.experiment_id)
        location = None if self._folder is None else (self._folder / ARTIFACTS / sector).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=tags))
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
        FolderReadOnly
            Nothing can be written where the registry lies.
        """
        with self._writable() as client:
            experiment = self._experiment(client, record.sector)
            name = f"{record.session}_{run_name(record.sector, record.trained_utc)}"
            tags = {
                RUN_TAG: record.dagster_run_id,
                "sector": record.sector,
                "session": record.session.isoformat(),
            }
            own = {**tags, NOTE_TAG: _training_note(record), TABLES_TAG: json.dumps(_previewed(record))}
            with _run(client, experiment, name, own, record.trained_utc) as parent:
                _log_values(client, parent, record.params, record.pooled)
                self._log_files(client, parent, record)
                curves = _curves(record)
                pair_runs = {
                    row["pair"]: self._log_pair(client, experiment, parent, tags, row, curves, record)
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
        curves: "Mapping[str, pd.DataFrame]",
        record: TrainingRecord,
    ) -> tuple[str, str]:
        name = run_name(row["pair"], record.trained_utc)
        own = {**tags, "mlflow.parentRunId": parent, "pair": row["pair"], "status": row["status"]}
        own[NOTE_TAG] = masked(_pair_note(record, row))
        if row["status"] != "ok":
            own["reason"] = masked(str(row["reason"]))
        ends = "FINISHED" if row["status"] == "ok" else "FAILED"
        with _run(client, experiment, name, own, record.trained_utc, ends=ends) as run:
            numbers = {name: value for name, value in row.items() if _is_number(value)}
            params = {key: record.params[key] for key in PAIR_PARAMS if key in record.params}
            params["baseline"] = row.get("baseline") or "none"
            _log_values(client, run, params, numbers, curves.get(row["pair"]))
        return run, name

    @staticmethod
    def _log_files(client: "MlflowClient", run: str, record: TrainingRecord) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for name, frame in _tables(record).items():
                if _is_previewed(frame):
                    text = frame.to_json(orient="split", index=False, double_precision=15, date_format="iso")
                    (Path(scratch) / f"{name}.json").write_text(text, encoding="utf-8")
                else:
                    frame.to_parquet(Path(scratch) / f"{name}.parquet", compression="zstd", index=False)
            for name, png in record.pictures.items():
                (Path(scratch) / f"{name}.png").write_bytes(png)
            client.log_artifacts(run, scratch, REPORT_FOLDER)

    def _register(self, client: "MlflowClient", run: str, record: TrainingRecord) -> ModelVersion:
        from mlflow import pyfunc
        from mlflow.exceptions import MlflowException

        from pairs_platform.core.models.bundle import bundle_files

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
        with self._writable() as client:
            if version is not None:
                client.set_registered_model_alias(model_name(sector), alias, str(version))
            elif alias in self._aliases(client, sector):
                client.delete_registered_model_alias(model_name(sector), alias)

    def load(self, sector: str, version: int) -> "SectorBundle":
        """The models of a version, read from its two data files; no code of the model is run."""
        from mlflow.exceptions import MlflowException

        from pairs_platform.core.models.bundle import bundle_from_files

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
        if not self._may_have_open_runs():
            return 0
        closed = 0
        with self._writable() as client:
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

    def _may_have_open_runs(self) -> bool:
        """Whether a run is open in a database, which is asked without MLflow; True of a server, which is not asked."""
        if self._folder is None:
            return True
        url = sa.make_url(self._uri.get_secret_value())
        if url.drivername == "sqlite" and not Path(str(url.database)).is_file():
            return False
        status: sa.ColumnClause[str] = sa.column("status", sa.String)
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                if not sa.inspect(connection).has_table("runs"):
                    return False
                running = sa.select(status).select_from(sa.table("runs", status)).where(status == "RUNNING").limit(1)
                return connection.execute(running).first() is not None
        except sa.exc.OperationalError as error:
            raise RegistryUnavailable(f"the registry {self._where} does not answer: {error.orig}") from None
        finally:
            engine.dispose()

    def storage_bytes(self) -> int:
        """Bytes of database and artifacts; of a server, those of the registered models' files."""
        if self._folder is not None:
            return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        with self._reachable() as client:
            models = client.search_registered_models(filter_string="name LIKE 'pairs_trading_gru_garch_%'")
            sectors = [model.name.removeprefix("pairs_trading_gru_garch_").rsplit("_v", 1)[0] for model in models]
        return sum(int(version.tags["bytes"]) for sector in sectors for version in self.versions(sector))


def served_experiment(address: str, sector: str) -> str | None:
    """Id of a sector's experiment on an MLflow server, asked without MLflow's library; None where it is not there.

    What answers may be something else than MLflow, such as the page of a proxy.
    """
    from urllib.parse import quote

    name = quote(f"{EXPERIMENTS}{sector}", safe="")
    try:
        found = _experiment(address, f"get-by-name?experiment_name={name}").get("experiment_id")
    except RegistryUnavailable:
        return None
    return None if found is None else str(found)


def hide_default_experiment(address: str) -> None:
    """Delete the experiment `Default`, which MLflow makes in each store, from a server of the platform's own.

    It stays where it holds a run, and where the server refuses. MLflow keeps a deleted experiment and makes no other.
    """
    default = "0"
    try:
        if _experiment(address, f"get?experiment_id={default}").get("lifecycle_stage") != "active":
            return
        runs = {"experiment_ids": [default], "max_results": 1, "run_view_type": "ALL"}
        if not _asked(address, "runs/search", runs).get("runs"):
            _asked(address, "experiments/delete", {"experiment_id": default})
    except RegistryUnavailable:
        return


def _experiment(address: str, path: str) -> dict[str, Any]:
    """An experiment of an MLflow server; empty where the answer has none."""
    found = _asked(address, f"experiments/{path}").get("experiment")
    return found if isinstance(found, dict) else {}


def _asked(address: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The reply of an MLflow server, asked without MLflow's library.

    Raises
    ------
    RegistryUnavailable
        It does not answer, refuses, or is something else than MLflow.
    """
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=5) as reply:
            answer = json.load(reply)
    except (OSError, HTTPException, ValueError) as error:
        raise RegistryUnavailable(f"{address} does not answer as MLflow does: {error}") from None
    if not isinstance(answer, dict):
        raise RegistryUnavailable(f"{address} does not answer as MLflow does: it is no object")
    return answer


def database_of(folder: Path) -> SecretStr:
    """URL of the embedded database in a folder."""
    return SecretStr(sqlite_url(folder.resolve() / DATABASE_FILE))


def move_artifacts(database: SecretStr, folder: Path) -> None:
    """Let a database of MLflow find in `folder` the artifacts that were put there from elsewhere.

    MLflow stores the absolute place of every file. Those that a server hands out, or that are in a place of their own,
    stay as they are.

    Parameters
    ----------
    database : SecretStr
    folder : Path
        Of the registry that was opened without a server.

    Raises
    ------
    ConfigurationError
        The folder's path is longer than PostgreSQL keeps in MLflow's tables.
    """
    new = folder.resolve().as_uri()
    engine = sa.create_engine(database.get_secret_value())
    try:
        with engine.begin() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            for old in _places(connection) - {new} if "experiments" in tables else ():
                for name, place in PLACES:
                    if name not in tables:
                        continue
                    column: sa.ColumnClause[str] = sa.column(place, sa.String)
                    moved = sa.literal(new) + sa.func.substr(column, len(old) + 1)
                    in_old = column.startswith(f"{old}/{ARTIFACTS}/", autoescape=True)
                    connection.execute(sa.update(sa.table(name, column)).where(in_old).values({place: moved}))
    except sa.exc.DataError as error:
        raise ConfigurationError(
            f"MLflow's tables hold no place as long as those below {folder}: use a state_root with a shorter path"
        ) from error
    finally:
        engine.dispose()


def _places(connection: sa.Connection) -> set[str]:
    """The folders in which the platform's experiments have their artifacts."""
    name_of: sa.ColumnClause[str] = sa.column("name", sa.String)
    experiments = sa.table("experiments", name_of, sa.column("artifact_location", sa.String))
    places = set()
    for name, location in connection.execute(sa.select(experiments).where(name_of.startswith(EXPERIMENTS))):
        place, below, sector = str(location).rpartition(f"/{ARTIFACTS}/")
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
    """A run that is ended whatever happens: as `ends`, as FAILED on an error, as KILLED on Ctrl-C or a termination."""
    run = client.create_run(
        experiment, start_time=int(started_utc.timestamp() * 1000), tags=dict(tags), run_name=name
    ).info.run_id
    try:
        yield run
    except BaseException as error:
        client.set_terminated(run, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run, ends)


def _tables(record: TrainingRecord) -> "dict[str, pd.DataFrame]":
    return {"pairs": record.pairs, **record.tables}


def _is_previewed(frame: "pd.DataFrame") -> bool:
    return len(frame) <= PREVIEWED_ROWS


def _previewed(record: TrainingRecord) -> list[dict[str, str]]:
    """The tables that MLflow's pages preview, as its tag lists them."""
    return [
        {"path": f"{REPORT_FOLDER}/{name}.json", "type": "table"}
        for name, frame in _tables(record).items()
        if _is_previewed(frame)
    ]


def _curves(record: TrainingRecord) -> "dict[str, pd.DataFrame]":
    """Learning curve of each pair, at no more than `CURVE_POINTS` epochs, the first and the last among them."""
    import numpy as np

    curves = record.tables.get("curves")
    if curves is None:
        return {}
    thinned = {}
    for pair, curve in curves.groupby("pair"):
        rows = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), CURVE_POINTS)).round().astype(int))
        thinned[str(pair)] = curve.iloc[rows]
    return thinned


def _training_note(record: TrainingRecord) -> str:
    counts = record.pairs["status"].value_counts()
    became = ", ".join(f"{number} {str(status).replace('_', ' ')}" for status, number in counts.items())
    lines = [
        f"Training of **{record.sector}** on the window that ends with **{record.session}**, prices: "
        f"{record.params.get('source', 'unnamed')}. Candidates: {became}.",
        *(_gain(name, record.pooled) for name in ("skill", "lift") if name in record.pooled),
        f"Artifacts: `{REPORT_FOLDER}/pairs.json` has one row for each candidate, with the reason where it has no "
        "model. The runs below this one are its pairs.",
    ]
    return "\n\n".join(lines)


def _pair_note(record: TrainingRecord, row: Mapping[Any, Any]) -> str:
    head = f"**{row['pair']}** ({record.sector}), training of session **{record.session}**."
    if row["status"] != "ok":
        return f"{head} No model: {row['reason']}."
    gains = " ".join(_gain(name, row) for name in ("lift", "skill") if _is_number(row.get(name)))
    return f"{head} On its test part: {gains} Losses by epoch stand under Model metrics."


def _gain(name: str, figures: Mapping[Any, Any]) -> str:
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    interval = f" (95 %: {low:+.5f} to {high:+.5f})" if _is_number(low) and _is_number(high) else ""
    return f"{name} {figures[name]:+.5f} nats per label{interval}."


def _log_values(
    client: "MlflowClient",
    run: str,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    curve: "pd.DataFrame | None" = None,
) -> None:
    """Params, final metrics, and the losses of a learning curve with its epochs as steps, in one request."""
    from mlflow.entities import Metric, Param

    now = moment_ns(utc_now()) // 10**6
    values = [Metric(name, float(value), now, 0) for name, value in metrics.items() if _is_number(value)]
    if curve is not None:
        values += [
            Metric(name, float(value), now, int(epoch))
            for name in curve.columns.difference(["pair", "epoch"])
            for epoch, value in zip(curve["epoch"], curve[name], strict=True)
            if _is_number(value)
        ]
    client.log_batch(run, metrics=values, params=[Param(name, masked(str(value))) for name, value in params.items()])


def _is_number(value: object) -> bool:
    import pandas as pd

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
