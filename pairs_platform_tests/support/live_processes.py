"""`pairs-platform live` as a person starts it, looked at from outside: pids, Redis, the database, Dagster's records.

What does not belong here: what a fault must not change (the tests).
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psutil
import pytest

from pairs_platform.core.operations.run_tags import PROCESS_TAG
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import BAR_COLUMNS
from pairs_platform.core.prices.calendar import session_offset, sessions_ending
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.core.signals.batch import batch_signals
from pairs_platform.core.signals.checks import compare_signals
from pairs_platform.core.streaming.intervals import BarInterval
from pairs_platform.core.time import moment_utc
from pairs_platform.database.signals import SignalKey, bars_with_signals
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.supervisor import running_processes
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform.workflows.signal_parity import stored_signals
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SCRIPTS, SECTOR, SESSION, SESSIONS, DemoRun, write_config
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.runs import ALL, execute
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

STATE = variable("state_root")
NOT_COPIED = shutil.ignore_patterns("dagster", "redis", "live")
SESSION_SECONDS = 2 * WAIT_SECONDS
QUIET_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, eq=False)
class Profile:
    """A state folder with configurations for a session, and what a process needs to see it.

    Attributes
    ----------
    folder : Path
    environment : mapping of str to str
        Of every process that works on it.
    platform : Platform
        As this process sees it.
    session : date
    sector : str
    """

    folder: Path
    environment: Mapping[str, str]
    platform: Platform
    session: date
    sector: str

    @property
    def key(self) -> PartitionKey:
        return PartitionKey(self.session, self.sector)

    @property
    def replay_port(self) -> int:
        return int(self.platform.settings.stream.replay.port)

    @property
    def signals(self) -> pd.DataFrame:
        return stored_signals(self.platform, self.key)

    @property
    def intervals(self) -> list[BarInterval]:
        """The announced ones, as Redis has them."""
        return [one.interval for one in self.platform.streams.bar_closes.of_session(self.session)]

    @property
    def config(self) -> TradingConfig:
        before = PartitionKey(session_offset(self.session, -1), self.sector)
        return read_trading_config(self.platform, before)

    def done(self) -> set[datetime]:
        """Bars that have signals."""
        where = SignalKey(run_mode=self.platform.settings.stream.run_mode, sector=self.sector, session=self.session)
        return bars_with_signals(self.platform.database, where)

    def await_signals(self, n: int, seconds: float = SESSION_SECONDS) -> None:
        """Return when `n` bars of the session have signals."""
        until(lambda: len(self.done()) >= n, seconds)

    def members(self) -> list[psutil.Process]:
        """Every process of this profile, whoever started it and whether its parent lives or not."""
        found = []
        for process in psutil.process_iter():
            try:
                own = process.environ().get(STATE) == self.environment[STATE]
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if own and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def console(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.console_script("pairs-platform", *words)

    def console_script(self, name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPTS / name), *words],
            cwd=self.folder,
            env={**self.environment, "COLUMNS": "200", **more},
            capture_output=True,
            text=True,
            timeout=2 * WAIT_SECONDS,
            check=False,
        )

    def runs(self, job: str = "five_minute_signals") -> list[dg.RunRecord]:
        """Dagster's records of a job's runs, oldest first."""
        with dg.DagsterInstance.from_config(str(prepare_home(self.platform.settings))) as instance:
            return list(reversed(instance.get_run_records(dg.RunsFilter(job_name=job))))

    def window(self) -> PriceWindow:
        """The bars that Redis has in the end, behind the last of them stored ones, after those of the lookback."""
        platform, config = self.platform, self.config
        settings, lake = platform.settings, platform.lake
        days = sessions_ending(self.session, settings.lookback_sessions)
        earlier = keys_of(days[:-1], self.sector)
        streamed = aggregate_bars(
            platform.streams.bars.merged(self.session).frame()[list(BAR_COLUMNS)],
            source=settings.stream.bar_frequency(settings.frequency),
            target=settings.frequency,
        )
        rest = lake.read(PRICE_HISTORY, self.key) if lake.exists(PRICE_HISTORY.table, self.key) else streamed.iloc[:0]
        rest = rest[rest["ts_utc"] >= pd.Timestamp(self.intervals[-1].end_ns, tz="UTC")]
        bars = pd.concat(
            [part[list(BAR_COLUMNS)] for part in (lake.read_many(PRICE_HISTORY, earlier), streamed, rest)],
            ignore_index=True,
        )
        return build_window(
            bars,
            lake.read_many(CORPORATE_ACTIONS, earlier),
            sessions=days,
            frequency=settings.frequency,
            basis=settings.price_basis,
            settings=settings.window.model_copy(
                update={"min_coverage": 0.0, "min_session_coverage": 0.0, "max_missing_sessions": 10}
            ),
            symbols=sorted({leg for pair in config.pairs for leg in (pair.symbol_1, pair.symbol_2)}),
        )

    def batch(self) -> pd.DataFrame:
        """The batch path's signals on those bars."""
        platform, config, window = self.platform, self.config, self.window()
        rows = self.signals
        versions = {name: rows[f"{name}_version"].dropna().unique() for name in ("champion", "challenger")}
        assert all(len(found) <= 1 for found in versions.values())
        asked = rows.groupby("pair")["champion_version"].first().notna()
        models = {
            name: platform.registry.load(self.sector, int(found[0])) if len(found) else None
            for name, found in versions.items()
        }
        return batch_signals(config, window, **models, pairs=asked.to_dict())

    def assert_complete(self, *, batch: bool = True, corrected: frozenset[datetime] = frozenset()) -> pd.DataFrame:
        """Every announced bar has each configured pair once, and the values of the batch path.

        Values of the bars `corrected`, of which a bar came after the decision, are left out; actions count up to
        the first of them and the first late bar.
        """
        rows = self.signals
        expected = sorted(pair.pair for pair in self.config.pairs)
        starts = [moment_utc(interval.start_ns) for interval in self.intervals]
        assert starts == sorted(set(starts)), "announced twice or out of order"
        found = {start: sorted(group["pair"]) for start, group in rows.groupby("bar_utc")}
        assert found == dict.fromkeys(starts, expected)
        assert (rows["data_utc"].isna() | (rows["data_utc"] < rows["bar_utc"] + self._length)).all()
        if not batch:
            return rows
        theirs = self.batch()
        judged = rows[(rows["action"] != "skip") & ~rows["bar_utc"].isin(corrected)]
        assert len(judged.merge(theirs, on=["pair", "bar_utc"])) == len(judged) > 0
        disturbed = rows["late"] | rows["bar_utc"].isin(corrected)
        first = rows.loc[disturbed, "bar_utc"].min()
        punctual = judged if pd.isna(first) else judged[judged["bar_utc"] < first]
        for part in (punctual, judged.assign(late=True)):
            differences = compare_signals(part, theirs)
            assert differences.empty, differences.to_string()
        return rows

    @property
    def _length(self) -> pd.Timedelta:
        return pd.Timedelta(minutes=self.platform.settings.frequency.minutes)


