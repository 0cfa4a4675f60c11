"""What the platform sees in the price files of the settings before any run, and whether the settings can work on it.

What does not belong here: reading files (`adapters.files`), judging rows (`core.prices.validation`), printing
(`cli.data`).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import pandas as pd

from pairs_platform.adapters.files.columns import column_key
from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.overview import FileLeftOut, FileOverview
from pairs_platform.core.errors import ConfigurationError, PlatformError
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import CALENDAR_START, bar_grid, session_of, sessions_between
from pairs_platform.core.prices.validation import ValidatedBars, validate_bars
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.platform import Platform
from pairs_platform.ports.market_data import BarsReply, empty_actions, empty_bars
from pairs_platform.settings.model import Settings
from pairs_platform.views.demo_choice import default_sector, demo_sessions, newest_session

_T = TypeVar("_T")

LEAST_SYMBOLS = 2
"""Symbols that make a pair."""


@dataclass(frozen=True)
class FoldedRows:
    """Rows that are quarantined for one reason: how many, and the first of them in words."""

    reason: str
    count: int
    example: str


@dataclass(frozen=True)
class Ability:
    """Whether a stage can work on the files with these settings; the reason where it cannot."""

    possible: bool
    reason: str = ""


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What the platform sees in the files.

    Attributes
    ----------
    label : str
        Name of the source.
    files, files_left_out : tuple
    frequency : Frequency
        Of the bars that runs get.
    basis : PriceBasis
        As the settings state it.
    contradictions : tuple of str
        What in the files speaks against the basis.
    symbols : DataFrame, index symbol
        sector (slug, None where it has none), first_session, last_session (datetime64[ns]), bars (int64).
    n_rows, n_accepted, n_repeated : int
        Rows of the files' sessions, those that validation accepts, and those that repeat an accepted one.
    quarantined : tuple of FoldedRows
        Most frequent reason first.
    actions : DataFrame with ACTION_COLUMNS
    action_notes : tuple of str
        Rows of the file of actions that are left out or understood in another way.
    actions_path : str or None
    sector_notes : tuple of str
        Symbols whose sector the files name and runs do not have, and why.
    in_window : mapping of str to tuple of str
        Sector to the symbols that enter the window of `session`.
    excluded : mapping of str to str
        Symbol to the reason for which it does not.
    session : date or None
        The session that `demo` takes.
    sector : str or None
        The sector that `demo` takes.
    demo, ranking, selection, training : Ability
        Whether `demo` runs as it is, whether pairs can be ranked, whether they can be selected, and whether models can
        be trained.
    """

    label: str
    files: tuple[FileOverview, ...]
    files_left_out: tuple[FileLeftOut, ...]
    frequency: Frequency
    basis: PriceBasis
    contradictions: tuple[str, ...]
    symbols: pd.DataFrame
    n_rows: int
    n_accepted: int
    n_repeated: int
    quarantined: tuple[FoldedRows, ...]
    actions: pd.DataFrame
    action_notes: tuple[str, ...]
    actions_path: str | None
    sector_notes: tuple[str, ...]
    in_window: Mapping[str, tuple[str, ...]]
    excluded: Mapping[str, str]
    session: date | None
    sector: str | None
    demo: Ability
    ranking: Ability
    selection: Ability
    training: Ability

    @property
    def usable(self) -> bool:
        """Whether runs can rank pairs on the files."""
        return self.ranking.possible

    def as_json(self) -> dict[str, Any]:
        """The answer under the keys of docs/data-sources.md; dates as YYYY-MM-DD."""
        return {
            "usable": self.usable,
            "reason": self.ranking.reason or None,
            "source": self.label,
            "frequency": self.frequency.value,
            "files": [_file_json(file) for file in self.files],
            "files_left_out": [{"path": str(file.path), "reason": file.reason} for file in self.files_left_out],
            "symbols": [
                {
                    "symbol": symbol,
                    "sector": row["sector"],
                    "first_session": _day(row["first_session"]),
                    "last_session": _day(row["last_session"]),
                    "bars": int(row["bars"]),
                }
                for symbol, row in self.symbols.iterrows()
            ],
            "sector_notes": list(self.sector_notes),
            "basis": {"set": self.basis.value, "contradictions": list(self.contradictions)},
            "actions": {
                "path": self.actions_path,
                "splits": int((self.actions["kind"] == "split").sum()),
                "dividends": int((self.actions["kind"] == "dividend").sum()),
                "symbols": sorted(self.actions["symbol"].unique()),
                "notes": list(self.action_notes),
            },
            "rows": self.n_rows,
            "accepted": self.n_accepted,
            "repeated": self.n_repeated,
            "quarantined": [vars(rows) for rows in self.quarantined],
            "window": {
                "sectors": {sector: list(symbols) for sector, symbols in self.in_window.items()},
                "excluded": dict(self.excluded),
            },
            "session": None if self.session is None else self.session.isoformat(),
            "sector": self.sector,
            **{
                name: {"possible": ability.possible, "reason": ability.reason or None}
                for name, ability in (
                    ("demo", self.demo),
                    ("ranking", self.ranking),
                    ("selection", self.selection),
                    ("training", self.training),
                )
            },
        }


