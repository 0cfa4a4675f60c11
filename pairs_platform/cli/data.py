"""`pairs-platform data`: what the platform sees in price files, before any run.

What does not belong here: reading and judging them (`views.data_check`).
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_settings
from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.folding import listed
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import set_variable

if TYPE_CHECKING:
    from pairs_platform.adapters.files.overview import ColumnUse, FileOverview
    from pairs_platform.views.data_check import Ability, DataCheck

SCHEMA_VERSION = 1
"""Version of the JSON; higher when a key is renamed or removed."""

_SHOWN = 10
"""Lines of one kind that are printed; --json has all."""


@click.group("data", cls=CommandGroup)
def command() -> None:
    """Show what the platform sees in files of prices."""


@command.command("check")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON; docs/data-sources.md lists the keys.")
@click.option(
    "--frequency", type=click.Choice(["5min", "1h", "1d"]), help="Length of a bar; that of the files if not given."
)
@click.option(
    "--timezone", help="Zone of time stamps that have none, or whose midnight daily ones are, such as America/New_York."
)
@click.option("--label", type=click.Choice(["start", "end"]), help="Which end of an intraday bar its time stamp names.")
@click.option(
    "--date-order",
    type=click.Choice(["year_first", "day_first", "month_first"]),
    help="Order of dates such as 03/04/2025.",
)
@click.option(
    "--basis", type=click.Choice(["raw", "split_adjusted", "fully_adjusted"]), help="What the prices already include."
)
@click.option("--actions", help="File of splits and dividends.")
@click.pass_context
def check(
    context: click.Context,
    path: str,
    as_json: bool,
    frequency: str | None,
    timezone: str | None,
    label: str | None,
    date_order: str | None,
    basis: str | None,
    actions: str | None,
) -> None:
    """Show what the platform sees in PATH (a file, a folder or a pattern) and whether it can work on it.

    Exit code 0 when pairs can be ranked on it, 1 when not.
    """
    given = {"timezone": timezone, "label": label, "date_order": date_order, "basis": basis, "actions_path": actions}
    for name, value in given.items():
        if value is not None:
            set_variable(f"source.files.{name}", value)
    try:
        checked = _checked(path, frequency)
    except (DataError, NotFound) as error:
        if not as_json:
            raise
        click.echo(json.dumps({"version": SCHEMA_VERSION, "usable": False, "reason": str(error)}, indent=2))
        context.exit(1)
    click.echo(
        json.dumps({"version": SCHEMA_VERSION, **checked.as_json()}, indent=2)
        if as_json
        else "\n".join(full_lines(checked))
    )
    context.exit(0 if checked.usable else 1)


def _checked(path: str, frequency: str | None) -> "DataCheck":
    from pairs_platform.platform import Platform
    from pairs_platform.views.data_check import check_data

    try:
        settings = profile_settings("files", path, frequency)
    except DataError:
        settings = load_settings()  # The check says what is wrong, and what else it sees.
    return check_data(Platform(settings))


def short_lines(checked: "DataCheck") -> list[str]:
    """What the platform sees, in at most twelve lines."""
    lines = [
        *_files(checked, shown=1),
        *_symbols(checked),
        *_listed("", checked.sector_notes, 1),
        _line("basis", _basis(checked)),
        *_quarantine(checked, shown=1),
        *(_line("window", text) for text in _folded_excluded(checked)[:1]),
        *(_line(name, f"no: {ability.reason}") for name, ability in _stages(checked) if not ability.possible),
        *([] if checked.usable else [_line("usable", f"no: {checked.ranking.reason}")]),
    ]
    return [_cut(line) for line in lines][:12]


def full_lines(checked: "DataCheck") -> list[str]:
    """What the platform sees, in words; long lists are folded."""
    return [
        *_files(checked, shown=_SHOWN),
        *_columns(checked),
        *_symbols(checked),
        *_listed("", checked.sector_notes),
        _line("basis", _basis(checked)),
        *_listed("", checked.contradictions),
        _line("actions", _actions(checked)),
        *_listed("", checked.action_notes),
        *_quarantine(checked, shown=_SHOWN),
        *_listed("window", _folded_excluded(checked)),
        *(_line(name, "yes" if ability.possible else f"no: {ability.reason}") for name, ability in _stages(checked)),
        *([_line("demo", _demo(checked))] if checked.usable else []),
        _line("usable", "yes" if checked.usable else f"no: {checked.ranking.reason}"),
    ]


def _line(title: str, text: str) -> str:
    return f"{title:<11}{text}"


def _cut(line: str) -> str:
    first = line.split("\n", 1)[0]
    return first if len(first) <= 200 else f"{first[:199]}…"


def _listed(title: str, texts: Sequence[str], shown: int = _SHOWN) -> list[str]:
    lines = [_line(title if i == 0 else "", text) for i, text in enumerate(texts[:shown])]
    return [*lines, _line("", f"and {len(texts) - shown} more")] if len(texts) > shown else lines


def _files(checked: "DataCheck", shown: int) -> Iterator[str]:
    left_out = [f"{file.path.name}: {file.reason}" for file in checked.files_left_out]
    yield _line("files", f"{len(checked.files)} read, {len(left_out)} left out")
    kinds: dict[str, list[FileOverview]] = {}
    for file in checked.files:
        text = f"{file.layout}, {file.encoding}, {file.frequency.value} bars, {file.timezone}"
        if file.frequency.value != "1d":
            text += f", stamps at the {file.label} of a bar"
        kinds.setdefault(text, []).append(file)
    named = [f"{listed((file.path.name for file in files), 3)}: {text}" for text, files in kinds.items()]
    yield from _listed("", named, shown)
    yield from _listed("left out", left_out, shown)
    rows = [f"{file.path.name}: {rows}" for file in checked.files for rows in file.rows_left_out]
    yield from _listed("rows out", rows, shown)
    yield from _listed("note", [f"{file.path.name}: {note}" for file in checked.files for note in file.notes], shown)


def _columns(checked: "DataCheck") -> list[str]:
    texts = dict.fromkeys(", ".join(map(_column, file.columns)) for file in checked.files)
    respelled = {wrong: right for file in checked.files for wrong, right in file.respelled.items()}
    spellings = [f"{wrong!r} is {right}" for wrong, right in sorted(respelled.items())]
    return [*_listed("columns", list(texts)), *_listed("spellings", spellings)]


def _column(use: "ColumnUse") -> str:
    name = use.name if use.name == use.meaning else f"{use.meaning} from {use.name!r}"
    return f"{name} ({use.note})" if use.note else name


def _symbols(checked: "DataCheck") -> Iterator[str]:
    symbols = checked.symbols
    if symbols.empty:
        yield _line("symbols", "none")
        return
    span = f"{symbols['first_session'].min():%Y-%m-%d} to {symbols['last_session'].max():%Y-%m-%d}"
    session = f", {checked.session} is the newest of most" if checked.session else ""
    yield _line(
        "symbols", f"{len(symbols)}, {int(symbols['bars'].sum())} bars of {checked.frequency.value}, {span}{session}"
    )
    known = symbols["sector"].dropna()
    sectors = [f"{sector} {len(group)}" for sector, group in known.groupby(known)]
    without = len(symbols) - len(known)
    yield _line("sectors", ", ".join([*sectors, *([f"{without} symbols in none"] if without else [])]))


def _basis(checked: "DataCheck") -> str:
    n = len(checked.contradictions)
    against = f"; {n} {'thing speaks' if n == 1 else 'things speak'} against it" if n else ""
    return f"{checked.basis.value} as set{against}"


def _actions(checked: "DataCheck") -> str:
    if checked.actions_path is None:
        return "no file of splits and dividends"
    counts = checked.actions["kind"].value_counts()
    return f"{counts.get('split', 0)} splits, {counts.get('dividend', 0)} dividends in {checked.actions_path}"


def _quarantine(checked: "DataCheck", shown: int) -> list[str]:
    wrong = checked.n_rows - checked.n_accepted - checked.n_repeated
    repeated = f"; {checked.n_repeated} repeat another one and count once" if checked.n_repeated else ""
    head = _line("quarantine", f"{wrong} of {checked.n_rows} rows{repeated}")
    return [
        head,
        *_listed("", [f"{rows.count}: {rows.reason}, first {rows.example}" for rows in checked.quarantined], shown),
    ]


def _folded_excluded(checked: "DataCheck") -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for symbol, reason in checked.excluded.items():
        by_reason.setdefault(reason, []).append(symbol)
    return [f"without {listed(names)}: {reason}" for reason, names in by_reason.items()]


def _stages(checked: "DataCheck") -> "tuple[tuple[str, Ability], ...]":
    """What comes after ranking; nothing where that is not possible."""
    stages = (("ranking", checked.ranking), ("selection", checked.selection), ("training", checked.training))
    return stages if checked.usable else ()


def _demo(checked: "DataCheck") -> str:
    if not checked.demo.possible:
        return f"no: {checked.demo.reason}"
    return f"sector {checked.sector}, session {checked.session}"
