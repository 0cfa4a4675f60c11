"""The options of a profile: which commands take them, and hints that repeat them."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click
import pytest

from pairs_platform.cli import live, main, serve
from pairs_platform.cli.demo import _next_steps
from pairs_platform.cli.live import _say_where
from pairs_platform.cli.profile_options import profile_settings
from pairs_platform.core.errors import PartitionMissing
from pairs_platform.core.masking import masked
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.lake.profile import claim_profile
from pairs_platform.processes.runtime.supervisor import require_idle, the_only_one
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import (
    ENVIRONMENT_FILE,
    SERVED_FOLDER,
    STATE_FILE,
    live_folder,
    note_served,
    production_folder,
    running_production,
)
from pairs_platform.settings.variables import variable
from pairs_platform.views.remedies import with_remedy
from pairs_platform_tests.support.commands import commands, parsed

WITHOUT_PROFILE = {("config", "init"), ("data", "check"), ("profiles", "list"), ("profiles", "use")}
"""Commands that read no profile; `data check` has the path as its argument."""

PRICES = "symbol,date,open,high,low,close,volume\n" + "".join(
    f"{symbol},2025-06-{day:02d},{n},{n},{n},{n},100\n" for n, symbol in enumerate("AB", 1) for day in (2, 3, 4, 5, 6)
)


def test_every_command_that_reads_a_profile_takes_its_options():
    for path, command in commands().items():
        names = {option for parameter in command.params for option in parameter.opts}
        assert ({"--profile", "--source", "--data", "--frequency"} <= names) != (path in WITHOUT_PROFILE), path


@pytest.fixture
def prices(tmp_path, console) -> Path:
    """Price files in a folder whose name a shell takes apart; what a command puts into the environment is undone."""
    folder = tmp_path / "my $prices 'a"
    folder.mkdir()
    (folder / "a.csv").write_text(PRICES)
    return folder


MADE = [
    (source, frequency) for source in (None, "simulated", "alpaca", "yahoo") for frequency in (None, "5min", "1h", "1d")
]
DAILY_FILES = [(source, frequency) for source in ("files", "files that are stored") for frequency in (None, "1d")]


@pytest.mark.parametrize(("source", "frequency"), MADE + DAILY_FILES)
def test_a_hint_typed_in_a_shell_opens_the_profile_of_the_command_that_printed_it(
    prices, capsys, monkeypatch, source, frequency
):
    shell = dict(os.environ)
    of_files = source is not None and source.startswith("files")
    settings = profile_settings(None if of_files else source, str(prices) if of_files else None, frequency)
    if source == "files that are stored":
        claim_profile(settings.profile_root, settings.profile)
    monkeypatch.setattr(live, "replayed", lambda _: ["nothing is stored that could be replayed"])
    _next_steps(load_settings(), "technology", date(2025, 6, 6))
    _say_where(settings, "127.0.0.1", 3000)
    click.echo(f"  {hint('demo')}")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  pairs-platform ")]
    assert len(lines) == 12
    for line in lines:
        os.environ.clear()
        os.environ.update(shell)
        params = parsed(line).params
        opened = profile_settings(params["source"], params["data"], params["frequency"], profile=params["profile"])
        assert opened.profile == settings.profile
        assert opened.universe_origin == settings.universe_origin
        assert ("--profile" in line) == (source != "files" and (source, frequency) != (None, None))


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_profile_is_named_before_or_after_the_command(console, place):
    words = ["config", "show"]
    words = (
        ["--profile", "yahoo-1d-split_adjusted", *words]
        if place == "before"
        else [*words, "--profile=yahoo-1h-split_adjusted"]
    )
    shown = console(*words)
    assert shown.exit_code == 0, shown.output
    assert "kind: yahoo" in shown.output
    assert f"frequency: {'1d' if place == 'before' else '1h'}" in shown.output
    assert console(*words, "--source", "yahoo").exit_code == 2


def test_the_profile_in_use_is_taken_where_nothing_else_is_chosen(console, prices):
    settings = profile_settings(None, str(prices), None)
    name = claim_profile(settings.profile_root, settings.profile).name
    shell = {each: value for each, value in os.environ.items() if "SOURCE" not in each and "FREQ" not in each}
    shell.pop(variable("universe_origin"))

    def typed(*words: str, **more: str) -> str:
        os.environ.clear()
        os.environ.update(shell | more)
        shown = console(*words)
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert "kind: simulated" in typed("config", "show")
    assert name in typed("profiles", "use", name)
    shown = typed("config", "show")
    assert f"profile {name} (in use" in shown
    assert str(prices) in " ".join(shown.split())  # YAML folds a long path at its blank
    assert "frequency: 1d" in shown
    assert "universe_origin: source" in shown
    assert "kind: yahoo" in typed("config", "show", "--source", "yahoo")
    assert "frequency: 1h" in typed("config", "show", "--frequency", "1h")
    assert "kind: alpaca" in typed("config", "show", **{variable("source.kind"): "alpaca"})
    assert "kind: alpaca" in typed("config", "show", "--profile", "alpaca_iex-5min-raw")
    listed = typed("profiles", "list")
    assert [line.split()[0] for line in listed.splitlines() if " yes " in line] == [name]
    assert "kind: simulated" in typed("profiles", "use", "--none") + typed("config", "show")


@pytest.mark.parametrize("source", [None, "yahoo", "files"])
def test_a_command_of_dagster_finds_the_profile_by_what_stands_before_it(prices, source):
    shell = dict(os.environ)
    of_files = source == "files"
    settings = profile_settings(None if of_files else source, str(prices) if of_files else None, None)
    claim_profile(settings.profile_root, settings.profile)
    line = with_remedy(PartitionMissing("price_history", ["2024-07-02|technology"], asset="price_history"))
    words = shlex.split(line.splitlines()[-1])
    given = dict(word.split("=", 1) for word in words[: words.index("dagster")])
    os.environ.clear()
    os.environ.update(shell | given)
    assert load_settings().profile == settings.profile
    assert given.get("DAGSTER_HOME", "") == (str(settings.profile_root / "dagster") if source else "")


def test_the_title_of_a_table_names_the_profile(console, prices):
    name = "simulated-1h-raw"
    console("migrate", "--profile", name)
    for words in (("symbols", "status"), ("storage",)):
        shown = console(*words, "--profile", name)
        assert name in shown.output.split("─")[0], shown.output
    assert f"nothing is broken in profile {name}" in console("alerts", "--profile", name).output


OUTPUTS = (
    *("config show", "symbols list", "symbols status --sector financial", "pairs --pair AAPL_ADI", "signals", "alerts"),
    *("signals --pnl", "export rankings {folder}/a.csv", "sql 'select 1 as n'", "sql --csv 'select 1 as n'", "down"),
    *("models list", "models compare 1 2", "audit", "audit --json", "adopt", "doctor"),
    *("positions", "orders", "risk"),
)
"""A command line for each kind of output, with and without a table."""


def test_every_output_names_its_profile_once(console, stored, tmp_path):
    name = stored.settings.profile.name
    for line in OUTPUTS:
        shown = console(*shlex.split(line.format(folder=tmp_path))).output
        assert name in shown, line
        assert shown.count(f"profile {name}\n") <= 1, line


def test_what_a_program_reads_has_no_word_of_the_profile(stored, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pairs-platform", "sql", "--csv", "select 1 as n"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("n\n1\n", f"profile {stored.settings.profile.name}\n")


def test_a_profile_that_is_not_there_is_refused_with_the_names_of_those_that_are(console):
    claim_profile(load_settings().profile_root, load_settings().profile)
    for words in (("profiles", "use", "simulated-5min-rwa-x"), ("signals", "--profile", "simulated-5min-rwa-x")):
        shown = console(*words)
        assert shown.exit_code == 1
        assert "it has simulated-5min-raw" in shown.output
        assert "simulated-5min-raw is perhaps meant" in shown.output
    assert (
        "no profile 'yahoo-1d-split_adjusted' is stored" in console("profiles", "use", "yahoo-1d-split_adjusted").output
    )
    shown = console("config", "show", "--profile", "simulated_12345678-5min-raw")
    assert "put the configuration that it was made with into PAIRS_PLATFORM_CONFIG" in shown.output


def test_while_up_runs_the_console_works_on_its_databases_and_says_so(console, capsys):
    settings = load_settings()
    path = production_folder(settings) / ENVIRONMENT_FILE
    path.parent.mkdir(parents=True)
    url = "postgresql+psycopg2://trading:a%20secret%20word@127.0.0.1:5439/pairs"
    path.write_text(f"export DAGSTER_HOME='/x y'\nexport {variable('database_url')}={shlex.quote(url)}\n")
    path.chmod(0o600)
    assert profile_settings(None, None, None).database_url is None
    assert "its production does not run" in capsys.readouterr().err
    state = live_folder(settings) / STATE_FILE
    state.parent.mkdir()
    state.write_text(json.dumps({"pid": os.getpid(), "process": this_process(), "healthy": False}))
    assert profile_settings(None, None, None).database_url is None
    assert "`up` is starting" in capsys.readouterr().err
    state.write_text(json.dumps({"pid": os.getpid(), "process": this_process(), "healthy": True}))
    shown = console("config", "show")
    assert "its databases are used" in shown.output
    assert "secret%20word" not in shown.output
    found = profile_settings(None, None, None).database_url
    assert found is not None
    assert found.get_secret_value() == url
    assert "database_url" not in repr(found)
    assert url not in masked(f"no connection to {url}")
    os.environ[variable("database_url")] = "sqlite:///other.db"
    assert "sqlite" in profile_settings(None, None, None).database_url.get_secret_value()


def served(settings: Settings, *, named: list[str]) -> None:
    """Note this process as one of `serve`."""
    note_served(settings, "postgres", this_process(), named)


def test_processes_of_serve_are_a_production_that_runs(console, capsys):
    settings = load_settings()
    path = production_folder(settings) / ENVIRONMENT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"export {variable('database_url')}=postgresql+psycopg2://trading:word@127.0.0.1:5439/pairs\n")
    path.chmod(0o600)
    served(settings, named=["dagster_url"])
    shown = console("config", "show").output
    assert "`serve` runs on databases that this environment does not name" in shown
    assert shown.count(variable("dagster_url")) == 1
    assert "database_url: null" in shown
    served(settings, named=[])
    assert "`serve` runs, its databases are used" in console("config", "show").output
    own = profile_settings(None, None, None, on_running_stores=False)
    assert own.database_url is not None, "children of the command before have its variables"
    for words in (("up",), ("live",), ("ui", "--port", "1")):
        shown = console(*words)
        assert shown.exit_code == 1
        assert "`serve` runs already with this profile (postgres)" in shown.output
    assert "its process manager stops what `serve` runs: postgres" in console("down").output


def test_a_process_of_serve_that_has_ended_is_none(console):
    settings = load_settings()
    note_served(settings, "postgres", this_process() + "0", [])
    assert running_production(settings) is None
    require_idle(live_folder(settings))


def test_the_processes_of_serve_begin_on_databases_of_their_own(console, monkeypatch):
    """Also where one of them runs already: it must start what the others use."""
    settings = load_settings()
    served(settings, named=[])
    path = production_folder(settings) / ENVIRONMENT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"export {variable('database_url')}=postgresql+psycopg2://trading:word@127.0.0.1:5439/pairs\n")
    path.chmod(0o600)
    seen = []
    monkeypatch.setattr(serve, "topology", lambda settings, _: seen.append(settings.database_url) or sys.exit(0))
    shown = console("serve", "redis")
    assert seen == [None]
    assert f"profile {settings.profile.name}\n" in shown.output
    with the_only_one_unless_served(settings):
        assert "runs already" in console("serve", "redis").output


@contextmanager
def the_only_one_unless_served(settings: Settings) -> Iterator[None]:
    """The lock of a command that began before any process of `serve`."""
    for path in (live_folder(settings) / SERVED_FOLDER).iterdir():
        path.unlink()
    with the_only_one(live_folder(settings), "up"):
        yield


def test_a_hint_without_options_is_the_command_alone(console):
    profile_settings(None, None, None)
    assert hint("models list") == "pairs-platform models list"


def test_down_names_the_command_that_runs_without_up(console):
    assert "nothing runs" in console("down").output
    with the_only_one(live_folder(load_settings()), "ui"):
        assert f"`up` does not run; `ui` (pid {os.getpid()}) does: stop it with Ctrl-C\n" in console("down").output


@pytest.mark.parametrize(
    "command",
    [
        *("pairs", "signals", "alerts", "audit", "storage", "report", "positions", "orders", "risk", "symbols status"),
        *("models list", "models show 1", "models compare 1 2", "sql 'select 1 as n'", "export rankings a.csv"),
    ],
)
def test_a_profile_is_not_begun_by_looking_at_it(console, command):
    settings = load_settings()
    shown = console(*shlex.split(command))
    assert shown.exit_code == 1
    assert f"nothing is stored in profile {settings.profile.name} yet; `pairs-platform demo` begins it" in shown.output
    assert not settings.profile_root.exists()


def test_doctor_begins_no_profile(console):
    settings = load_settings()
    assert f"profile {settings.profile.name}: nothing is stored yet" in console("doctor").output
    assert not settings.profile_root.exists()
