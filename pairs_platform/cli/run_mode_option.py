"""Run modes in the commands of trading: the option that names one, their words, and tables of several.

What does not belong here: the run mode that the settings ask for (`core.streaming.settings`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pairs_platform.cli.show import narrowed, output_width, print_frame
from pairs_platform.core.streaming.settings import RUN_MODES


def run_mode_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--run-mode`, as a tuple `run_modes`: of the one that is named, or of all."""

    def names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
        return RUN_MODES if value is None else (value,)

    option = click.option(
        "--run-mode", "run_modes", type=click.Choice(RUN_MODES), callback=names, help="Run mode; both if not given."
    )
    return option(command)


def in_words(run_modes: Sequence[str]) -> str:
    """Run modes as a sentence names them."""
    return " and ".join(run_modes)


def print_of_run_modes(
    lines: Sequence[Mapping[str, object]],
    title: str,
    run_modes: Sequence[str],
    *,
    rows: int,
    goes_first: Sequence[str],
    whole: Sequence[str] = (),
) -> None:
    """Print lines as a table as wide as the output; their run mode only where several are asked for.

    Parameters
    ----------
    lines : sequence of mapping
        With a column "run mode".
    title : str
    run_modes : sequence of str
    rows : int
        How many are shown.
    goes_first : sequence of str
        Columns that a narrow terminal goes without, in this order.
    whole : sequence of str
        Columns whose values are not wrapped however long they are.
    """
    import pandas as pd

    frame = pd.DataFrame(lines)
    if len(run_modes) == 1:
        frame = frame.drop(columns="run mode")
    print_frame(narrowed(frame, goes_first, output_width()), title, rows=rows, whole=whole)
