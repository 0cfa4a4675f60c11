import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pairs_platform.core.errors import ConfigurationError, DatabaseMismatch, DatabaseUnavailable
from pairs_platform.database.models import read_trainings
from pairs_platform.database.sizes import sizes_by_session, store_sizes
from pairs_platform.database.store import Database
from pairs_platform.database.tables import METADATA, STORAGE_SIZES, VIEWS
from pairs_platform_tests.support.waiting import WAIT_SECONDS


class TestSchema:
    def test_up_down_and_up_again_leaves_what_the_tables_say(self, database):
        assert database.revision() is None
        database.upgrade()
        database.downgrade()
        assert database.revision() is None
        database.upgrade()
        with database.begin() as connection:
            assert sa.inspect(connection).get_view_names() == list(VIEWS)
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    def test_a_migration_that_breaks_off_leaves_the_schema_as_it_was(self, database, url, monkeypatch):
        def fails(*_: object, **__: object) -> None:
            raise OSError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("alembic.op.create_index", fails)
            with pytest.raises(OSError, match="no space left"):
                database.upgrade()
        engine = sa.create_engine(url)
        assert sa.inspect(engine).get_table_names() == []
        engine.dispose()
        assert database.upgrade()

    def test_a_newer_schema_is_refused(self, database, url):
        database.upgrade()
        with database.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(DatabaseMismatch, match="schema 9999, which this version of the platform does not know"):
            read_trainings(Database(url, "simulated-5min-raw"), "technology")

    def test_another_profile_is_refused(self, database, url):
        read_trainings(database, "technology")
        with pytest.raises(DatabaseMismatch, match="belongs to profile simulated-5min-raw"):
            read_trainings(Database(url, "alpaca_iex-5min-raw"), "technology")

    def test_one_that_is_claimed_by_another_process_meanwhile(self, url):
        first, second = Database(url, "p"), Database(url, "p")
        first.upgrade()
        claims = []

        def before(connection, cursor, statement, *_):
            if statement.startswith("INSERT INTO database_profile") and not claims:
                claims.append(statement)
                read_trainings(second, "technology")

        sa.event.listen(first._engine, "before_cursor_execute", before)
        assert len(read_trainings(first, "technology")) == 0
        assert claims

    def test_three_processes_that_come_first_at_once(self, url):
        code = (
            "from pairs_platform.database.models import Decision, read_trainings\n"
            "from pairs_platform.database.store import Database\n"
            f"read_trainings(Database({url!r}, 'p'), 'technology')"
        )
        started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
        assert [(one.wait(WAIT_SECONDS), one.stderr.read()) for one in started] == [(0, b"")] * 3


class TestAlone:
    """Transactions that read, change and store what others must not change meanwhile."""

    def test_no_change_of_several_at_once_is_lost(self, database):
        day, one = date(2023, 3, 8), STORAGE_SIZES.c.part == "a part"
        store_sizes(database, day, {"a part": 0}, datetime.now(UTC))

        def add(_: int) -> None:
            with database.begin_alone() as connection:
                size = connection.scalar(sa.select(STORAGE_SIZES.c.bytes).where(one).with_for_update())
                connection.execute(sa.update(STORAGE_SIZES).where(one).values(bytes=size + 1))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(12)))
        assert sizes_by_session(database)[day] == {"a part": 12}

    def test_what_is_stored_is_on_the_disk(self, database):
        with database.begin_alone() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.scalar(sa.text("PRAGMA synchronous")) == 2
            else:
                assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"


class TestUnreachable:
    URL = "postgresql+psycopg2://trader:s3cret@127.0.0.1:9/nothing"

    def test_the_password_is_in_no_message(self):
        database = Database(self.URL, "p")
        with pytest.raises(DatabaseUnavailable, match="does not answer") as raised:
            read_trainings(database, "technology")
        assert "s3cret" not in f"{raised.value}{database!r}"

    @pytest.mark.parametrize("url", ["postgresql://host/db", "nonsense", "mysql://host/db"])
    def test_an_url_of_another_kind_is_refused(self, url):
        with pytest.raises(ConfigurationError, match="postgresql\\+psycopg2"):
            Database(url, "p")
