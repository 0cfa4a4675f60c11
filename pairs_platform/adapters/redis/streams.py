"""Everything of one profile and run mode that Redis holds, over one connection.

What does not belong here: any key or command; each part has a module of its own.
"""

import time
from collections.abc import Callable

import redis

from pairs_platform.adapters.redis.actions import SessionActions
from pairs_platform.adapters.redis.bar_closes import BarCloses
from pairs_platform.adapters.redis.bars import StreamedBars
from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.health import ProcessHealth
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.adapters.redis.market_clock import MarketClock
from pairs_platform.adapters.redis.quarantine import Quarantine
from pairs_platform.adapters.redis.replay import ReplayState
from pairs_platform.adapters.redis.snapshot import Snapshot
from pairs_platform.adapters.redis.symbols import SymbolSwitch
from pairs_platform.core.streaming.settings import RunMode, StreamSettings
from pairs_platform.core.time import DAY_SECONDS


class Streams:
    """What collector, replay server, signals and status share.

    Parameters
    ----------
    client : redis.Redis
        Decodes its replies (`connection.connect`).
    profile : str
        Name of the profile.
    run_mode : "live" or "replay"
    settings : StreamSettings
    wall : callable
        Wall clock, nanoseconds since 1970-01-01 UTC.

    Attributes
    ----------
    bars, quarantine, bar_closes, actions, symbols, health, trader, replay, clock, snapshot
        The parts; see their classes. All raise `StreamUnavailable` when Redis does not answer.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        profile: str,
        run_mode: RunMode,
        settings: StreamSettings,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.run_mode: RunMode = run_mode
        self.connection = connection = Connection(client)
        keys, keep_seconds = StreamKeys(profile, run_mode), settings.keep_days * DAY_SECONDS
        self.bars = StreamedBars(connection, keys, max_bars=settings.max_bars, keep_seconds=keep_seconds)
        self.quarantine = Quarantine(connection, keys, keep_seconds=keep_seconds)
        self.bar_closes = BarCloses(connection, keys, keep_seconds=keep_seconds)
        self.actions = SessionActions(connection, keys, keep_seconds=keep_seconds)
        self.symbols = SymbolSwitch(connection, keys, default=settings.symbols)
        self.health = ProcessHealth(connection, keys.health)
        self.trader = ProcessHealth(connection, keys.trader)
        self.replay = ReplayState(connection, keys, wall)
        self.clock = MarketClock(run_mode, self.replay, wall)
        self.snapshot = Snapshot(connection, keys)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
