"""Where the processes of a profile leave what they say of themselves, and the databases of the `up` that runs.

What does not belong here: starting the processes and writing these files (`processes.runtime`, `cli`).
"""

import json
import shlex
from pathlib import Path

from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import secret_in_file, secret_variable, set_variable, variable

ENVIRONMENT_FILE, STATE_FILE = "environment", "up.json"

STORES = ("database_url", "dagster_url", "mlflow_uri")
"""Settings of the databases that `up` starts where nobody names them."""


def live_folder(settings: Settings) -> Path:
    """Where the logs and the pids of the processes are."""
    return settings.profile_root / "live"


def production_folder(settings: Settings) -> Path:
    """What production has in addition to the lake: its own PostgreSQL, MLflow's files, its clients' environment."""
    return settings.profile_root / "production"


def state_of(settings: Settings) -> dict[str, object]:
    """The state file of the running `up`; empty where none runs."""
    path = live_folder(settings) / STATE_FILE
    if not path.is_file():
        return {}
    from pairs_platform.core.operations.run_tags import is_alive_here

    state: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return state if is_alive_here(str(state["process"])) else {}


def adopt_running_stores(settings: Settings) -> str:
    """Let this process and its children use the databases that the running `up` of the profile has started.

    Those that the environment names stay as they are named.

    Returns
    -------
    What is to be said: that they are used, or that `up` has databases and does not run; empty where neither is so.

    Raises
    ------
    SettingsError
        The file with their passwords can be read by everybody.
    """
    path = production_folder(settings) / ENVIRONMENT_FILE
    missing = [name for name in STORES if not any(secret_variable(name))]
    if not missing or not path.is_file():
        return ""
    text = secret_in_file(str(path), "the environment of `up`")
    written = dict(shlex.split(line)[1].split("=", 1) for line in text.splitlines() if line.startswith("export "))
    stores = {name: written[variable(name)] for name in missing if variable(name) in written}
    if not stores:
        return ""
    if not state_of(settings).get("healthy"):
        return f"`up` does not run: what it stored in its databases is not shown (start it, or source {path})"
    for name, url in stores.items():
        set_variable(name, url)
    return f"profile {settings.profile.name}: `up` runs, its databases are used"
