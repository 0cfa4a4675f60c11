"""Settings of price files; light enough to be read while definitions load.

What does not belong here: the frequency of the bars, which every source shares.
"""

import re
import zoneinfo
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from pairs_platform.core.prices.bars import PriceBasis
from pairs_platform.core.settings import SettingsGroup, setting, usable_path
from pairs_platform.core.time import MARKET_TIMEZONE

DateOrder = Literal["year_first", "day_first", "month_first"]
"""Order of year, month and day in a date such as 03/04/2025."""

BarEnd = Literal["start", "end"]
"""The end of a bar that a time stamp names."""

_FIXED_OFFSET = re.compile(r"[+-]\d{2}:?\d{2}|(?:Etc/)?GMT[+-]?\d+|EST|MST|HST")
_NO_OFFSET = re.compile(r"[+-]00:?00|(?:Etc/)?GMT[+-]?0")


def is_fixed_offset(zone: str) -> bool:
    """Whether a zone is a number of hours from UTC other than none, so that it does not follow New York's clock."""
    return _FIXED_OFFSET.fullmatch(zone) is not None and _NO_OFFSET.fullmatch(zone) is None


class FileSourceSettings(SettingsGroup):
    """Where the price files are and what they do not say themselves."""

    paths: tuple[str, ...] = setting(
        ..., unit="paths", description="Parquet or CSV files, folders, or glob patterns; one or several.", min_length=1
    )
    basis: PriceBasis = setting(
        PriceBasis.SPLIT_ADJUSTED,
        unit="name",
        description="What the prices already include: raw (nothing), split_adjusted, fully_adjusted (dividends too).",
    )
    timezone: str | None = setting(
        None,
        unit="IANA zone",
        description=(
            "Zone of time stamps that have none, such as America/New_York or UTC; of daily ones, the zone whose "
            "midnight they are."
        ),
    )
    label: BarEnd = setting("start", unit="name", description="Which end of an intraday bar its time stamp names.")
    date_order: DateOrder | None = setting(
        None,
        unit="name",
        description="Order of dates such as 03/04/2025 that the file does not prove: day_first or month_first.",
    )
    actions_path: str | None = setting(
        None,
        unit="path",
        description="Parquet or CSV file of splits and dividends: symbol, ex_date, kind, value, perhaps known_ts_utc.",
    )

    @field_validator("paths", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (str(value),) if isinstance(value, str | Path) else value

    @field_validator("paths")
    @classmethod
    def _paths_are_usable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(usable_path(path) for path in value)

    @field_validator("actions_path")
    @classmethod
    def _path_is_usable(cls, value: str | None) -> str | None:
        return None if value is None else usable_path(value)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        if value is not None and value not in zoneinfo.available_timezones():
            raise ValueError(f"the name of an IANA time zone, such as {MARKET_TIMEZONE} or UTC")
        if value is not None and is_fixed_offset(value):
            raise ValueError(
                f"a fixed offset from UTC all year is an hour off New York's clock for a part of it; use "
                f"{MARKET_TIMEZONE}, or UTC"
            )
        return value
