import os
from pathlib import Path

import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.masking import masked
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.settings.loading import SECRETS_OF_LIBRARIES, load_settings, secrets_from_environment
from pairs_platform.settings.model import SECRET_FIELDS
from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.awkward_secrets import private_file

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
    for source in ({"kind": "yahoo"}, {"kind": "alpaca"}, {"kind": "files", "files": {"paths": ["prices.csv"]}}):
        assert load_settings({"source": source}).selection.pinned_pairs == ()
        chosen = load_settings({"source": source, "selection": {"pinned_pairs": ["AMD_INTC"]}})
        assert chosen.selection.pinned_pairs == ("AMD_INTC",)
    assert load_settings({"selection": {"pinned_pairs": []}}).selection.pinned_pairs == ()
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
        ("correlation: {gate: 1.5}", ["correlation.gate", "-1 or more and below 1", "1.5", f"{PLATFORM_FILE}, line 1"]),
        ("correlation: {gat: 0.5}", ["correlation.gat: is no setting; correlation.gate is perhaps meant"]),
        ("scores: {weight_fit: 0.5}", ["scores", "sum"]),
        ("frequency: 2min", ["frequency", "2min", "5min"]),
        ("frequency: 1min", ["frequency: 1min is not allowed: one of 5min, 1h, 1d"]),
        (
            "universe: {tech: {active: true, symbols: [AAPL, MSFT]}}",
            ["universe.tech: tech is not allowed: one of the sectors", "technology is perhaps meant"],
        ),
        ("universe: {technology: {symbols: [AAPL, AAPL]}}", ["universe.technology", "listed twice: AAPL"]),
        ("universe: {technology: {symbols: [AAPL, aapl]}}", ["universe.technology", "listed twice: AAPL"]),
        ("universe: {technology: {symbols: [AAPL, A__B]}}", ["universe.technology.symbols.1", "A__B"]),
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
            path = private_file(tmp_path / field, f"secret of {field}")
            monkeypatch.setenv(f"{variable(field)}_FILE", path)
        assert secrets_from_environment() == {field: f"secret of {field}" for field in SECRET_FIELDS}

    def test_what_cannot_be_used_is_named_without_the_secret(self, file, monkeypatch):
        name = f"{variable('database_url')}_FILE"
        file.chmod(0o644)
        with pytest.raises(SettingsError, match=rf"{name}=.* can be used by everybody \(mode 644\): chmod 600"):
            load_settings()
        file.chmod(0o600)
        for nothing in (" ", "\ufeff\u200b\r\n"):
            file.write_text(nothing, encoding="utf-8")
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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PAIRS_PLATFORM__FREQUENZY", "PAIRS_PLATFORM__FREQUENCY"),
        ("PAIRS_PLATFORM__SOURCE__FILE__PATHS", "PAIRS_PLATFORM__SOURCE__FILES__PATHS"),
        ("pairs_platform__source__kinds", "PAIRS_PLATFORM__SOURCE__KIND"),
        ("PAIRS_PLATFORM__SOURCE__KIND__NAME", "PAIRS_PLATFORM__SOURCE__KIND"),
        ("PAIRS_PLATFORM__UNIVERSE__ENERGY__SYMBOL", "PAIRS_PLATFORM__UNIVERSE__ENERGY__SYMBOLS"),
        ("PAIRS_PLATFORM__GRU__TRAINIG__SEED", "PAIRS_PLATFORM__GRU__TRAINING__SEED"),
        ("PAIRS_PLATFORM__ENTRY_Z", "PAIRS_PLATFORM__TRADING__ENTRY_Z"),
        ("PAIRS_PLATFORM__DATABSE_URL", "PAIRS_PLATFORM__DATABASE_URL"),
        ("PAIRS_PLATFORM__DATABSE_URL_FILE", "PAIRS_PLATFORM__DATABASE_URL_FILE"),
        ("PAIRS_PLATFORM__ALPACA_KEY_ID", "APCA_API_KEY_ID"),
        ("PAIRS_PLATFORM_STATE_ROOT", "PAIRS_PLATFORM__STATE_ROOT"),
        ("PAIRS_PLATFORM_SOURCE_FILES_PATHS", "PAIRS_PLATFORM__SOURCE__FILES__PATHS"),
        ("PAIRS_PLATFORM__", "config show --describe"),
        ("PAIRS_PLATFORM__NOTHING__LIKE__IT", "config show --describe"),
    ],
)
def test_a_variable_that_sets_nothing_is_refused_with_the_one_that_is_meant(monkeypatch, name, meant):
    monkeypatch.setenv(name, "a value")
    with pytest.raises(SettingsError, match=f"variable {name} sets nothing") as refused:
        load_settings()
    assert meant in str(refused.value)
    assert "a value" not in str(refused.value)


