"""A source of hourly prices that a test writes by hand, symbol by symbol."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_of
from pairs_platform.ports.market_data import ActionsReply, BarsReply, Listing, UnavailableSymbol, empty_actions


def hourly_bars(sessions: Sequence[date], paths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Bars whose closes follow log prices; each opens at the close before."""
    grid = bar_grid(list(sessions), Frequency.ONE_HOUR)
    frames = []
    for symbol, path in paths.items():
        close = np.exp(path).round(4)
        opened = np.r_[close[0], close[:-1]]
        frames.append(
            pd.DataFrame(
                {
                    "symbol": symbol,
                    "ts_utc": grid.ts_utc,
                    "open": opened,
                    "high": np.maximum(opened, close),
                    "low": np.minimum(opened, close),
                    "close": close,
                    "volume": np.arange(len(close)) + 1000.0,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def walk(n_bars: int, seed: int, *, volatility: float = 0.01) -> np.ndarray:
    """A random walk of log prices from 100 dollars."""
    return np.log(100.0) + np.random.default_rng(seed).normal(0.0, volatility, n_bars).cumsum()


@dataclass
class FakeMarket:
    """Gives the bars that it was given, in the sessions that are asked for.

    Attributes
    ----------
    bars : DataFrame with BAR_COLUMNS
    failures : list of Exception
        Raised by the next fetches, first to last, before any bar is given.
    calls : list of (first, last)
        Stretches that were asked for.
    notes : tuple of str
        Given with every reply.
    """

    bars: pd.DataFrame
    failures: list[Exception] = field(default_factory=list)
    calls: list[tuple[date, date]] = field(default_factory=list)
    label: str = "FAKE market"
    basis: PriceBasis = PriceBasis.RAW
    frequency: Frequency = Frequency.ONE_HOUR
    notes: tuple[str, ...] = ()

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        self.calls.append((first, last))
        if self.failures:
            raise self.failures.pop(0)
        day = session_of(self.bars["ts_utc"])
        asked = day.between(pd.Timestamp(first), pd.Timestamp(last)) & self.bars["symbol"].isin(symbols)
        found = self.bars[asked].reset_index(drop=True)
        missing = sorted(set(symbols) - set(found["symbol"]))
        unavailable = tuple(UnavailableSymbol(symbol, "not in the fake market") for symbol in missing)
        return BarsReply(found, unavailable, self.notes)

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        return ActionsReply(empty_actions())

    def universe(self) -> tuple[Listing, ...] | None:
        return None

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date] | None:
        return None
