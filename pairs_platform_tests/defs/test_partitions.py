"""Which partitions there are, under which identity, and what becomes of what is stored when the settings change."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

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
