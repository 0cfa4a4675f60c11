"""The commands by which a person looks after the platform: alerts, audit, storage, migrate."""

import json
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner

from pairs_platform.adapters.notify.apprise_notifier import receivers
from pairs_platform.cli import cli
from pairs_platform.core.errors import ConfigurationError, DatabaseMismatch, DatabaseUnavailable
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.database.alerts import (
    due_deliveries,
    make_message,
    note_delivery,
    open_alerts,
    raise_alert,
    resolve_alerts,
)
from pairs_platform.database.audit import entries
from pairs_platform.database.tables import SCHEMA
from pairs_platform.platform import open_database
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.database.test_audit import add, decide
from pairs_platform_tests.support.receivers import web_receiver


@pytest.fixture
def database():
    return open_database(load_settings())


COMMAND = "PAIRS_PLATFORM_PROFILE=simulated-5min-raw dagster asset materialize --select price_history"


def console(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.output


def test_what_is_broken_what_is_over_and_what_did_not_go_out(database, monkeypatch):
    assert console("alerts") == f"nothing is broken in profile {load_settings().profile.name}\n"
    now = datetime.now(UTC)
    for key in ("one", "two"):
        given = Alert(
            key=key,
            kind="run_failed",
            severity="error",
            what=f"what of {key}\n  {COMMAND}",
            remedy="mend it",
            sector="technology",
            session=date(2026, 2, 27),
        )
        raise_alert(database, given, now)
    settings = load_settings().alerts
    monkeypatch.setenv(variable("alert_urls"), "json://127.0.0.1:9/T0ken")
    (receiver,) = receivers(load_settings().alert_urls)
    make_message(database, [receiver], now, settings, list_command="a command")
    note_delivery(database, due_deliveries(database, [receiver], now)[0], "503", now, settings)
    resolve_alerts(database, ["two"], now)
    said = console("alerts")
    assert "what of one" in said
    assert "what of two" in said
    assert said.count("open") == 1
    assert said.count(f"\n1: what of one\n  {COMMAND}\n") == said.count(COMMAND[:12]) == 1, "whole, and not in a cell"
    assert "\n1: mend it\n" in said
    assert f"not delivered to {receiver} after 1 attempts: 503" in said


def test_an_alert_is_closed_by_hand_and_the_audit_has_it(database):
    given = Alert(key="run|a_job||", kind="run_failed", severity="error", what="a_job: no", remedy="mend it")
    raise_alert(database, given, datetime.now(UTC))
    (one,) = open_alerts(database)
    assert console("alerts", "close", str(one.id), "--reason", "never again") == "closed: a_job: no\n"
    assert open_alerts(database) == []
    (entry,) = entries(database)
    assert (entry.action, entry.object, entry.reason) == ("alert_closed", given.key, "never again")
    assert "no open alert has number" in console("alerts", "close", str(one.id), "--reason", "again", code=1)
    assert len(entries(database)) == 1


def test_every_receiver_is_tried(monkeypatch):
    with web_receiver() as web:
        web.statuses = [500]
        urls = f"json://127.0.0.1:{web.port}/T0ken json://127.0.0.1:{web.port}/T0ken2"
        monkeypatch.setenv(variable("alert_urls"), urls)
        said = console("alerts", "test", code=1)
        assert len(web.posted) == 1
    profile, first, second = said.splitlines()
    assert profile == f"profile {load_settings().profile.name}"
    assert "error=500" in first
    assert second.endswith(": sent")
    assert "T0ken" not in said
    monkeypatch.delenv(variable("alert_urls"))
    assert "no receiver is configured" in console("alerts", "test", code=1)


def test_the_audit_is_shown_and_chosen_from(database):
    assert console("audit") == "nothing is recorded\n"
    decide(database)
    add(database, object="signals of the run mode replay", detail={"rows": 3})
    said = console("audit")
    assert "champion of technology" in said
    assert "signals of the run mode replay" in said
    (line,) = console("audit", "--action", "data_deleted", "--since", "2020-01-01", "--json").splitlines()
    assert json.loads(line)["detail"] == {"rows": 3}
    assert console("audit", "--since", "2999-01-01") == "nothing is recorded\n"


def test_databases_are_brought_to_this_version_once(database, monkeypatch):
    assert console("migrate").startswith(f"database: {SCHEMA}")
    assert "NO_SUCH_VARIABLE is not set" in console("migrate", "--mlflow-database", "NO_SUCH_VARIABLE", code=2)
    for url, kind, words in (
        ("postgresql+psycopg2://me:hunter2@127.0.0.1:1/x?sslpassword=hunter2", DatabaseUnavailable, "does not answer"),
        ("postgresql//me:hunter2", ConfigurationError, "MLFLOW_URL is no database URL: write postgresql"),
    ):
        monkeypatch.setenv("MLFLOW_URL", url)
        with pytest.raises(kind, match=words) as raised:
            console("migrate", "--mlflow-database", "MLFLOW_URL")
        assert "hunter2" not in str(raised.value)
    assert console("migrate") == "every database is at this version already\n"


@pytest.mark.parametrize("what", ["Dagster's storage", "MLflow's database"])
def test_a_newer_database_is_refused_with_both_versions(what, monkeypatch):
    import sqlalchemy as sa

    from pairs_platform.platform import open_registry

    settings = load_settings()
    console("migrate")
    open_registry(settings).versions("technology")
    place = {"Dagster's storage": "dagster/history/runs.db", "MLflow's database": "mlflow/mlflow.db"}[what]
    engine = sa.create_engine(f"sqlite:///{settings.profile_root / place}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'fffffff'"))
    engine.dispose()
    with pytest.raises(DatabaseMismatch, match=f"{what} has schema fffffff, which the installed version does not"):
        console("migrate")


def test_room_growth_and_what_retention_would_remove():
    console("migrate")
    said = console("storage")
    assert "database.db" in said
    assert "growth is forecast from" in said
    assert "retention" not in said
    said = console("storage", "--retention")
    assert "retention would remove 0 events of 0 runs" in said
