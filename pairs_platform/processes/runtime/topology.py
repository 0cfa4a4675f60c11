"""The processes of the platform, in the order in which they start: of `live`, and of production.

What does not belong here: keeping them alive (`processes.runtime.supervisor`), and the commands that start them.
"""

import shlex
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path

import yaml
from filelock import FileLock
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.registry import (
    DATABASE_FILE,
    database_of,
    hide_default_experiment,
    move_artifacts,
)
from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.operations.run_tags import CODE_LOCATION
from pairs_platform.core.time import SECOND_NS
from pairs_platform.database.revisions import is_prepared
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import require_writable
from pairs_platform.processes.runtime.migrations import migrate_stores, upgrade_mlflow
from pairs_platform.processes.runtime.postgres_server import (
    APPLICATION,
    DAGSTER,
    DAGSTER_DATABASE,
    MLFLOW,
    MLFLOW_DATABASE,
    OWNER,
    TRADING_DATABASE,
    EmbeddedPostgres,
)
from pairs_platform.processes.runtime.supervisor import ProcessSpec, require_idle, running_processes
from pairs_platform.settings.model import Settings
from pairs_platform.settings.processes import reached
from pairs_platform.settings.production import ENVIRONMENT_FILE, live_folder, production_folder
from pairs_platform.settings.variables import variable

LOOPBACK = "127.0.0.1"
SIMULATED_BROKER = "broker"
DEFINITIONS = "pairs_platform.definitions"


@dataclass(frozen=True)
class DagsterCalls:
    """What the processes ask of Dagster, which this package does not import.

    Attributes
    ----------
    prepare : callable
        Makes what a home lacks, migrates its storage and reports what changed.
    sensors_evaluated : callable
        Whether the daemon of a home has evaluated its sensors since a moment, in seconds since 1970.
    """

    prepare: Callable[[Path, Callable[[str], None]], None]
    sensors_evaluated: Callable[[Path, float], bool]


def served_artifacts(settings: Settings) -> Path:
    """Where the MLflow server that production starts has its files."""
    return production_folder(settings).absolute() / "mlflow"


def own_postgres(settings: Settings) -> EmbeddedPostgres:
    """The platform's own PostgreSQL, which production starts where a store is not named."""
    return EmbeddedPostgres(production_folder(settings).absolute() / "postgres", settings.services.postgres_port)


def prepare_lock(settings: Settings) -> FileLock:
    """The lock of the process that makes or migrates production's own stores."""
    folder = production_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "prepare.lock")


def live_processes(
    settings: Settings, home: Path, dagster: DagsterCalls, folder: Path, *, host: str, port: int, fresh: bool
) -> list[ProcessSpec]:
    """The processes of `live`: a replay begins when everything else is there.

    Parameters
    ----------
    settings : Settings
    home : Path
        Prepared Dagster home.
    dagster : DagsterCalls
    folder : Path
        For the socket of the code server: of this user alone, with a short path.
    host, port
        Where the UI listens.
    fresh : bool
        Whether a replay begins by forgetting the earlier ones.
    """
    asked = time.time()
    code, location = _own_code(home, folder)
    return [
        *_redis(settings),
        code,
        _webserver(home, location, host=host, port=port, name="port"),
        _daemon(home, location, lambda: dagster.sensors_evaluated(home, asked)),
        *_stream(settings, fresh=fresh),
    ]


def ui_processes(home: Path, folder: Path, *, host: str, port: int, migrate: Callable[[], None]) -> list[ProcessSpec]:
    """The processes of `ui`: one has the code, and web server and daemon ask it.

    Parameters
    ----------
    home, folder, host, port
        As for `live_processes`.
    migrate : callable
        Makes what the web server and the daemon need. It is called while the code is loaded, but before where the home
        is new or of another Dagster: two processes must not make its storage at once.
    """
    code, location = _own_code(home, folder)
    is_new = not is_prepared(home, "dagster")
    return [
        replace(code, prepare=migrate) if is_new else replace(code, meanwhile=migrate),
        _webserver(home, location, host=host, port=port, name="port"),
        _daemon(home, location, lambda: True),
    ]


