"""The options of a profile: which commands take them, and hints that repeat them."""

import ast
import re
import shlex
from datetime import date
from pathlib import Path

import click
import pytest

import pairs_platform
from pairs_platform.cli import cli
from pairs_platform.cli.demo import _next_steps
from pairs_platform.cli.live import _say_where
from pairs_platform.cli.profile_options import hint, profile_settings
from pairs_platform.settings.loading import load_settings

WITHOUT_PROFILE = {("config", "show"), ("config", "init"), ("symbols", "add"), ("symbols", "remove"), ("data", "check")}
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
        assert ({"--source", "--data", "--frequency"} <= names) != (path in WITHOUT_PROFILE), path


@pytest.fixture
def prices(tmp_path, console) -> Path:
    """Price files in a folder whose name a shell takes apart; what a command puts into the environment is undone."""
    folder = tmp_path / "my $prices 'a"
    folder.mkdir()
    (folder / "a.csv").write_text(PRICES)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"source": "yahoo"},
        {"source": "simulated", "frequency": "1h"},
        {"data": "PRICES"},
        {"source": "files", "data": "PRICES", "frequency": "1d"},
    ],
)
def test_every_hint_is_for_the_profile_of_the_command_that_printed_it(prices, capsys, options):
    given = {name: str(prices) if value == "PRICES" else value for name, value in options.items()}
    given = {"source": None, "data": None, "frequency": None} | given
    settings = profile_settings(**given)
    _next_steps("technology", date(2025, 6, 6))
    _say_where(settings, "127.0.0.1", 3000)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  pairs-platform ")]
    assert len(lines) == 7
    for line in lines:
        params = parsed(line).params
        assert {name: params[name] for name in given} == given
    assert load_settings().profile == settings.profile


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
