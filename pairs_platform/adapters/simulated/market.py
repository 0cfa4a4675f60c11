"""The simulated source: a factor market with planted cointegrated pairs whose truth can be asked for.

What does not belong here: the random processes (`paths`), corporate actions (`actions`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from pairs_platform.adapters.simulated.actions import SimulatedAction, corporate_actions
from pairs_platform.adapters.simulated.paths import (
    PlantedBreak,
    PlantedPair,
    SymbolPath,
    bar_shape,
    plant_pairs,
    simulate_sector,
    stream,
)
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import CALENDAR_END, BarGrid, bar_grid, session_close, sessions_between
from pairs_platform.core.prices.sectors import sector_slug
from pairs_platform.core.time import utc_now
from pairs_platform.ports.market_data import (
    ActionsReply,
    BarsReply,
    Listing,
    UnavailableSymbol,
    empty_actions,
    empty_bars,
)

FIRST_SESSION = date(2021, 1, 4)
"""Every path starts here; fixed, because each bar depends on all bars before it."""

_UNIFORMS_PER_BAR = 5


@lru_cache(maxsize=2)
def _grid_until(last: date, frequency: Frequency) -> BarGrid:
    return bar_grid(sessions_between(FIRST_SESSION, last), frequency)


@dataclass(frozen=True, eq=False)
class _Sector:
    """Everything that is simulated of one sector, from the first session to `last`."""

    last: date
    grid: BarGrid
    session_starts: np.ndarray
    paths: dict[str, SymbolPath]
    actions: dict[str, tuple[SimulatedAction, ...]]
    log_factors: dict[str, np.ndarray]


class SimulatedMarket:
    """Source of simulated prices, as traded (basis raw) and with the corporate actions to adjust them by.

    A market is defined by its universe, its frequency and its settings: the bars of a session are the same whichever
    range is asked for and whenever. Each frequency is a market of its own, with half-lives in its own bars. A sector is
    simulated on first use and kept; sessions that are not over yet have no bars.

    Parameters
    ----------
    universe : sequence of Listing
        Symbols to simulate; a symbol must not be in two sectors.
    frequency : Frequency
        5min, 1h or 1d (1min works, and takes five times as long as 5min).
    settings : SimulatedMarketSettings
    clock : callable
        Gives the time, aware, that decides which sessions are over.
    planted_break : PlantedBreak, optional
        A change of every planted pair; none in the markets that the settings name.

    Raises
    ------
    ConfigurationError
        When the universe is empty or lists a symbol twice.
    """

    def __init__(
        self,
        universe: Sequence[Listing],
        *,
        frequency: Frequency,
        settings: SimulatedMarketSettings | None = None,
        clock: Callable[[], datetime] = utc_now,
        planted_break: PlantedBreak | None = None,
    ) -> None:
        self._settings = settings or SimulatedMarketSettings()
        self._frequency = frequency
        self._clock = clock
        self._planted_break = planted_break
        self._universe = tuple(sorted(universe, key=lambda listing: (listing.sector, listing.symbol)))
        self._sector_of = {listing.symbol: listing.sector for listing in self._universe}
        if not self._universe:
            raise ConfigurationError("the simulated market needs at least one symbol; name some in the universe")
        if len(self._sector_of) < len(self._universe):
            seen = [listing.symbol for listing in self._universe]
            twice = sorted({symbol for symbol in seen if seen.count(symbol) > 1})
            raise ConfigurationError(f"the universe lists {', '.join(twice)} more than once; keep one sector for each")
        self._sectors: dict[str, _Sector] = {}
        self._shape = bar_shape(frequency, self._settings.overnight_minutes)

    @property
    def label(self) -> str:
        """Name with variant and seed; says that the prices are not real."""
        return f"SIMULATED market, variant {self._settings.variant}, seed {self._settings.seed}"

    @property
    def basis(self) -> PriceBasis:
        """Always raw: splits and dividends are in `fetch_actions`."""
        return PriceBasis.RAW

    @property
    def frequency(self) -> Frequency:
        """Frequency of the bars."""
        return self._frequency

    def universe(self) -> tuple[Listing, ...]:
        """The universe that was given, sorted by sector and symbol."""
        return self._universe

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date] | None:
        """From the market's first session to the last one that is over; None before the first is."""
        now = self._clock()
        # Yesterday, today and tomorrow in UTC cover every session that may be open now, whatever the zone of the clock.
        candidates = sessions_between(FIRST_SESSION, min((now + timedelta(days=1)).date(), CALENDAR_END))
        while candidates and session_close(candidates[-1]) > now:
            candidates.pop()
        return (candidates[0], candidates[-1]) if candidates else None

    def ground_truth(self, sector: str) -> tuple[PlantedPair, ...]:
        """The pairs planted in `sector`, in alphabetical order; empty where the universe has none.

        Raises
        ------
        NoSuchSector
            When `sector` is no GICS sector.
        """
        slug = sector_slug(sector)
        return plant_pairs(self._symbols(slug), slug, self._frequency, self._settings)

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols` from session `first` to `last`; see `MarketData.fetch_bars`."""
        sessions = self._sessions(first, last)
        frames, unavailable = [], []
        for symbol in sorted(set(symbols)):
            frame = self._bars(symbol, sessions) if sessions and symbol in self._sector_of else empty_bars()
            if frame.empty:
                unavailable.append(UnavailableSymbol(symbol, self._why_not(symbol, first, last)))
            else:
                frames.append(frame)
        bars = pd.concat(frames, ignore_index=True) if frames else empty_bars()
        return BarsReply(bars, tuple(unavailable))

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Splits and dividends with an ex-date from `first` to `last`; see `MarketData.fetch_actions`."""
        sessions = self._sessions(first, last)
        if not sessions:
            return ActionsReply(empty_actions())
        every = sessions_between(FIRST_SESSION, sessions[-1])
        rows = [
            (
                symbol,
                pd.Timestamp(every[action.ex]),
                action.kind,
                action.value,
                pd.Timestamp(session_close(every[action.announced])),
            )
            for symbol in sorted(set(symbols) & self._sector_of.keys())
            for action in self._simulated(symbol, sessions[-1]).actions[symbol]
            # What was simulated up to a later session knows actions after this one.
            if action.ex < len(every) and every[action.ex] >= sessions[0]
        ]
        if not rows:
            return ActionsReply(empty_actions())
        return ActionsReply(pd.DataFrame(rows, columns=list(ACTION_COLUMNS)).astype(empty_actions().dtypes.to_dict()))

    def _symbols(self, sector: str) -> tuple[str, ...]:
        return tuple(listing.symbol for listing in self._universe if listing.sector == sector)

    def _sessions(self, first: date, last: date) -> list[date]:
        available = self.sessions_available()
        return sessions_between(max(first, available[0]), min(last, available[1])) if available else []

    def _why_not(self, symbol: str, first: date, last: date) -> str:
        if symbol not in self._sector_of:
            return f"{symbol} is not in the simulated universe of {len(self._universe)} symbols"
        available = self.sessions_available()
        have = (
            f"the simulated market has {available[0]} to {available[1]}"
            if available
            else "the simulated market is empty yet"
        )
        return f"no bar of {symbol} in the sessions from {first} to {last}; {have}"

    def _simulated(self, symbol: str, last: date) -> _Sector:
        """The sector of `symbol`, simulated at least to session `last`."""
        sector = self._sector_of[symbol]
        simulated = self._sectors.get(sector)
        if simulated is None or simulated.last < last:
            simulated = self._sectors[sector] = self._simulate(sector, last)
        return simulated

    def _simulate(self, sector: str, last: date) -> _Sector:
        symbols = self._symbols(sector)
        grid = _grid_until(last, self._frequency)
        paths = simulate_sector(
            symbols,
            self.ground_truth(sector),
            sector=sector,
            grid=grid,
            frequency=self._frequency,
            settings=self._settings,
            planted_break=self._planted_break,
        )
        starts = np.flatnonzero(grid.bar_of_day == 0)
        session_last_bars = np.append(starts[1:], len(grid.ts_utc)) - 1
        decided = {
            symbol: corporate_actions(symbol, paths[symbol].log_close[session_last_bars], self._settings)
            for symbol in symbols
        }
        return _Sector(
            last=last,
            grid=grid,
            session_starts=np.append(starts, len(grid.ts_utc)),
            paths=paths,
            actions={symbol: actions for symbol, (actions, _) in decided.items()},
            log_factors={symbol: log_factor for symbol, (_, log_factor) in decided.items()},
        )

    def _bars(self, symbol: str, sessions: list[date]) -> pd.DataFrame:
        market = self._simulated(symbol, sessions[-1])
        first_number = int(np.searchsorted(_session_numbers(market.grid), np.datetime64(sessions[0], "D")))
        start, stop = market.session_starts[[first_number, first_number + len(sessions)]]
        bar_of_day = market.grid.bar_of_day[start:stop]
        session_number = first_number + np.cumsum(bar_of_day == 0) - 1
        uniforms = self._uniforms(symbol, start, stop)
        path = market.paths[symbol]

        log_close = path.log_close[start:stop]
        before = np.concatenate((path.log_close[max(start - 1, 0)][None], log_close[:-1]))
        share = self._shape.before_open[bar_of_day]
        log_open = before + share * (log_close - before) + self._opening_noise(market, symbol, start, stop)
        variance = path.total_sd**2 * self._shape.minutes[bar_of_day] * (1.0 - share)
        move = log_close - log_open
        reach_up, reach_down = (np.sqrt(move**2 - 2.0 * variance * np.log1p(-uniforms[:, k])) for k in (1, 2))
        log_factor = market.log_factors[symbol][session_number]

        def dollars(log_price: np.ndarray) -> np.ndarray:
            return np.round(np.exp(log_price + log_factor), 4)

        frame = pd.DataFrame(
            {
                "symbol": symbol,
                "ts_utc": market.grid.ts_utc[start:stop],
                "open": dollars(log_open),
                "high": dollars((log_open + log_close + reach_up) / 2.0),
                "low": dollars((log_open + log_close - reach_down) / 2.0),
                "close": dollars(log_close),
            }
        )
        frame["volume"] = self._volume(symbol, frame["close"].to_numpy(), bar_of_day, uniforms[:, 3])
        if self._settings.variant == "missing_bars":
            lost_session = self._lost_sessions(symbol, int(session_number[-1]) + 1)[session_number]
            frame = frame[(uniforms[:, 4] >= self._settings.missing_share) & ~lost_session]
        return frame[list(BAR_COLUMNS)]

    def _uniforms(self, symbol: str, start: int, stop: int) -> np.ndarray:
        """Uniform draws of the bars [start, stop), shape (stop − start, 5): opening gap, high, low, volume, loss."""
        bits = stream(self._settings.seed, "bar", symbol)
        bits.advance(_UNIFORMS_PER_BAR * int(start))
        return np.random.Generator(bits).random((stop - start, _UNIFORMS_PER_BAR))

    def _opening_noise(self, market: _Sector, symbol: str, start: int, stop: int) -> np.ndarray:
        """Deviation of each open from its expected place between two closes; a planted pair shares its leader's."""
        path = market.paths[symbol]
        bar_of_day = market.grid.bar_of_day[start:stop]
        share = self._shape.before_open[bar_of_day]
        sd = path.own_sd * np.sqrt(self._shape.minutes[bar_of_day] * share * (1.0 - share))
        noise = sd * _normal(self._uniforms(symbol, start, stop)[:, 0])
        if path.leader is not None and path.beta is not None:
            noise = noise + path.beta[start:stop] * self._opening_noise(market, path.leader, start, stop)
        return noise

    def _volume(self, symbol: str, close: np.ndarray, bar_of_day: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Shares per bar: a daily dollar volume of the symbol's own, spread over the day in a U and shaken by half."""
        daily_dollars = 5e7 * 40.0 ** np.random.Generator(stream(self._settings.seed, "volume", symbol)).random()
        minutes = self._shape.minutes * (1.0 - self._shape.before_open)
        share = minutes[bar_of_day] / minutes.sum()
        shaken = np.exp(0.5 * _normal(uniform))
        return np.maximum(1, np.floor(daily_dollars * share * shaken / close))

    def _lost_sessions(self, symbol: str, n_sessions: int) -> np.ndarray:
        draw = np.random.Generator(stream(self._settings.seed, "lost session", symbol)).random(n_sessions)
        return draw < self._settings.missing_sessions_share


def _session_numbers(grid: BarGrid) -> np.ndarray:
    return grid.session[grid.bar_of_day == 0]


def _normal(uniform: np.ndarray) -> np.ndarray:
    """Standard normal draws from uniform ones: exactly one each, so that a stream can be entered at any bar."""
    from scipy.special import ndtri

    return ndtri(np.clip(uniform, 1e-12, None))
