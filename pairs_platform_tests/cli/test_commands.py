import re
from functools import partial
from pathlib import Path

import click
import pytest

import pairs_platform.cli
from pairs_platform.cli import cli
from pairs_platform.cli.commands import PURPOSES, CommandGroup, first_sentence

NAMES = [name for commands in PURPOSES.values() for name in commands]


def test_the_help_lists_every_command_once_by_its_purpose_and_cuts_no_line(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    folder = Path(pairs_platform.cli.__file__).parent
    commands = {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text(encoding="utf-8")}
    assert sorted(NAMES) == sorted(commands)
    shown = console("--help").output.splitlines()
    for purpose, lines in PURPOSES.items():
        assert f"{purpose}:" in shown
        for name, line in lines.items():
            assert any(each.split(maxsplit=1) == [name, line] for each in shown), name


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_begins_with_its_line_in_the_help_of_all(name):
    """`--help` of all imports no command, and cannot read the line there."""
    line = next(lines[name] for lines in PURPOSES.values() if name in lines)
    assert first_sentence(cli.get_command(None, name)) == line
    assert not line[:-1].count(". ")


def test_an_example_stands_on_a_line_of_its_own_to_be_copied(console):
    shown = [line.strip() for line in console("sql", "--help").output.splitlines()]
    assert 'pairs-platform sql "select session, count(*) from garch_fits group by 1"' in shown


def test_the_table_of_the_readme_has_every_command():
    table = (
        (Path(pairs_platform.cli.__file__).parents[2] / "README.md").read_text(encoding="utf-8").split("| command |")[1]
    )
    listed = [
        re.findall(r"`(?:pairs-platform )?([a-z]+)", line.split("|")[1])
        for line in table.split("\n\n")[0].splitlines()[2:]
    ]
    assert set(NAMES) <= {name for names in listed for name in names}


def test_a_group_shows_the_first_sentence_of_each_of_its_commands_whole(console):
    groups = [command for command in map(partial(cli.get_command, None), NAMES) if isinstance(command, click.Group)]
    assert groups
    for group in groups:
        assert isinstance(group, CommandGroup)
        shown = " ".join(console(group.name, "--help").output.split())
        assert all(first_sentence(command) in shown for command in group.commands.values()), group.name


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["profles"], "Did you mean 'profiles'?"),
        (["models", "lst"], "Did you mean 'list'?"),
        (["signals", "--sectr", "energy"], "Did you mean '--sector'?"),
        (["pairs", "--sector", "Tecnology"], "; technology is perhaps meant"),
    ],
)
def test_a_mistyped_word_is_refused_with_the_one_that_was_perhaps_meant(console, words, meant):
    ended = console(*words)
    assert ended.exit_code in (1, 2)
    assert ended.output.strip().endswith(meant)
