"""`pairs-platform demo` as a user types it, and the commands that look at its results."""

import re
from pathlib import Path

import pytest

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform_tests.support.demo_profile import (
    PRICED,
    SECTOR,
    SESSION,
    SESSIONS,
    SYMBOLS,
    DemoRun,
    run,
    write_config,
)
from pairs_platform_tests.support.fake_market import hourly_bars, walk

FUNNEL = (
    "symbols in the window", "pairs", "correlated", "cointegrated", "wide enough for the costs", "fitted",
    "score above the gate", "selected",
)  # fmt: skip


def test_demo_from_prices_to_configuration(demo: DemoRun) -> None:
    assert demo.exit_code == 0, demo.output
    assert "DEBUG" not in demo.output
    for step in FUNNEL:
        assert re.search(rf"^ *{step} +\d", demo.output, flags=re.MULTILINE), step
    assert "null, joint placebo" in demo.output
    assert "source     SIMULATED market, variant standard, seed 7" in demo.output
    for title in ("Selection funnel", "Ranking"):
        line = next(line for line in demo.output.splitlines() if line.startswith(title))
        assert f"{SECTOR} · {SESSION} · SIMULATED market" in line
    assert re.search(rf"^For session {session_offset(SESSION, 1)}: .+ to trade · {SECTOR}$", demo.output, re.MULTILINE)
    assert demo.output.index("For session ") < demo.output.index("Selection funnel")
    for session in SESSIONS:
        assert f"session {session}" in demo.output
    assert "Selected: " in demo.output
    assert "Pinned PDFS_ROG: stopped at" in demo.output
    assert "PAPER account: no trade in these bars" in demo.output
    assert "Where to look next" in demo.output
    assert "Traceback" not in demo.output


class TestAfterwards:
    def test_pairs(self, stored, console):
        shown = console("pairs", "--sector", SECTOR)
        assert shown.exit_code == 0
        assert shown.output.startswith(f"For session {session_offset(SESSION, 1)}: ")
        assert "Why each one passed or failed" in shown.output
        assert re.search(r"(buy|sell) [A-Z]+, (buy|sell) [\d.]+ [A-Z]+", shown.output)
        assert "SIMULATED market" in shown.output
        assert "stopped at correlation" in shown.output
        assert "<NA>" not in shown.output

    def test_one_pair(self, stored, console):
        shown = console("pairs", "--pair", "rog-pdfs")
        assert shown.exit_code == 0
        assert re.search(r"^first failed gate +correlation$", shown.output, flags=re.MULTILINE)

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--sector", "energy"], "has no ranking of energy yet"),
            (["--pair", "AAA_BBB"], "AAA_BBB is not among the 28 pairs"),
            (["--session", "2023-03-02"], "composite_rankings has no partition 2023-03-02|technology"),
        ],
    )
    def test_pairs_that_are_not_there(self, stored, console, words, told):
        shown = console("pairs", *words)
        assert shown.exit_code == 1
        assert told in shown.output

    def test_symbols_status(self, stored, console):
        shown = console("symbols", "status")
        assert shown.exit_code == 0
        (row,) = [line for line in shown.output.splitlines() if line.strip().startswith(SECTOR)]
        assert re.search(rf"{len(SYMBOLS)} +AAPL, ADI, .*2023-01-30 +{SESSION} +{len(PRICED)} +none", row), shown.output
        assert "of financial (20 symbols, not active), healthcare" in shown.output
        shown = console("symbols", "status", "--sector", SECTOR, "--each")
        for symbol in SYMBOLS:
            assert re.search(rf"\b{symbol}\b.*2023-01-30.*{SESSION}", shown.output), shown.output

    def test_sql(self, stored, console):
        shown = console("sql", "--csv", "select session, count(*) as n from cointegrated_pairs group by 1 order by 1")
        assert shown.exit_code == 0
        assert shown.stdout.splitlines() == ["session,n", *(f"{session},28" for session in SESSIONS)]

    def test_sql_that_is_wrong(self, stored, console):
        shown = console("sql", "select nothing from nowhere")
        assert shown.exit_code == 1
        assert "nowhere" in shown.output

    def test_config_show(self, stored, console):
        shown = console("config", "show")
        assert shown.exit_code == 0
        assert "frequency: 1h" in shown.output
        assert "planted_pairs_per_sector: 3" in shown.output

    def test_doctor(self, stored, console, monkeypatch, tmp_path):
        monkeypatch.setenv("DAGSTER_HOME", str(stored.settings.profile_root / "dagster"))
        shown = console("doctor")
        assert shown.exit_code == 0, shown.output
        assert "WRONG" not in shown.output
        assert "sessions with a configuration: technology 3" in shown.output

    def test_doctor_finds_another_home(self, stored, console, monkeypatch, tmp_path):
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        shown = console("doctor")
        assert shown.exit_code == 1
        assert f"WRONG DAGSTER_HOME is {tmp_path}" in shown.output
        assert str(stored.settings.profile_root / "dagster") in shown.output

    def test_the_console_script_is_installed(self, demo, tmp_path):
        done = run(["pairs-platform", "--version"], tmp_path, config=demo.config, state=demo.state)
        assert done.returncode == 0
        assert "version" in done.stdout