def make_profile(demo: DemoRun, folder: Path, **more: str) -> Profile:
    """A copy of the small demo, with a champion; `more` are settings by their path, ``__`` for each dot."""
    assert demo.exit_code == 0, demo.output
    folder.mkdir(parents=True)
    shutil.copytree(demo.state, folder / "state", symlinks=True, ignore=NOT_COPIED)
    profile = profile_of(folder, demo.config, SESSION, SECTOR, **more)
    promote(profile.platform, 1, SESSIONS[0])
    return profile


def configured_profile(folder: Path, platform: str, universe: str, session: date, sectors: tuple[str, ...]) -> Profile:
    """A profile whose daily stages have run up to the configurations of the session before, without models."""
    config = write_config(folder / "config", platform, universe)
    profile = profile_of(folder, config, session, sectors[0])
    before = session_offset(session, -1)
    days = sessions_ending(before, profile.platform.settings.lookback_sessions)
    for sector in sectors:
        last = session if profile.platform.settings.source.kind == "simulated" else before
        assert execute(profile.platform, ["price_history"], sessions=(days[0], last), sector=sector).success
        assert execute(profile.platform, ALL[: ALL.index("trading_config") + 1], session=before, sector=sector).success
    assert profile.config.pairs
    return profile


def profile_of(folder: Path, config: Path, session: date, sector: str, **more: str) -> Profile:
    """The state in a folder, with free ports and `more` settings."""
    own = {
        CONFIG_VARIABLE: str(config),
        STATE: str(folder / "state"),
        variable("stream.replay.port"): str(free_port()),
        variable("broker.simulated.port"): str(free_port()),
        variable("stream.replay.first"): str(session),
        **{variable(name.replace("__", ".")): value for name, value in more.items()},
        **QUIET_ENVIRONMENT,
    }
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PAIRS_PLATFORM_", "APCA_", "DAGSTER_"))}
    with pytest.MonkeyPatch.context() as patched:
        for name in set(os.environ) - set(plain):
            patched.delenv(name)
        for name, value in own.items():
            patched.setenv(name, value)
        settings = load_settings()
    return Profile(folder, {**plain, **own}, Platform(settings), session, sector)


