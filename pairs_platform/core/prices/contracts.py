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
_PRICES = ("open", "high", "low", "close")


def _high_is_highest(bars: pd.DataFrame) -> pd.Series:
    return bars["high"] * (1 + OHLC_TOLERANCE) >= bars[["open", "close"]].max(axis=1)


def _low_is_lowest(bars: pd.DataFrame) -> pd.Series:
    return bars["low"] * (1 - OHLC_TOLERANCE) <= bars[["open", "high", "close"]].min(axis=1)


def _is_sorted(bars: pd.DataFrame) -> bool:
    symbol_changes = bars["symbol"] != bars["symbol"].shift()
    rises = bars["ts_utc"].diff() > pd.Timedelta(0)
    return bool((symbol_changes | rises).all() and bars["symbol"].is_monotonic_increasing)


def price_column(description: str) -> pa.Column:
    """A price: positive and finite."""
    return pa.Column("float64", [pa.Check.gt(0.0), pa.Check.lt(float("inf"))], description=description)


def volume_column() -> pa.Column:
    """Traded shares: finite, not negative."""
    checks = [pa.Check.ge(0.0), pa.Check.lt(float("inf"))]
    return pa.Column("float64", checks, description="Shares traded in the bar [shares].")


def bar_columns() -> dict[str, pa.Column]:
    """Open, high, low, close and volume of an accepted bar."""
    return {
        "open": price_column("First price of the bar [US dollars]."),
        "high": price_column("Highest price of the bar [US dollars]."),
        "low": price_column("Lowest price of the bar [US dollars]."),
        "close": price_column("Last price of the bar [US dollars]."),
        "volume": volume_column(),
    }


def symbol_column() -> pa.Column:
    """A ticker."""
    return pa.Column(str, description="Ticker as the exchange writes it.")


def start_column() -> pa.Column:
    """Start of a bar."""
    return pa.Column(_UTC, description="Start of the bar, UTC.")


PRICE_HISTORY = Contract(
    table="price_history",
    version=2,
    schema=pa.DataFrameSchema(
        {
            "symbol": symbol_column(),
            "ts_utc": start_column(),
            **bar_columns(),
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
            "symbol": pa.Column(str, nullable=True, description="Ticker as the source gave it."),
            "ts_utc": pa.Column(_UTC, nullable=True, description="Start of the bar as the source gave it, UTC."),
            **{
                name: pa.Column("float64", nullable=True, description=f"{name.title()} as the source gave it [{unit}].")
                for name, unit in (*((price, "US dollars") for price in _PRICES), ("volume", "shares"))
            },
            "reason": pa.Column(str, description="Rule that the row breaks, in words."),
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
            "symbol": symbol_column(),
            "session": pa.Column(_DAY, description="Session that is flagged, midnight without a zone."),
            "kind": pa.Column(str, pa.Check.isin(FLAG_KINDS), description="What is suspicious, by name."),
            "detail": pa.Column(str, description="What was seen, with its figures."),
            "remedy": pa.Column(str, description="What a person may do about it."),
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
            "symbol": symbol_column(),
            "ex_date": pa.Column(_DAY, description="First session that trades without it, midnight without a zone."),
            "kind": pa.Column(str, pa.Check.isin([SPLIT, DIVIDEND]), description="Split or cash dividend."),
            "value": price_column("New shares for one old share, or the dividend a share [1 or US dollars]."),
            "known_ts_utc": pa.Column(_UTC, description="Moment at which it could first be known, UTC."),
        },
        unique=["symbol", "ex_date", "kind", "value"],
        strict=True,
        ordered=True,
    ),
)
"""Splits and dividends with the moment at which they could first be known; see `bars.ACTION_COLUMNS`."""
