import json
from urllib.parse import quote

import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import SECRET_FIELDS
from pairs_platform.settings.secrets import CHECKS, usable_secret
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.awkward_secrets import AROUND, CORES, private_file

KEYS = ("alpaca_key_id", "alpaca_secret_key")
URLS = {
    "database_url": "postgresql+psycopg2://trader:{}@db.example:5432/trading",
    "database_owner_url": "postgresql+psycopg2://owner:{}@db.example:5432/trading",
    "dagster_url": "postgresql+psycopg2://dagster:{}@db.example:5432/dagster",
    "mlflow_uri": "https://trader:{}@mlflow.example:5000/path",
    "redis_url": "redis://:{}@cache.example:6379/0",
}
UNENCODED = [core for core in CORES if "%40" not in core and quote(core, safe="~;:,=&+$()*'!") != core]


def test_every_secret_setting_has_its_check():
    assert set(CHECKS) == SECRET_FIELDS


def refused(field: str, value: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        usable_secret(field, value)
    return str(caught.value)


def assert_nothing_of(secret: str, message: str) -> None:
    """No run of six characters of a secret."""
    assert not [secret[i : i + 6] for i in range(len(secret) - 5) if secret[i : i + 6] in message], message


@pytest.mark.parametrize("around", AROUND, ids=ascii)
@pytest.mark.parametrize("field", [*KEYS, *URLS])
def test_what_is_around_a_secret_is_taken_away(field, around, monkeypatch):
    core = URLS.get(field, "{}").format("PK7-plain-word")
    for given in (core + around, around + core, around + core + around):
        assert usable_secret(field, given).get_secret_value() == core
    monkeypatch.setenv(variable(field), core + around)
    assert getattr(load_settings(), field).get_secret_value() == core


@pytest.mark.parametrize("field", sorted(CHECKS))
def test_nothing_but_blanks_counts_as_unset(field, monkeypatch, tmp_path):
    monkeypatch.setenv(variable(field), " \r\n\ufeff")
    assert getattr(load_settings(), field) is None
    if field == "redis_url":  # an empty variable does not hide the file
        monkeypatch.setenv(f"{variable(field)}_FILE", private_file(tmp_path / "url", "redis://cache:6379"))
        assert load_settings().redis_url.get_secret_value() == "redis://cache:6379"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("field", KEYS)
def test_a_file_of_any_encoding_with_a_byte_order_mark(field, encoding, monkeypatch, tmp_path):
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    content = f"{mark}PK7plain\r\n".encode(encoding)
    monkeypatch.setenv(f"{variable(field)}_FILE", private_file(tmp_path / "key", content))
    assert getattr(load_settings(), field).get_secret_value() == "PK7plain"


@pytest.mark.parametrize("content", ["PK7plain\n".encode("utf-16-le"), b"PK7pl\xe4in\n"])
def test_a_file_that_is_no_text_is_named_without_its_content(content, monkeypatch, tmp_path):
    monkeypatch.setenv("APCA_API_KEY_ID_FILE", private_file(tmp_path / "key", content))
    with pytest.raises(SettingsError, match="APCA_API_KEY_ID_FILE") as caught:
        load_settings()
    assert_nothing_of("PK7plain", str(caught.value))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("PKQ7\nX-Evil: 1", "line end"),
        ("PKQ7\r\nX8Y9", "line end"),
        ("PKQ7 X8Y9", "blank"),
        ("PKQ7\u00a0X8Y9", "blank"),
        ("PKQ7\u200bX8Y9", "cannot be seen"),
        ("PKQ7\x00X8Y9", "control"),
        ("PKQ7\x1bX8Y9", "control"),
        ("PKQ7\x85X8Y9", "control"),
        ("PKQ7ßX8Y9", "no key has"),
        ("日本語キーキーキー", "no key has"),
        ("PKQ7\udcffX8Y9", "UTF-8"),
        ('"PKQ7X8Y9"', "quotation marks"),
        ("'PKQ7X8Y9'", "quotation marks"),
        ("“PKQ7X8Y9”", "quotation marks"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", KEYS)
def test_a_key_that_no_header_takes_is_refused_without_its_value(field, key, why, monkeypatch):
    assert why in refused(field, key)
    if "\x00" in key:
        return
    monkeypatch.setenv(variable(field), key)
    with pytest.raises(SettingsError, match=variable(field)) as caught:
        load_settings()
    assert why in str(caught.value)
    for part in ("PKQ7", "X8Y9", "日本語"):
        assert part not in str(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize("core", UNENCODED, ids=ascii)
@pytest.mark.parametrize("field", list(URLS))
def test_a_password_that_is_not_encoded_is_refused_without_a_part_of_it(field, core):
    message = refused(field, URLS[field].format(core))
    assert "urllib.parse.quote" in message
    assert_nothing_of(core, message)


@pytest.mark.parametrize("core", UNENCODED[::6], ids=ascii)
@pytest.mark.parametrize("field", list(URLS))
def test_the_variable_of_a_refused_url_is_named(field, core, monkeypatch):
    monkeypatch.setenv(variable(field), URLS[field].format(core))
    with pytest.raises(SettingsError, match=variable(field)) as caught:
        load_settings()
    assert_nothing_of(core, str(caught.value) + repr(caught.value.__context__))


@pytest.mark.parametrize("core", ["colon:colon:colon-12", "per%40cent-encoded", "a~b;c,d=e&f+g$h(i)j*k'l!m"])
def test_what_everybody_reads_alike_needs_no_encoding(core):
    for field, url in URLS.items():
        assert usable_secret(field, url.format(core)).get_secret_value() == url.format(core)


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("database_url", "postgresql://u:p@host/x"),
        ("database_url", "postgres://u:p@host/x"),
        ("database_url", "host/x"),
        ("database_url", "postgresql+psycopg2://u:p@host:port/x"),
        ("database_url", "postgresql+psycopg2://u:p@host:0/x"),
        ("database_url", "postgresql+psycopg2://u:p@host:70000/x"),
        ("database_url", "postgresql+psycopg2://u:p@ho st/x"),
        ("database_url", "postgresql+psycopg2://u:12/34@host/x"),
        ("database_url", "postgresql+psycopg2://u:12?34@host/x"),
        ("database_url", "postgresql+psycopg2://u:p%zz@host/x"),
        ("database_url", "postgresql+psycopg2://u:p%ff@host/x"),
        ("database_url", "postgresql+psycopg2://u:p@host/x/y"),
        ("mlflow_uri", "databricks"),
        ("mlflow_uri", "http:///path"),
        ("mlflow_uri", "http://u:12/34@host:5000"),
        ("redis_url", "redis://:12/3@host:6379"),
        ("redis_url", "redis://host:6379/zero"),
        ("redis_url", "unix://host/tmp/x.sock"),
        ("alert_urls", "json://a.example/x mailto:me"),
        ("lake_options", "[1]"),
        ("lake_options", "{"),
        ("lake_options", json.dumps({"key": "K", "secret": "s\n"})),
        ("lake_options", json.dumps({"client_kwargs": {"aws_session_token": "t\u200bt"}})),
    ],
)
def test_what_is_no_url_or_parses_otherwise_than_meant_is_refused(field, url):
    assert_nothing_of(url.partition("://")[2], refused(field, url))


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("database_url", "sqlite:////tmp/a b#%/x.db"),
        ("database_url", "postgresql+psycopg2://u@/x?host=/var/run/postgresql&sslmode=verify-full"),
        ("database_url", "postgresql+psycopg2://u:p@[::1]:5432/x?sslrootcert=/etc/ssl/own-ca.pem"),
        ("database_url", "postgresql+psycopg2://u:p@/x?host=a:5432&host=b:5432"),
        ("database_url", "postgresql+psycopg2://db_host/x"),
        ("mlflow_uri", "http://127.0.0.1:5000"),
        ("mlflow_uri", "https://mlflow.example/some/path/"),
        ("redis_url", "rediss://:p@cache.example.org:6380/0?ssl_ca_certs=/etc/ssl/own-ca.pem"),
        ("redis_url", "unix:///tmp/x.sock?db=1"),
        ("alert_urls", "slack://A/B/C/#chan\n mailto://u:p@gmail.com?to=me@x.org"),
        ("lake_options", json.dumps({"key": "K", "anon": False, "client_kwargs": {"region_name": "eu"}})),
    ],
)
def test_usual_values_are_taken_as_they_are(field, url):
    assert usable_secret(field, url).get_secret_value() == url


@pytest.mark.parametrize("core", CORES, ids=ascii)
@pytest.mark.parametrize("field", list(URLS))
def test_an_encoded_password_is_taken(field, core):
    url = URLS[field].format(quote(core, safe=""))
    assert usable_secret(field, url).get_secret_value() == url


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("source.alpaca.base_url", "https://trader:{}@proxy.example"),
        ("source.alpaca.base_url", "http://trader:{}@proxy.example/v2?token=1"),
        ("lake_url", "s3://key:{}@bucket"),
        ("alerts.ui_url", "https://trader:{}@ui.example"),
        ("frequency", "https://trader:{}@ui.example"),
        ("source.files.paths", "s3://key:{}@bucket"),
    ],
)
def test_a_url_that_is_no_secret_holds_none(monkeypatch, setting, value):
    monkeypatch.setenv(variable(setting), value.format("Kx7/corridor"))
    with pytest.raises(SettingsError, match=setting.replace("source.files.paths", "PATHS")) as caught:
        load_settings()
    assert "corridor" not in str(caught.value)
