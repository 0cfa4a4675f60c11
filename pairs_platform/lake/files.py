"""Files of a lake, on a disk or on object storage: read, replaced as a whole, listed.

On object storage a file is one object, which a single PUT replaces: readers see the previous one or the new one there
too. What does not belong here: how a disk does it (`atomic`), and what the files hold (`store`, `profile`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from pairs_platform.core.errors import ConfigurationError, Refused, Unavailable
from pairs_platform.lake.atomic import replace_file, while_locked

if TYPE_CHECKING:
    from upath import UPath

LakePath: TypeAlias = Union[Path, "UPath"]
"""A path on a disk, or one that `object_folder` made or that was derived from it."""


class LakeUnavailable(Unavailable):
    """Object storage that does not answer, or fails for a reason that may pass."""

    def __init__(self, path: LakePath, reason: object) -> None:
        super().__init__(
            f"the lake's object storage fails at {path}: {reason}; check lake_url, lake_options "
            "and that the service runs"
        )


def object_folder(url: str, options: Mapping[str, Any]) -> "UPath":
    """A folder on object storage; no request is sent yet.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``.
    options : mapping
        Arguments of `s3fs.S3FileSystem`, for example ``endpoint_url``, ``key``, ``secret``; what is not given comes
        from where the AWS libraries look for it.

    Raises
    ------
    ConfigurationError
        The driver is not installed, or does not take the options.
    """
    from upath import UPath

    # Another process may have written since: a listing is never cached. Without concurrent parts an object is read by
    # one request, which does not need the size first.
    fixed = {"use_listings_cache": False, "skip_instance_cache": True, "max_concurrency": 1}
    folder = UPath(url, **{**options, **fixed})
    try:
        accepted = set(signature(type(folder.fs).__init__).parameters) - {"self", "kwargs"}
    except ImportError:
        raise ConfigurationError(f"{folder}: s3fs is not installed (pip install 'pairs-platform[s3]')") from None
    if unknown := sorted(set(options) - accepted):
        raise ConfigurationError(
            f"lake_options: s3fs has no option {', '.join(unknown)}; it has {', '.join(sorted(accepted))}"
        )
    return folder


def read_file(path: LakePath) -> bytes:
    """The content of a file.

    Raises
    ------
    FileNotFoundError
    LakeUnavailable
    """
    if isinstance(path, Path):
        return while_locked(path.read_bytes)
    with _answering(path):
        return bytes(path.fs.cat_file(path.path))


def replace(path: LakePath, content: bytes) -> None:
    """Publish `content` at `path` as a whole, or leave what is there.

    Raises
    ------
    LakeUnavailable
        Object storage: what was there is unchanged.
    OSError
        A disk: as `replace_file`.
    """
    if isinstance(path, Path):
        replace_file(path, content)
        return
    try:
        with _answering(path):
            path.fs.pipe_file(path.path, content)
    except FileNotFoundError as error:  # the bucket
        raise LakeUnavailable(path, error) from None


def create_object(path: "UPath", content: bytes) -> None:
    """Store an object unless one is there: of two processes one wins, the other one's is dropped."""
    try:
        with _answering(path):
            path.fs.pipe_file(path.path, content, mode="create")
    except FileExistsError:
        return
    except FileNotFoundError as error:  # the bucket
        raise LakeUnavailable(path, error) from None


def is_stored(path: LakePath) -> bool:
    """Whether there is a file at `path`."""
    if isinstance(path, Path):
        return path.is_file()
    try:
        with _answering(path):
            return bool(path.fs.info(path.path)["type"] == "file")
    except FileNotFoundError:
        return False


def names_in(folder: LakePath) -> list[str]:
    """Names of files and folders right below a folder, sorted; empty where there is no folder."""
    if isinstance(folder, Path):
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    try:
        with _answering(folder):
            return sorted(name.rstrip("/").rpartition("/")[2] for name in folder.fs.ls(folder.path, detail=False))
    except FileNotFoundError:
        return []


def sizes_below(folder: LakePath) -> dict[str, int]:
    """Bytes of every file below a folder, at any depth, by its path from there."""
    if isinstance(folder, Path):
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    with _answering(folder):
        objects = folder.fs.find(folder.path, detail=True)
    return {name.removeprefix(f"{folder.path}/"): int(info["size"]) for name, info in sorted(objects.items())}


def remove_below(folder: "UPath") -> None:
    """Remove every object below a folder."""
    with _answering(folder):
        if names := list(folder.fs.find(folder.path)):
            folder.fs.rm(names)


@contextmanager
def _answering(path: "UPath") -> Iterator[None]:
    """Turn errors of the driver, except for files that exist or do not, into one error with its remedy."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except PermissionError as error:
        raise Refused(f"the lake's object storage refuses access to {path}: {error}; check lake_options") from error
    except (OSError, BotoCoreError) as error:
        raise LakeUnavailable(path, error) from error
