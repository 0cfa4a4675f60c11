import pytest
import sqlalchemy as sa

from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform_tests.support.odd_names import ODD_NAMES


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_in_any_folder_is_opened_where_it_is(tmp_path, name):
    file = tmp_path / name / "a.db"
    file.parent.mkdir(parents=True)
    engine = sa.create_engine(sqlite_url(file))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE a (b)"))
    engine.dispose()
    assert file.is_file()
    assert list(tmp_path.rglob("*.db")) == [file]
