"""The demo's profile over a real Redis whose stream is fed by hand."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import redis

from pairs_platform.build import build_definitions
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.time import utc_now
from pairs_platform.database.models import Decision
from pairs_platform.database.replays import forget_replay
from pairs_platform.database.signals import Provenance, SignalKey, store_signals
from pairs_platform.defs.signals import assets, checks
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.signal_parity import stored_signals
from pairs_platform.workflows.signals import SignalOutcome, signal_partition
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.runs import QUIET

CONFIGURED = SESSIONS[1]
GRID = bar_intervals(SESSION, Frequency.ONE_HOUR)
N_PAIRS = 4
FIRST_PAIR = "AAPL_ADI"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of a Redis that runs for the tests of this file."""
    folder = tmp_path_factory.mktemp("r")
    with embedded_redis(folder):
        yield folder


@dataclass(frozen=True)
class Live:
    """A profile whose stream is fed by hand."""

    platform: Platform

    def bars(self, positions: Iterable[int] = range(len(GRID))) -> list[StreamBar]:
        """Bars of the price history at some positions of the session."""
        history = self.platform.lake.read(PRICE_HISTORY, key())
        starts = {GRID[k].start_ns for k in positions}
        return [
            StreamBar(one.symbol, one.ts_utc.value, one.open, one.high, one.low, one.close, one.volume)
            for one in history.itertuples()
            if one.ts_utc.value in starts
        ]

    def stream(self, *positions: int, bars: Iterable[StreamBar] | None = None) -> None:
        """Send bars and their bar-close events; the market clock stands at the end of the last one."""
        streams = self.platform.streams
        streams.bars.add(self.bars(positions) if bars is None else list(bars))
        for k in positions:
            streams.bar_closes.publish(BarClose(GRID[k], "all_in", 8, 8, GRID[k].end_ns, GRID[k].end_ns))
            streams.replay.publish_clock(GRID[k].end_ns, 0.0)

    def compute(self) -> SignalOutcome:
        return signal_partition(self.platform, key(), run_id="a test")

    def hour_by_hour(self, n: int = len(GRID)) -> None:
        for k in range(n):
            self.stream(k)
            self.compute()

    def again(self, **more) -> "Live":
        """The same profile as a new process sees it."""
        return Live(Platform(load_settings(), **more))

    def run(self, job: str, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
        definitions = build_definitions(self.platform.settings, {"platform": self.platform})
        return definitions.resolve_job_def(job).execute_in_process(
            partition_key=str(key()), run_config=QUIET, raise_on_error=False, instance=instance
        )

    def check(self, name: str) -> dg.AssetCheckEvaluation:
        """A check of `signals`, run with its asset as a person does it in the UI."""
        definitions = dg.Definitions(
            assets=[assets.signals],
            asset_checks=dg.load_asset_checks_from_modules([checks]),
            jobs=[dg.define_asset_job("by_hand", selection=dg.AssetSelection.assets(assets.signals))],
            resources={"platform": self.platform},
            executor=dg.in_process_executor,
        )
        job = definitions.resolve_job_def("by_hand")
        result = job.execute_in_process(partition_key=str(key()), run_config=QUIET, raise_on_error=False)
        return next(found for found in result.get_asset_check_evaluations() if found.check_name == name)

    @property
    def rows(self) -> pd.DataFrame:
        return stored_signals(self.platform, key())

    def versions(self) -> list[int | None]:
        """The champion's version at every stored bar, for a pair that every version holds."""
        chosen = self.rows[self.rows["pair"] == FIRST_PAIR]
        return [None if pd.isna(version) else int(version) for version in chosen["champion_version"]]


@pytest.fixture
def live(server: Path, copied: Platform, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A copy of the demo's profile over an empty Redis."""
    monkeypatch.setenv(variable("redis_url"), f"unix://{server / 'redis.sock'}")
    redis.Redis(unix_socket_path=str(server / "redis.sock")).flushall()
    return never_streamed(Live(Platform(load_settings())))


def never_streamed(found: Live) -> Live:
    """The profile without what the demo has replayed."""
    forget_replay(found.platform.database)
    found.platform.lake.path(STREAMED_BARS.table, key()).unlink(missing_ok=True)
    shutil.rmtree(found.platform.settings.profile_root / "signals", ignore_errors=True)
    return found


def without_pairs(platform: Platform) -> None:
    """Store the configuration of the session before without a pair."""
    document = platform.lake.read_document("trading_config", key(CONFIGURED))
    empty = TradingConfig.model_validate({**document, "pairs": [], "content_hash": ""})
    platform.lake.document_path("trading_config", key(CONFIGURED)).write_text(json.dumps(empty.document()))


def where(session=SESSION) -> SignalKey:
    return SignalKey(run_mode="replay", sector=SECTOR, session=session)


def store_yesterday(platform: Platform, signals, *, sessions_ago: int = 1) -> None:
    day = session_offset(SESSION, -sessions_ago)
    start = bar_intervals(day, Frequency.ONE_HOUR)[-1].start_ns
    now = platform.clock()
    given = Provenance(
        config_session=SESSIONS[0], config_hash="h", decided_market_utc=now, decided_utc=now, run_id="yesterday"
    )
    store_signals(platform.database, where(day), [replace(one, start_ns=start) for one in signals], given)


def challenge(platform: Platform, version: int) -> None:
    decision = Decision(
        sector=SECTOR,
        session=CONFIGURED,
        action="challenge",
        alias="challenger",
        version_after=version,
        reason="a test",
        figures={},
        actor="a test",
        decided_utc=utc_now(),
    )
    store_decisions(platform.database, [decision])
