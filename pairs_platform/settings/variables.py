"""Environment variables: how they are called, and what they hold.

What does not belong here: which settings there are (`model`), and what overrides what (`loading`).
"""

import os
from pathlib import Path

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.documents import BYTE_ORDER_MARKS
from pairs_platform.settings.secrets import AROUND

CONFIG_VARIABLE = "PAIRS_PLATFORM_CONFIG"
PROFILE_VARIABLE = "PAIRS_PLATFORM_PROFILE"
PREFIX = "PAIRS_PLATFORM__"
FROM_FILE = "_FILE"
_ALPACA = {"alpaca_key_id": "APCA_API_KEY_ID", "alpaca_secret_key": "APCA_API_SECRET_KEY"}


def variable(path: str) -> str:
    """Name of the environment variable that sets a setting, for example of ``source.kind``."""
    return _ALPACA.get(path) or PREFIX + path.replace(".", "__").upper()


def names_of_variables() -> dict[str, str]:
    """Every variable of the platform that is set, as it is written, by its name in capitals."""
    own = ("PAIRS_PLATFORM_", *_ALPACA.values())
    return {name.upper(): name for name in os.environ if name.upper().startswith(own)}


def is_set(path: str) -> bool:
    """Whether a variable sets a setting."""
    return variable(path) in os.environ


def set_variable(path: str, value: str) -> None:
    """Set one setting for this process and its children, in place of a file that holds it."""
    os.environ[variable(path)] = value
    os.environ.pop(variable(path) + FROM_FILE, None)


def unset_variable(path: str) -> None:
    """Take one setting out of the environment of this process and its children."""
    os.environ.pop(variable(path), None)
    os.environ.pop(variable(path) + FROM_FILE, None)


def named_profile() -> str | None:
    """The profile that the environment names; None where it names none."""
    return os.environ.get(PROFILE_VARIABLE) or None


def name_profile(name: str | None) -> None:
    """Name the profile of this process and its children, or none."""
    os.environ.pop(PROFILE_VARIABLE, None)
    if name is not None:
        os.environ[PROFILE_VARIABLE] = name


def choosing_variables() -> list[str]:
    """The variables that are set and choose source or frequency of the profile, as they are written."""
    whole = {variable(path) for path in ("source", "source.kind", "source.alpaca.feed", "frequency")}
    below = tuple(variable(path) for path in ("source.files", "source.simulated"))
    return [written for name, written in names_of_variables().items() if name in whole or name.startswith(below)]


def unset_choosing_variables() -> None:
    """Let no variable of this process and its children choose source or frequency."""
    for written in choosing_variables():
        del os.environ[written]


def value_of(name: str) -> str | None:
    """What a variable holds that is no setting, for example ``DAGSTER_HOME``; None where it is unset or empty."""
    return os.environ.get(name) or None


def secret_variable(setting: str) -> tuple[str | None, str | None]:
    """Name of the variable that holds a secret setting, and the path of the file that holds it; None where unset."""
    name = variable(setting)
    return (name if os.environ.get(name, "").strip(AROUND) else None), os.environ.get(name + FROM_FILE) or None


def secret_in_file(path: str, name: str) -> str:
    """The text of a file that holds a secret: UTF-8, or what its byte order mark says.

    Parameters
    ----------
    path : str
    name : str
        Of the variable or field that names the file, for the message.

    Raises
    ------
    SettingsError
        The file cannot be read, is empty, or can be read by everybody.
    """
    try:
        file = Path(os.path.expanduser(path))
        content, mode = file.read_bytes(), file.stat().st_mode
        encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
        text = content.decode(encoding)
    except OSError as error:
        raise SettingsError(f"{name}={path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}={path} cannot be read: it is no text in UTF-8, write it again") from None
    if os.name != "nt" and mode & 0o007:
        raise SettingsError(f"{name}={path} can be used by everybody (mode {mode & 0o777:o}): chmod 600 {path}")
    if not text.strip(AROUND):
        raise SettingsError(f"{name}={path} is empty: write the secret into it")
    return text


def user_folder() -> Path | None:
    """The user's configuration folder from the environment; None when none is named.

    Raises
    ------
    SettingsError
        When the variable names something that is not a folder.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if not named:
        return None
    folder = Path(os.path.expanduser(named))
    if not folder.is_dir():
        raise SettingsError(
            f"{CONFIG_VARIABLE}={named} is not a folder; make one with `pairs-platform config init {named}`"
        )
    return folder
