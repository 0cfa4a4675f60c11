"""Many daily runs on the production processes while databases, vendor, workers and disk fail.

The vendor is a local server behind Alpaca's own client library; everything else is what `up` starts. Faults come from
outside, in an order that a seed fixes. What does not belong here: faults of the live part (`test_faults`).
"""

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import click
import dagster as dg
import psutil
import pytest
import sqlalchemy as sa
from dagster_graphql import DagsterGraphQLClient

from pairs_platform.adapters.simulated.market import SimulatedMarket
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.cli.up import topology
from pairs_platform.core.operations.run_tags import RETRY_OF_TAG
from pairs_platform.core.operations.scheduling import as_of_session
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.database.audit import entries
from pairs_platform.database.tables import MODEL_DECISIONS, MODEL_PERFORMANCE, MODEL_RANKINGS, MODEL_TRAINING
from pairs_platform.defs.automation import daily_job, price_run, session_run
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.lake.tables import TABLES
from pairs_platform.platform import Platform
from pairs_platform.ports.market_data import Listing
from pairs_platform.processes.runtime.supervisor import Supervisor, running_processes
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform_tests.support.demo_profile import write_config
from pairs_platform_tests.support.live_processes import QUIET_ENVIRONMENT
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.runs import ALL
from pairs_platform_tests.support.vendor_servers import AlpacaServer, Answer, Asked, running
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

pytestmark = pytest.mark.timeout(5400)

SEED = 20260105
RUNS_PER_FAULT = 7
LOOKBACK = 20
SECTORS = {
    "energy": ("APA", "COP", "CVX", "EOG"),
    "technology": ("ADI", "AMAT", "AMD", "ROG"),
    "utilities": ("AEP", "DUK", "ED", "EXC"),
}
PORTS = ("ui_port", "mlflow_port", "code_port", "postgres_port")
STREAM = ("replay", "collector")
LAKE_BYTES = 512 * 2**20
SUCCEEDED = 0.99
AHEAD = 9
"""Runs that wait or run at a time."""
ASK_SECONDS = 3.0
RUNS_SECONDS = 20 * WAIT_SECONDS
"""Between two looks at the runs: each opens Dagster's instance, which costs what a run needs too."""

PLATFORM = f"""
frequency: 1h
lookback: {{intraday: {LOOKBACK}}}
source: {{kind: alpaca, alpaca: {{timeout_s: 2, max_attempts: 3, longest_wait_s: 3, requests_per_minute: 10000}}}}
selection: {{gate: 0.2}}
gru:
  split: {{min_test_labels: 5}}
  network: {{hidden_1: 4, hidden_2: 2, sequence_length: 3, max_epochs: 2}}
  evaluation: {{n_bootstrap: 200}}
  promotion: {{challenger_sessions: 2, max_age_sessions: 4}}
automation: {{catch_up_sessions: 100, first_retry_minutes: 0.5}}
services: {{mlflow_workers: 1}}
exports: {{formats: [csv]}}
"""


class FailingAlpaca(AlpacaServer):
    """Answers the next requests with what was put into `next_answers`."""

    def __init__(self) -> None:
        super().__init__()
        self.next_answers: list[Answer] = []
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            fault = self.next_answers.pop() if self.next_answers else None
        return fault or super().answer(asked)


@dataclass
class Fault:
    """One fault as it was injected: after how many ended runs, and what it met."""

    kind: str
    after: int
    began: float
    met: str


@dataclass
class Soak:
    """The running production, and what is asked of it.

    Attributes
    ----------
    platform : Platform
    home : Path
        Of Dagster.
    vendor : FailingAlpaca
    client : DagsterGraphQLClient
    wanted : list of PartitionKey
        In the order in which they are requested.
    """

    platform: Platform
    home: Path
    vendor: FailingAlpaca
    client: DagsterGraphQLClient
    wanted: list[PartitionKey]
    faults: list[Fault] = field(default_factory=list)

    def pid(self, name: str) -> int:
        return int(running_processes(live_folder(self.platform.settings))[name]["pid"])

    def request(self, request: dg.RunRequest) -> None:
        """As a person does in the UI, with the tags of the schedule."""
        tags = dict(request.tags)
        if request.partition_key:
            tags.update(session_by_sector.get_tags_for_partition_key(request.partition_key))
        outlasting(
            lambda: self.client.submit_job_execution(
                daily_job.name, tags=tags, run_config={}, asset_selection=request.asset_selection
            )
        )

    def records(self) -> list[dg.RunRecord]:
        """Runs of the daily job, newest first."""

        def read() -> list[dg.RunRecord]:
            with dg.DagsterInstance.from_config(str(self.home)) as instance:
                return list(instance.get_run_records(dg.RunsFilter(job_name=daily_job.name)))

        return outlasting(read)

    def sessions(self) -> dict[str, list[dg.RunRecord]]:
        """Runs of each requested partition, newest first."""
        found: dict[str, list[dg.RunRecord]] = {str(key): [] for key in self.wanted}
        for record in self.records():
            name = record.dagster_run.tags.get("dagster/partition", "")
            if name in found:
                found[name].append(record)
        return found


