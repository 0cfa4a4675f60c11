"""What the console says when a secret is wrong: nothing of it."""

import sys
from urllib.parse import quote

import pytest

from pairs_platform.core.masking import keep_secret
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.awkward_secrets import MARK, planted
from pairs_platform_tests.support.postgres import free_port

UNUSABLE = {
    "database_url": "postgresql+psycopg2://trader:{}@127.0.0.1:5432/x",
    "database_owner_url": "postgresql+psycopg2://trader:{}@127.0.0.1:5432/x",
    "dagster_url": "postgresql+psycopg2://trader:{}@127.0.0.1:5432/x",
    "mlflow_uri": "http://trader:{}@127.0.0.1:5000",
    "redis_url": "redis://:{}@127.0.0.1:6379/0",
    "alert_urls": "json://ok.example/x {}",
    "lake_options": '{{"key": "{}"',
    "alpaca_key_id": '"{}"',
    "alpaca_secret_key": "{} and more",
}


@pytest.mark.parametrize(("field", "template"), UNUSABLE.items())
def test_one_that_cannot_be_used_is_refused_by_every_command(field, template, console, monkeypatch):
    for secret in (f"a@b:c/d%zz#{MARK}", f"p/{MARK}@x?[", f'"{MARK} {MARK}"'):
        monkeypatch.setenv(variable(field), template.format(secret))
        shown = console("config", "show")
        assert shown.exit_code == 1
        assert variable(field) in shown.output
        assert MARK not in shown.output


@pytest.mark.parametrize(
    ("words", "field", "url"),
    [
        (["alerts"], "database_url", "postgresql+psycopg2://trader:{}@127.0.0.1:{}/x"),
        (["audit"], "database_url", "postgresql+psycopg2://trader:{}@127.0.0.1:{}/x"),
        (["stream", "status"], "redis_url", "redis://:{}@127.0.0.1:{}/0"),
    ],
)
def test_one_of_a_store_that_is_not_there_is_not_shown(words, field, url, console, monkeypatch):
    for secret in planted()[::7]:
        monkeypatch.setenv(variable(field), url.format(quote(secret, safe=""), free_port()))
        shown = console(*words)
        assert (shown.exit_code, "127.0.0.1" in shown.output) == (1, True)
        assert MARK not in shown.output


def test_what_a_person_types_wrong_is_masked_too(console):
    keep_secret(f"s{MARK}")
    shown = console("audit", f"--s{MARK}")
    assert shown.exit_code == 2
    assert MARK not in shown.output


def test_settings_are_shown_without_secrets(console, monkeypatch):
    monkeypatch.setenv("APCA_API_SECRET_KEY", f"\ufeff{MARK}\r\n")
    monkeypatch.setenv(variable("redis_url"), f"redis://:{MARK}@cache:6379")
    shown = console("config", "show")
    assert shown.exit_code == 0
    assert MARK not in shown.output


def test_an_uncaught_error_of_a_command_is_masked(monkeypatch, capsys):
    from pairs_platform.cli import cli, main

    def fails(**_: object) -> None:
        raise RuntimeError(f"no: s{MARK}")

    keep_secret(f"s{MARK}")
    monkeypatch.setattr(cli, "invoke", fails)
    monkeypatch.setattr(cli, "main", fails)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(RuntimeError) as raised:
        main()
    sys.excepthook(raised.type, raised.value, raised.tb)
    assert "RuntimeError: no: ***" in capsys.readouterr().err
