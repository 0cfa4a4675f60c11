"""The Dagster home of a profile: its folder and its dagster.yaml.

What does not belong here: the instance that lives in it (`defs.instance`).
"""

from importlib.resources import files as package_files
from pathlib import Path

from pairs_platform.lake.atomic import replace_file
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import set_variable, variable

_POSTGRES_STORAGE = f"""\
# Dagster's storage on PostgreSQL, and its limits, in production. Its files are in DAGSTER_HOME.
storage:
  postgres:
    postgres_url:
      env: {variable("dagster_url")}

"""


def render_dagster_yaml(home: str) -> str:
    """Text of dagster.yaml for a home folder, from the packaged template."""
    return _template().replace("{home}", home)


def production_dagster_yaml() -> str:
    """Text of dagster.yaml for any home folder with the storage that `dagster_url` names."""
    text = _template()
    return _POSTGRES_STORAGE + text[text.index("telemetry:") :]


def _template() -> str:
    return (package_files("pairs_platform.config") / "dagster.yaml").read_text(encoding="utf-8")


def prepare_home(settings: Settings) -> Path:
    """Make the profile's Dagster home, write its dagster.yaml, and return the absolute folder."""
    is_embedded = settings.dagster_url is None
    home = (settings.profile_root / ("dagster" if is_embedded else "dagster-postgres")).resolve()
    home.mkdir(parents=True, exist_ok=True)
    text = render_dagster_yaml(home.as_posix()) if is_embedded else production_dagster_yaml()
    if settings.dagster_url is not None:  # dagster.yaml reads the variable, and knows nothing of secrets in files
        set_variable("dagster_url", settings.dagster_url.get_secret_value())
    replace_file(home / "dagster.yaml", text.encode())
    return home