def _file_json(file: FileOverview) -> dict[str, Any]:
    return {
        "path": str(file.path),
        "layout": file.layout,
        "encoding": file.encoding,
        "frequency": file.frequency.value,
        "timezone": file.timezone,
        "label": file.label,
        "columns": [vars(column) for column in file.columns],
        "symbols": len(file.symbols),
        "bars": int(file.symbols["bars"].sum()),
        "respelled": dict(file.respelled),
        "rows_left_out": [vars(rows) for rows in file.rows_left_out],
        "notes": list(file.notes),
    }


def _day(moment: pd.Timestamp) -> str | None:
    return None if pd.isna(moment) else f"{moment:%Y-%m-%d}"


def check_data(platform: Platform) -> DataCheck:
    """Read and judge every bar of the configured files; nothing is stored.

    Raises
    ------
    ConfigurationError, NotFound
        The source is not files, or a path leads to no price file. What is wrong inside the files is in the answer.
    """
    market, settings = platform.market_data, platform.settings
    if not isinstance(market, FileMarketData) or settings.source.files is None:
        raise ConfigurationError(f"source.kind is {settings.source.kind}: only price files are checked")
    files, problems = market.overviews, _Problems()
    problems.answer(lambda: market.stored_frequency, None)
    nothing: dict[str, tuple[str, ...]] = {}
    universe = problems.answer(lambda: _universe(platform), nothing)
    symbols = _symbols(files, universe)
    names, first, last = (
        list(symbols.index),
        symbols["first_session"].min().date(),
        symbols["last_session"].max().date(),
    )
    reply = problems.answer(lambda: market.fetch_bars(names, first, last), BarsReply(empty_bars()))
    actions = problems.answer(lambda: market.fetch_actions(names, first, last).actions, empty_actions())
    checked = validate_bars(
        reply.bars,
        symbols=names,
        sessions=sessions_between(first, last),
        frequency=market.frequency,
        settings=settings.validation,
        actions=actions,
        basis=market.basis,
    )
    sector = problems.answer(lambda: default_sector(platform), None) if universe else None
    session = problems.answer(lambda: newest_session(platform, sector), None) if sector else None
    days = _days(checked, session)
    excluded: dict[str, str] = {}
    enough = len(days) >= settings.lookback_sessions
    if enough:
        excluded = problems.answer(lambda: _excluded(checked, actions, days, settings), excluded)
    in_window = {
        sector: tuple(name for name in members if enough and name in symbols.index and name not in excluded)
        for sector, members in universe.items()
    }
    outside = {
        str(name): f"in no sector of the universe, which is that of {_origin(settings)}"
        for name in symbols.index[symbols["sector"].isna()]
        if universe
    }
    ranking = _ranking(problems.first, days, checked, in_window, {**excluded, **outside}, settings)
    return DataCheck(
        label=market.label,
        files=files,
        files_left_out=market.files_left_out,
        frequency=market.frequency,
        basis=market.basis,
        contradictions=_contradictions(files, checked, market.basis),
        symbols=symbols,
        n_rows=len(reply.bars),
        n_accepted=len(checked.accepted),
        n_repeated=len(reply.bars) - len(checked.accepted) - len(checked.quarantined),
        quarantined=_folded(checked.quarantined),
        actions=actions,
        action_notes=problems.answer(lambda: market.action_notes, ()),
        actions_path=settings.source.files.actions_path,
        sector_notes=market.sector_notes if settings.universe_origin == "source" else (),
        in_window=in_window,
        excluded={**excluded, **outside},
        session=session,
        sector=sector,
        demo=_demo(ranking, platform, in_window, sector),
        ranking=ranking,
        selection=_selection(ranking, days, settings),
        training=_training(ranking, days, settings),
    )