def script(name: str) -> str:
    """A console script of this environment."""
    return str(Path(sys.executable).parent / name)


def code_location(home: Path) -> list[str]:
    """Options of Dagster's commands for the one code location, from any folder: its name is that of every run."""
    return _location(home / "code.yaml", "python_module", {"module_name": DEFINITIONS})


def _location(path: Path, kind: str, where: Mapping[str, str | int]) -> list[str]:
    """Options for the one code location, which a file of this path describes."""
    named = {**where, "location_name": CODE_LOCATION}
    replace_file(path, yaml.safe_dump({"load_from": [{kind: named}]}).encode())
    return ["-w", str(path)]


def command_of(*arguments: str) -> list[str]:
    """The command line of a command of this console, in this interpreter."""
    return [sys.executable, "-c", "from pairs_platform.cli import main; main()", *arguments]


def forget_replays(settings: Settings) -> None:
    """Remove the bars of earlier replays from Redis, and their signals from the database."""
    from pairs_platform.database.replays import forget_replay
    from pairs_platform.platform import open_database, open_streams

    open_streams(settings, "replay").replay.reset()
    forget_replay(open_database(settings))


def own_mlflow_uri(settings: Settings) -> str:
    """Where processes of this machine find the MLflow server that production starts."""
    return f"http://{reached(settings.services.host)}:{settings.services.mlflow_port}"


