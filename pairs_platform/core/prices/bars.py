"""What a bar is: its columns, its frequency, the basis of its prices.

What does not belong here: reading bars (`adapters`, `lake`) or judging them (`validation`).
"""

from enum import StrEnum

from pairs_platform.core.time import MINUTE_NS

BAR_COLUMNS = ("symbol", "ts_utc", "open", "high", "low", "close", "volume")
"""symbol: str; ts_utc: datetime64[ns, UTC], the bar's START (a daily bar: the session's open);
prices: float64, US dollars per share; volume: float64, shares, which may be fractional."""

ACTION_COLUMNS = ("symbol", "ex_date", "kind", "value", "known_ts_utc")
"""ex_date: datetime64[ns] at midnight, the first session without the right; kind: "split" or "dividend";
value: new shares per old share, or US dollars per share; known_ts_utc: when a reader could first know it."""


class Frequency(StrEnum):
    """Length of a bar. The platform runs on 5min, 1h or 1d; 1min is accepted from a source and aggregated."""

    ONE_MINUTE = "1min"
    FIVE_MINUTES = "5min"
    ONE_HOUR = "1h"
    ONE_DAY = "1d"

    @property
    def minutes(self) -> int:
        """Length in minutes of the regular session (390 for a day)."""
        return {"1min": 1, "5min": 5, "1h": 60, "1d": 390}[self.value]

    @property
    def length_ns(self) -> int:
        """Length in nanoseconds of the regular session."""
        return self.minutes * MINUTE_NS


class PriceBasis(StrEnum):
    """Which corporate actions a source has already worked into its prices."""

    RAW = "raw"
    SPLIT_ADJUSTED = "split_adjusted"
    FULLY_ADJUSTED = "fully_adjusted"
