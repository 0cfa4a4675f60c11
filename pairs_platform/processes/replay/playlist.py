"""What the replay server plays: sessions of the lake or of files, moved in time and completed by a proxy where asked.

What does not belong here: when a bar is sent and to whom (`server`), and how it is written (`wire`).
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency
from pairs_platform.core.prices.calendar import (
    is_session,
    last_session_before,
    require_session,
    session_close,
    session_offset,
    session_open,
    sessions_between,
)
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.streaming.proxies import PROXY
from pairs_platform.core.streaming.settings import ReplaySettings
from pairs_platform.core.time import MARKET_TIMEZONE, market_time, moment_ns, stamps_ns
from pairs_platform.lake.store import Lake
from pairs_platform.platform import open_lake
from pairs_platform.settings.model import Settings
from pairs_platform.views.remedies import materialize_command

if TYPE_CHECKING:
    from pairs_platform.adapters.files.history import FileMarketData

log = logging.getLogger(__name__)

_KEPT_SESSIONS = 4


class BarSource(Protocol):
    """Where played sessions are stored; `label` names it for a person."""

    label: str

    def sessions(self) -> Sequence[date]:
        """The sessions that can be played, ascending."""
        ...

    def bars(self, session: date) -> pd.DataFrame:
        """Sound bars of a session with BAR_COLUMNS; perhaps none."""
        ...

    def actions(self, session: date) -> pd.DataFrame:
        """Corporate actions that fall ex in a session, with ACTION_COLUMNS."""
        ...

    def absent(self, sessions: Sequence[date]) -> NotFound:
        """The error for sessions that are not there, with what is."""
        ...


class LakeBars:
    """Sessions of `price_history`, of every sector that is stored."""

    def __init__(self, lake: Lake, sectors: Sequence[str]) -> None:
        self.label = f"the lake ({', '.join(sectors)})"
        self._lake, self._sectors = lake, tuple(sectors)

    def sessions(self) -> Sequence[date]:
        """Sessions that are stored for a sector at least."""
        table = PRICE_HISTORY.table
        return sorted({session for sector in self._sectors for session in self._lake.sessions(table, sector)})

    def bars(self, session: date) -> pd.DataFrame:
        """See `BarSource`."""
        return self._lake.read_many(PRICE_HISTORY, self._keys(PRICE_HISTORY.table, session))

    def actions(self, session: date) -> pd.DataFrame:
        """See `BarSource`."""
        return self._lake.read_many(CORPORATE_ACTIONS, self._keys(CORPORATE_ACTIONS.table, session))

    def absent(self, sessions: Sequence[date]) -> NotFound:
        """See `BarSource`; names the newest stored session and the command that stores one."""
        stored = self.sessions()
        newest = f"the newest stored one is {stored[-1]}" if stored else "it holds none"
        command = materialize_command("price_history", PartitionKey(sessions[0], self._sectors[0]))
        return NotFound(
            f"{self.label} does not hold {_listed(sessions)}; {newest}. Store it with\n  {command}\nor choose another "
            "session with stream.replay.first"
        )

    def _keys(self, table: str, session: date) -> list[PartitionKey]:
        keys = [PartitionKey(session, sector) for sector in self._sectors]
        return [key for key in keys if self._lake.exists(table, key)]


class FileBars:
    """Sessions of price files; rows that validation refuses are not played."""

    def __init__(self, files: "FileMarketData", symbols: Sequence[str], validation: ValidationSettings) -> None:
        self.label = files.label
        self._files, self._symbols, self._validation = files, tuple(symbols), validation

    def sessions(self) -> Sequence[date]:
        """Every session that most symbols of the files have."""
        return self._files.common_sessions()

    def bars(self, session: date) -> pd.DataFrame:
        """See `BarSource`."""
        checked = validate_bars(
            self._files.fetch_bars(self._symbols, session, session).bars,
            symbols=self._symbols,
            sessions=[session],
            frequency=self._files.frequency,
            settings=self._validation,
            basis=self._files.basis,
        )
        if len(checked.quarantined):
            log.warning("%s, %s: %d unsound rows are not played", self.label, session, len(checked.quarantined))
        return checked.accepted

    def actions(self, session: date) -> pd.DataFrame:
        """See `BarSource`."""
        return self._files.fetch_actions(self._symbols, session, session).actions

    def absent(self, sessions: Sequence[date]) -> NotFound:
        """See `BarSource`; names the sessions that the files have."""
        first, last = self._files.sessions_available()
        return NotFound(
            f"{self.label} do not hold {_listed(sessions)}; they have sessions from {first} to {last}: choose one of "
            "them with stream.replay.first"
        )


@dataclass(frozen=True, eq=False)
class PlayedSession:
    """One session as it is played; times in nanoseconds since 1970-01-01 UTC.

    Attributes
    ----------
    session, origin : date
        As stamped, and as stored.
    open_ns, close_ns : int
        Of `session`.
    start_ns, stop_ns : int
        Part that is streamed: bars that start at `start_ns` or later and end at `stop_ns` or earlier.
    bars : DataFrame with BAR_COLUMNS, sorted by symbol and time
        With the stamps of `session`, a proxy's rows under the names that they stand in for.
    end_ns : ndarray of int64, shape (n,)
        End of each bar.
    proxies : mapping of symbol to source
        Of symbols that have the bars of another one: `PROXY` and that symbol.
    """

    session: date
    origin: date
    open_ns: int
    close_ns: int
    start_ns: int
    stop_ns: int
    bars: pd.DataFrame
    end_ns: np.ndarray
    proxies: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether it is played to the close."""
        return self.stop_ns == self.close_ns

    def with_sources(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Bars of the session with a column `source`: `PROXY` and a symbol for a proxy's, otherwise empty."""
        return bars.assign(source=[self.proxies.get(symbol, "") for symbol in bars["symbol"]])

    def ticks(self) -> Iterator[tuple[int, list[int]]]:
        """Positions of the streamed bars by the moment at which they end, oldest first."""
        starts = stamps_ns(self.bars["ts_utc"])
        streamed = np.flatnonzero((starts >= self.start_ns) & (self.end_ns <= self.stop_ns))
        ordered = streamed[np.argsort(self.end_ns[streamed], kind="stable")]
        moments, first = np.unique(self.end_ns[ordered], return_index=True)
        for moment, rows in zip(moments.tolist(), np.split(ordered, first[1:]), strict=False):
            yield moment, rows.tolist()


class Playlist:
    """The sessions that are played, in order; loaded when they are needed, a few are kept.

    Parameters
    ----------
    source : BarSource
    settings : ReplaySettings
    length : Frequency
        Of the bars.
    profile : Frequency
        Of the profile; `settings.bars` counts these.
    today : date
        In New York. With the stamps "present" the last session lands on it, or on the next session where it is none,
        and those before it on the sessions before.

    Raises
    ------
    NotFound
        The source lacks a session, or `settings.first` is none; the message names what there is.
    ConfigurationError
        `settings.start` lies outside the session.
    """

    def __init__(
        self, source: BarSource, settings: ReplaySettings, *, length: Frequency, profile: Frequency, today: date
    ) -> None:
        self.label, self.length, self.settings = source.label, length, settings
        self._source, self._profile = source, profile
        self.origins = _sessions_to_play(source, settings, today)
        self.sessions = self.origins if settings.stamps == "original" else _ending_at(today, len(self.origins))
        self._loaded: OrderedDict[int, PlayedSession | None] = OrderedDict()
        self._lock = threading.Lock()
        if self.load(0) is None:
            raise NotFound(f"{self.label}: no bar in the session {self.origins[0]}; choose another one")

    def load(self, position: int) -> PlayedSession | None:
        """The session at a position; None when it has no bar. Safe in several threads."""
        with self._lock:
            if position not in self._loaded:
                self._loaded[position] = self._read(position)
            self._loaded.move_to_end(position)
            while len(self._loaded) > _KEPT_SESSIONS:
                self._loaded.popitem(last=False)
            return self._loaded[position]

    def actions(self, position: int) -> pd.DataFrame:
        """Corporate actions that fall ex in the session at a position, with ACTION_COLUMNS and their stored ex-date."""
        origin = self.origins[position]
        actions = self._source.actions(origin)
        return actions[actions["ex_date"] == pd.Timestamp(origin)]

    def _read(self, position: int) -> PlayedSession | None:
        origin, session = self.origins[position], self.sessions[position]
        bars = self._source.bars(origin)
        if bars.empty:
            log.warning("%s: no bar in the session %s; it is left out", self.label, origin)
            return None
        bars, proxies = _with_proxies(bars, self.settings)
        opened, closed = moment_ns(session_open(session)), moment_ns(session_close(session))
        starts = stamps_ns(bars["ts_utc"])
        shift = opened - moment_ns(session_open(origin))
        ends = np.minimum(starts + self.length.length_ns, moment_ns(session_close(origin))) + shift
        moved = bars.assign(ts_utc=pd.DatetimeIndex(starts + shift, tz="UTC"))
        inside = (starts + shift >= opened) & (ends <= closed)
        start_ns, stop_ns = self._part(session, opened, closed)
        return PlayedSession(
            session=session,
            origin=origin,
            open_ns=opened,
            close_ns=closed,
            start_ns=start_ns,
            stop_ns=stop_ns,
            bars=moved[inside].reset_index(drop=True),
            end_ns=ends[inside],
            proxies=proxies,
        )

    def _part(self, session: date, opened: int, closed: int) -> tuple[int, int]:
        start_ns = opened if not self.settings.start else _time_of_day(session, self.settings.start, opened, closed)
        if not self.settings.bars:
            return start_ns, closed
        ends = [interval.end_ns for interval in bar_intervals(session, self._profile) if interval.start_ns >= start_ns]
        return start_ns, ends[: self.settings.bars][-1] if ends else closed


def open_playlist(settings: Settings) -> Playlist:
    """What the settings say is played.

    Raises
    ------
    NotFound, ConfigurationError
        As `Playlist`; also when bars of the configured length are not stored.
    DataError
        A file cannot be read.
    """
    replay = settings.stream.replay
    length = settings.stream.bar_frequency(settings.frequency)
    if length.minutes > settings.frequency.minutes:
        raise ConfigurationError(
            f"stream.bar is {length} and the frequency {settings.frequency}: a streamed bar must not be longer"
        )
    source: BarSource
    if replay.files:
        source = _open_files(settings, length)
    elif length is not settings.frequency:
        raise ConfigurationError(
            f"stream.bar is {length}, and the lake holds bars of {settings.frequency}: play files that have them "
            "(stream.replay.files), or leave stream.bar out"
        )
    elif not settings.active_sectors:
        raise ConfigurationError("no sector of the universe is active, so the lake has nothing to play")
    else:
        source = LakeBars(open_lake(settings), settings.active_sectors)
    today = datetime.now(ZoneInfo(MARKET_TIMEZONE)).date()
    return Playlist(source, replay, length=length, profile=settings.frequency, today=today)


def _open_files(settings: Settings, length: Frequency) -> FileBars:
    from pairs_platform.adapters.files.history import FileMarketData
    from pairs_platform.adapters.files.settings import FileSourceSettings

    paths = settings.stream.replay.files
    stated = settings.source.files
    files_settings = stated.model_copy(update={"paths": paths}) if stated else FileSourceSettings(paths=paths)
    files = FileMarketData(files_settings, frequency=length)
    listed = files.universe() if settings.universe_origin == "source" else None
    if listed is None:
        listed = tuple(listing for sector in settings.active_sectors for listing in settings.listings(sector))
    replay = settings.stream.replay
    symbols = {listing.symbol for listing in listed}.union(settings.stream.testing, replay.proxied, [replay.proxy])
    return FileBars(files, sorted(symbols), settings.validation)


def _sessions_to_play(source: BarSource, settings: ReplaySettings, today: date) -> tuple[date, ...]:
    stored = source.sessions()
    newest = stored[-1] if stored else last_session_before(today)
    first = newest if settings.first is None else require_session(settings.first)
    last = first if settings.mode == "single_pass" or settings.last is None else settings.last
    sessions, present = sessions_between(first, last), set(stored)
    missing = [session for session in sessions if session not in present]
    if missing:
        raise source.absent(missing)
    return tuple(sessions)


def _ending_at(today: date, count: int) -> tuple[date, ...]:
    target = today if is_session(today) else sessions_between(today, today + timedelta(days=10))[0]
    return tuple(sessions_between(session_offset(target, 1 - count), target))


def _with_proxies(bars: pd.DataFrame, settings: ReplaySettings) -> tuple[pd.DataFrame, dict[str, str]]:
    """The bars, and the proxy's again for every proxied symbol that has none; which symbols these are."""
    present = set(bars["symbol"].unique())
    lacking = sorted(set(settings.proxied) - present)
    if lacking and settings.proxy not in present:
        log.warning("the proxy %s has no bars: %s have none either", settings.proxy, ", ".join(lacking))
        lacking = []
    stand_in = bars[bars["symbol"] == settings.proxy]
    parts = [bars[list(BAR_COLUMNS)], *(stand_in.assign(symbol=symbol)[list(BAR_COLUMNS)] for symbol in lacking)]
    complete = pd.concat(parts, ignore_index=True).sort_values(["symbol", "ts_utc"], ignore_index=True)
    return complete, dict.fromkeys(lacking, PROXY + settings.proxy)


def _time_of_day(session: date, text: str, opened: int, closed: int) -> int:
    moment = datetime.combine(session, time.fromisoformat(text), ZoneInfo(MARKET_TIMEZONE))
    if not opened <= moment_ns(moment) < closed:
        raise ConfigurationError(
            f"stream.replay.start is {text}, outside the session {session}: it runs from "
            f"{market_time(session_open(session))} to "
            f"{market_time(session_close(session))} in New York"
        )
    return moment_ns(moment)


def _listed(sessions: Sequence[date]) -> str:
    more = f" and {len(sessions) - 3} more" if len(sessions) > 3 else ""
    return f"{', '.join(map(str, sessions[:3]))}{more}"
