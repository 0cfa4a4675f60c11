"""A streamed bar, as it arrives.

What does not belong here: which of its revisions counts (`revisions`), where it is stored (`adapters.redis.bars`), and
when a bar of the profile is complete (`builder`).
"""

from datetime import date
from typing import NamedTuple

from pairs_platform.core.time import DAY_NS, utc_day

FIRST, BACKFILLED, UPDATED = 0, 1, 2
"""Revisions: as first streamed, as fetched after a gap, as corrected by the vendor."""


class StreamBar(NamedTuple):
    """One bar as it arrived.

    Attributes
    ----------
    symbol : str
    ts_ns : int
        Start, nanoseconds since 1970-01-01 UTC.
    open, high, low, close : float
        US dollars per share.
    volume : float
        Shares, which may be fractional.
    revision : int
        `FIRST`, `BACKFILLED` or `UPDATED`.
    source : str
        "feed", "backfill", or the mark of a proxy (`proxies`).
    """

    symbol: str
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    revision: int = FIRST
    source: str = "feed"

    @property
    def session(self) -> date:
        """New York date of the bar, which is the UTC date of every stamp of the regular session."""
        return utc_day(self.ts_ns // DAY_NS)
