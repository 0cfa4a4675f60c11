"""The Dagster home of a profile: its folder and its dagster.yaml.

What does not belong here: the instance that lives in it (`defs.instance`).
"""

import glob
import hashlib
import os
import re
import tempfile
from importlib.resources import files as package_files
from pathlib import Path

import yaml

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import require_current_name
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import dagster_home
from pairs_platform.settings.variables import set_variable, variable

_PLAIN_PATH = re.compile(r"[\w./:+~-]+")

_POSTGRES_STORAGE = f"""\
# Dagster's storage on PostgreSQL, and its limits, in production. Its files are in DAGSTER_HOME.
storage:
  postgres:
    postgres_url:
      env: {variable("dagster_url")}

"""


_SQLITE_STORAGE = """\
storage:
  sqlite:
    base_dir: {home}
"""

_ANY_PATH_STORAGE = """\
storage:
  custom:
    module: pairs_platform.defs.local_storage
    class: AnyPathStorage
    config:
      base_dir: {home}
"""


def render_dagster_yaml(home: str) -> str:
    """Text of dagster.yaml for a home folder, from the packaged template."""
    text = _template()
    if not _PLAIN_PATH.fullmatch(home):
        text = text.replace(_SQLITE_STORAGE, _ANY_PATH_STORAGE)
    return re.sub(r"\{home\}(\S*)", lambda place: _scalar(home + place[1]), text)


def _scalar(path: str) -> str:
    """A path as it stands in YAML: in quotes, on one line, where it has other characters than most paths."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    return yaml.safe_dump(path, default_style='"', allow_unicode=True, width=10**9).strip()


def production_dagster_yaml() -> str:
    """Text of dagster.yaml for any home folder with the storage that `dagster_url` names."""
    text = _template()
    return _POSTGRES_STORAGE + text[text.index("telemetry:") :]


def _template() -> str:
    return (package_files("pairs_platform.config") / "dagster.yaml").read_text(encoding="utf-8")


def prepare_home(settings: Settings) -> Path:
    """Make the profile's Dagster home, write its dagster.yaml, and return the absolute folder.

    Raises
    ------
    ConfigurationError
        The folder, or a link to it that Dagster needs, cannot be made.
    ProfileOutdated
        The profile has the name that an earlier version gave it.
    """
    require_current_name(settings)
    is_embedded = settings.dagster_url is None
    home = dagster_home(settings).resolve()
    home.mkdir(parents=True, exist_ok=True)
    text = render_dagster_yaml(home.as_posix()) if is_embedded else production_dagster_yaml()
    if settings.dagster_url is not None:  # dagster.yaml reads the variable, and knows nothing of secrets in files
        set_variable("dagster_url", settings.dagster_url.get_secret_value())
    replace_file(home / "dagster.yaml", text.encode())
    return home if glob.escape(str(home)) == str(home) else _link_to(home)


def _link_to(home: Path) -> Path:
    """A link to a home by which Dagster finds its dagster.yaml: it takes the path for a pattern."""
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    link = Path(tempfile.gettempdir()) / f"pairs-platform-{digest}" / "dagster"
    try:
        link.parent.mkdir(mode=0o700, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(home, target_is_directory=True)
    except OSError as error:
        raise ConfigurationError(
            f"{home} has a character of a pattern ([, ], *, ?), and no link to it can be made: {error}; choose another "
            "state_root"
        ) from None
    if os.readlink(link) != str(home):
        raise ConfigurationError(f"{link} leads to another folder than {home}: remove it")
    return link
