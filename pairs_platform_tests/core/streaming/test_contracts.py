import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.streaming.bars import UPDATED, StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.revisions import merge_revisions

OPEN_NS = pd.Timestamp("2023-03-08 14:30", tz="UTC").value


def frame() -> pd.DataFrame:
    bars = [
        StreamBar("AAPL", OPEN_NS, 10.0, 11.0, 9.0, 10.5, 100),
        StreamBar("AAPL", OPEN_NS + 60 * 10**9, 10.0, 11.0, 9.0, 10.5, 0, UPDATED),
        StreamBar("ADI", OPEN_NS, 10.0, 11.0, 9.0, 10.5, 100, source="proxy:AAPL"),
    ]
    found = merge_revisions(bars).frame()
    found.insert(0, "run_mode", "replay")
    return found


def test_merged_bars_with_their_feed_satisfy_it():
    assert STREAMED_BARS.violations(frame()) == []
    assert list(frame().columns) == list(STREAMED_BARS.columns)
    assert STREAMED_BARS.violations(STREAMED_BARS.empty()) == []


def test_a_bar_of_each_feed_is_no_repetition():
    both = pd.concat([frame(), frame().assign(run_mode="live")], ignore_index=True)
    assert STREAMED_BARS.violations(both) == []
    assert STREAMED_BARS.violations(pd.concat([frame(), frame()], ignore_index=True))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("run_mode", "tape"),
        ("open", 0.0),
        ("close", np.inf),
        ("low", np.nan),
        ("volume", -1),
        ("revision", 3),
        ("symbol", None),
        ("source", None),
    ],
)
def test_what_it_refuses(column, value):
    broken = frame()
    broken.loc[1, column] = value
    assert any(column in words for words in STREAMED_BARS.violations(broken))


def test_times_are_utc():
    local = frame().assign(ts_utc=lambda given: given["ts_utc"].dt.tz_localize(None))
    assert any("ts_utc" in words for words in STREAMED_BARS.violations(local))
