"""`pairs-platform backup` where it would save less than there is; `processes/runtime/test_backup.py` has the file."""

from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, production_folder
from pairs_platform.settings.variables import variable


def test_stores_of_production_that_the_environment_does_not_name_are_not_left_out(console, tmp_path):
    path = production_folder(load_settings()) / ENVIRONMENT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"export {variable('database_url')}=postgresql+psycopg2://trading:word@127.0.0.1:5439/pairs\n")
    path.chmod(0o600)
    shown = console("backup", str(tmp_path / "state.tar.gz"))
    assert shown.exit_code == 1
    assert f"stores that the environment does not name ({variable('database_url')})" in shown.output
    assert not (tmp_path / "state.tar.gz").exists()
