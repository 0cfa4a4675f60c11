"""The commands by purpose, as `--help` lists them, and the groups that hold commands.

What does not belong here: what a command does; its own `--help` says more than the line here.
"""

from importlib import import_module

import click

from pairs_platform.cli.renamed_options import with_new_name

PURPOSES = {
    "First steps": {
        "doctor": "Check machine, configuration, state folder and source.",
        "demo": "Run prices → pairs → models for a sector, then trade an hour.",
        "data": "Show what the platform sees in files of prices.",
        "profiles": "List the profiles, and choose the one that commands work on.",
        "symbols": "List and change the universe, and see what is stored of it.",
        "config": "Show the settings in force, or copy the defaults to edit.",
    },
    "See what was decided": {
        "pairs": "Show what to trade next, the ranking, and why pairs failed.",
        "signals": "Show the signals of the newest bar, or follow them.",
        "report": "Write the report of a session as HTML or PDF.",
        "export": "Write a table as .csv, .xlsx or .parquet.",
        "sql": "Ask the lake and the database in SQL, read-only.",
        "models": "List, compare and promote models, and see them in MLflow.",
    },
    "Trading": {
        "trade": "Trade signals with the account of the settings.",
        "orders": "Show the orders that were sent, newest first.",
        "positions": "Show what open trades hold, leg by leg.",
        "portfolio": "Show what the account is worth and holds, as its broker says.",
        "risk": "Show the kill switch, the accounts' worth, and events of risk.",
        "kill": "Stop trading: set the kill switch, until a person releases it.",
        "release": "Release the kill switch, or a broken trade: trading may go on.",
    },
    "Run it here": {
        "ui": "Serve the Dagster UI with schedule and sensors, until Ctrl-C.",
        "live": "Stream bars, compute signals and serve the UI, until Ctrl-C.",
        "stream": "Collect, replay, look at and store streamed bars.",
        "broker": "Serve a simulated broker that fails on request, to trade against.",
    },
    "Operate": {
        "up": "Start the production processes in the background.",
        "down": "Stop the production processes.",
        "adopt": "Bring what the profile did before `up` into its databases.",
        "serve": "Become one production process, for a process manager.",
        "alerts": "Show open alerts and messages that were not delivered.",
        "audit": "Show who changed what, newest first.",
        "storage": "Measure the state, and say when the disk is full.",
        "backup": "Write the whole profile to one file.",
        "restore": "Restore what `backup` wrote, where no state is yet.",
        "migrate": "Bring the profile and its databases to this version.",
    },
}
"""One line for each command, which fits into 80 columns and begins its own help, by what a person wants to do. `--help`
imports no command."""


class CommandGroup(click.Group):
    """A group whose `--help` shows the first sentence of each command without cutting it."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section of commands and their first sentences."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, first_sentence(command)) for name, command in commands if command and not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class LazyCommands(click.Group):
    """Imports the module of the command that is used, and of no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of `PURPOSES`."""
        return [name for commands in PURPOSES.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None where there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"pairs_platform.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names.

        Raises
        ------
        NoSuchCommand
            With the names that were perhaps meant.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self.list_commands(ctx), ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each purpose."""
        for purpose, commands in PURPOSES.items():
            with formatter.section(purpose):
                formatter.write_dl(list(commands.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an option by its earlier name is refused with the new one."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            raise with_new_name(error) from None


def first_sentence(command: click.Command) -> str:
    """The first sentence of a command's help, on one line."""
    paragraph = (command.help or "").split("\n\n")[0]
    return " ".join(paragraph.split())
