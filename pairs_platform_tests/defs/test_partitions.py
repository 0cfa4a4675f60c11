from datetime import UTC, datetime

from pairs_platform.core.prices.calendar import all_sessions
from pairs_platform.defs.partitions import lake_keys, session_by_sector, sessions_definition


def test_the_definition_has_the_identity_under_which_partitions_are_known():
    assert sessions_definition.get_serializable_unique_identifier() == "93962387b010be465e25c5c4939462ed5a22c9b7", (
        "the sessions, or how Dagster names a definition, changed: Dagster reads the status of every partition anew"
    )


def test_partitions_are_the_sessions_that_are_over():
    keys = sessions_definition.get_partition_keys()
    expected = [day.isoformat() for day in all_sessions()]
    assert keys == expected[: len(keys)]
    assert keys[-1] < datetime.now(UTC).date().isoformat() or keys[-1] == expected[-1]


def test_a_key_names_session_and_sector():
    assert session_by_sector.has_partition_key("2023-03-08|technology")
    assert not session_by_sector.has_partition_key("2023-03-11|technology")
    keys = lake_keys(["2023-03-09|technology", "2023-03-08|technology", "2023-03-09|energy"])
    assert [str(key) for key in keys] == ["2023-03-09|energy", "2023-03-08|technology", "2023-03-09|technology"]
