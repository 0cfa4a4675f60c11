import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.settings.loading import load_settings, secrets_from_environment
from pairs_platform.settings.model import SECRET_FIELDS
from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable

TECHNOLOGY = [
    *("AAPL", "ADI", "AMAT", "AMD", "AVGO", "CDNS", "CSCO", "IBM", "INTC", "KLAC", "LRCX", "MCHP"),
    *("MSFT", "MU", "NVDA", "NXPI", "ORCL", "PDFS", "QCOM", "ROG", "SWKS", "TER", "TXN"),
]


def test_shipped_settings_are_those_of_the_documentation():
    settings = load_settings()
    assert [listing.symbol for listing in settings.listings("technology")] == TECHNOLOGY
    assert settings.active_sectors == ("technology",)
    assert {"healthcare", "financial"} <= set(settings.universe)
    assert (settings.correlation.gate, settings.cointegration.gate, settings.selection.gate) == (0.8, 0.05, 0.7)
    assert settings.selection.pinned_pairs == ("PDFS_ROG",)
    assert (settings.frequency, settings.lookback_sessions) == (Frequency.FIVE_MINUTES, 60)
    assert list(settings.scores.weights.values()) == [0.4, 0.3, 0.2, 0.1]


def test_users_folder_overrides_the_package_and_the_environment_overrides_both(folder, monkeypatch):
    (folder / PLATFORM_FILE).write_text("correlation: {gate: 0.6}\ntrading: {entry_z: 2.5}\n")
    settings = load_settings()
    assert (settings.correlation.gate, settings.correlation.basis) == (0.6, "log_price")
    monkeypatch.setenv(variable("correlation.gate"), "0.7")
    settings = load_settings()
    assert (settings.correlation.gate, settings.trading.entry_z) == (0.7, 2.5)


def test_a_sector_is_added_and_activated_by_configuration_alone(folder):
    (folder / UNIVERSE_FILE).write_text(
        "universe: {energy: {active: true, symbols: [XOM, CVX]}, healthcare: {active: true}}\n"
    )
    settings = load_settings()
    assert settings.active_sectors == ("energy", "healthcare", "technology")
    assert [listing.symbol for listing in settings.listings("energy")] == ["CVX", "XOM"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("correlation: {gate: 1.5}", ["correlation.gate", "less than 1", "1.5", PLATFORM_FILE]),
        ("correlation: {gat: 0.5}", ["correlation.gat", "Extra inputs"]),
        ("scores: {weight_fit: 0.5}", ["scores", "sum"]),
        ("frequency: 2min", ["frequency", "2min", "5min"]),
        ("frequency: 1min", ["frequency", "valid: 5min, 1h, 1d"]),
        ("universe: {tech: {active: true, symbols: [AAPL, MSFT]}}", ["unknown sector tech", "technology"]),
        ("universe: {technology: {symbols: [AAPL, AAPL]}}", ["universe.technology", "listed twice: AAPL"]),
        ("universe: {technology: {symbols: [AAPL, aapl]}}", ["universe.technology.symbols.1", "aapl"]),
        ("source: {kind: files}", ["source", "source.files.paths"]),
        ("source: {kind: ftp}", ["source.kind", "ftp", "simulated"]),
        ("- a list", ["must hold a mapping"]),
        ("a: [", ["is not valid YAML", "line"]),
        ("trading: {entry_z: 0.4}", ["trading"]),
        ("lookback: {intraday: 5}", ["lookback.intraday", "20"]),
    ],
)
def test_a_wrong_setting_is_refused_with_its_path_and_what_is_valid(folder, text, told):
    (folder / PLATFORM_FILE).write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    for part in told:
        assert part in str(refused.value)


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv(variable("correlation.gate"), "high")
    with pytest.raises(SettingsError, match="PAIRS_PLATFORM__CORRELATION__GATE"):
        load_settings()


def test_a_folder_that_is_none_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match="is not a folder; make one with"):
        load_settings()


class TestSecretFiles:
    @pytest.fixture
    def file(self, monkeypatch, tmp_path):
        path = tmp_path / "database url"
        path.write_text("postgresql+psycopg2://a:hunter2@db/x\n")
        path.chmod(0o640)
        monkeypatch.setenv(f"{variable('database_url')}_FILE", str(path))
        return path

    def test_a_file_holds_the_secret(self, file):
        assert load_settings().database_url.get_secret_value() == "postgresql+psycopg2://a:hunter2@db/x"

    def test_every_secret_can_be_in_a_file(self, monkeypatch, tmp_path):
        for field in SECRET_FIELDS:
            path = tmp_path / field
            path.write_text(f"secret of {field}")
            path.chmod(0o600)
            monkeypatch.setenv(f"{variable(field)}_FILE", str(path))
        found = secrets_from_environment()
        assert {name: value.get_secret_value() for name, value in found.items()} == {
            field: f"secret of {field}" for field in SECRET_FIELDS
        }

    def test_what_cannot_be_used_is_named_without_the_secret(self, file, monkeypatch):
        name = f"{variable('database_url')}_FILE"
        file.chmod(0o644)
        with pytest.raises(SettingsError, match=rf"{name}=.* can be used by everybody \(mode 644\): chmod 600"):
            load_settings()
        file.chmod(0o600)
        file.write_text(" ")
        with pytest.raises(SettingsError, match=f"{name}=.* is empty"):
            load_settings()
        file.unlink()
        with pytest.raises(SettingsError, match=f"{name}=.* cannot be read: No such file"):
            load_settings()
        monkeypatch.setenv(variable("database_url"), "postgresql+psycopg2://a:hunter2@db/x")
        with pytest.raises(SettingsError, match="are both set: remove one of them") as caught:
            load_settings()
        assert "hunter2" not in str(caught.value)

    def test_only_secrets_can(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY_FILE", str(tmp_path))
        with pytest.raises(SettingsError, match="FREQUENCY_FILE sets nothing"):
            load_settings()


def test_secrets_are_masked_and_stay_out_of_errors(monkeypatch, folder):
    monkeypatch.setenv("APCA_API_KEY_ID", "PK-hunter2")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "sk-hunter2")
    settings = load_settings()
    assert settings.alpaca_secret_key.get_secret_value() == "sk-hunter2"
    shown = repr(settings) + settings.model_dump_json()
    (folder / PLATFORM_FILE).write_text("correlation: {gate: 7}")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "hunter2" not in shown + str(refused.value)


def test_a_variable_that_sets_nothing_is_refused(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENZY", "1d")
    with pytest.raises(SettingsError, match="PAIRS_PLATFORM__FREQUENZY sets nothing"):
        load_settings()


def test_a_list_that_is_not_json_is_refused_with_an_example(monkeypatch):
    monkeypatch.setenv(variable("source.kind"), "files")
    monkeypatch.setenv(variable("source.files.paths"), "prices.parquet")
    with pytest.raises(SettingsError, match="holds JSON"):
        load_settings()