def test_variables_that_a_cluster_adds_for_a_service_of_this_name_are_none_of_the_settings(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("PAIRS_PLATFORM_PORT_3000_TCP", "tcp://10.0.0.1:3000")
    load_settings()


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            "source.files.paths",
            "prices.parquet",
            """paths: prices.parquet is no JSON: .*PATHS='\\["prices.parquet"\\]'""",
        ),
        ("source.files.paths", '["a.csv"', "is no JSON"),
        ("universe.energy.symbols", "XOM,CVX", "is no JSON"),
        ("source", "[" * 100_000, "is no JSON"),
        ("source", '{"kind": "yahoo", "kind": "files"}', "sets kind twice"),
        ("source", '{"kin": "yahoo"}', "source.kin: is no setting; source.kind is perhaps meant"),
        ("source", "[1]", "source: a list of 1 is not allowed: a group of settings such as kind"),
        ("universe.tech.active", "true", "universe.tech: .*technology is perhaps meant"),
        ("source.simulated.seed", "9" * 5000, "source.simulated.seed"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(monkeypatch, path, value, told):
    monkeypatch.setenv(variable(path), value)
    with pytest.raises(SettingsError, match=told) as refused:
        load_settings()
    assert f"variable {variable(path)}" in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("start", ["25:00", "10:60", "600", "9:30"])
def test_what_is_no_time_of_day_is_refused(start):
    with pytest.raises(SettingsError, match=r"stream\.replay\.start"):
        load_settings({"stream": {"replay": {"start": start}}})


def test_symbols_and_times_need_no_quotes(folder):
    (folder / UNIVERSE_FILE).write_text("universe: {energy: {symbols: [ON, NO, TRUE, Y]}}")
    (folder / PLATFORM_FILE).write_text("stream: {replay: {start: 10:00, first: 2025-01-02}}\nalerts: {warnings: off}")
    settings = load_settings()
    assert settings.universe["energy"].symbols == ("ON", "NO", "TRUE", "Y")
    assert (settings.stream.replay.start, str(settings.stream.replay.first)) == ("10:00", "2025-01-02")
    assert settings.alerts.warnings is False


def test_equal_errors_of_a_list_are_one_line_with_their_number_and_the_first(folder):
    symbols = ", ".join(f"aa__{n}" for n in range(254))
    (folder / UNIVERSE_FILE).write_text(f"universe: {{technology: {{symbols: [{symbols}]}}}}")
    with pytest.raises(
        SettingsError, match=r"universe.technology.symbols: 254 entries .* first one 0 with aa__0: "
    ) as refused:
        load_settings()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["x" * 500, "{y: 1}", "[1, 2]", "&a [*b]"])
def test_no_message_of_settings_is_long(folder, value):
    (folder / PLATFORM_FILE).write_text("\n".join(f"{'k' * n}: {value}" for n in range(1, 200)))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize("name", ["platform.yml", "Platform.yaml", "UNIVERSE.YAML", "universe.yaml.txt"])
def test_a_file_that_would_be_passed_over_is_named(folder, name):
    (folder / name).write_text("frequency: 1h")
    with pytest.raises(SettingsError, match=f"{name} is not read: rename it to (platform|universe).yaml"):
        load_settings()


def test_a_file_that_cannot_be_read_is_named(folder):
    (folder / PLATFORM_FILE).mkdir()
    with pytest.raises(SettingsError, match=f"{PLATFORM_FILE} cannot be read"):
        load_settings()


