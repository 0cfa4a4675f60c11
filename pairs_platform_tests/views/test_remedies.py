import re
from datetime import date

import pytest

from pairs_platform.core.errors import (
    ClockUnknown,
    DatabaseUnavailable,
    NothingRanked,
    NothingStreamed,
    PartitionMissing,
    PartitionStale,
    PartitionUnreadable,
    SchemaOutdated,
    StreamUnavailable,
    VersionMismatch,
)
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.views.remedies import with_remedy

WINDOW = [date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5)]
KEY = PartitionKey(date(2024, 7, 2), "technology")
MATERIALIZE = (
    'dagster asset materialize -m pairs_platform.definitions --select price_history --partition "2024-07-02|technology"'
)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (PartitionMissing("price_quarantine", [KEY], asset="price_history"), f"make it with\n  {MATERIALIZE}"),
        (
            PartitionMissing("price_history", keys_of(WINDOW, "technology"), asset="price_history"),
            "make them with\n  dagster asset materialize -m pairs_platform.definitions --select price_history "
            '--partition-range "2024-07-02|technology...2024-07-05|technology"',
        ),
        (
            VersionMismatch("price_quarantine", KEY, stored=0, needed=1, asset="price_history"),
            f"write it again with\n  {MATERIALIZE}",
        ),
        (PartitionUnreadable("x.parquet", "cut off", asset="price_history", key=KEY), f"again with\n  {MATERIALIZE}"),
        (SchemaOutdated("old"), "run `pairs-platform migrate` with the owner's URL"),
        (StreamUnavailable("Redis does not answer"), "start it with `pairs-platform live`"),
        (ClockUnknown("no clock"), "start one with `pairs-platform stream replay`"),
        (NothingStreamed("no bar"), "start `pairs-platform live`, or look at `pairs-platform stream status`"),
        (NothingRanked("no ranking"), "`pairs-platform demo` makes one"),
        (NothingRanked("no ranking", "energy"), "`pairs-platform demo --sector energy` makes one"),
        (PartitionStale("old", KEY, asset="price_history"), f"write it again with\n  {MATERIALIZE}"),
        (PartitionStale("old", KEY, KEY, asset="price_history"), f"write it again with\n  {MATERIALIZE}"),
        (
            PartitionStale("old", KEY, PartitionKey(date(2024, 7, 3), "technology"), asset="price_history"),
            'price_history --partition-range "2024-07-02|technology...2024-07-03|technology"',
        ),
    ],
)
def test_the_command_that_helps_follows_the_message(error, remedy):
    assert with_remedy(error).startswith(f"{error}; ")
    assert remedy in with_remedy(error)
    kept = with_remedy(error, stored=True)
    assert "simulated-5min-raw" in kept
    assert len(re.findall("`pairs-platform |materialize ", kept)) == len(
        re.findall("--profile simulated-5min-raw`|PROFILE=simulated-5min-raw ", kept)
    )


def test_an_error_whose_message_says_all_stays_as_it_is():
    assert with_remedy(DatabaseUnavailable("the database does not answer")) == "the database does not answer"
