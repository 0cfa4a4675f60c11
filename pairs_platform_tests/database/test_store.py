import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pairs_platform.core.errors import ConfigurationError, DatabaseMismatch, DatabaseUnavailable
from pairs_platform.database.models import read_trainings
from pairs_platform.database.store import Database
from pairs_platform.database.tables import METADATA, VIEWS
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
