"""Several sessions in one run, backfills, repetition, and two runs at once."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, create_test_daemon_workspace_context
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.backfill import execute_backfill_iteration

from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
from pairs_platform.lake.tables import TABLES
from pairs_platform.platform import Platform
from pairs_platform_tests.support.demo_profile import PRICED, SECTOR, SESSION, SESSIONS, DemoRun, key
from pairs_platform_tests.support.fake_market import FakeMarket
from pairs_platform_tests.support.runs import ALL, execute, failure, materialized

RANGE = (SESSIONS[1], SESSION)
OF_THE_RUN = ("model_run_id", "run_name")
"""Columns that name the MLflow run: every training has one of its own."""


def lake_of(demo: DemoRun) -> Path:
    (root,) = demo.state.glob("*/lake")
    return root


def partitions(root: Path) -> dict[str, tuple[bytes, ...] | bytes]:
    """Every column of every partition below `root` as bytes, and every document."""
    found: dict[str, tuple[bytes, ...] | bytes] = {}
    for path in sorted(root.rglob("*.*")):
        if path.suffix == ".json":
            found[path.relative_to(root).as_posix()] = path.read_bytes()
        else:
            table = pq.read_table(path, partitioning=None).replace_schema_metadata(None)
            frame = table.to_pandas().drop(columns=list(OF_THE_RUN), errors="ignore")
            found[path.relative_to(root).as_posix()] = frame.to_csv(float_format="%.17g").encode()
    return found


def stored_price_market(platform: Platform) -> FakeMarket:
    keys = [key(session) for session in PRICED]
    return FakeMarket(platform.lake.read_many(PRICE_HISTORY, keys))


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def test_a_range_run_repeats_what_the_session_runs_stored(copied, demo, instance):
    """Two sessions, all assets, one run, over partitions that runs of one session each had stored."""
    for contract in TABLES:
        if contract.table not in ("streamed_bars", "portfolio", "performance_attribution"):  # not of these assets
            copied.lake.path(contract.table, key()).unlink()
    result = execute(copied, sessions=RANGE, instance=instance)
    assert result.success
    both = [str(key(session)) for session in RANGE]
    assert materialized(result, instance) == dict.fromkeys(ALL, both)
    again, before = partitions(copied.lake.root), partitions(lake_of(demo))
    assert again.keys() == before.keys()
    assert not [name for name in before if again[name] != before[name]]


def test_the_source_is_asked_once_for_a_range(copied):
    source = stored_price_market(copied)
    result = execute(Platform(copied.settings, source), ["price_history"], sessions=(PRICED[-6], SESSION))
    assert result.success
    assert source.calls == [(PRICED[-6], SESSION)]


def test_one_bad_session_of_a_range_keeps_the_others(copied, instance):
    source = stored_price_market(copied)
    bad, range_ = SESSIONS[1], (SESSIONS[0], SESSION)
    source.bars = source.bars[source.bars["ts_utc"].dt.date != bad]
    for session in SESSIONS:
        copied.lake.path("price_history", key(session)).unlink()
    platform = Platform(copied.settings, source)
    result = execute(platform, ["price_history", "correlation_matrix"], sessions=range_, instance=instance)
    assert not result.success
    words = failure(result, "price_history")
    assert "1 of 3 partitions failed" in words
    assert f"{key(bad)}: FAKE market has no usable bar of {SECTOR}" in words
    assert materialized(result, instance) == {"price_history": [str(key(SESSIONS[0])), str(key())]}
    assert set(copied.lake.sessions("price_history", SECTOR)) == set(PRICED) - {bad}


def test_a_session_without_its_lookback_names_the_command_and_keeps_the_others(copied, instance):
    copied.lake.path("price_history", key(PRICED[0])).unlink()
    copied.lake.path("correlation_matrix", key()).unlink()
    result = execute(copied, ["correlation_matrix"], sessions=(SESSIONS[0], SESSION), instance=instance)
    words = failure(result, "correlation_matrix")
    assert f"price_history has no partition {key(PRICED[0])}; make it with" in words
    assert f'--select price_history --partition "{key(PRICED[0])}"' in words
    assert materialized(result, instance) == {"correlation_matrix": [str(key(session)) for session in RANGE]}
    assert copied.lake.exists("correlation_matrix", key())


def test_two_runs_that_write_the_same_partitions_at_once(copied, demo, tmp_path):
    """Each with an instance of its own on disk: an instance in memory is not for two threads."""
    before = partitions(lake_of(demo))

    def run(number: int) -> bool:
        folder = tmp_path / f"instance {number}"
        folder.mkdir()
        platform = Platform(copied.settings)
        with dg.DagsterInstance.local_temp(str(folder)) as own:
            return execute(platform, ["price_history", "correlation_matrix"], session=SESSION, instance=own).success

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, range(2))) == [True, True]
    assert partitions(copied.lake.root) == before
    assert copied.lake.read(CORRELATION_MATRIX, key())["pair"].is_unique


class TestBackfills:
    """Planned and launched by the daemon's own code, with the code location in this process."""

    @pytest.fixture
    def backfill(self, copied, tmp_path):
        """Plan a backfill of some assets over `RANGE`, launch its first runs, and give them with the backfill."""
        location = tmp_path / "location.py"
        location.write_text(
            "from pairs_platform.build import build_definitions\n"
            "from pairs_platform.settings.loading import load_settings\n"
            "defs = build_definitions(load_settings())\n"
        )
        home = tmp_path / "home"
        home.mkdir()
        origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file=str(location)))

        def plan(assets: list[str], launcher: dict[str, str]) -> tuple[list[dg.DagsterRun], PartitionBackfill]:
            coordinator = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
            overrides = {"run_launcher": launcher, "run_coordinator": coordinator}
            target = InProcessTestWorkspaceLoadTarget(origin)
            with (
                dg.DagsterInstance.local_temp(str(home), overrides=overrides) as instance,
                create_test_daemon_workspace_context(target, instance) as context,
            ):
                instance.add_backfill(
                    PartitionBackfill.from_asset_partitions(
                        backfill_id="of a test",
                        asset_graph=context.create_request_context().asset_graph,
                        partition_names=[str(key(session)) for session in RANGE],
                        asset_selection=[dg.AssetKey(name) for name in assets],
                        backfill_timestamp=datetime.now(UTC).timestamp(),
                        tags={},
                        dynamic_partitions_store=instance,
                        all_partitions=False,
                        title=None,
                        description=None,
                        run_config=None,
                    )
                )
                for _ in range(4):
                    errors = execute_backfill_iteration(context, logging.getLogger("backfill"))
                    assert not [error for error in errors if error]
                return list(instance.get_runs()), instance.get_backfill("of a test")

        return plan

    def test_prices_are_one_run_for_the_range(self, copied, backfill):
        for session in RANGE:
            copied.lake.path("price_history", key(session)).unlink()
        launcher = {"module": "dagster._core.launcher.sync_in_memory_run_launcher", "class": "SyncInMemoryRunLauncher"}
        (run,), planned = backfill(["price_history"], launcher)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert planned.status is BulkActionStatus.COMPLETED_SUCCESS
        assert run.tags["dagster/asset_partition_range_start"] == str(key(RANGE[0]))
        assert run.tags["dagster/asset_partition_range_end"] == str(key(RANGE[1]))
        assert all(copied.lake.exists("price_history", key(session)) for session in RANGE)

    def test_everything_behind_prices_is_one_run_for_the_range(self, backfill):
        launcher = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
        (run, *more), planned = backfill(list(ALL[1:]), launcher)
        assert not more
        assert run.asset_selection == {dg.AssetKey(name) for name in ALL[1:]}
        assert run.tags["dagster/asset_partition_range_start"] == str(key(RANGE[0]))
        assert run.tags["dagster/asset_partition_range_end"] == str(key(RANGE[1]))
        assert planned.status is BulkActionStatus.REQUESTED
