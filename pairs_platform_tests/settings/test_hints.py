"""Commands in texts: each exists, stands in no text without its profile, and opens it from any shell."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import pairs_platform
from pairs_platform.cli import cli
from pairs_platform.cli.profile_options import profile_settings
from pairs_platform.lake.profile import claim_profile
from pairs_platform.settings.hints import stored_hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.profiles import use_profile
from pairs_platform_tests.support.commands import parsed

PACKAGE = Path(pairs_platform.__file__).parent
REMEDIES = "views/remedies.py"
OF_NO_PROFILE = ("config init", "config show --describe", "migrate --data PATH", "profiles list", "profiles use")
"""What commands begin with that mean the same whatever the profile, and the one that names its profile by files."""


def sources_with(*words: str) -> Iterator[tuple[str, ast.Module]]:
    """Name and tree of each module of the package in which one of some words stands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if any(word in source for word in words):
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(source)


def texts(words: str) -> Iterator[tuple[str, str]]:
    """Every text with some words that a person may see, with the module it is in.

    Docstrings are seen in two places alone: Dagster shows those of `defs`, and the console those of its commands, which
    say what a command does.
    """
    for name, tree in sources_with(words):
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and isinstance(node.body[0], ast.Expr)
            and not (name.startswith("defs/") and isinstance(node, ast.FunctionDef))
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield name, node.value


def test_a_command_stands_in_a_text_with_its_profile_alone():
    said = list(texts("pairs-platform "))
    found = [(name, words) for name, text in said for words in re.findall(r"pairs-platform ([a-z][^`]*)", text)]
    assert [(name, words) for name, words in found if not words.startswith(OF_NO_PROFILE)] == []
    assert len(found) >= 5
    assert {name for name, text in texts("dagster asset materialize") if "asset materialize" in text} == {REMEDIES}


def test_hints_are_commands_that_exist():
    """Those of the whole package, up to what is filled in when one is shown."""
    found = set()
    for _, tree in sources_with("hint(", "command(", "see="):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                words = node.args[0]
                if node.func.id in ("hint", "stored_hint", "command") and isinstance(words, ast.Constant):
                    found.add(words.value)
            if isinstance(node, ast.keyword) and node.arg == "see":
                found |= {each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)} - {""}
    assert found >= {"up", "alerts", "stream status", "symbols status", "signals --follow", "demo --sector NAME"}
    for words in found | {each.removesuffix(" PATH") for each in OF_NO_PROFILE}:
        context, command = click.Context(cli), cli
        for word in words.split():
            if word.startswith("--"):
                assert word in {option for parameter in command.params for option in parameter.opts}, words
            elif isinstance(command, click.Group):
                command = command.get_command(context, word)
                assert command is not None, words


@pytest.mark.parametrize("source", [None, "alpaca", "yahoo", "files"])
@pytest.mark.parametrize("frequency", [None, "1h", "1d"])
def test_a_command_in_a_stored_text_opens_its_profile_whatever_the_shell_of_the_reader_has_chosen(
    tmp_path, console, source, frequency
):
    shell, prices = dict(os.environ), tmp_path / "a.csv"
    prices.write_text("symbol,date,open,high,low,close,volume\nA,2025-06-02,1,1,1,1,1\nA,2025-06-03,1,1,1,1,1\n")
    if source == "files":
        frequency = "1d"
    settings = profile_settings(
        None if source == "files" else source, str(prices) if source == "files" else None, frequency
    )
    claim_profile(settings.profile_root, settings.profile)
    line = stored_hint("stream status")
    os.environ.clear()
    os.environ.update(shell)
    other = load_settings({"source": {"kind": "yahoo"}, "frequency": "5min"})
    claim_profile(other.profile_root, other.profile)
    use_profile(other.state_root, other.profile.name)
    params = parsed(line).params
    opened = profile_settings(params["source"], params["data"], params["frequency"], profile=params["profile"])
    assert opened.profile == settings.profile