class _Problems:
    """Answers questions, with something else where the platform raises; keeps the first message."""

    first = ""

    def answer(self, question: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return question()
        except PlatformError as error:
            self.first = self.first or str(error)
            return otherwise


def _universe(platform: Platform) -> dict[str, tuple[str, ...]]:
    settings = platform.settings
    if settings.universe_origin == "config":
        return {
            slug: tuple(listing.symbol for listing in settings.listings(slug)) for slug in sorted(settings.universe)
        }
    universe: dict[str, tuple[str, ...]] = {}
    for listing in platform.market_data.universe() or ():
        universe[listing.sector] = (*universe.get(listing.sector, ()), listing.symbol)
    return universe


def _origin(settings: Settings) -> str:
    return "universe.yaml" if settings.universe_origin == "config" else "the files"


def _symbols(files: Sequence[FileOverview], universe: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Each symbol once: its sector in the universe, its sessions and its bars in all files."""
    if not files:
        return pd.DataFrame(columns=["sector", "first_session", "last_session", "bars"])
    by_symbol = pd.concat([file.symbols for file in files]).groupby(level=0)
    sectors: dict[Hashable, str] = {symbol: sector for sector, names in universe.items() for symbol in names}
    return pd.DataFrame(
        {
            "sector": pd.Series({name: sectors.get(name) for name in by_symbol.groups}, dtype="object"),
            "first_session": by_symbol["first_session"].min(),
            "last_session": by_symbol["last_session"].max(),
            "bars": by_symbol["bars"].sum(),
        }
    )


def _folded(quarantined: pd.DataFrame) -> tuple[FoldedRows, ...]:
    """A row that has several reasons counts for each."""
    rows = quarantined.assign(reason=quarantined["reason"].str.split("; ")).explode("reason")
    folded = []
    for reason, group in rows.groupby("reason", sort=False):
        first = group.iloc[0]
        numbers = ", ".join(f"{name} {first[name]:g}" for name in ("open", "high", "low", "close", "volume"))
        folded.append(
            FoldedRows(str(reason), len(group), f"{first['symbol']} {first['ts_utc']:%Y-%m-%d %H:%M} UTC: {numbers}")
        )
    return tuple(sorted(folded, key=lambda rows: (-rows.count, rows.reason)))


def _contradictions(files: Sequence[FileOverview], checked: ValidatedBars, basis: PriceBasis) -> tuple[str, ...]:
    found = []
    flags = checked.flags
    jumps = flags[flags["kind"] == "split_like_jump"]
    if len(jumps):
        remedy = (
            "list the splits in a file of actions"
            if basis is PriceBasis.RAW
            else "if the prices are raw, set the basis to raw"
        )
        found.append(
            f"{_count(len(jumps), 'jump')} like a split on the basis {basis.value}, the first of {_place(jumps)}: "
            f"{jumps['detail'].iloc[0]}; {remedy}"
        )
    missing = flags[flags["kind"] == "split_without_jump"]
    if len(missing):
        found.append(
            f"{_count(len(missing), 'known split')} that the prices on the basis {basis.value} do not show, the first "
            f"of {_place(missing)}; if the prices are adjusted, set the basis to split_adjusted"
        )
    adjusted = [file.path.name for file in files if _has_adjusted_close(file)]
    if adjusted:
        found.append(
            f"an adjusted close stands beside the close in {_count(len(adjusted), 'file')}, the first is "
            f"{adjusted[0]}: the close is read, on the basis {basis.value}, and the adjusted one is not"
        )
    return tuple(found)


def _place(flags: pd.DataFrame) -> str:
    return f"{flags['symbol'].iloc[0]} on {flags['session'].iloc[0]:%Y-%m-%d}"


def _has_adjusted_close(file: FileOverview) -> bool:
    return not {"adjclose", "adjustedclose", "closeadj"}.isdisjoint(map(column_key, file.names))


def _excluded(
    checked: ValidatedBars, actions: pd.DataFrame, days: Sequence[date], settings: Settings
) -> dict[str, str]:
    """Symbols that do not enter the newest window of `days`, and why, as a run would find."""
    window = build_window(
        checked.accepted,
        actions,
        sessions=days[-settings.lookback_sessions :],
        frequency=settings.frequency,
        basis=settings.price_basis,
        settings=settings.window,
        symbols=checked.symbols,
    )
    return {symbol.symbol: symbol.reason for symbol in window.excluded}


def _days(checked: ValidatedBars, session: date | None) -> list[date]:
    """The sessions from the first accepted bar to `session`."""
    if session is None or checked.accepted.empty:
        return []
    return sessions_between(session_of(checked.accepted["ts_utc"]).min().date(), session)


def _ranking(
    problem: str,
    days: Sequence[date],
    checked: ValidatedBars,
    in_window: Mapping[str, Sequence[str]],
    excluded: Mapping[str, str],
    settings: Settings,
) -> Ability:
    if problem:
        return Ability(False, problem)
    if not days:
        return Ability(False, "no bar is accepted")
    lookback = settings.lookback_sessions
    if len(days) < lookback:
        begins = f" from {days[0]}, where the calendar begins," if days[0] == CALENDAR_START else ""
        return Ability(False, f"{_count(len(days), 'session')}{begins} up to {days[-1]}, and a window needs {lookback}")
    present = set(session_of(checked.accepted["ts_utc"]).dt.date.unique())
    absent = [day for day in days[-lookback:] if day not in present]
    if absent:
        which = f"the first is {absent[0]}" if len(absent) > 1 else str(absent[0])
        return Ability(
            False,
            f"{_count(len(absent), 'session')} of the window without any bar: {which}; add its bars to "
            f"the files, or set a lookback that begins after it ({lookback} sessions now)",
        )
    if any(len(names) >= LEAST_SYMBOLS for names in in_window.values()):
        return Ability(True)
    why = next((f"; {symbol}: {reason}" for symbol, reason in excluded.items()), "")
    return Ability(False, f"no sector has {LEAST_SYMBOLS} symbols in the window that ends with {days[-1]}{why}")


def _demo(ranking: Ability, platform: Platform, in_window: Mapping[str, Sequence[str]], sector: str | None) -> Ability:
    if not ranking.possible or sector is None:
        return Ability(False, ranking.reason or "there is no sector to take")
    try:
        demo_sessions(platform, sector, None)
    except PlatformError as error:
        return Ability(False, str(error))
    if len(in_window.get(sector, ())) < LEAST_SYMBOLS:
        others = ", ".join(other for other, names in in_window.items() if len(names) >= LEAST_SYMBOLS)
        return Ability(False, f"{sector} has fewer than {LEAST_SYMBOLS} symbols in the window; choose {others}")
    return Ability(True)


def _selection(ranking: Ability, days: Sequence[date], settings: Settings) -> Ability:
    from pairs_platform.core.volatility.forecast import in_sample_bars

    if not ranking.possible:
        return Ability(False, ranking.reason)
    n_bars = _window_bars(days, settings)
    held_out, needed = n_bars - in_sample_bars(n_bars, settings.garch), settings.garch.min_forecasts
    if held_out < needed:
        return Ability(
            False,
            f"a window of {n_bars} bars holds out {held_out}, and comparing variance forecasts needs {needed}: pairs "
            "are ranked and followed, and none is selected",
        )
    return Ability(True)


def _training(ranking: Ability, days: Sequence[date], settings: Settings) -> Ability:
    from pairs_platform.core.models.splits import split_plan

    if not ranking.possible:
        return Ability(False, ranking.reason)
    n_bars, horizon = _window_bars(days, settings), 1
    test = split_plan(n_bars, settings=settings.gru, horizon_bars=horizon).test
    labels, needed = max(test.stop - test.start - horizon, 0), settings.gru.split.min_test_labels
    if labels < needed:
        return Ability(False, f"a window of {n_bars} bars has at most {labels} test labels, and a model needs {needed}")
    return Ability(True)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _window_bars(days: Sequence[date], settings: Settings) -> int:
    return len(bar_grid(list(days[-settings.lookback_sessions :]), settings.frequency).ts_utc)
