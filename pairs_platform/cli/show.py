"""How results look in a terminal: tables of frames, and sentences.

What does not belong here: the text of a single cell (`views.drawing.cells`).
"""

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pairs_platform.cli.profile_options import SHOWN_PROFILE
from pairs_platform.views.drawing.cells import cell

if TYPE_CHECKING:
    import pandas as pd

NARROW = 16
"""Columns whose values are all shorter are neither wrapped nor cut; their titles may be wrapped."""

SHOWN_ROWS = 40

FRAME_LINES = 8
"""Lines of a terminal that a page needs beside the rows of its table."""

SIGNIFICANT = 4
"""Digits of a float in a table."""

_NUMBER = re.compile(r"[<+-]?[\d,.]+|–|")


def rows_option(shown: int = SHOWN_ROWS) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--rows` of a command whose tables have no bound."""
    return click.option(
        "--rows", type=click.IntRange(1), default=shown, show_default=True, help="Rows that a table shows."
    )


def frame_table(
    frame: "pd.DataFrame",
    title: str | None,
    *,
    whole: Sequence[str] = (),
    styles: Sequence[str] = (),
    digits: int = SIGNIFICANT,
) -> Table:
    """A frame as a terminal table; floats with `digits` significant digits, missing values as a dash.

    The title ends with the name of the profile that the command works on, or is that name.

    Parameters
    ----------
    frame : DataFrame
    title : str or None
    whole : sequence of str
        Columns whose values are not wrapped however long they are.
    styles : sequence of str
        Style of each row, where there is a terminal; none if not given.
    digits : int
    """
    return _table(*_of_frame(frame, digits), _with_profile(title), whole, styles)


def rows_table(rows: Sequence[Mapping[str, object]], title: str | None, columns: Sequence[str] = ()) -> Table:
    """Rows by the names of their columns as a terminal table, without pandas; like `frame_table` in all else.

    Parameters
    ----------
    rows : sequence of mapping
    title : str or None
    columns : sequence of str
        Names where there may be no row; those of the first row if not given.
    """
    return _table(*_of_rows(rows, columns), _with_profile(title))


def _of_frame(frame: "pd.DataFrame", digits: int) -> tuple[dict[str, list[str]], set[str]]:
    """Cells of each column, and the columns that hold numbers."""
    texts = {str(name): [cell(value, digits) for value in frame[name]] for name in frame.columns}
    return texts, {str(name) for name in frame.columns if is_numeric(frame[name])}


def _of_rows(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()
) -> tuple[dict[str, list[str]], set[str]]:
    """`_of_frame`, of rows."""
    texts = {name: [cell(row[name]) for row in rows] for name in columns or (rows[0] if rows else ())}
    return texts, {name for name, column in texts.items() if _are_numbers(column)}


def _with_profile(title: str | None) -> str | None:
    context = click.get_current_context(silent=True)
    profile = context.meta.get(SHOWN_PROFILE) if context else None
    if profile and profile not in (title or ""):
        return f"{title} · {profile}" if title else str(profile)
    return title


def _table(
    texts: Mapping[str, Sequence[str]],
    numeric: Collection[str],
    title: str | None,
    whole: Sequence[str] = (),
    styles: Sequence[str] = (),
) -> Table:
    shown = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        min_width=_longest((title or "").split()),  # of the title, which is broken between words alone
    )
    widths = {name: _longest(column) for name, column in texts.items()}
    unbroken = _table_width(widths.items()) <= output_width()
    for name, width in widths.items():
        fixed = width < NARROW or name in whole
        shown.add_column(
            name.replace("_", " ") if unbroken or not fixed else _folded(name, width),
            justify="right" if name in numeric else "left",
            no_wrap=fixed,
            min_width=width if fixed else None,
        )
    for place, row in enumerate(zip(*texts.values(), strict=True)):
        shown.add_row(*map(Text, row), style=styles[place] if styles else None)
    return shown


def is_numeric(column: "pd.Series") -> bool:
    """Whether a column holds numbers, or texts of nothing but numbers and dashes."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not is_bool_dtype(column) if is_numeric_dtype(column) else _are_numbers([*map(cell, column)])


def _are_numbers(texts: Sequence[str]) -> bool:
    return any(text not in ("", "–") for text in texts) and all(_NUMBER.fullmatch(text) for text in texts)


def print_frame(
    frame: "pd.DataFrame",
    title: str | None,
    *,
    rows: int = SHOWN_ROWS,
    whole: Sequence[str] = (),
    digits: int = SIGNIFICANT,
) -> None:
    """Print the first rows of a frame, in parts where it is wider than the output, and how to see the others."""
    _print_parts(*_of_frame(frame.head(rows), digits), title, whole)
    _say_more(len(frame), rows)


def print_rows(lines: Sequence[Mapping[str, object]], title: str | None, *, rows: int = SHOWN_ROWS) -> None:
    """`print_frame` of rows by the names of their columns; without pandas."""
    _print_parts(*_of_rows(lines[:rows]), title)
    _say_more(len(lines), rows)


def _print_parts(
    texts: Mapping[str, Sequence[str]], numeric: Collection[str], title: str | None, whole: Sequence[str] = ()
) -> None:
    for place, names in enumerate(_parts(texts, whole, output_width())):
        part = {name: texts[name] for name in names}
        print_renderable(_table(part, numeric, None if place else _with_profile(title), whole))


def _say_more(n: int, shown: int) -> None:
    if n > shown:
        click.echo(more_rows(n, shown))


def _parts(texts: Mapping[str, Sequence[str]], whole: Collection[str], width: int) -> list[list[str]]:
    """Names of the columns of each part of a table: no part needs more than `width`, each begins with the first column.

    A heading can be folded between words, and a text of `NARROW` characters or more wherever it is not `whole`.
    """
    needed = {}
    for name, column in texts.items():
        longest = _longest(column)
        needed[name] = 2 + max(
            _longest(name.replace("_", " ").split()), longest if name in whole else min(longest, NARROW)
        )
    if not needed:
        return [[]]
    first, *others = needed
    parts, room = [[first]], width - needed[first]
    for name in others:
        if needed[name] > room and len(parts[-1]) > 1:
            parts.append([first])
            room = width - needed[first]
        parts[-1].append(name)
        room -= needed[name]
    return parts


def more_rows(n: int, shown: int) -> str:
    """That a table has more rows, and how to see them."""
    return f"{n - shown} more {'row' if n - shown == 1 else 'rows'}; --rows {n} shows all"


def older_rows(shown: int) -> str:
    """That there are older rows, whose number nobody counted, and how to see more."""
    return f"there are older rows; --rows {2 * shown} shows more"


def dollars(value: float | None) -> str | None:
    """An amount to the cent; none where there is none."""
    return None if value is None else f"{value:,.2f}"


def with_content(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The columns in which a value says something."""
    said = [name for name in frame if any(cell(value) not in ("", "–", "no") for value in frame[name])]
    return frame[said]


def narrowed(frame: "pd.DataFrame", droppable: Sequence[str], width: int) -> "pd.DataFrame":
    """A frame whose table has at most `width` columns of text.

    Where it is wider, headings are folded between words; where that is not enough, it goes without as many of its
    `droppable` columns as needed, the first ones first.
    """
    widths = {name: _longest(map(cell, frame[name])) for name in frame.columns}
    if _table_width(widths.items()) <= width:
        return frame
    folded = {name: _folded(name, longest) for name, longest in widths.items()}
    for name in droppable:
        if _table_width((folded[kept], longest) for kept, longest in widths.items()) <= width:
            break
        widths.pop(name, None)
    return frame[list(widths)].rename(columns=folded)


def _folded(heading: str, width: int) -> str:
    """A heading in lines of at most `width` characters, or one word."""
    longest_word = _longest(heading.replace("_", " ").split())
    return "\n".join(textwrap.wrap(heading.replace("_", " "), max(width, longest_word), break_on_hyphens=False))


def _table_width(columns: Iterable[tuple[str, int]]) -> int:
    """Characters in a line of a table, by heading and longest text of each column."""
    return sum(max(_longest(heading.split("\n")), longest) + 2 for heading, longest in columns)


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def print_renderable(*items: RenderableType) -> None:
    """Print to standard output, as wide as the terminal, at least 120 columns where there is none."""
    console = terminal()
    for item in items:
        console.print(item)


@contextmanager
def page(follow: bool) -> Iterator[Callable[[Callable[[int | None], RenderableType]], None]]:
    """How something is shown: printed, or in the place of what stood there where it is followed on a terminal.

    Yields
    ------
    callable
        Takes what makes it from the most rows that the terminal has room for; None where there is no bound.
    """
    console = terminal()
    if not (follow and console.is_terminal):
        yield lambda made: print_renderable(made(None))
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        yield lambda made: live.update(made(console.height - FRAME_LINES), refresh=True)


def output_width() -> int:
    """Columns of standard output, as `print_renderable` takes it."""
    return terminal().width


def say(text: str, *, fg: str | None = None) -> None:
    """Print a sentence: in a terminal its lines end between words, the later ones indented; elsewhere on one line."""
    console = Console()
    if console.is_terminal:
        margin = " " * (len(text) - len(text.lstrip()))
        text = textwrap.fill(
            text.lstrip(),
            console.width,
            initial_indent=margin,
            subsequent_indent=f"{margin}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    click.secho(text, fg=fg)


def sentences(*lines: str) -> list[Text]:
    """Sentences as parts of a page, wrapped between words where they are wider than the output."""
    return [Text(line) for line in lines]


def terminal() -> Console:
    """Standard output, as wide as the terminal, at least 120 columns where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=max(120, console.width))
