"""Which partitions there are, under which identity, and what becomes of what is stored when the settings change."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.instance_for_test import instance_for_test
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration

from pairs_platform.build import build_definitions
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.calendar import all_sessions
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.defs.partitions import SessionBySector, lake_keys, of_settings, session_by_sector
from pairs_platform.settings.loading import load_settings

MARCH, TECHNOLOGY, HEALTHCARE = date(2023, 3, 1), "2023-03-08|technology", "2023-03-08|healthcare"


def days(definition: SessionBySector) -> dg.PartitionsDefinition:
    return definition.get_partitions_def_for_dimension("date")


def test_the_definition_has_the_identity_under_which_partitions_are_known():
    assert days(session_by_sector).get_serializable_unique_identifier() == "93962387b010be465e25c5c4939462ed5a22c9b7", (
        "the sessions, or how Dagster names a definition, changed: Dagster reads the status of every partition anew"
    )
    forth, back = (SessionBySector(MARCH, sectors) for sectors in (("a", "b"), ("b", "a")))
    assert forth.get_serializable_unique_identifier() == back.get_serializable_unique_identifier()


def test_partitions_are_the_sessions_that_are_over():
    keys = days(session_by_sector).get_partition_keys()
    expected = [day.isoformat() for day in all_sessions()]
    assert keys == expected[: len(keys)]
    assert keys[-1] < datetime.now(UTC).date().isoformat() or keys[-1] == expected[-1]


def test_a_key_names_session_and_sector():
    assert session_by_sector.has_partition_key("2023-03-08|technology")
    assert not session_by_sector.has_partition_key("2023-03-11|technology")
    keys = lake_keys(["2023-03-09|technology", "2023-03-08|technology", "2023-03-09|energy"])
    assert [str(key) for key in keys] == ["2023-03-09|energy", "2023-03-08|technology", "2023-03-09|technology"]


class TestOfSettings:
    def test_sessions_from_backfill_start_in_the_sectors_that_have_symbols(self):
        settings = load_settings({"backfill_start": "2023-03-04"})
        found = of_settings(session_by_sector, settings)
        assert found.sectors == ("financial", "healthcare", "technology")
        assert days(found).get_first_partition_key() == "2023-03-06", "a week-end is no session"
        graph = build_definitions(settings).resolve_asset_graph()
        definitions = [graph.get(key).partitions_def for key in graph.get_all_asset_keys()]
        assert {(one.first, one.sectors) for one in definitions if one} == {(date(2023, 3, 4), found.sectors)}

    def test_where_the_source_names_the_sectors_all_of_them_can_be(self):
        settings = load_settings({"universe_origin": "source"})
        assert of_settings(session_by_sector, settings).sectors == SECTORS

    @pytest.mark.parametrize("key", ["2023-03-08|energy", "2017-03-08|technology", "2023-03-11|technology", "nonsense"])
    def test_a_key_that_is_none_is_refused_with_what_there_is(self, key):
        job = build_definitions(load_settings()).resolve_job_def("daily_pair_identification")
        told = "The universe has financial, healthcare, technology.*begin at backfill_start 2018-01-02"
        with dg.DagsterInstance.ephemeral() as instance:
            with pytest.raises(ConfigurationError, match=told):
                job.execute_in_process(instance=instance, partition_key=key)
            assert instance.get_runs_count() == 0

    @pytest.mark.parametrize(
        ("key", "wrong"),
        [
            ("2023-03-18|technology", r"2023-03-18 is not an XNYS session \(Saturday\); .* before it is 2023-03-17"),
            ("2023-03-10|technology", "2023-03-10 is before the first session"),
            ("2023-03-13|energy", "'energy' is no sector of the universe"),
            ("2030-12-30|technology", "2030-12-30 is not over"),
            ("13.3.2023|technology", "'13.3.2023' is no day written YYYY-MM-DD"),
        ],
    )
    def test_a_refusal_says_which_part_of_the_key_is_wrong(self, key, wrong):
        begins_later = SessionBySector(date(2023, 3, 11), ["technology"])
        with pytest.raises(ConfigurationError, match=f"is no partition: {wrong}. A key is"):
            begins_later.validate_partition_key(key)

    @pytest.mark.parametrize(("end_offset", "session"), [(0, "over"), (1, "over or under way")])
    def test_what_a_refusal_names_as_an_example_is_a_partition(self, end_offset, session):
        begins_later = SessionBySector(date(2023, 3, 11), ["technology"], end_offset=end_offset)
        with pytest.raises(ConfigurationError, match=rf"that is {session} and .* like 2023-03-13\|technology\."):
            begins_later.validate_partition_key(TECHNOLOGY)


class TestAfterAChangeOfTheSettings:
    """What Dagster knows of a partition hangs on its key; its cached status is of one definition, and is made anew."""

    def known(self, instance: dg.DagsterInstance, definition: SessionBySector) -> set[str]:
        value = get_and_update_asset_status_cache_value(instance, dg.AssetKey("prices"), definition)
        return set(value.deserialize_materialized_partition_subsets(definition).get_partition_keys())

    def test_partitions_outside_are_hidden_and_come_back(self):
        wide = SessionBySector(MARCH, ["healthcare", "technology"])

        @dg.asset(partitions_def=wide)
        def prices() -> None: ...

        with dg.DagsterInstance.ephemeral() as instance:
            for key in (TECHNOLOGY, HEALTHCARE):
                assert dg.materialize([prices], partition_key=key, instance=instance).success
            assert self.known(instance, wide) == {TECHNOLOGY, HEALTHCARE}
            assert self.known(instance, SessionBySector(MARCH, ["technology"])) == {TECHNOLOGY}
            assert self.known(instance, SessionBySector(date(2023, 3, 9), ["technology"])) == set()
            assert self.known(instance, SessionBySector(date(2022, 1, 3), SECTORS)) == {TECHNOLOGY, HEALTHCARE}
            assert self.known(instance, wide) == {TECHNOLOGY, HEALTHCARE}


def definitions(first: date, *sectors: str) -> dg.Definitions:
    """One asset with the partitions that some settings can make."""

    @dg.asset(partitions_def=SessionBySector(first, sectors), backfill_policy=dg.BackfillPolicy.single_run())
    def prices() -> None: ...

    return dg.Definitions([prices])


WIDE = definitions(MARCH, "healthcare", "technology")
WIDER = definitions(date(2022, 1, 3), "energy", "healthcare", "technology")
ONE_SECTOR = definitions(MARCH, "technology")
LATER = definitions(date(2023, 3, 9), "healthcare", "technology")


class TestBackfillUnderWay:
    """A backfill that was requested before the settings changed, under a daemon that knows those of today."""

    @pytest.fixture(scope="class")
    @classmethod
    def instance(cls, tmp_path_factory) -> Iterator[dg.DagsterInstance]:
        launcher = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
        folder = str(tmp_path_factory.mktemp("instance"))
        with instance_for_test({"run_launcher": launcher}, set_dagster_home=False, temp_dir=folder) as opened:
            yield opened

    def look(self, instance: dg.DagsterInstance, attribute: str, name: str, *, request: bool = False):
        """One look of the daemon at a backfill of two sectors, over definitions of this module."""
        module = LoadableTargetOrigin(module_name=__name__, attribute=attribute)
        target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(module))
        with create_test_daemon_workspace_context(target, instance) as workspace:
            if request:
                backfill = PartitionBackfill.from_asset_partitions(
                    backfill_id=name,
                    asset_graph=workspace.create_request_context().asset_graph,
                    partition_names=[TECHNOLOGY, HEALTHCARE],
                    asset_selection=[dg.AssetKey("prices")],
                    backfill_timestamp=time.time(),
                    tags={},
                    dynamic_partitions_store=instance,
                    all_partitions=False,
                    title=None,
                    description=None,
                    run_config=None,
                )
                instance.add_backfill(backfill)
            list(execute_backfill_iteration(workspace, logging.getLogger("backfill")))
        return instance.get_backfill(name)

    def statuses(self, instance: dg.DagsterInstance, name: str) -> set[dg.DagsterRunStatus]:
        return {run.status for run in instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": name}))}

    def test_it_goes_on_where_every_partition_that_it_asks_for_is_still_one(self, instance):
        self.look(instance, "WIDE", "goes on", request=True)
        assert self.look(instance, "WIDER", "goes on").status is BulkActionStatus.REQUESTED
        assert self.statuses(instance, "goes on") == {dg.DagsterRunStatus.QUEUED}

    @pytest.mark.parametrize(("attribute", "removed"), [("ONE_SECTOR", HEALTHCARE), ("LATER", TECHNOLOGY)])
    def test_it_fails_with_the_partitions_that_are_none_any_more(self, instance, attribute, removed):
        self.look(instance, "WIDE", attribute, request=True)
        failing = self.look(instance, attribute, attribute)
        assert failing.status is BulkActionStatus.FAILING
        assert "have been removed since this backfill was stored" in failing.error.message
        assert removed in failing.error.message
        *_, ended = (self.look(instance, attribute, attribute).status for _ in ("cancels the runs", "sees them ended"))
        assert ended is BulkActionStatus.FAILED
        assert self.statuses(instance, attribute) == {dg.DagsterRunStatus.CANCELED}
