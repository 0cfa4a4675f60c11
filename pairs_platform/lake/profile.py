"""The folder of a profile, `.state/<source>-<frequency>-<basis>/`, and the manifest that keeps other data out of it.

A lake on object storage has a manifest of its own. What does not belong here: where the state folder is (`settings`)
and what lies inside (`store` and others).
"""

import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pairs_platform.core.errors import ConfigurationError, ProfileMismatch, ProfileOutdated
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.lake.atomic import TEMPORARY_SUFFIX, while_locked
from pairs_platform.lake.files import LakePath, create_object, read_file, replace

MANIFEST = "manifest.json"
FORMAT = 4
"""Version of the names and types of files, tables, columns and values in a profile; 1 is a manifest that has none, and
earlier than 4 none has the settings by which its profile is opened."""

_Folder = TypeVar("_Folder", bound=LakePath)


@dataclass(frozen=True)
class Profile:
    """Source, frequency and price basis: data of two profiles is never mixed in one folder.

    Attributes
    ----------
    source : str
        Name of the market data source, for example ``"simulated"``.
    frequency : Frequency
    basis : PriceBasis
    settings : mapping
        Groups of settings by which the profile is opened again: paths of files, seed of a simulated market. The same
        profile can be opened by others.
    """

    source: str
    frequency: Frequency
    basis: PriceBasis
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Folder name, for example ``simulated-5min-raw``."""
        return "-".join(re.sub(r"[^a-z0-9]+", "_", part.lower()) for part in (self.source, self.frequency, self.basis))

    def __str__(self) -> str:
        return f"source {self.source}, frequency {self.frequency.value}, price basis {self.basis.value}"


def claim_profile(folder: _Folder, profile: Profile) -> _Folder:
    """Make `folder` the home of `profile`, or verify that it is; safe with several processes at once.

    Parameters
    ----------
    folder : Path or UPath
        Usually the state folder / `profile.name`; made when missing.
    profile : Profile

    Returns
    -------
    `folder`.

    Raises
    ------
    ProfileMismatch
        As `format_of`.
    ProfileOutdated
        An earlier version made it.
    ConfigurationError
        It cannot be made: the disk is full, or may only be read.
    """
    manifest = folder / MANIFEST
    try:
        stored_format = format_of(folder, profile)
    except FileNotFoundError:
        if isinstance(manifest, Path):
            _make(manifest, _content(profile))
        else:
            create_object(manifest, _content(profile))
        stored_format = format_of(folder, profile)
    if stored_format < FORMAT:
        raise ProfileOutdated(
            f"{folder} was made by an earlier version of the platform (format {stored_format}, this one has {FORMAT})"
        )
    return folder


def format_of(folder: LakePath, profile: Profile) -> int:
    """The format of a folder that belongs to `profile`; none that is newer than `FORMAT`.

    Raises
    ------
    FileNotFoundError
        The folder has no manifest.
    ProfileMismatch
        The folder belongs to another profile or to a newer version, or its manifest cannot be read.
    """
    owner, stored_format = read_manifest(folder)
    if owner != profile:
        raise ProfileMismatch(
            f"{folder} holds {owner}, but the settings ask for {profile}. Choose a state folder of its own for these "
            f"settings, or set the settings back; to give up what is stored, remove {folder}"
        )
    if stored_format > FORMAT:
        raise ProfileMismatch(
            f"{folder} has format {stored_format}, which this version of the platform does not know (newest {FORMAT}): "
            "install the newer version again"
        )
    return stored_format


def rename_profile(earlier: Path, folder: Path, profile: Profile) -> None:
    """Make the folder `earlier` the home of `profile`, with another name of its source and `folder` as its place.

    Raises
    ------
    ConfigurationError
        `folder` is there already.
    ProfileMismatch
        As `read_manifest`.
    """
    if folder.exists():
        raise ConfigurationError(f"{folder} is in the way of {earlier}, and holds no profile: remove it")
    _, stored_format = read_manifest(earlier)
    replace(earlier / MANIFEST, _content(profile, stored_format))
    while_locked(lambda: os.replace(earlier, folder))


def mark_upgraded(folder: LakePath, profile: Profile) -> None:
    """Note that everything in a folder has the names of this version."""
    replace(folder / MANIFEST, _content(profile))


def read_manifest(folder: LakePath) -> tuple[Profile, int]:
    """The profile to which `folder` belongs, and its format.

    Raises
    ------
    FileNotFoundError
        The folder has no manifest.
    ProfileMismatch
        The manifest is damaged.
    """
    manifest = folder / MANIFEST
    content = read_file(manifest)
    try:
        stored = json.loads(content)
        profile = Profile(
            str(stored["source"]),
            Frequency(stored["frequency"]),
            PriceBasis(stored["basis"]),
            dict(stored.get("settings", {})),
        )
        return profile, int(stored.get("format", 1))
    except (ValueError, KeyError, TypeError) as error:
        raise ProfileMismatch(
            f"{manifest} is damaged ({error}): nobody can tell what {folder} holds; remove the folder"
        ) from error


def _content(profile: Profile, stored_format: int = FORMAT) -> bytes:
    return json.dumps({"format": stored_format, **asdict(profile)}, indent=2).encode() + b"\n"


def _make(manifest: Path, content: bytes) -> None:
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        _create(manifest, content)
    except OSError as error:
        raise ConfigurationError(
            f"{manifest.parent} cannot be made ({error.strerror}): name another folder in state_root"
        ) from error


def _create(path: Path, content: bytes) -> None:
    """Publish a complete file unless one is there already: of two processes one wins, the other one's is dropped."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:
            # A file system without hard links: the window between the look and the rename is all that is left.
            if not path.exists():
                while_locked(lambda: os.replace(temporary, path))
    finally:
        temporary.unlink(missing_ok=True)
