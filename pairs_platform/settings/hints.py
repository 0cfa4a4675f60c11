"""Commands to type next, for the profile that this process works on; no other module puts one into a text.

What does not belong here: which command helps with which error (`views.remedies`).
"""

import os
import shlex
from subprocess import list2cmdline

from pairs_platform.core.errors import PlatformError
from pairs_platform.lake.profile import MANIFEST
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, dagster_home, production_folder
from pairs_platform.settings.profiles import profile_in_use
from pairs_platform.settings.variables import PROFILE_VARIABLE, choosing_variables, named_profile

_DEFAULT = "simulated-5min-raw"
"""The profile of the `dagster.yaml` in the repository's folder."""


def hint(words: str) -> str:
    """A command to type next for the profile that this process works on: as typed in the shell of its user.

    Where the command alone means the same profile, nothing is added; a profile that is not made yet is chosen by the
    options that make it.
    """
    try:
        settings = load_settings()
    except PlatformError:
        return f"pairs-platform {words}"
    name, source = settings.profile.name, settings.source
    in_use = profile_in_use(settings.state_root)
    if not choosing_variables() and named_profile() in (None, in_use):
        return f"pairs-platform {words}"
    if source.kind != "files" or (settings.profile_root / MANIFEST).exists():
        return f"pairs-platform {words} --profile {name}"
    if source.files is None or len(source.files.paths) > 1:
        return f"pairs-platform {words}"
    return f"pairs-platform {words} --data {_quoted(source.files.paths[0])} --frequency {settings.frequency.value}"


def stored_hint(words: str) -> str:
    """A command for a text that is kept, such as an alert or the result of a check: it always names the profile.

    Who reads the text has another shell, perhaps with another profile in use.
    """
    try:
        return f"pairs-platform {words} --profile {load_settings().profile.name}"
    except PlatformError:
        return f"pairs-platform {words}"


def environment_hint(*, stored: bool = False) -> str:
    """What stands before a command of Dagster for the profile that this process works on; empty for the default one.

    Dagster finds a profile by variables alone; with the databases of `up` they are in the file that it wrote. In a text
    that is kept the default profile is named too.
    """
    try:
        settings = load_settings()
    except PlatformError:
        return ""
    name, production = settings.profile.name, production_folder(settings).resolve() / ENVIRONMENT_FILE
    variables = {PROFILE_VARIABLE: name, "DAGSTER_HOME": str(dagster_home(settings).resolve())}
    if settings.dagster_url is not None and production.is_file():
        return f"export {PROFILE_VARIABLE}={name}; . {_quoted(str(production))}; "
    if not stored and name == _DEFAULT and not choosing_variables() and named_profile() is None:
        return ""
    if os.name == "nt":
        return "".join(f'set "{each}={value}" && ' for each, value in variables.items())
    return "".join(f"{each}={_quoted(value)} " for each, value in variables.items())


def _quoted(value: str) -> str:
    return list2cmdline([value]) if os.name == "nt" else shlex.quote(value)
