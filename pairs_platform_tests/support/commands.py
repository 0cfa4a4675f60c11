"""The commands of the console, and lines as it parses them."""

import shlex

import click

from pairs_platform.cli import cli


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Every command by its words."""
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