class TestRefusals:
    """Exit code 1 or 2 and one message, before anything is run."""

    @pytest.fixture(autouse=True)
    def _small(self, stored):
        pass

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--sector", "energy"], "the universe has no sector 'energy'; it has financial, healthcare, technology"),
            (["--session", "2029-03-08"], "session 2029-03-08 is not complete or not in the source; the newest is"),
            (
                ["--session", "2023-07-04"],
                "2023-07-04 is not an XNYS session (Tuesday); the session before it is 2023-07-03",
            ),
            (
                ["--session", "2021-01-20"],
                "the first session that most symbols of technology have, to 2021-01-20 there are 12 sessions",
            ),
            (["--session", "8 March"], "does not match the format"),
            (["--data", "no such file.parquet"], "no such file.parquet"),
            (["--data", "a.parquet", "--source", "yahoo"], "--data belongs to --source files, not to yahoo"),
            (["--source", "files"], "kind is files, and source.files.paths names no file"),
            (["--source", "alpaca"], "APCA_API_KEY_ID"),
        ],
    )
    def test_what_cannot_work(self, console, words, told):
        shown = console("demo", *words)
        assert shown.exit_code in (1, 2)
        assert told in " ".join(shown.output.split())
        assert "Traceback" not in shown.output

    def test_a_file_with_too_few_sessions(self, console, tmp_path):
        bars = hourly_bars(SESSIONS, {"AAA": walk(21, 1), "BBB": walk(21, 2)})
        path = tmp_path / "few sessions.parquet"
        bars.assign(sector="Information Technology").to_parquet(path)
        shown = console("demo", "--data", str(path))
        assert shown.exit_code == 1
        assert "to 2023-03-08 there are 3 sessions" in shown.output
        assert "need 27" in shown.output

    def test_no_active_sector(self, console, tmp_path, monkeypatch):
        config = write_config(tmp_path / "config", universe="universe: {technology: {active: false}}")
        monkeypatch.setenv("PAIRS_PLATFORM_CONFIG", str(config))
        shown = console("demo")
        assert shown.exit_code == 1
        assert "no sector is active" in shown.output


def test_a_run_that_fails_ends_with_its_reason(console, tmp_path: Path, monkeypatch) -> None:
    """Most bars of the market are lost, so that no symbol enters a window."""
    market = "simulated: {variant: missing_bars, missing_share: 0.6}"
    platform = f"frequency: 1h\nlookback: {{intraday: 20}}\nsource: {{{market}}}\n"
    config = write_config(tmp_path / "config", platform, "universe: {technology: {symbols: [AAPL, ADI, AMD]}}")
    monkeypatch.setenv("PAIRS_PLATFORM_CONFIG", str(config))
    done = console("demo", "--session", str(SESSION))
    assert done.exit_code == 1
    assert f"Error: session {SESSIONS[0]} failed" in done.output
    assert "0 symbols entered the window; AAPL: " in done.output
    assert "Traceback" not in done.output
