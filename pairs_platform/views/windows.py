"""The window matrix of an as-of session, read from the lake: what every asset after `price_history` starts from.

What does not belong here: how a window is built (`core.prices.window_builder`).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from pairs_platform.core.errors import DataError, PartitionStale
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.adjustment import stale_sessions
from pairs_platform.core.prices.bars import PriceBasis
from pairs_platform.core.prices.calendar import session_close, sessions_ending
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.lake.store import Lake
from pairs_platform.platform import Platform

LATER_SESSIONS = 5
"""Sessions after the as-of session that the look-ahead check reads, where they are stored."""


def load_window(platform: Platform, key: PartitionKey, symbols: Sequence[str] | None = None) -> PriceWindow:
    """Window of the lookback that ends with `key.session`, adjusted as of that session's close.

    Parameters
    ----------
    symbols : sequence of str, optional
        Only these symbols instead of all that are stored.

    Raises
    ------
    PartitionMissing
        Names every session of the lookback without prices and the command that fetches them.
    PartitionStale
        The prices are of before a split.
    DataError
        With the reason why each symbol stayed out.
    """
    sessions = sessions_ending(key.session, platform.settings.lookback_sessions)
    return _window(platform, key, sessions, sessions, symbols)


def load_truncated_window(platform: Platform, key: PartitionKey, symbols: Sequence[str]) -> PriceWindow:
    """The same window by another way: later sessions that are stored are read too, and cut off at the session's close.

    An asset that let a later value in would differ from what is recomputed on this window.
    """
    sessions = sessions_ending(key.session, platform.settings.lookback_sessions)
    stored = platform.lake.sessions(PRICE_HISTORY.table, key.sector)
    later = [day for day in stored if day > key.session][:LATER_SESSIONS]
    return _window(platform, key, sessions, [*sessions, *later], symbols)


def _window(
    platform: Platform, key: PartitionKey, sessions: list[date], read: list[date], symbols: Sequence[str] | None
) -> PriceWindow:
    settings, lake = platform.settings, platform.lake
    keys = keys_of(read, key.sector)
    bars, actions = lake.read_many(PRICE_HISTORY, keys), lake.read_many(CORPORATE_ACTIONS, keys)
    basis = PriceBasis(str(lake.metadata(PRICE_HISTORY, key)["price_basis"]))
    stale = stale_prices(lake, keys, actions, basis)
    if stale:
        first, last = PartitionKey(stale[0], key.sector), PartitionKey(stale[-1], key.sector)
        raise PartitionStale(
            f"the prices of {len(stale)} sessions from {first} on were fetched before a split that the source has "
            "worked into them since",
            first,
            last,
            asset=PRICE_HISTORY.written_by,
        )
    close = pd.Timestamp(session_close(key.session))
    bars, actions = bars[bars["ts_utc"] < close], actions[actions["known_ts_utc"] <= close]
    window = build_window(
        bars,
        actions,
        sessions=sessions,
        frequency=settings.frequency,
        basis=basis,
        settings=settings.window,
        symbols=sorted(symbols or bars["symbol"].unique()),
    )
    if len(window.symbols) < 2:
        reasons = "; ".join(f"{symbol.symbol}: {symbol.reason}" for symbol in window.excluded)
        raise DataError(f"{len(window.symbols)} symbols entered the window; {reasons}")
    return window


def stale_prices(
    lake: Lake, keys: Sequence[PartitionKey], actions: pd.DataFrame, basis: PriceBasis
) -> tuple[date, ...]:
    """Sessions of `keys` to fetch again; looks at the partitions' times only when an action can have changed them."""
    if actions.empty or basis is PriceBasis.RAW:
        return ()
    fetched = {key.session: datetime.fromisoformat(lake.metadata(PRICE_HISTORY, key)["fetched_utc"]) for key in keys}
    return stale_sessions(fetched, actions, basis=basis)


def window_metadata(platform: Platform, key: PartitionKey, window: PriceWindow) -> dict[str, Any]:
    """Metadata of the window that a partition was computed from; shown on its page and stored inside its file."""
    return {
        "source": platform.lake.metadata(PRICE_HISTORY, key)["source"],
        "first_session": str(window.session[0]),
        "bars_per_symbol": window.n_bars,
        "symbols": len(window.symbols),
        "symbols_excluded": {symbol.symbol: symbol.reason for symbol in window.excluded},
    }


def past_correlation_gate(platform: Platform, key: PartitionKey) -> pd.DataFrame:
    """The rows of `cointegrated_pairs` past the correlation gate whose spread could be estimated."""
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX

    gates = platform.lake.read(CORRELATION_MATRIX, key, ["pair", "passes_correlation"])
    pairs = platform.lake.read(COINTEGRATED_PAIRS, key)
    estimated = pairs["pair"].isin(gates.loc[gates["passes_correlation"], "pair"]) & pairs["y"].notna()
    return pairs[estimated].reset_index(drop=True)


def past_both_gates(platform: Platform, key: PartitionKey) -> pd.DataFrame:
    """The rows of `cointegrated_pairs` past the gates of correlation and cointegration."""
    pairs = past_correlation_gate(platform, key)
    return pairs[pairs["passes_cointegration"]].reset_index(drop=True)
