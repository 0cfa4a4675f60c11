"""What Dagster keeps of errors and log lines, in its databases and files."""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest
import requests

from pairs_platform.core.errors import SettingsError, Unavailable
from pairs_platform.core.masking import keep_secret
from pairs_platform.defs.outcomes import without_useless_retries
from pairs_platform.defs.resources import resources
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.awkward_secrets import MARK, planted, private_file


def of_a_library() -> None:
    errors = []
    for secret in planted():
        try:
            requests.get("http://127.0.0.1:1", headers={"key": f"{secret}\r\n".encode()})
        except requests.exceptions.InvalidHeader as error:
            errors.append(error)
    raise RuntimeError("; ".join(map(repr, errors))) from errors[0]


def with_causes() -> None:
    try:
        raise KeyError(*planted())
    except KeyError as error:
        wrapped = RuntimeError(f"no answer from {planted()!r}")
        wrapped.add_note(f"key {planted()[0]}")
        raise wrapped from error


def as_a_bug() -> None:
    with without_useless_retries(dg.build_asset_context(), None):
        raise TypeError(*planted())


def of_the_tree() -> None:
    with without_useless_retries(dg.build_asset_context(), None):
        raise Unavailable(f"no answer from {' or '.join(planted())}") from ValueError(*planted())


FAILURES = (of_a_library, with_causes, as_a_bug, of_the_tree)


def texts(folder: Path) -> bytes:
    """Every file of a folder; of databases every value, wherever its page has it."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".db":
            with sqlite3.connect(path) as database:
                for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    found += [repr(row).encode() for row in database.execute(f'SELECT * FROM "{table}"')]
        elif path.is_file():
            found.append(path.read_bytes())
    return b"\n".join(found)


def test_no_event_and_no_file_of_a_failed_run_holds_a_secret(tmp_path, capfd):
    for secret in planted():
        keep_secret(secret)

    @dg.op
    def secrets_of_a_run(context: dg.OpExecutionContext) -> None:
        for secret in planted():
            context.log.warning(f"asked with {secret}")
            context.log.info("asked with %s", secret)

    ops = [secrets_of_a_run]
    for failure in FAILURES:

        @dg.op(name=failure.__name__)
        def fails(_fail=failure) -> None:
            _fail()

        ops.append(fails)

    @dg.job(executor_def=dg.in_process_executor)
    def everything_fails() -> None:
        for op in ops:
            op()

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = everything_fails.execute_in_process(instance=instance, raise_on_error=False)
        failed = [event for event in result.all_events if event.is_step_failure]
    assert len(failed) == len(ops) - 1
    kept = texts(tmp_path)
    assert b"asked with ***" in kept
    assert b"no answer from" in kept
    assert b"TypeError: ('***'" in kept
    assert b"InvalidHeader" in kept
    assert MARK.encode() not in kept
    shown = capfd.readouterr()
    assert MARK not in shown.out + shown.err


def test_resources_clean_what_dagster_reads_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("APCA_API_KEY_ID", " PK7plain\u00a0\r\n")
    monkeypatch.setenv("APCA_API_SECRET_KEY_FILE", private_file(tmp_path / "key", "\ufeffsk7plain\r\n"))
    monkeypatch.setenv("PAIRS_PLATFORM__REDIS_URL", "redis://:p%40ss@cache:6379\n")
    with dg.build_resources(resources(load_settings())) as made:
        settings = made.platform.settings
    assert settings.alpaca_key_id.get_secret_value() == "PK7plain"
    assert settings.alpaca_secret_key.get_secret_value() == "sk7plain"
    assert settings.redis_url.get_secret_value() == "redis://:p%40ss@cache:6379"


def test_a_key_that_was_replaced_by_one_that_cannot_be_used_is_refused_without_it(monkeypatch, tmp_path):
    path = tmp_path / "key"
    monkeypatch.setenv("APCA_API_KEY_ID_FILE", private_file(path, "PK7plain"))
    found = resources(load_settings())
    path.write_text("PK7\nM4rk1n9-and-more")
    with pytest.raises(dg.DagsterResourceFunctionError) as raised, dg.build_resources(found):
        pass
    cause = raised.value.__cause__
    assert isinstance(cause, SettingsError)
    assert "APCA_API_KEY_ID_FILE has a blank or a line end in it" in str(cause)
    assert MARK not in str(cause)
