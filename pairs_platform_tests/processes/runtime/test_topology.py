"""Which processes a command has, and what is done before and while they start; `e2e` has the processes themselves."""

import pytest

from pairs_platform.database.revisions import note_prepared
from pairs_platform.processes.runtime.topology import ui_processes


@pytest.mark.parametrize("is_new", [True, False])
def test_the_storage_of_a_home_is_made_before_another_process_opens_it(tmp_path, is_new):
    done: list[str] = []
    if not is_new:
        note_prepared(tmp_path, "dagster")
    code, webserver, daemon = ui_processes(
        tmp_path, tmp_path, host="127.0.0.1", port=1, migrate=lambda: done.append("migrated")
    )
    assert [code.name, webserver.name, daemon.name] == ["code", "webserver", "daemon"]
    code.prepare()
    assert (done == ["migrated"]) is is_new
    code.meanwhile()
    assert done == ["migrated"]
    shared = str(tmp_path / "workspace.yaml")
    assert shared in webserver.command
    assert shared in daemon.command
    assert not code.ready()
