"""What retention removes: never what Dagster needs to know partitions, never a model."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from pairs_platform.database.audit import entries
from pairs_platform.defs.housekeeping.purge import purge
from pairs_platform.defs.instance import open_instance
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.postgres_server import SUPERUSER, EmbeddedPostgres
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def instance(request, tmp_path, monkeypatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's storage of both kinds, as the platform configures it."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            server: EmbeddedPostgres = request.getfixturevalue("postgres")
            name = stack.enter_context(new_database(server))
            monkeypatch.setenv(variable("dagster_url"), server.url(name, SUPERUSER).get_secret_value())
        yield stack.enter_context(open_instance(prepare_home(load_settings())))


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def an_asset(context: dg.AssetExecutionContext) -> None:
    context.log.info("a line")


@dg.asset_check(asset=an_asset)
def a_check() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def run(instance: dg.DagsterInstance, partition: str) -> str:
    job = dg.Definitions([an_asset], asset_checks=[a_check], jobs=[dg.define_asset_job("a_job", "*")]).resolve_job_def(
        "a_job"
    )
    return job.execute_in_process(instance=instance, partition_key=partition).run_id


def known(instance: dg.DagsterInstance) -> tuple:
    """What Dagster's pages show of the asset: partitions, its newest materialization, its check, how runs ended."""
    record = instance.get_asset_records([an_asset.key])[0]
    checks = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(an_asset.key, "a_check"), limit=10
    )
    return (
        instance.get_materialized_partitions(an_asset.key),
        record.asset_entry.last_materialization_record.storage_id,
        [(one.run_id, one.status) for one in checks],
        {one.run_id: one.status for one in instance.get_runs()},
        [one.end_time for one in instance.get_run_records()],
    )


class TestRetention:
    @pytest.fixture
    def platform(self) -> Platform:
        moment = datetime.now(UTC) + timedelta(days=60)
        return Platform(
            load_settings({"housekeeping": {"event_days": 50, "compute_log_days": 10}}), clock=lambda: moment
        )

    def test_steps_and_lines_go_and_what_dagster_knows_stays(self, instance, platform):
        runs = [run(instance, name) for name in ("a", "b")]
        before, n_events = known(instance), [len(instance.all_logs(one)) for one in runs]
        asked = purge(instance, platform, dry_run=True, actor="a test")
        assert asked.runs == 2
        assert asked.events > 10
        assert [len(instance.all_logs(one)) for one in runs] == n_events
        assert purge(instance, platform, dry_run=False, actor="a test") == asked
        assert known(instance) == before
        left = [event for one in runs for event in instance.all_logs(one)]
        assert sum(n_events) - len(left) == asked.events
        assert {event.dagster_event_type for event in left} >= {
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            dg.DagsterEventType.ASSET_CHECK_EVALUATION,
            dg.DagsterEventType.RUN_SUCCESS,
        }
        (entry,) = entries(platform.database)
        assert (entry.action, entry.detail["events"], entry.detail["runs"]) == ("data_deleted", asked.events, 2)
        again = purge(instance, platform, dry_run=False, actor="a test")
        assert (again.events, again.runs, again.compute_log_bytes) == (0, 0, 0)
        assert len(entries(platform.database)) == 1

    def test_younger_runs_are_left_alone(self, instance, platform):
        run(instance, "a")
        young = Platform(platform.settings)
        assert vars(purge(instance, young, dry_run=False, actor="a test")) == {
            "events": 0, "runs": 0, "compute_log_bytes": 0,
        }  # fmt: skip
        assert entries(platform.database) == []