def _serves(host: str, port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{reached(host)}:{port}{path}", timeout=2) as reply:
            return bool(reply.status == 200)
    except (OSError, HTTPException):  # nobody listens, or something that does not speak HTTP
        return False


def _collects(settings: Settings) -> bool:
    """Whether the collector has written a heartbeat in the last seconds."""
    from pairs_platform.platform import open_streams

    return _beats(open_streams(settings).health.read())


def _trades(settings: Settings) -> bool:
    """Whether the trader has written a heartbeat in the last seconds."""
    from pairs_platform.platform import open_streams

    return _beats(open_streams(settings).trader.read())


def _beats(health: Mapping[str, str]) -> bool:
    return time.time_ns() - int(health.get("heartbeat_wall_ns", 0)) < 5 * SECOND_NS


def _redis(settings: Settings) -> list[ProcessSpec]:
    if settings.redis_url is not None:
        return []
    from pairs_platform.processes.runtime.redis_server import answers, server_command

    folder = settings.profile_root / "redis"
    return [ProcessSpec("redis", server_command(folder), ready=lambda: answers(folder))]


def _own_code(home: Path, folder: Path) -> tuple[ProcessSpec, list[str]]:
    """The code server of a command that is typed, and the options by which Dagster's other commands find it.

    It listens on a socket in `folder`, which other users of the machine cannot reach.
    """
    if sys.platform == "win32":
        return _code_server(home, host=LOOPBACK, port=_unused_port())
    return _code_server(home, socket=str(folder / "code.sock"))


def _code_server(home: Path, **place: str | int) -> tuple[ProcessSpec, list[str]]:
    """The code server at a socket, or at a host and port, and the options for the code location that it has."""
    options = [word for name, value in place.items() for word in (f"--{name}", str(value))]
    command = [script("dagster"), "api", "grpc", *options, "-m", DEFINITIONS]
    spec = ProcessSpec("code", command, {"DAGSTER_HOME": str(home)}, partial(_listens, place))
    return spec, _location(home / "workspace.yaml", "grpc_server", place)


def _webserver(home: Path, location: list[str], *, host: str, port: int, name: str) -> ProcessSpec:
    command = [script("dagster-webserver"), "-h", host, "-p", str(port), *location]
    ready = partial(_serves, host, port, "/server_info")
    return ProcessSpec("webserver", command, {"DAGSTER_HOME": str(home)}, ready, _free(host, port, name))


def _daemon(home: Path, location: list[str], ready: Callable[[], bool]) -> ProcessSpec:
    command = [script("dagster-daemon"), "run", *location]
    return ProcessSpec("daemon", command, {"DAGSTER_HOME": str(home)}, ready)


def _stream(settings: Settings, *, fresh: bool) -> list[ProcessSpec]:
    specs = []
    if settings.stream.mode == "replay":
        prepare = (lambda: forget_replays(settings)) if fresh else (lambda: None)
        specs.append(ProcessSpec("replay", command_of("stream", "replay"), prepare=prepare))
    specs.append(ProcessSpec("collector", command_of("stream", "collect"), ready=lambda: _collects(settings)))
    if settings.broker.kind == "simulated":
        specs.append(_simulated_broker(settings))
    specs.append(ProcessSpec("trader", command_of("trade"), ready=lambda: _trades(settings)))
    return specs


def _simulated_broker(settings: Settings) -> ProcessSpec:
    """The simulated broker, which follows prices and clock of the stream."""
    port = settings.broker.simulated.port
    return ProcessSpec(
        SIMULATED_BROKER,
        command_of("broker", "simulate", "--streamed"),
        ready=partial(_serves, LOOPBACK, port, "/simulator"),
        prepare=_free(LOOPBACK, port, "broker.simulated.port"),
    )


def as_it_runs(settings: Settings) -> Settings:
    """The settings, with the simulated broker where a command of this profile runs it for its trader."""
    process = running_processes(live_folder(settings)).get(SIMULATED_BROKER)
    if process is None or not process["alive"]:
        return settings
    return settings.model_copy(update={"broker": settings.broker.model_copy(update={"kind": "simulated"})})


@dataclass(frozen=True)
class OwnStores:
    """What production starts itself because the settings do not name it.

    Attributes
    ----------
    postgres : EmbeddedPostgres or None
    environment : dict of str to str
        Variables by which the platform finds what is started; passwords included.
    mlflow_database, database_owner : SecretStr or None
        URLs that the platform's processes do not need.
    """

    postgres: EmbeddedPostgres | None
    environment: dict[str, str]
    mlflow_database: SecretStr | None
    database_owner: SecretStr | None


def own_stores(settings: Settings) -> OwnStores:
    """Prepare what production starts itself; nothing runs yet.

    Raises
    ------
    ConfigurationError, Refused
        The platform's own PostgreSQL cannot be made.
    """
    missing = {
        "database_url": (TRADING_DATABASE, APPLICATION),
        "dagster_url": (DAGSTER_DATABASE, DAGSTER),
        "mlflow_uri": (MLFLOW_DATABASE, MLFLOW),
    }
    missing = {name: where for name, where in missing.items() if getattr(settings, name) is None}
    if not missing:
        return OwnStores(None, {}, None, settings.database_owner_url)
    server = own_postgres(settings)
    server.prepare()
    urls = {name: server.url(*where) for name, where in missing.items()}
    mlflow = urls.pop("mlflow_uri", None)
    environment = {variable(name): url.get_secret_value() for name, url in urls.items()}
    if mlflow is not None:
        environment[variable("mlflow_uri")] = own_mlflow_uri(settings)
    owner = server.url(TRADING_DATABASE, OWNER) if "database_url" in missing else settings.database_owner_url
    return OwnStores(server, environment, mlflow, owner)


def production_processes(
    settings: Settings,
    home: Path,
    own: OwnStores,
    dagster: DagsterCalls,
    report: Callable[[str], None],
    *,
    fresh: bool = False,
) -> list[ProcessSpec]:
    """The processes of production: databases first, then the servers, then the daemon and the stream.

    Parameters
    ----------
    settings : Settings
        With the variables of `own` in them.
    home : Path
        Prepared Dagster home.
    own : OwnStores
    dagster : DagsterCalls
    report : callable
        Called with each migration.
    fresh : bool
        Whether a replay begins by forgetting the earlier ones.
    """
    services = settings.services
    lock = prepare_lock(settings)
    specs = []
    if own.postgres is not None:
        postgres = own.postgres
        free = _free(LOOPBACK, postgres.port, "services.postgres_port")
        specs.append(
            ProcessSpec("postgres", postgres.command(), {}, postgres.answers, free, stop_signal=int(signal.SIGINT))
        )
    specs += _redis(settings)

    def migrate() -> None:
        with lock:
            if own.postgres is not None:
                own.postgres.provision()
            migrate_stores(settings.model_copy(update={"database_owner_url": own.database_owner}), report)
            dagster.prepare(home, report)

    if own.mlflow_database is not None:
        specs.append(_mlflow(settings, own, lock, report))
    free_code = _free(LOOPBACK, services.code_port, "services.code_port")

    def prepare_code() -> None:
        free_code()
        migrate()

    asked = time.time()
    code, location = _code_server(home, host=LOOPBACK, port=services.code_port)
    specs += [
        replace(code, prepare=prepare_code),
        _webserver(home, location, host=services.host, port=services.ui_port, name="services.ui_port"),
        _daemon(home, location, lambda: dagster.sensors_evaluated(home, asked)),
    ]
    return [*specs, *_stream(settings, fresh=fresh)]


def write_environment(settings: Settings, home: Path, own: OwnStores) -> Path:
    """Write the variables of the running production for a shell to source; only its owner can read the file."""
    variables = {"DAGSTER_HOME": str(home), **own.environment}
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    path = production_folder(settings) / ENVIRONMENT_FILE
    replace_file(path, text.encode(), mode=0o600)
    return path


def _mlflow(settings: Settings, own: OwnStores, lock: FileLock, report: Callable[[str], None]) -> ProcessSpec:
    services, database = settings.services, own.mlflow_database
    assert database is not None
    free = _free(services.host, services.mlflow_port, "services.mlflow_port")

    def prepare() -> None:
        free()
        with lock:
            if own.postgres is not None:
                own.postgres.provision()
            upgrade_mlflow(database, report)

    return _mlflow_server(
        database,
        served_artifacts(settings),
        prepare,
        host=services.host,
        port=services.mlflow_port,
        workers=services.mlflow_workers,
    )


def mlflow_pages(settings: Settings, *, host: str, port: int) -> ProcessSpec:
    """MLflow's server over the profile's embedded registry, or over the database that the settings name.

    Raises
    ------
    NotFound
        Nothing has been trained yet.
    """
    folder = settings.profile_root / "mlflow"
    database = settings.mlflow_uri or database_of(folder)
    if settings.mlflow_uri is None and not (folder / DATABASE_FILE).is_file():
        raise NotFound(f"{folder} holds no training yet: the first daily run, or a demo, makes it")

    def prepare() -> None:
        free_port(host, port, "port")
        if settings.mlflow_uri is None:
            move_artifacts(database, folder)  # the folder may have been moved or copied

    return _mlflow_server(database, folder.resolve(), prepare, host=host, port=port, workers=1)


def _mlflow_server(
    database: SecretStr, files: Path, prepare: Callable[[], None], *, host: str, port: int, workers: int
) -> ProcessSpec:
    """MLflow's own server, which unpickles nothing and starts no jobs; it never shows an unused experiment `Default`.

    Parameters
    ----------
    database : SecretStr
    files : Path
        Where the server puts the files that its clients hand over; made before it starts.
    prepare : callable
        Called once, before its first start.
    """
    command = [
        *(script("mlflow"), "server", "--host", host, "--port", str(port)),
        *("--workers", str(workers), "--artifacts-destination", files.as_uri()),
    ]
    environment = {
        "MLFLOW_BACKEND_STORE_URI": database.get_secret_value(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }

    def prepared() -> None:
        prepare()
        files.mkdir(parents=True, exist_ok=True)

    def ready() -> bool:
        if not _serves(host, port, "/health"):
            return False
        hide_default_experiment(f"http://{reached(host)}:{port}")
        return True

    return ProcessSpec("mlflow", command, environment, ready, prepared)


def require_startable(settings: Settings, ports: Sequence[tuple[str, int, str]]) -> None:
    """Refuse what cannot start before anything is installed, migrated, started or forgotten.

    Parameters
    ----------
    settings : Settings
    ports : sequence of (host, port, name)
        That the servers are to listen on; `name` is the setting, or the option, that chooses another one.

    Raises
    ------
    ConfigurationError
        Another command runs the profile's processes, a port is taken, what is to be replayed is wrong, the broker
        cannot trade it, or the profile may only be read.
    NotFound
        The session that is to be replayed, or a fault of the simulated broker, is not there.
    """
    require_writable(settings)
    folder = live_folder(settings)
    require_idle(folder)
    from pairs_platform.processes.broker.faults import fault_script
    from pairs_platform.processes.trader.brokers import require_tradable

    replay = settings.stream.replay if settings.stream.mode == "replay" else None
    of_replay = [(replay.host, replay.port, "stream.replay.port")] if replay else []
    simulated = settings.broker.simulated
    is_simulated = settings.broker.kind == "simulated"
    of_broker = [(LOOPBACK, simulated.port, "broker.simulated.port")] if is_simulated else []
    require_free_ports(folder, [*ports, *of_replay, *of_broker])
    require_tradable(settings)
    if is_simulated:
        fault_script(simulated.faults.split(","), seed=simulated.seed)
    if replay:
        from pairs_platform.processes.replay.playlist import open_playlist

        open_playlist(settings)


def replayed(settings: Settings) -> list[str]:
    """Which session is replayed and how fast, in a line; none where bars are live."""
    replay = settings.stream.replay
    if settings.stream.mode != "replay":
        return []
    from pairs_platform.processes.replay.playlist import open_playlist

    origins = open_playlist(settings).origins
    sessions = str(origins[0]) if len(origins) == 1 else f"{origins[0]} to {origins[-1]}"
    speed = f"{replay.speed:g} market seconds a second" if replay.speed else "as fast as can be"
    return [f"  replays {sessions} from {replay.start or 'the open'}, {speed}"]


def production_ports(settings: Settings) -> list[tuple[str, int, str]]:
    """The ports that production's servers listen on, for `require_startable`."""
    services = settings.services
    needs_postgres = None in (settings.database_url, settings.dagster_url, settings.mlflow_uri)
    ports = [(LOOPBACK, services.postgres_port, "services.postgres_port")] if needs_postgres else []
    if settings.mlflow_uri is None:
        ports.append((services.host, services.mlflow_port, "services.mlflow_port"))
    return [
        *ports,
        (LOOPBACK, services.code_port, "services.code_port"),
        (services.host, services.ui_port, "services.ui_port"),
    ]


def require_free_ports(folder: Path, ports: Sequence[tuple[str, int, str]]) -> None:
    """`free_port` of each, unless something of a killed command in `folder` is alive: the next supervisor ends that."""
    if not any(process["alive"] for process in running_processes(folder).values()):
        for host, port, name in ports:
            free_port(host, port, name)


def free_port(host: str, port: int, name: str) -> None:
    """Raise ConfigurationError where a server cannot listen; `name` is what chooses another port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host} port {port} ({error.strerror}): free it, or choose another {name} "
                + (f"with {variable(name)}" if "." in name else f"with --{name}")
            ) from None


def _free(host: str, port: int, name: str) -> Callable[[], None]:
    return partial(free_port, host, port, name)


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _listens(place: Mapping[str, str | int]) -> bool:
    """Whether a code server answers at its place; it listens once its code is loaded."""
    of_unix = "socket" in place
    with socket.socket(socket.AF_UNIX if of_unix else socket.AF_INET) as probe:
        probe.settimeout(2)
        return probe.connect_ex(str(place["socket"]) if of_unix else (place["host"], place["port"])) == 0