def outlasting(question: Callable[[], Any]) -> Any:
    """The answer to a question, asked again while the database restarts."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return question()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(1)


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """The folder on a small file system of its own, where this user may make one: a disk that can be filled."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={LAKE_BYTES}", "tmpfs", str(folder)]
    done = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def vendor_with_prices(first: date, last: date) -> FailingAlpaca:
    universe = [Listing(symbol, sector) for sector, symbols in SECTORS.items() for symbol in symbols]
    settings = SimulatedMarketSettings(planted_pairs_per_sector=2)
    market = SimulatedMarket(universe, frequency=Frequency.FIVE_MINUTES, settings=settings)
    vendor = FailingAlpaca()
    bars = market.fetch_bars([listing.symbol for listing in universe], first, last).bars
    for symbol, rows in bars.groupby("symbol"):
        names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
        stamps = rows["ts_utc"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = rows.rename(columns=names)[list(names.values())].assign(t=stamps)
        vendor.bars[str(symbol), "5Min"] = shown.to_dict("records")
    return vendor


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside of pytest's own, which another pytest closes for all users but its own: PostgreSQL has one."""
    with tempfile.TemporaryDirectory(prefix="pairs-platform-soak-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture
def soak(folder, daily_runs) -> Iterator[Soak]:
    days = sessions_ending(as_of_session(datetime.now(UTC)), -(-daily_runs // len(SECTORS)) + LOOKBACK)
    vendor = vendor_with_prices(days[0], days[-1])
    lines = [f"  {sector}: {{active: true, symbols: {json.dumps(names)}}}" for sector, names in SECTORS.items()]
    config = write_config(folder / "config", PLATFORM, "universe:\n" + "\n".join(lines) + "\n")
    wanted = [PartitionKey(day, sector) for day in days[LOOKBACK:] for sector in SECTORS][:daily_runs]
    with mock.patch.dict(os.environ), running(vendor):
        os.environ.update(
            {
                CONFIG_VARIABLE: str(config),
                variable("state_root"): str(folder / "state"),
                variable("alpaca_key_id"): vendor.KEY_ID,
                variable("alpaca_secret_key"): vendor.SECRET_KEY,
                variable("source.alpaca.base_url"): vendor.url,
                "NO_PROXY": "127.0.0.1",
                **{variable(f"services.{name}"): str(free_port()) for name in PORTS},
                **QUIET_ENVIRONMENT,
            }
        )
        with mounted(load_settings().profile_root / "lake"):
            yield from _production(vendor, wanted, days)


def _production(vendor: FailingAlpaca, wanted: list[PartitionKey], days: list[date]) -> Iterator[Soak]:
    settings, home, _, specs = topology(load_settings(), click.echo)
    supervisor = Supervisor([spec for spec in specs if spec.name not in STREAM], live_folder(settings), click.echo)
    started = threading.Event()
    running_all = threading.Thread(target=supervisor.run, args=(started.set,))
    running_all.start()
    try:
        assert started.wait(2 * WAIT_SECONDS)
        client = DagsterGraphQLClient("127.0.0.1", port_number=settings.services.ui_port)
        found = Soak(Platform(settings), home, vendor, client, wanted)
        for sector in SECTORS:
            found.request(price_run(sector, days[0], days[-1]))
        until(lambda: statuses(found.records()) == Counter(SUCCESS=len(SECTORS)), 4 * WAIT_SECONDS)
        yield found
    finally:
        supervisor.stop()
        running_all.join(WAIT_SECONDS)


def statuses(records: list[dg.RunRecord]) -> Counter[str]:
    return Counter(record.dagster_run.status.value for record in records)


def restart_postgres(soak: Soak, draw: random.Random) -> str:
    number = draw.choice([signal.SIGKILL, signal.SIGINT])
    os.kill(soak.pid("postgres"), number)
    return number.name


def restart_redis(soak: Soak, draw: random.Random) -> str:
    os.kill(soak.pid("redis"), signal.SIGKILL)
    return "SIGKILL"


def refuse(answer: Answer) -> Callable[[Soak, random.Random], str]:
    def inject(soak: Soak, draw: random.Random) -> str:
        n = draw.choice([1, 2, 4, 8])
        soak.vendor.next_answers += [answer] * n
        return f"{n} requests"

    return inject


def kill_worker(soak: Soak, draw: random.Random) -> str:
    """One that lives: a process that has ended stays in the list until its parent looks."""

    def workers() -> list[psutil.Process]:
        children = psutil.Process(soak.pid("code")).children()
        return [
            one for one in children if one.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(one.cmdline())
        ]

    time.sleep(draw.uniform(0, 12))
    draw.choice(until(workers)).kill()
    return "SIGKILL"


def fill_disk(soak: Soak, draw: random.Random) -> str:
    folder, seconds = soak.platform.lake.root, draw.uniform(4, 12)
    if not os.path.ismount(folder):
        return "left out: no right to mount"
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(bytes(2**20)):
                pass
    except OSError:
        time.sleep(seconds)
    finally:
        ballast.unlink()
    return f"full for {seconds:.0f} s"


FAULTS: dict[str, Callable[[Soak, random.Random], str]] = {
    "PostgreSQL restarts": restart_postgres,
    "Redis restarts": restart_redis,
    "vendor answers 429": refuse(Answer({"message": "too many requests."}, 429, {"Retry-After": "1"})),
    "vendor answers 500": refuse(Answer({"message": "internal server error"}, 500)),
    "vendor does not answer": refuse(Answer({"bars": {}}, delay_s=3.0)),
    "run worker is killed": kill_worker,
    "disk of the lake is full": fill_disk,
}


def test_daily_runs_end_well_whatever_fails(soak, capsys):
    began, draw = time.monotonic(), random.Random(SEED)
    left, faults = list(soak.wanted), plan(draw, len(soak.wanted))
    while left or not settled(soak):
        assert time.monotonic() - began < RUNS_SECONDS, report(soak, RUNS_SECONDS)
        n_ended = ended(soak)
        while left and len(soak.wanted) - len(left) - n_ended < AHEAD:
            key = left.pop(0)
            soak.request(session_run(key.sector, key.session))
        if faults and n_ended >= faults[0][1]:
            kind, _ = faults.pop(0)
            at = time.monotonic() - began
            soak.faults.append(Fault(kind, n_ended, at, FAULTS[kind](soak, draw)))
        time.sleep(ASK_SECONDS)
    seconds = time.monotonic() - began
    assert not faults
    with capsys.disabled():
        click.echo(report(soak, seconds))
    good = [name for name, runs in soak.sessions().items() if runs and runs[0].dagster_run.is_success]
    assert len(good) >= SUCCEEDED * len(soak.wanted)
    assert_consistent(soak)


def plan(draw: random.Random, runs: int) -> list[tuple[str, int]]:
    """Faults, and after how many ended runs each comes: every kind equally often, in a drawn order."""
    n = max(1, runs // RUNS_PER_FAULT // len(FAULTS))
    kinds = [kind for kind in FAULTS for _ in range(n)]
    draw.shuffle(kinds)
    return [(kind, round((k + 0.5) * 0.9 * runs / len(kinds))) for k, kind in enumerate(kinds)]


def ended(soak: Soak) -> int:
    return sum(bool(runs) and runs[-1].dagster_run.is_finished for runs in soak.sessions().values())


def settled(soak: Soak) -> bool:
    """Whether no run is under way, and every session has succeeded or has no retry left."""
    allowed = 1 + soak.platform.settings.automation.run_retries
    found = soak.sessions().values()
    if not all(found):
        return False
    under_way = any(not run.dagster_run.is_finished for runs in found for run in runs)
    return not under_way and all(runs[0].dagster_run.is_success or len(runs) >= allowed for runs in found)


def report(soak: Soak, seconds: float) -> str:
    sessions = soak.sessions()
    first = sum(len(runs) == 1 and runs[0].dagster_run.is_success for runs in sessions.values())
    good = sum(runs[0].dagster_run.is_success for runs in sessions.values())
    lines = [
        "",
        f"{len(sessions)} daily runs in {seconds / 60:.0f} min: {good} succeeded, {first} of them at the first "
        f"attempt; {sum(len(runs) - 1 for runs in sessions.values())} runs again",
        f"{'fault':26} {'after runs':>10} {'second':>7}  what",
    ]
    lines += [f"{one.kind:26} {one.after:10} {one.began:7.0f}  {one.met}" for one in soak.faults]
    with dg.DagsterInstance.from_config(str(soak.home)) as instance:
        words = Counter(
            word for runs in sessions.values() for run in runs for word in failure_words(instance, run.dagster_run)
        )
    return "\n".join([*lines, "failed runs:", *(f"{n:4}  {word}" for word, n in words.most_common())])


def failure_words(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    """Why a failed run failed: the first failed step and its error, or what ended the run."""
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run.run_id, of_type=kind):
            event = entry.get_dagster_event()
            error = getattr(event.event_specific_data, "error", None)
            while error is not None and error.cause:
                error = error.cause
            yield f"{event.step_key or 'run'}: {(error.message if error else event.message or '')[:110]}".strip()
            return


def assert_consistent(soak: Soak) -> None:
    """No run stuck, no file half written, no row twice, and Dagster, lake, database and MLflow say the same."""
    platform = soak.platform
    assert all(one.dagster_run.is_finished for one in soak.records())
    assert_lake_is_whole(platform)
    good = [
        PartitionKey(date.fromisoformat(name.split("|")[0]), name.split("|")[1])
        for name, runs in soak.sessions().items()
        if runs[0].dagster_run.is_success
    ]
    for key in good:
        config = read_trading_config(platform, key)
        (table,) = (one for one in TABLES if one.table == "trading_config")
        assert sorted(platform.lake.read(table, key)["pair"]) == sorted(pair.pair for pair in config.pairs), key
    assert_materialized(soak, good)
    assert_database_is_whole(platform, good)
    assert_mlflow_is_closed(soak)
    assert_retries_are_audited(soak)


def assert_retries_are_audited(soak: Soak) -> None:
    """Each run in the place of a failed one has one row; the sensor writes it when the run has ended."""
    again = sorted(one.dagster_run.run_id for one in soak.records() if RETRY_OF_TAG in one.dagster_run.tags)

    def audited() -> list[str]:
        return sorted(str(one.run_id) for one in entries(soak.platform.database, actions=["run_retried"]))

    until(lambda: audited() == again)


def assert_lake_is_whole(platform: Platform) -> None:
    contracts = {contract.table: contract for contract in TABLES}
    seen = 0
    for path in platform.lake.root.rglob("*"):
        if path.is_dir():
            continue
        assert path.suffix in (".parquet", ".json"), f"left behind: {path}"
        if path.suffix == ".parquet":
            contract = contracts[path.parent.parent.name]
            key = PartitionKey(date.fromisoformat(path.stem), path.parent.name.removeprefix("sector="))
            contract.require(platform.lake.read(contract, key))
            platform.lake.metadata(contract, key)
            seen += 1
        else:
            json.loads(path.read_text(encoding="utf-8"))
    assert seen


def assert_materialized(soak: Soak, good: list[PartitionKey]) -> None:
    tables = {contract.table for contract in TABLES}
    names = {str(key) for key in good}
    with dg.DagsterInstance.from_config(str(soak.home)) as instance:
        for name in ALL:
            recorded = instance.get_materialized_partitions(dg.AssetKey(name))
            assert names <= recorded, name
            if name in tables:
                stored = {str(PartitionKey(day, s)) for s in SECTORS for day in soak.platform.lake.sessions(name, s)}
                assert recorded <= stored, name
                assert names <= stored, name


def assert_database_is_whole(platform: Platform, good: list[PartitionKey]) -> None:
    """Each session has one ranking, of its newest training, whose pairs are all there; no decision is there twice."""
    count = sa.func.count()
    with platform.database.begin() as connection:
        trainings = connection.execute(sa.select(MODEL_TRAINING)).mappings().all()
        pairs = dict(
            connection.execute(sa.select(MODEL_PERFORMANCE.c.run_id, count).group_by(MODEL_PERFORMANCE.c.run_id)).all()
        )
        ranked = connection.execute(
            sa.select(MODEL_RANKINGS.c.session, MODEL_RANKINGS.c.sector, MODEL_RANKINGS.c.run_id).distinct()
        ).all()
        d = MODEL_DECISIONS.c
        twice = connection.execute(
            sa.select(d.sector, d.session, d.action, d.alias, d.version_after)
            .group_by(d.sector, d.session, d.action, d.alias, d.version_after)
            .having(count > 1)
        ).all()
    assert {(row["session"], row["sector"]) for row in trainings} >= {(key.session, key.sector) for key in good}
    for row in trainings:
        assert pairs.get(row["run_id"], 0) == row["n_candidates"], row["run_name"]
    newest = {
        (row["session"], row["sector"]): row["run_id"] for row in sorted(trainings, key=lambda row: row["trained_utc"])
    }
    assert len(ranked) == len({(session, sector) for session, sector, _ in ranked})
    assert all(newest[session, sector] == run_id for session, sector, run_id in ranked)
    assert not twice


def assert_mlflow_is_closed(soak: Soak) -> None:
    """What killed trainings left open is closed by the sensor, which looks every five minutes."""
    import mlflow

    client = mlflow.MlflowClient(soak.platform.settings.mlflow_uri.get_secret_value())

    def left_open() -> list[Any]:
        names = [one.experiment_id for one in client.search_experiments()]
        return list(client.search_runs(names, "attributes.status = 'RUNNING'"))

    until(lambda: not left_open(), 3 * WAIT_SECONDS)
