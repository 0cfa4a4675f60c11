"""Contracts of the price tables: accepted bars, quarantined rows, flags for a person, corporate actions.

What does not belong here: judging single rows of a source (`validation`), which decides what gets this far.
"""

import pandas as pd
import pandera.pandas as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT

OHLC_TOLERANCE = 1e-9
"""Relative amount by which a close may lie outside low and high: rounding of a vendor's adjusted prices."""

_UTC = "datetime64[ns, UTC]"
_DAY = "datetime64[ns]"


def _high_is_highest(bars: pd.DataFrame) -> pd.Series:
    return bars["high"] * (1 + OHLC_TOLERANCE) >= bars[["open", "close"]].max(axis=1)


def _low_is_lowest(bars: pd.DataFrame) -> pd.Series:
    return bars["low"] * (1 - OHLC_TOLERANCE) <= bars[["open", "high", "close"]].min(axis=1)


def _is_sorted(bars: pd.DataFrame) -> bool:
    symbol_changes = bars["symbol"] != bars["symbol"].shift()
    rises = bars["ts_utc"].diff() > pd.Timedelta(0)
    return bool((symbol_changes | rises).all() and bars["symbol"].is_monotonic_increasing)


def _price() -> pa.Column:
    return pa.Column("float64", [pa.Check.gt(0.0), pa.Check.lt(float("inf"))])


PRICE_HISTORY = Contract(
    table="price_history",
    version=2,
    schema=pa.DataFrameSchema(
        {
            "symbol": pa.Column(str),
            "ts_utc": pa.Column(_UTC),
            "open": _price(),
            "high": _price(),
            "low": _price(),
            "close": _price(),
            "volume": pa.Column("float64", [pa.Check.ge(0.0), pa.Check.lt(float("inf"))]),
        },
        checks=[
            pa.Check(_high_is_highest, name="high is not below open or close", ignore_na=False),
            pa.Check(_low_is_lowest, name="low is not above open, high or close", ignore_na=False),
            pa.Check(_is_sorted, name="sorted by symbol and time"),
        ],
        unique=["symbol", "ts_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Accepted bars of one session and sector, on the basis of their source; see `bars.BAR_COLUMNS`."""

PRICE_QUARANTINE = Contract(
    table="price_quarantine",
    asset="price_history",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "symbol": pa.Column(str, nullable=True),
            "ts_utc": pa.Column(_UTC, nullable=True),
            **{name: pa.Column("float64", nullable=True) for name in ("open", "high", "low", "close", "volume")},
            "reason": pa.Column(str),
        },
        strict=True,
        ordered=True,
    ),
)
"""Rows that were not accepted, as the source gave them (null where a value is not of the column's kind), and why."""

FLAG_KINDS = (
    "identical_duplicates",
    "missing_bars",
    "missing_session",
    "out_of_order",
    "spike",
    "split_like_jump",
    "split_without_jump",
    "stale_repeats",
    "zero_volume",
)

PRICE_FLAGS = Contract(
    table="price_flags",
    asset="price_history",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "symbol": pa.Column(str),
            "session": pa.Column(_DAY),
            "kind": pa.Column(str, pa.Check.isin(FLAG_KINDS)),
            "detail": pa.Column(str),
            "remedy": pa.Column(str),
        },
        unique=["symbol", "session", "kind"],
        strict=True,
        ordered=True,
    ),
)
"""What was accepted and still deserves a look; one row per symbol, session and kind."""

CORPORATE_ACTIONS = Contract(
    table="corporate_actions",
    asset="price_history",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "symbol": pa.Column(str),
            "ex_date": pa.Column(_DAY),
            "kind": pa.Column(str, pa.Check.isin([SPLIT, DIVIDEND])),
            "value": pa.Column("float64", [pa.Check.gt(0.0), pa.Check.lt(float("inf"))]),
            "known_ts_utc": pa.Column(_UTC),
        },
        unique=["symbol", "ex_date", "kind", "value"],
        strict=True,
        ordered=True,
    ),
)
"""Splits and dividends with the moment at which they could first be known; see `bars.ACTION_COLUMNS`."""
