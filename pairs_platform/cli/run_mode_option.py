"""The option `--run-mode` of the commands of trading, all of which show or act on both run modes unless one is named.

What does not belong here: the run mode that the settings ask for (`core.streaming.settings`).
"""

from collections.abc import Callable
from typing import Any, get_args

import click

from pairs_platform.core.streaming.settings import RunMode

RUN_MODES: tuple[RunMode, ...] = get_args(RunMode)


def run_mode_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--run-mode`, as a tuple `run_modes`: of the one that is named, or of all."""

    def names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
        return RUN_MODES if value is None else (value,)

    option = click.option(
        "--run-mode", "run_modes", type=click.Choice(RUN_MODES), callback=names, help="Run mode; both if not given."
    )
    return option(command)
