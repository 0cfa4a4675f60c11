"""Awkward secrets in every setting, real libraries, everything failing: no message and no log line shows one."""

import base64
import json
import logging
import traceback
from datetime import date
from urllib.parse import quote

import pytest

from pairs_platform.adapters.notify.apprise_notifier import receivers, send
from pairs_platform.core.errors import PlatformError
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.core.time import utc_now
from pairs_platform.database.alerts import open_alerts, raise_alert
from pairs_platform.database.audit import AuditEntry, entries, record
from pairs_platform.platform import open_database, open_documents, open_registry, open_source, open_streams
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.output import mask_output
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.awkward_secrets import CORES, MARK, planted
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.vendor_servers import Answer, Asked, LocalServer, running

KEY_ID, KEY = f"PK{MARK}/id+=", f'sk{MARK}$VAR{{0}}\\n.*"%40'


class EchoingServer(LocalServer):
    """Refuses, and repeats every header that it got, as some proxies do."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def answer(self, asked: Asked) -> Answer:
        return Answer(json.dumps({"message": f"no: {asked.headers} {quote(str(asked.headers))}"}), self.status)


class Outcome:
    """What a failing call says: its error with causes, and every log line from DEBUG on."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def of(self, call) -> str:
        mask_output()
        with self._caplog.at_level(logging.DEBUG), pytest.raises(PlatformError) as raised:
            call()
        # As a handler writes it, and as Dagster does: each error of the chain by its text.
        chain, error = [], raised.value
        while error is not None and len(chain) < 9:
            chain.append(str(error) if isinstance(error, PlatformError) else "")
            error = error.__cause__ or error.__context__
        first = "".join(traceback.format_exception_only(raised.value))
        return "\n".join([first, *chain, self._caplog.text])


@pytest.fixture
def outcome(caplog) -> Outcome:
    return Outcome(caplog)


def assert_hidden(shown: str) -> None:
    assert shown.strip()
    assert MARK not in shown
    for offset in range(3):  # base 64 at each place of three bytes
        form = base64.b64encode(b"x" * offset + MARK.encode()).decode()[2 if offset else 0 : 8]
        assert form[2:] not in shown


def at_nobody(template: str, secret: str) -> str:
    return template.format(quote(secret, safe=""), free_port())


@pytest.mark.parametrize("secret", planted(), ids=range(len(CORES)))
@pytest.mark.parametrize(
    ("field", "template", "opened"),
    [
        (
            "database_url",
            "postgresql+psycopg2://trader:{}@127.0.0.1:{}/x",
            lambda settings: open_database(settings).upgrade(),
        ),
        (
            "redis_url",
            "redis://trader:{}@127.0.0.1:{}/0",
            lambda settings: open_streams(settings).health.read(),
        ),
    ],
)
def test_a_store_that_is_not_there(field, template, opened, secret, monkeypatch, outcome):
    monkeypatch.setenv(variable(field), f"{at_nobody(template, secret)}\r\n")
    shown = outcome.of(lambda: opened(load_settings()))
    assert "127.0.0.1" in shown
    assert_hidden(shown)


@pytest.mark.parametrize("secret", planted()[::5], ids=range(len(CORES[::5])))
@pytest.mark.parametrize("scheme", ["http://trader:{}@127.0.0.1:{}", "postgresql+psycopg2://trader:{}@127.0.0.1:{}/x"])
def test_a_registry_that_is_not_there(scheme, secret, monkeypatch, outcome):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_MAX_RETRIES", "0")
    monkeypatch.setenv(variable("mlflow_uri"), at_nobody(scheme, secret))
    if scheme.startswith("postgresql"):
        monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    assert_hidden(outcome.of(lambda: open_registry(load_settings()).versions("technology")))


@pytest.mark.parametrize("status", [401, 403, 422, 500])
def test_a_vendor_that_repeats_the_keys(status, monkeypatch, outcome):
    monkeypatch.setenv("APCA_API_KEY_ID", f"\ufeff{KEY_ID}\r\n")
    monkeypatch.setenv("APCA_API_SECRET_KEY", f"{KEY} \n")
    monkeypatch.setenv(variable("source.kind"), "alpaca")
    monkeypatch.setenv(variable("source.alpaca.max_attempts"), "1")
    with running(EchoingServer(status)) as server:
        monkeypatch.setenv(variable("source.alpaca.base_url"), server.url)
        source = open_source(load_settings())
        shown = outcome.of(lambda: source.fetch_bars(["AAPL"], date(2024, 3, 6), date(2024, 3, 6)))
        assert server.asked[0].headers["apca-api-key-id"] == KEY_ID
        assert server.asked[0].headers["apca-api-secret-key"] == KEY
    assert str(status) in shown
    assert_hidden(shown)


@pytest.mark.parametrize("secret", planted(), ids=range(len(CORES)))
def test_a_receiver_that_repeats_the_token(secret, monkeypatch, caplog):
    with running(EchoingServer(500)) as server:
        host = server.url.removeprefix("http://")
        encoded = quote(secret, safe="")
        monkeypatch.setenv(variable("alert_urls"), f"json://me:{encoded}@{host}/{encoded}?+X-Key={encoded}\n")
        ((name, url),) = receivers(load_settings().alert_urls).items()
        with caplog.at_level(logging.DEBUG):
            mask_output()
            said = send(name, url, "title", "body")
    assert "500" in said or "raised an exception" in said  # its header takes no more than latin-1
    assert_hidden(said + caplog.text)


def test_object_storage_that_is_not_there(monkeypatch, outcome):
    options = {"key": KEY_ID, "secret": KEY, "endpoint_url": f"http://127.0.0.1:{free_port()}"}
    options["config_kwargs"] = {"retries": {"max_attempts": 0}}
    monkeypatch.setenv(variable("lake_url"), "s3://bucket/lakes")
    monkeypatch.setenv(variable("lake_options"), json.dumps(options) + "\r\n")
    assert_hidden(outcome.of(lambda: open_documents(load_settings())))


def test_what_is_stored_about_failures(monkeypatch, tmp_path):
    monkeypatch.setenv(variable("database_url"), f"sqlite:///{tmp_path / 'x.db'}")
    monkeypatch.setenv("APCA_API_SECRET_KEY", KEY)
    settings = load_settings()
    database = open_database(settings)
    raise_alert(
        database, Alert(key="k", kind="run_failed", severity="error", what=f"no: {KEY!r}", remedy="look"), utc_now()
    )
    with database.begin() as connection:
        entry = AuditEntry(
            actor="a", action="run_retried", object="o", reason=f"no: {KEY}", detail={"why": f"no: {KEY}"}
        )
        record(connection, entry)
    assert [alert.what for alert in open_alerts(database)] == ["no: '***'"]
    assert [(row.reason, row.detail) for row in entries(database)] == [("no: ***", {"why": "no: ***"})]
    assert not any(MARK.encode() in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
