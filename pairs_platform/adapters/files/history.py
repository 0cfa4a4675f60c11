"""Parquet and CSV files as a source of prices: one file, several, a folder or a glob pattern.

What does not belong here: reading a single file (`price_file`), judging prices (`core.prices.validation`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pairs_platform.adapters.files.actions import ActionFile, read_actions
from pairs_platform.adapters.files.columns import column_key, few
from pairs_platform.adapters.files.overview import FileLeftOut, FileOverview
from pairs_platform.adapters.files.paths import named_files
from pairs_platform.adapters.files.price_file import PriceFile
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.files.tables import TABLE_NAMES, is_table_name
from pairs_platform.core.errors import ConfigurationError, DataError, NotFound
from pairs_platform.core.folding import folded, listed
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import sessions_between
from pairs_platform.core.prices.sectors import sector_of_labels
from pairs_platform.ports.market_data import (
    ActionsReply,
    BarsReply,
    Listing,
    UnavailableSymbol,
    empty_actions,
    empty_bars,
)


class FileMarketData:
    """Source of prices from files, brought to one frequency.

    Nothing is read before it is asked for; overviews of the files are kept for the life of the object. Files must
    agree in frequency; bars finer than `frequency` are aggregated.

    Parameters
    ----------
    settings : FileSourceSettings
    frequency : Frequency
        Frequency of the bars that `fetch_bars` returns.
    """

    def __init__(self, settings: FileSourceSettings, *, frequency: Frequency) -> None:
        self._settings = settings
        self._frequency = frequency

    @property
    def label(self) -> str:
        """The names of the files or folders, without where they are."""
        return f"files: {listed((Path(path).name or path for path in self._settings.paths), 3)}"

    @property
    def basis(self) -> PriceBasis:
        """As the settings state it."""
        return self._settings.basis

    @property
    def frequency(self) -> Frequency:
        """Frequency of the bars."""
        return self._frequency

    def universe(self) -> tuple[Listing, ...]:
        """Symbols and sectors of the files, sorted by sector and symbol.

        Symbols to which the files give no sector, none that is known, or several are `unclassified`: all of them when
        no file names a sector.
        """
        listings = (Listing(symbol, sector) for symbol, (sector, _) in self._sectors.items())
        return tuple(sorted(listings, key=lambda listing: (listing.sector, listing.symbol)))

    @property
    def sector_notes(self) -> tuple[str, ...]:
        """Why symbols are unclassified where the files do name sectors, in words."""
        if self._symbols["sector"].isna().all():
            return ()
        reasons = ((symbol, reason) for symbol, (_, reason) in self._sectors.items() if reason)
        return tuple(f"unclassified: {line}" for line in folded(reasons))

    @cached_property
    def _sectors(self) -> dict[str, tuple[str, str]]:
        """Slug of each symbol, and why it is unclassified; empty where it is not."""
        by_symbol = self._symbols["sector"].groupby(level=0, sort=True)
        return {str(symbol): sector_of_labels(labels) for symbol, labels in by_symbol}

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date]:
        """First and last session that more than half of `symbols` have, of all symbols when none are given.

        Raises
        ------
        DataError
            When no row of the files is in a session.
        """
        sessions = self.common_sessions(symbols)
        return sessions[0], sessions[-1]

    def newest_common_session(self, symbols: Collection[str] = ()) -> date:
        """Newest session that more than half of `symbols` have; see `common_sessions`."""
        return self.common_sessions(symbols)[-1]

    def common_sessions(self, symbols: Collection[str] = ()) -> list[date]:
        """Sessions that more than half of `symbols` have, in order; where there are none, those that most have.

        A row that strays into another year, and a symbol that goes on longer than the others, decide nothing.

        Parameters
        ----------
        symbols : collection of str
            Those that the files do not have do not count; all symbols when none are given.

        Raises
        ------
        DataError
            When no row of the files is in a session.
        """
        presence = self._presence
        counted = presence[presence.index.isin(list(symbols))] if symbols else presence
        holders = (counted if len(counted) else presence).sum(axis=0)
        if not len(holders):
            raise DataError(f"{self.label}: no row is on a day of the calendar's sessions; {'; '.join(self.notes)}")
        enough = holders > len(counted) / 2
        if not enough.any():
            enough = holders == holders.max()
        return [day.date() for day in pd.DatetimeIndex(holders.index[enough])]

    @cached_property
    def _presence(self) -> pd.DataFrame:
        """Which symbol has a row in which session: bool, index symbol, columns session, sorted."""
        frames = [file.presence for file in self._files]
        sessions = frames[0].columns
        for frame in frames[1:]:
            sessions = sessions.union(frame.columns)
        alike = [frame.reindex(columns=sessions, fill_value=False) for frame in frames]
        return alike[0] if len(alike) == 1 else pd.concat(alike).groupby(level=0).any()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the files and their folders, or understood in another way than it is written."""
        return self._notes(self._files, set(self._presence.index))

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols` from session `first` to `last`; see `MarketData.fetch_bars`.

        Raises
        ------
        NotFound
            When a path leads to no file.
        ConfigurationError
            When the files' bars are coarser than `frequency`.
        DataError
            When a file, column or time stamp cannot be used.
        """
        stored = self.stored_frequency
        if stored.minutes > self._frequency.minutes:
            raise ConfigurationError(
                f"{self.label}: the bars are {stored} long and {self._frequency} is set; "
                f"set the frequency to {stored} or give files with finer bars"
            )
        requested = set(symbols)
        with_any = [file for file in self._files if requested & set(file.overview.symbols.index)]
        bars = _together([file.read(requested, first, last) for file in with_any])
        bars = bars.sort_values(["symbol", "ts_utc"], kind="stable", ignore_index=True)
        if stored is not self._frequency and not bars.empty:
            bars = _aggregated(bars, first, last, source=stored, target=self._frequency)
        absent = sorted(requested - set(bars["symbol"].unique()))
        unavailable = tuple(UnavailableSymbol(symbol, self._why_not(symbol, first, last)) for symbol in absent)
        return BarsReply(bars[list(BAR_COLUMNS)], unavailable, self._notes(with_any, requested))

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Corporate actions of the actions file, if there is one; see `MarketData.fetch_actions`.

        How the file is read: `actions.read_actions`. Rows that it leaves out are among the notes of `fetch_bars`.

        Raises
        ------
        DataError
            When the file cannot be used.
        """
        every = self._actions.actions if self._actions else empty_actions()
        inside = every["ex_date"].between(pd.Timestamp(first), pd.Timestamp(last)) & every["symbol"].isin(set(symbols))
        return ActionsReply(every[inside].sort_values(["symbol", "ex_date", "kind"], ignore_index=True))

    @property
    def overviews(self) -> tuple[FileOverview, ...]:
        """What each file holds that is read; files that were named themselves come first."""
        return tuple(file.overview for file in self._files)

    @property
    def action_notes(self) -> tuple[str, ...]:
        """What of the file of actions is left out, was understood in another way, or belongs to no prices, in words."""
        if self._actions is None:
            return ()
        strangers = sorted(set(self._actions.actions["symbol"]) - set(self._symbols.index))
        without = (
            (f"no price file has {listed(strangers)}: actions without prices change nothing",) if strangers else ()
        )
        return (*(note for _, note in self._actions.notes), *without)

    @property
    def files_left_out(self) -> tuple[FileLeftOut, ...]:
        """Files of folders and patterns that cannot be used, and why."""
        return self._opened[1]

    @property
    def _files(self) -> tuple[PriceFile, ...]:
        return self._opened[0]

    @cached_property
    def _opened(self) -> tuple[tuple[PriceFile, ...], tuple[FileLeftOut, ...]]:
        """The files that are read, and those that are not.

        A file that a person named itself must be usable; of a folder or a pattern, one that is not costs itself.
        """
        actions = Path(self._settings.actions_path).resolve() if self._settings.actions_path else None
        files: dict[Path, PriceFile] = {}
        frequencies: dict[Path, Frequency] = {}
        by_name: set[Path] = set()
        left_out: dict[Path, str] = {}
        for found in sorted(map(named_files, self._settings.paths), key=lambda found: not found.by_name):
            left_out.update((item.path, item.reason) for item in found.left_out if item.path.resolve() != actions)
            for path in (path for path in found.paths if path.resolve() != actions and path not in files):
                try:
                    file = PriceFile(path, self._settings)
                    frequencies[path] = file.overview.frequency
                except (DataError, ConfigurationError, NotFound) as error:
                    if found.by_name:
                        raise
                    left_out[path] = str(error).removeprefix(str(path)).lstrip(": ")
                else:
                    files[path] = file
                    by_name.update([path] if found.by_name else [])
        common = _common_frequency(frequencies, by_name) if files else None
        for path, frequency in frequencies.items():
            if frequency is not common:
                del files[path]
                left_out[path] = f"its bars are {frequency} long, those of most files {common}"
        unusable = tuple(FileLeftOut(path, reason) for path, reason in left_out.items())
        if not files:
            raise self._nothing_usable(unusable)
        return tuple(files.values()), unusable

    def _nothing_usable(self, left_out: Sequence[FileLeftOut]) -> NotFound | ConfigurationError | DataError:
        paths = ", ".join(self._settings.paths)
        candidates = [item for item in left_out if is_table_name(item.path)]
        if candidates:
            reasons = "; ".join(folded((item.path.name, item.reason) for item in candidates))
            return DataError(f"{paths}: none of {len(candidates)} files can be used: {reasons}")
        if self._settings.actions_path is not None:
            return ConfigurationError(f"{paths}: only the actions file is there, and no prices")
        others = "".join(f"; {reason}" for reason in folded((item.path.name, item.reason) for item in left_out))
        return NotFound(f"{paths} holds no file that ends with {TABLE_NAMES}{others}")

    @property
    def stored_frequency(self) -> Frequency:
        """Frequency of the bars in the files.

        Raises
        ------
        DataError
            When the files disagree, and no frequency is that of most of them.
        """
        return self._files[0].overview.frequency

    @cached_property
    def _symbols(self) -> pd.DataFrame:
        """Symbols of all files, one row per file and symbol."""
        return pd.concat([file.overview.symbols for file in self._files])

    @cached_property
    def _by_key(self) -> dict[str, str]:
        """Symbols of all files by their letters and digits."""
        return {column_key(name): name for name in self._symbols.index}

    @cached_property
    def _actions(self) -> ActionFile | None:
        if self._settings.actions_path is None:
            return None
        return read_actions(Path(self._settings.actions_path), self._settings)

    def _notes(self, files: Sequence[PriceFile], symbols: set[str]) -> tuple[str, ...]:
        """What of `files`, their folders and the actions of `symbols` was left out, or understood in another way."""
        said = [
            (item.path.name, f"left out: {item.reason}") for item in self.files_left_out if is_table_name(item.path)
        ]
        for file in files:
            overview, name = file.overview, file.path.name
            said += [(name, str(rows)) for rows in overview.rows_left_out]
            read_as = [f"{text!r} is read as {symbol}" for text, symbol in overview.respelled.items()]
            said += [(name, listed(read_as))] if read_as else []
            said += [(name, f"{column.name}: {column.note}") for column in overview.columns if column.note]
            said += [(name, note) for note in overview.notes]
        if self._actions is not None:
            said += [(self._actions.path.name, note) for note in self._actions.notes_of(symbols)]
        return (*folded(said), *self.sector_notes, *self._alone())

    def _alone(self) -> list[str]:
        """Sessions after the newest common one, which few symbols have."""
        if self._presence.columns.empty:
            return []
        newest = self.newest_common_session()
        later = self._presence.to_numpy()[:, pd.DatetimeIndex(self._presence.columns) > pd.Timestamp(newest)]
        names = self._presence.index.to_numpy()[later.any(axis=1)].tolist()
        return [f"{newest} is the newest session that most symbols have; {listed(names)} go on"] if names else []

    def _why_not(self, symbol: str, first: date, last: date) -> str:
        in_files = self._symbols
        if symbol not in in_files.index:
            respelled = self._by_key.get(column_key(symbol))
            hint = f"; they have {respelled}, which may be the same share" if respelled else ""
            return f"{symbol} is not among the {in_files.index.nunique()} symbols of the files{hint}"
        rows = in_files.loc[[symbol]]
        have = f"{rows['first_session'].min():%Y-%m-%d} to {rows['last_session'].max():%Y-%m-%d}"
        return f"no bar of {symbol} in the sessions from {first} to {last}; the files have it from {have}"


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of several files; one that two files have alike counts once, and rows that contradict each other stay."""
    bars = pd.concat([frame for frame in frames if not frame.empty] or [empty_bars()], ignore_index=True)
    if len(frames) > 1:
        keys = bars[list(BAR_COLUMNS)].assign(file=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]))
        again = keys.duplicated(list(BAR_COLUMNS)) & ~keys.duplicated()
        bars = bars[~again].reset_index(drop=True)
    return bars


def _aggregated(bars: pd.DataFrame, first: date, last: date, *, source: Frequency, target: Frequency) -> pd.DataFrame:
    """Sound bars aggregated to `target`; unsound ones after them as they are, so that validation finds them."""
    from pairs_platform.core.prices.aggregation import aggregate_bars
    from pairs_platform.core.prices.settings import ValidationSettings
    from pairs_platform.core.prices.validation import validate_bars

    checked = validate_bars(
        bars,
        symbols=list(bars["symbol"].unique()),
        sessions=sessions_between(first, last),
        frequency=source,
        settings=ValidationSettings(),
    )
    parts = [aggregate_bars(checked.accepted, source=source, target=target), checked.quarantined[list(BAR_COLUMNS)]]
    return pd.concat([part for part in parts if not part.empty], ignore_index=True)


def _common_frequency(frequencies: Mapping[Path, Frequency], by_name: Collection[Path]) -> Frequency:
    """Frequency of more files than any other; the others may be left out, unless a person named one of them itself."""
    by_frequency: dict[Frequency, list[Path]] = {}
    for path, frequency in frequencies.items():
        by_frequency.setdefault(frequency, []).append(path)
    first, *others = sorted(by_frequency.items(), key=lambda item: -len(item[1]))
    tied = any(len(paths) == len(first[1]) for _, paths in others)
    if tied or any(path in by_name for _, paths in others for path in paths):
        lengths = "; ".join(
            f"{frequency}: {few([path.name for path in paths], shown=3)}"
            for frequency, paths in sorted(by_frequency.items())
        )
        raise DataError(f"the files hold bars of different lengths ({lengths}); give the paths of one length")
    return first[0]