@pytest.mark.parametrize("name", ["_env_file", "_cli_parse_args", "_secrets_dir", "self", "model_config"])
def test_an_argument_of_the_library_is_no_setting(folder, name):
    (folder / PLATFORM_FILE).write_text(f"{name}: x")
    with pytest.raises(SettingsError, match=f"{name}:? is no setting.*{PLATFORM_FILE}"):
        load_settings()


def test_a_group_without_an_entry_changes_nothing(folder):
    (folder / PLATFORM_FILE).write_text("correlation:\n# gate: 0.7\n")
    assert load_settings().correlation.gate == 0.8


class TestPaths:
    @pytest.mark.parametrize(("typed", "meant"), [("~/state", "HOME/state"), ("~", "HOME"), ("./~/state", "~/state")])
    def test_the_home_folder_stands_for_a_tilde_everywhere(self, monkeypatch, tmp_path, typed, meant):
        monkeypatch.setenv("HOME", str(tmp_path))
        meant = meant.replace("HOME", str(tmp_path))
        monkeypatch.setenv(variable("state_root"), typed)
        source = {"kind": "files", "files": {"paths": [typed], "actions_path": typed}}
        settings = load_settings({"source": source, "stream": {"replay": {"files": [typed]}}})
        paths = (settings.state_root, *settings.source.files.paths, *settings.stream.replay.files)
        assert {str(Path(path)) for path in (*paths, settings.source.files.actions_path)} == {meant}

    def test_a_configuration_and_a_secret_in_the_home_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / PLATFORM_FILE).write_text("frequency: 1h")
        private_file(tmp_path / "url", "redis://localhost")
        monkeypatch.setenv(CONFIG_VARIABLE, "~")
        monkeypatch.setenv(f"{variable('redis_url')}_FILE", "~/url")
        settings = load_settings()
        assert (settings.frequency, settings.redis_url.get_secret_value()) == ("1h", "redis://localhost")

    @pytest.mark.parametrize(
        ("typed", "told"),
        [("", "is empty"), ("~no-such-user/x", "no home folder of ~no-such-user"), (b"/a\xff", "not UTF-8")],
    )
    def test_what_is_no_path_is_refused(self, monkeypatch, typed, told):
        monkeypatch.setenv(variable("state_root"), os.fsdecode(typed))
        with pytest.raises(SettingsError, match=f"state_root: .*{told}"):
            load_settings()

    def test_a_state_folder_that_another_process_makes_meanwhile_is_one(self, monkeypatch, tmp_path):
        """Those of a process manager begin at once."""
        root, real = tmp_path / "state", os.path.lexists

        def made(path: Path) -> bool:
            root.mkdir(exist_ok=True)
            return real(path)

        monkeypatch.setattr(os.path, "lexists", made)
        monkeypatch.setenv(variable("state_root"), str(root))
        assert load_settings().state_root == root


def test_symbols_of_the_settings_have_the_platforms_spelling(folder):
    (folder / UNIVERSE_FILE).write_text("universe: {technology: {symbols: [brk-b, ' AAPL', BF_B]}}", encoding="utf-8")
    assert load_settings().universe["technology"].symbols == ("BRK.B", "AAPL", "BF_B")


@pytest.mark.parametrize("name", SECRETS_OF_LIBRARIES)
def test_what_libraries_read_themselves_is_masked_too(name, monkeypatch):
    monkeypatch.setenv(name, "hunter2/hunter2")
    load_settings()
    assert masked("hunter2/hunter2 and hunter2%2Fhunter2") == "*** and ***"


@pytest.mark.parametrize("day", ["20180102", "1514851200", "2018-1-2", "2018-01-02T00:00", "02.01.2018"])
def test_a_day_is_written_as_a_date_and_never_as_seconds(day, monkeypatch) -> None:
    monkeypatch.setenv(variable("backfill_start"), day)
    with pytest.raises(
        SettingsError, match=f"backfill_start: {day} is not allowed: a day written YYYY-MM-DD from 2018-01-02"
    ):
        load_settings()
