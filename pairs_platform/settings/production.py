"""Where the processes of a profile leave what they say of themselves, and the databases of its production.

What does not belong here: starting the processes and writing these files (`processes.runtime`, `cli`).
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairs_platform.core.operations.run_tags import is_alive_here
from pairs_platform.lake.atomic import replace_file
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import secret_in_file, variable

ENVIRONMENT_FILE, STATE_FILE, SERVED_FOLDER = "environment", "up.json", "served"

EMBEDDED_HOME = "dagster"
"""The profile's folder that is the Dagster home while its storage is SQLite."""

STORES = ("database_url", "dagster_url", "mlflow_uri")
"""Settings of the databases that `up` starts where nobody names them."""


def live_folder(settings: Settings) -> Path:
    """Where the logs and the pids of the processes are."""
    return settings.profile_root / "live"


def production_folder(settings: Settings) -> Path:
    """What production has in addition to the lake: its own PostgreSQL, MLflow's files, its clients' environment."""
    return settings.profile_root / "production"


def dagster_home(settings: Settings) -> Path:
    """The Dagster home of the profile: another one where Dagster's storage is on PostgreSQL."""
    return settings.profile_root / (EMBEDDED_HOME if settings.dagster_url is None else "dagster-postgres")


def state_of(settings: Settings) -> dict[str, object]:
    """The state file of the running `up`; empty where none runs."""
    path = live_folder(settings) / STATE_FILE
    if not path.is_file():
        return {}
    state: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return state if is_alive_here(str(state["process"])) else {}


@dataclass(frozen=True)
class Production:
    """Production that runs.

    Attributes
    ----------
    command : str
        That started it, `up` or `serve`.
    named : tuple of str
        The settings of `STORES` that its environment names, so that no file of the profile holds them.
    """

    command: str
    named: tuple[str, ...]


def running_production(settings: Settings) -> Production | None:
    """The production of the profile that runs: of a healthy `up`, or of a process of `serve`."""
    state, served = state_of(settings), served_processes(live_folder(settings))
    if not (state.get("healthy") or served):
        return None
    command, process = ("up", state) if state.get("healthy") else ("serve", next(iter(served.values())))
    names = process.get("named")
    return Production(command, tuple(map(str, names)) if isinstance(names, list) else ())


def note_served(settings: Settings, name: str, process: str, named: Sequence[str]) -> None:
    """Write that a process of `serve` runs, until it ends: commands of the profile ask `served_processes`.

    Parameters
    ----------
    settings : Settings
    name : str
    process : str
        See `core.operations.run_tags`.
    named : sequence of str
        As in `Production`.
    """
    folder = live_folder(settings) / SERVED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{name}.json", json.dumps({"process": process, "named": list(named)}).encode())


def served_processes(folder: Path) -> dict[str, dict[str, object]]:
    """What the living processes of `serve` have noted, by their names; `folder` is `live_folder`."""
    found: dict[str, dict[str, object]] = {}
    for path in sorted((folder / SERVED_FOLDER).glob("*.json")):
        noted = json.loads(path.read_text(encoding="utf-8"))
        if is_alive_here(str(noted["process"])):
            found[path.stem] = noted
    return found


def named_stores(own: Mapping[str, str]) -> list[str]:
    """The settings of `STORES` that are not among the variables of a production's own stores."""
    return [name for name in STORES if variable(name) not in own]


def own_stores_of(settings: Settings) -> dict[str, str]:
    """URLs of the databases that the production of the profile has started itself, by their settings.

    Raises
    ------
    SettingsError
        The file with their passwords can be read by everybody.
    """
    path = production_folder(settings) / ENVIRONMENT_FILE
    if not path.is_file():
        return {}
    text = secret_in_file(str(path), "the environment of production")
    written = dict(shlex.split(line)[1].split("=", 1) for line in text.splitlines() if line.startswith("export "))
    return {name: written[variable(name)] for name in STORES if variable(name) in written}