@dataclass(frozen=True, eq=False)
class Live:
    """`pairs-platform live`, which runs.

    Attributes
    ----------
    profile : Profile
    process : Popen
    web_port : int
    output : Path
        What it says.
    """

    profile: Profile
    process: subprocess.Popen[bytes]
    web_port: int
    output: Path

    def processes(self) -> dict[str, dict[str, Any]]:
        return running_processes(live_folder(self.profile.platform.settings))

    def pid(self, name: str) -> int:
        return int(self.processes()[name]["pid"])

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def await_restart(self, name: str, restarts: int = 1) -> None:
        """Return when the supervisor shows that a process was started again."""
        until(lambda: self.processes()[name]["restarts"] >= restarts and self.processes()[name]["alive"])

    def await_bars(self, n: int) -> None:
        """Return when `n` bars are complete."""
        until(lambda: _quietly(lambda: len(self.profile.intervals) >= n), SESSION_SECONDS)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_SECONDS)


def _quietly(condition: Callable[[], bool]) -> bool:
    from pairs_platform.core.errors import StreamUnavailable

    try:
        return condition()
    except StreamUnavailable:
        return False


@contextmanager
def running_live(profile: Profile, *words: str) -> Iterator[Live]:
    """Start `pairs-platform live` and wait until it says that everything runs; nothing of it is left behind."""
    port, output = free_port(), profile.folder / "live.out"
    command = [str(SCRIPTS / "pairs-platform"), "live", "--port", str(port), *words]
    with output.open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=profile.folder,
            env=dict(profile.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: process.poll() is not None or "running: UI at" in output.read_text())
        assert process.poll() is None, output.read_text()
        yield Live(profile, process, port, output)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        for member in profile.members():
            member.kill()


def through_the_waiting_process(record: dg.RunRecord) -> bool:
    return PROCESS_TAG in record.dagster_run.tags


def kill_a_run(profile: Profile, seconds: float = SESSION_SECONDS) -> str:
    """Kill the process of the next run that a waiting process gets, before it has done anything; the run's id."""
    with dg.DagsterInstance.from_config(str(prepare_home(profile.platform.settings))) as instance:

        def run_of(process: psutil.Process) -> str | None:
            runs = instance.get_runs(dg.RunsFilter(job_name="five_minute_signals"))
            return next((run.run_id for run in runs if f"/{process.pid}/" in run.tags.get(PROCESS_TAG, "")), None)

        def waiting() -> psutil.Process | None:
            ready = [one for one in profile.members() if "pairs_platform.defs.launcher.warm_worker" in one.cmdline()]
            newest = max(ready, key=lambda one: one.create_time(), default=None)
            return None if newest is None or run_of(newest) else newest

        frozen = until(waiting, seconds)
        frozen.suspend()
        run_id = until(lambda: run_of(frozen), seconds)
        frozen.kill()
        return str(run_id)
