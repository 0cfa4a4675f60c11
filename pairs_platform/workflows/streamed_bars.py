"""Streamed bars of a session: from Redis into the lake, and their comparison with the vendor's history.

What does not belong here: receiving bars (`processes.collector`) and what a streamed bar is (`core.streaming.bars`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pairs_platform.core.errors import NothingStreamed
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency
from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.signals.checks import compare_bars
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.proxies import PROXY
from pairs_platform.core.streaming.revisions import merge_revisions
from pairs_platform.platform import Platform


@dataclass(frozen=True, eq=False)
class SavedStream:
    """What was stored of a session in the configured run mode.

    Attributes
    ----------
    bars : DataFrame with the columns of `STREAMED_BARS`
        Rows of this run mode alone.
    metadata : mapping
        What the partition says about itself.
    """

    bars: pd.DataFrame
    metadata: Mapping[str, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class BarComparison:
    """Streamed bars of a session beside its price history.

    Attributes
    ----------
    differences : DataFrame
        As `compare_bars`, of the bars that begin and end while the session was streamed.
    n_bars : int
        Bars of history in that time.
    n_session : int
        Bars of history in the whole session.
    first_utc, end_utc : Timestamp
        From when to when the session was streamed.
    run_mode : str
        "live" or "replay".
    """

    differences: pd.DataFrame
    n_bars: int
    n_session: int
    first_utc: pd.Timestamp
    end_utc: pd.Timestamp
    run_mode: str


def save_stream(platform: Platform, key: PartitionKey) -> SavedStream:
    """Bring the streamed bars of a session into the lake; rows of the other run mode, and what Redis forgot, stay.

    Raises
    ------
    NothingStreamed
        Neither Redis nor the lake has a bar of it.
    """
    streams, lake = platform.streams, platform.lake
    symbols = {listing.symbol for listing in platform.listings(key.sector)}
    stored = lake.read(STREAMED_BARS, key) if lake.exists(STREAMED_BARS.table, key) else STREAMED_BARS.empty()
    own = stored[stored["run_mode"] == streams.run_mode].assign(ts_ns=lambda frame: frame["ts_utc"].astype("int64"))
    earlier = [StreamBar(*row) for row in own[list(StreamBar._fields)].itertuples(index=False)]
    streamed = [bar for bar in streams.bars.of_session(key.session) if bar.symbol in symbols]
    if not earlier and not streamed:
        raise NothingStreamed(f"no bar of {key} has been streamed in run mode {streams.run_mode}")
    bars = merge_revisions([*earlier, *streamed]).frame()
    bars.insert(0, "run_mode", streams.run_mode)
    rows = pd.concat([stored[stored["run_mode"] != streams.run_mode], bars], ignore_index=True)
    metadata = {
        "source": f"{streams.run_mode} stream of {platform.market_data.label}",
        "run_mode": streams.run_mode,
        "bar": platform.settings.stream.bar_frequency(platform.settings.frequency).value,
        "saved_utc": platform.clock().isoformat(timespec="seconds"),
    }
    lake.write(STREAMED_BARS, key, rows[list(STREAMED_BARS.columns)], metadata)
    return SavedStream(bars, metadata)


def bar_differences(platform: Platform, key: PartitionKey) -> BarComparison | None:
    """Where streamed bars and price history differ while the session was streamed; None without a stream."""
    lake, settings = platform.lake, platform.settings
    if not lake.exists(STREAMED_BARS.table, key):
        return None
    streamed, metadata = lake.read(STREAMED_BARS, key), lake.metadata(STREAMED_BARS, key)
    run_mode, bar = settings.stream.run_mode, Frequency(metadata["bar"])
    own = streamed[(streamed["run_mode"] == run_mode) & ~streamed["source"].str.startswith(PROXY)]
    if own.empty:
        return None
    close = pd.Timestamp(session_close(key.session))
    first, end = own["ts_utc"].min(), min(close, own["ts_utc"].max() + pd.Timedelta(minutes=bar.minutes))
    last = end if end == close else end - pd.Timedelta(minutes=settings.frequency.minutes)
    session = lake.read(PRICE_HISTORY, key)
    bars = aggregate_bars(own[list(BAR_COLUMNS)], source=bar, target=settings.frequency)
    bars, history = (frame[frame["ts_utc"].between(first, last)] for frame in (bars, session))
    return BarComparison(
        differences=compare_bars(bars, history),
        n_bars=len(history),
        n_session=len(session),
        first_utc=first,
        end_utc=end,
        run_mode=run_mode,
    )
