import pytest
import yaml

from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE, shipped_text
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable


def test_show_prints_yaml_that_is_in_force(console, monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__CORRELATION__GATE", "0.65")
    shown = console("config", "show")
    assert shown.exit_code == 0
    settings = yaml.safe_load(shown.stdout)
    assert settings["correlation"]["gate"] == 0.65
    assert settings["source"]["kind"] == "simulated"
    assert len(settings["universe"]["technology"]["symbols"]) == 23


def test_show_names_what_is_not_the_default(console, monkeypatch):
    before = console("config", "show").stdout
    assert "# not the default: correlation.gate" not in before
    monkeypatch.setenv("PAIRS_PLATFORM__CORRELATION__GATE", "0.65")
    shown = console("config", "show").stdout
    default = yaml.safe_load(before)["correlation"]["gate"]
    assert f"# not the default: correlation.gate is 0.65, the default is {default}\n" in shown


def test_a_long_value_with_blanks_is_shown_in_one_line(console, monkeypatch, tmp_path):
    root = tmp_path / " ".join(["a folder"] * 20)
    monkeypatch.setenv(variable("state_root"), str(root))
    assert f"state_root: {root}\n" in console("config", "show").output


def test_show_masks_secrets(console, monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", "PK-hidden")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "sk-hidden")
    shown = console("config", "show")
    assert "-hidden" not in shown.output
    assert yaml.safe_load(shown.stdout)["alpaca_secret_key"].startswith("***")


def test_describe_gives_unit_meaning_and_bounds(console):
    shown = console("config", "show", "--describe")
    assert shown.exit_code == 0
    line = next(line for line in shown.output.splitlines() if line.startswith("lookback.intraday "))
    assert "[sessions]" in line
    assert line.endswith("Valid: a whole number from 20 to 504 sessions. Default: 60.")
    assert "universe.SECTOR.symbols [symbols]" in shown.output
    assert "gt=" not in shown.output.lower()


def test_init_writes_a_copy_to_edit_and_names_the_variable(console, tmp_path):
    folder = tmp_path / "my config"
    shown = console("config", "init", str(folder))
    assert shown.exit_code == 0
    assert f"{CONFIG_VARIABLE}={folder}" in shown.output
    assert (folder / PLATFORM_FILE).read_text() == shipped_text(PLATFORM_FILE)
    assert (folder / UNIVERSE_FILE).read_text() == shipped_text(UNIVERSE_FILE)


def test_init_keeps_what_is_there(console, tmp_path):
    (tmp_path / PLATFORM_FILE).write_text("frequency: 1d\n")
    shown = console("config", "init", str(tmp_path))
    assert shown.exit_code == 1
    assert "exists already; it is left as it is" in shown.output
    assert (tmp_path / PLATFORM_FILE).read_text() == "frequency: 1d\n"


def test_the_copy_is_used(console, monkeypatch, tmp_path):
    console("config", "init", str(tmp_path))
    path = tmp_path / PLATFORM_FILE
    path.write_text(path.read_text().replace("gate: 0.8", "gate: 0.75"))
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path))
    assert yaml.safe_load(console("config", "show").stdout)["correlation"]["gate"] == 0.75


@pytest.mark.parametrize("words", [["config", "show"], ["pairs"], ["doctor"], ["symbols", "list"], ["demo"]])
def test_a_wrong_setting_ends_every_command_with_its_path(console, monkeypatch, words):
    monkeypatch.setenv("PAIRS_PLATFORM__SELECTION__GATE", "7")
    shown = console(*words)
    assert shown.exit_code == 1
    assert "selection.gate" in shown.output
    assert "PAIRS_PLATFORM__SELECTION__GATE" in shown.output
    assert "Traceback" not in shown.output


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0), (["nonsense"], 2), (["config", "nonsense"], 2)])
def test_exit_codes_of_words_that_run_nothing(console, words, code):
    shown = console(*words)
    assert shown.exit_code == code
    assert "Usage" in shown.output
