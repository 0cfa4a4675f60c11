"""Parquet and CSV files as a source of prices: one file, several, a folder or a glob pattern.

What does not belong here: reading a single file (`tables`), judging prices (`core.prices.validation`).
"""

import glob
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from pairs_platform.adapters.files.actions import read_actions
from pairs_platform.adapters.files.price_file import PriceFile
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.files.tables import CSV_SUFFIXES, PARQUET_SUFFIXES, has_suffix
from pairs_platform.core.errors import ConfigurationError, DataError, NoSuchSector, NotFound
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import sessions_between
from pairs_platform.core.prices.sectors import sector_slug
from pairs_platform.ports.market_data import (
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
        names = [Path(path).name or path for path in self._settings.paths]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"files: {', '.join(names[:3])}{more}"

    @property
    def basis(self) -> PriceBasis:
        """As the settings state it."""
        return self._settings.basis

    @property
    def frequency(self) -> Frequency:
        """Frequency of the bars."""
        return self._frequency

    def universe(self) -> tuple[Listing, ...] | None:
        """Symbols and sectors from the files' sector column, sorted by sector and symbol; None when no file has one.

        Raises
        ------
        DataError
            When a label is unknown, or a symbol has no sector or several.
        """
        sectors = self._symbols["sector"]
        if sectors.isna().all():
            return None
        listings = set()
        for symbol, label in sectors.items():
            if not isinstance(label, str) or not label.strip():
                raise DataError(f"{self.label}: {symbol} has no sector where others have one; fill it in")
            try:
                listings.add(Listing(str(symbol), sector_slug(label)))
            except NoSuchSector as error:
                raise DataError(f"{self.label}: {symbol}: {error}") from error
        symbols = [listing.symbol for listing in listings]
        if len(set(symbols)) < len(symbols):
            twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
            raise DataError(f"{self.label}: {', '.join(twice)} in different sectors in different files")
        return tuple(sorted(listings, key=lambda listing: (listing.sector, listing.symbol)))

    def sessions_available(self) -> tuple[date, date]:
        """First and last session of any symbol in the files."""
        return self._symbols["first_session"].min().date(), self._symbols["last_session"].max().date()

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
        frames = [file.read(requested, first, last) for file in with_any]
        bars = pd.concat([frame for frame in frames if not frame.empty] or [empty_bars()], ignore_index=True)
        bars = bars.sort_values(["symbol", "ts_utc"], kind="stable", ignore_index=True)
        if stored is not self._frequency and not bars.empty:
            bars = _aggregated(bars, first, last, source=stored, target=self._frequency)
        absent = sorted(requested - set(bars["symbol"].unique()))
        unavailable = tuple(UnavailableSymbol(symbol, self._why_not(symbol, first, last)) for symbol in absent)
        return BarsReply(bars[list(BAR_COLUMNS)], unavailable)

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> pd.DataFrame:
        """Corporate actions of the actions file, if there is one; see `MarketData.fetch_actions`.

        An action without a moment at which it became known counts as known from New York's midnight before its ex-date.

        Raises
        ------
        DataError
            When the file cannot be used or holds a wrong kind or value.
        """
        every = self._actions
        inside = every["ex_date"].between(pd.Timestamp(first), pd.Timestamp(last)) & every["symbol"].isin(set(symbols))
        return every[inside].sort_values(["symbol", "ex_date", "kind"], ignore_index=True)

    @cached_property
    def _files(self) -> tuple[PriceFile, ...]:
        actions = Path(self._settings.actions_path).resolve() if self._settings.actions_path else None
        paths: dict[Path, None] = {}
        for pattern in self._settings.paths:
            paths.update(dict.fromkeys(path for path in _expand(pattern) if path.resolve() != actions))
        if not paths:
            raise ConfigurationError(
                f"{', '.join(self._settings.paths)}: only the actions file is there, and no prices"
            )
        return tuple(PriceFile(path, self._settings) for path in paths)

    @cached_property
    def stored_frequency(self) -> Frequency:
        """Frequency of the bars in the files.

        Raises
        ------
        DataError
            When the files disagree.
        """
        by_frequency: dict[Frequency, list[str]] = {}
        for file in self._files:
            by_frequency.setdefault(file.overview.frequency, []).append(file.path.name)
        if len(by_frequency) > 1:
            listed = "; ".join(
                f"{frequency}: {', '.join(names[:3])}" for frequency, names in sorted(by_frequency.items())
            )
            raise DataError(f"the files hold bars of different lengths ({listed}); give the paths of one length")
        return next(iter(by_frequency))

    @cached_property
    def _symbols(self) -> pd.DataFrame:
        """Symbols of all files, one row per file and symbol."""
        return pd.concat([file.overview.symbols for file in self._files])

    @cached_property
    def _actions(self) -> pd.DataFrame:
        if self._settings.actions_path is None:
            return empty_actions()
        [path] = _expand(self._settings.actions_path)
        return read_actions(path)

    def _why_not(self, symbol: str, first: date, last: date) -> str:
        in_files = self._symbols
        if symbol not in in_files.index:
            names = in_files.index.unique()
            respelled = next((name for name in names if _plain(name) == _plain(symbol)), None)
            hint = f"; they have {respelled}, which may be the same share" if respelled else ""
            return f"{symbol} is not among the {len(names)} symbols of the files{hint}"
        rows = in_files.loc[[symbol]]
        have = f"{rows['first_session'].min():%Y-%m-%d} to {rows['last_session'].max():%Y-%m-%d}"
        return f"no bar of {symbol} in the sessions from {first} to {last}; the files have it from {have}"


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


def _plain(symbol: str) -> str:
    return "".join(character for character in symbol.casefold() if character.isalnum())


def _expand(pattern: str) -> list[Path]:
    """Files of a path as the user typed it: a file, a folder's price files, or a pattern's matches."""
    path = Path(pattern)
    suffixes = PARQUET_SUFFIXES + CSV_SUFFIXES
    if path.is_dir():
        files = sorted(entry for entry in path.iterdir() if entry.is_file() and has_suffix(entry, suffixes))
        if not files:
            raise NotFound(f"{path} holds no file that ends with {', '.join(suffixes)}")
        return files
    if path.exists():
        if not has_suffix(path, suffixes):
            raise ConfigurationError(
                f"{path} is neither Parquet nor CSV by its name; it must end with {', '.join(suffixes)}"
            )
        return [path]
    files = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if has_suffix(Path(match), suffixes))
    if not files:
        raise NotFound(f"{path} does not exist; give a Parquet or CSV file, a folder of them, or a glob pattern")
    return files
