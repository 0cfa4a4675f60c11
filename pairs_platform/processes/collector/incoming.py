"""From messages of the stream to bars: batches judged by the rules of price history.

What does not belong here: connections (`adapters`), and where bars go (`recorder`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import pandas as pd

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.numbers import numbers
from pairs_platform.core.prices.validation import judge_rows
from pairs_platform.core.streaming.bars import FIRST, UPDATED, StreamBar
from pairs_platform.core.streaming.proxies import is_proxy
from pairs_platform.core.time import SECOND_NS, stamps_ns
from pairs_platform.ports.live_bars import StreamMessage

_NAMES = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_NO_TIME = np.iinfo(np.int64).min
_FARTHEST_SECONDS = 9_000_000_000
"""From 1970; more does not fit into nanoseconds of 64 bits."""


@dataclass(frozen=True)
class JudgedBars:
    """Bars that may be stored, in the order of arrival, and refused rows with their reasons."""

    bars: list[StreamBar]
    refused: list[dict[str, str]]


def judge_messages(messages: Sequence[StreamMessage], *, symbols: Sequence[str], frequency: Frequency) -> JudgedBars:
    """Judge messages of bars and of corrected bars.

    Parameters
    ----------
    messages
        "T" "b" or "u"; a field "x" that begins with "proxy:" is the bar's source.
    symbols
        What is streamed; bars of others are refused.
    frequency : Frequency
        Of the bars.
    """
    frame = pd.DataFrame(
        {name: _numbers([message.get(field) for message in messages]) for name, field in _NAMES.items()}
    )
    names = [message.get("S") for message in messages]
    frame.insert(0, "symbol", [name if isinstance(name, str) else None for name in names])
    frame.insert(1, "ts_utc", _stamps([message.get("t") for message in messages]))
    revisions = [UPDATED if message.get("T") == "u" else FIRST for message in messages]
    return judge_frame(frame, revisions, _sources([message.get("x") for message in messages]), symbols, frequency)


def judge_frame(
    frame: pd.DataFrame,
    revisions: Sequence[int],
    sources: Sequence[str],
    symbols: Sequence[str],
    frequency: Frequency,
) -> JudgedBars:
    """Judge rows with BAR_COLUMNS, n of them, whose revisions and sources (n each) are known."""
    judged = judge_rows(frame, symbols=symbols, sessions=None, frequency=frequency)
    if not judged.wrong.any():
        return JudgedBars(_bars(judged.given, revisions, sources), [])
    right = np.flatnonzero(~judged.wrong).tolist()
    bars = _bars(judged.given.iloc[right], [revisions[i] for i in right], [sources[i] for i in right])
    rows = judged.quarantined().astype(str)
    names = [str(name) for name in rows.columns]
    return JudgedBars(bars, [dict(zip(names, row, strict=True)) for row in rows.itertuples(index=False)])


def _bars(rows: pd.DataFrame, revisions: Sequence[int], sources: Sequence[str]) -> list[StreamBar]:
    columns = [
        rows["symbol"].tolist(),
        stamps_ns(rows["ts_utc"]).tolist(),
        *(rows[name].tolist() for name in _NAMES),
    ]
    return list(map(StreamBar._make, zip(*columns, revisions, sources, strict=True)))


def _stamps(values: list[Any]) -> pd.DatetimeIndex:
    """Times of msgpack's time stamps; none where a value is something else."""
    ns = [
        value.seconds * SECOND_NS + value.nanoseconds
        if isinstance(value, msgpack.Timestamp) and abs(value.seconds) < _FARTHEST_SECONDS
        else _NO_TIME
        for value in values
    ]
    return pd.DatetimeIndex(np.array(ns, dtype="int64").view("M8[ns]"), tz="UTC")


def _numbers(values: list[Any]) -> np.ndarray:
    """The numbers of a field; the usual case, in which every value is one, takes no call for each."""
    if set(map(type, values)) <= {int, float}:
        return np.array(values, dtype=np.float64)
    return numbers(values)


def _sources(marks: list[Any]) -> list[str]:
    if not any(marks):
        return ["feed"] * len(marks)
    return [mark if isinstance(mark, str) and is_proxy(mark) else "feed" for mark in marks]
