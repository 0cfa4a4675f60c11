"""Profiles by name: which are stored, which one is in use, and what opens one again.

What does not belong here: the folder of a profile and its manifest (`lake.profile`), and settings that are no choice of
a profile (`model`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairs_platform.core.errors import ConfigurationError, ProfileMismatch, SettingsError
from pairs_platform.core.folding import listed, perhaps
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.lake.atomic import replace_file
from pairs_platform.lake.profile import FORMAT, MANIFEST, Profile, read_manifest
from pairs_platform.settings.variables import PROFILE_VARIABLE, choosing_variables

IN_USE_FILE = "profile-in-use"
"""In the state folder: the name of the profile that commands take where nobody names one."""


@dataclass(frozen=True)
class StoredProfile:
    """A profile in the state folder; `profile` is None where the manifest cannot be read."""

    name: str
    folder: Path
    profile: Profile | None


def stored_profiles(root: Path) -> list[StoredProfile]:
    """The profiles below a state folder, by name."""
    found = []
    for manifest in sorted(root.glob(f"*/{MANIFEST}")):
        try:
            profile: Profile | None = read_manifest(manifest.parent)[0]
        except ProfileMismatch:
            profile = None
        found.append(StoredProfile(manifest.parent.name, manifest.parent, profile))
    return found


def profile_in_use(root: Path) -> str | None:
    """Name of the profile that `use_profile` stored; None where it stored none."""
    try:
        return (root / IN_USE_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def use_profile(root: Path, name: str | None) -> None:
    """Let later commands take profile `name`, or the configured one.

    Raises
    ------
    ConfigurationError
        The state folder cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if name is None:
            (root / IN_USE_FILE).unlink(missing_ok=True)
        else:
            replace_file(root / IN_USE_FILE, f"{name}\n".encode())
    except OSError as error:
        raise ConfigurationError(f"{root / IN_USE_FILE} cannot be written: {error.strerror}") from None


def choice_of(root: Path, name: str) -> Mapping[str, Any]:
    """The settings that open profile `name` of a state folder, by their groups.

    Parameters
    ----------
    root : Path
    name : str
        Of its folder. The name itself says everything about a profile that is not of files.

    Raises
    ------
    SettingsError
        There is no such profile, or its manifest does not say which files it is of.
    """
    try:
        profile, stored_format = read_manifest(root / name)
        if profile.settings:
            return profile.settings
        earlier = f" (format {stored_format}, this one has {FORMAT})" if stored_format < FORMAT else ""
    except (OSError, ProfileMismatch):
        earlier = ""
    parts = name.split("-")
    kind, _, more = parts[0].partition("_")
    if len(parts) == 3 and parts[1] in tuple(Frequency) and kind in ("simulated", "alpaca", "yahoo"):
        source: dict[str, Any] = {"kind": kind} | ({"alpaca": {"feed": more}} if kind == "alpaca" else {})
        return {"source": source, "frequency": parts[1]}
    if earlier:
        raise SettingsError(
            f"profile {name} was made by an earlier version of the platform{earlier}, which did not note its files: "
            "name them once with `pairs-platform migrate --data PATH`"
        )
    raise no_such_profile(root, name)


def no_such_profile(root: Path, name: str) -> SettingsError:
    """The error for a name that no profile of a state folder has, with the one that was perhaps meant."""
    names = [stored.name for stored in stored_profiles(root)]
    has = listed(names, 12) if names else "none"
    return SettingsError(f"no profile {name!r} is stored in {root}{perhaps(name, names)}; it has {has}")


def require_profile(name: str, profile: Profile) -> None:
    """Refuse settings that give another profile than the one that was named.

    Raises
    ------
    SettingsError
    """
    if profile.name == name:
        return
    variables = choosing_variables()
    cause = (
        f"variable {', '.join(variables)}: unset it, or {PROFILE_VARIABLE}"
        if variables
        else "the universe or the settings of its source: put the configuration that it was made with into "
        "PAIRS_PLATFORM_CONFIG"
    )
    raise SettingsError(f"profile {name} is named, but the settings are those of {profile.name}, because of {cause}")
