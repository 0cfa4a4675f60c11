"""What the collector reports about itself; written to Redis every second.

What does not belong here: showing it (the console, the asset's observation).
"""

import os
import time
from dataclasses import dataclass, field
from typing import Literal

from pairs_platform.ports.live_bars import RefusedState

CollectorState = Literal["starting", "connecting", "streaming", "silent", "disconnected"] | RefusedState


@dataclass
class Health:
    """State and counters of a running collector; each is set by one thread alone.

    Attributes
    ----------
    bar : str
        Length of a streamed bar.
    state, detail
        Of the connection, and what a person should know of it.
    backfill_detail : str
        Why the last back-fill failed; empty after one that did not.
    redis_detail : str
        Why Redis may drop bars; empty where it never does.
    symbols : int
        Symbols that are streamed.
    started_wall_ns, connected_wall_ns : int
        Start of the process, and of the newest connection; 0 before the first.
    newest_bar_ns : int
        Start of the newest bar that was streamed; 0 before the first.
    lag_seconds : float or None
        Market time of the newest bar's writing, from its end; None where it is unknown.
    reconnects, redis_outages, bar_closes : int
        Connections after the first; times that Redis was unavailable; bar-close events published.
    bars, gaps_filled, quarantined, dropped : int
        Bars written; those of them that were fetched after a gap; rows refused; bars lost while Redis was unavailable.
    clock_offset_seconds : float
        How far the wall clock is ahead of the market clock.
    """

    bar: str
    state: CollectorState = "starting"
    detail: str = ""
    backfill_detail: str = ""
    redis_detail: str = ""
    symbols: int = 0
    started_wall_ns: int = field(default_factory=time.time_ns)
    connected_wall_ns: int = 0
    newest_bar_ns: int = 0
    lag_seconds: float | None = None
    reconnects: int = 0
    redis_outages: int = 0
    bar_closes: int = 0
    bars: int = 0
    gaps_filled: int = 0
    quarantined: int = 0
    dropped: int = 0
    clock_offset_seconds: float = 0.0

    def values(self, wall_ns: int) -> dict[str, str]:
        """As texts, with this process and the time of the report."""
        return {
            "state": self.state,
            "detail": "; ".join(text for text in (self.detail, self.backfill_detail, self.redis_detail) if text),
            "pid": str(os.getpid()),
            "started_wall_ns": str(self.started_wall_ns),
            "connected_wall_ns": str(self.connected_wall_ns),
            "heartbeat_wall_ns": str(wall_ns),
            "newest_bar_ns": str(self.newest_bar_ns),
            "lag_seconds": "" if self.lag_seconds is None else f"{self.lag_seconds:.3f}",
            "reconnects": str(self.reconnects),
            "gaps_filled": str(self.gaps_filled),
            "bars": str(self.bars),
            "quarantined": str(self.quarantined),
            "dropped": str(self.dropped),
            "buckets": str(self.bar_closes),
            "redis_outages": str(self.redis_outages),
            "clock_offset_seconds": f"{self.clock_offset_seconds:.3f}",
            "symbols": str(self.symbols),
            "bar": self.bar,
        }
