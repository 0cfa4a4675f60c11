"""The options of a profile: which commands take them, and hints that repeat them."""

import ast
import json
import os
import re
import shlex
from datetime import date
from pathlib import Path

import click
import pytest

import pairs_platform
from pairs_platform.cli import cli, live
from pairs_platform.cli.demo import _next_steps
from pairs_platform.cli.live import _say_where
from pairs_platform.cli.profile_options import profile_settings
from pairs_platform.core.errors import PartitionMissing
from pairs_platform.core.masking import masked
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.lake.profile import claim_profile
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, STATE_FILE, live_folder, production_folder
from pairs_platform.settings.variables import variable
from pairs_platform.views.remedies import with_remedy

WITHOUT_PROFILE = {("config", "init"), ("data", "check"), ("profiles", "list"), ("profiles", "use")}
"""Commands that read no profile; `data check` has the path as its argument."""

PRICES = "symbol,date,open,high,low,close,volume\n" + "".join(
    f"{symbol},2025-06-{day:02d},{n},{n},{n},{n},100\n" for n, symbol in enumerate("AB", 1) for day in (2, 3, 4, 5, 6)
)


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[(*path, name)] = command
    return found


def parsed(line: str) -> click.Context:
    """The context of the command that a line runs, as the console would parse it."""
    program, *words = shlex.split(line)
    assert program == "pairs-platform"
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
    return command.make_context(program, words)


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
    _next_steps("technology", date(2025, 6, 6))
    _say_where(settings, "127.0.0.1", 3000)
    click.echo(f"  {hint('demo')}")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  pairs-platform ")]
    assert len(lines) == 8
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
    for words in (("symbols", "status"), ("storage",)):
        shown = console(*words, "--profile", name)
        assert name in shown.output.split("─")[0], shown.output
    assert f"nothing is broken in profile {name}" in console("alerts", "--profile", name).output


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
    assert "`up` does not run" in capsys.readouterr().err
    state = live_folder(settings) / STATE_FILE
    state.parent.mkdir()
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


def test_hints_in_messages_are_commands_that_exist():
    """Those of the whole package, up to what is filled in when one is shown."""
    found = set()
    for file in Path(pairs_platform.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"`pairs-platform ([a-z][a-z -]*)", node.value))
    assert len(found) > 10
    for words in found:
        context, command = click.Context(cli), cli
        for word in words.split():
            if isinstance(command, click.Group) and not word.startswith("-"):
                assert word in command.list_commands(context), words
                command = command.get_command(context, word)
            elif word.startswith("--"):
                assert word in {option for parameter in command.params for option in parameter.opts}, words


def test_a_hint_without_options_is_the_command_alone(console):
    profile_settings(None, None, None)
    assert hint("models list") == "pairs-platform models list"
