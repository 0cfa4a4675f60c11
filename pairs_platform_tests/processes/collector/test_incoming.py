from datetime import date

import msgpack
import numpy as np
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.bars import FIRST, UPDATED, StreamBar
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.processes.collector.incoming import judge_messages
from pairs_platform_tests.support.stream_servers import bar_message

STARTS = [interval.start_ns for interval in bar_intervals(date(2024, 7, 2), Frequency.FIVE_MINUTES)]


def judge(*messages):
    return judge_messages(messages, symbols=["AAA", "BBB"], frequency=Frequency.FIVE_MINUTES)


def test_messages_become_bars_with_their_revision_and_source_in_order():
    judged = judge(
        bar_message("BBB", STARTS[1], 10.1 + 0.2, o=10.25),
        bar_message("AAA", STARTS[0], 11.0, "u", v=7),
        bar_message("AAA", STARTS[2], 12.0, x="proxy:AAPL"),
        bar_message("AAA", STARTS[3], 12.0, x="something else"),
    )
    close = 10.1 + 0.2
    assert judged.bars[:2] == [
        StreamBar("BBB", STARTS[1], 10.25, close + 0.2, close - 0.2, close, 100, FIRST, "feed"),
        StreamBar("AAA", STARTS[0], 11.0 - 0.1, 11.0 + 0.2, 11.0 - 0.2, 11.0, 7, UPDATED, "feed"),
    ]
    assert [bar.source for bar in judged.bars] == ["feed", "feed", "proxy:AAPL", "feed"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"S": None}, "symbol is not a text"),
        ({"S": ["AAA"]}, "symbol is not a text"),
        ({"S": "ZZZ"}, "symbol was not asked for"),
        ({"t": "2024-07-02T13:30:00Z"}, "ts_utc is not a time"),
        ({"t": msgpack.Timestamp(2**62, 0)}, "ts_utc is not a time"),
        ({"t": msgpack.Timestamp(STARTS[0] // 10**9 + 60, 0)}, "not at the start of a 5min bar"),
        ({"t": msgpack.Timestamp(STARTS[0] // 10**9 - 300, 0)}, "outside the regular session"),
        ({"o": [1, 2]}, "open is not a number"),
        ({"o": {"a": 1}}, "open is not a number"),
        ({"c": None}, "close is not a number"),
        ({"o": True}, "open is not a number"),
        ({"v": b"7"}, "volume is not a number"),
        ({"h": "high"}, "high is not a number"),
        ({"h": float("nan")}, "high is not a number"),
        ({"l": 99.0}, "low is above high"),
        ({"v": float("inf")}, "volume is not a number"),
        ({"v": -1}, "volume is negative"),
    ],
)
def test_a_row_that_history_would_quarantine_is_refused_and_its_neighbours_are_not(changes, reason):
    good = bar_message("BBB", STARTS[0])
    judged = judge(good, {**bar_message("AAA", STARTS[0]), **changes}, good)
    assert [bar.symbol for bar in judged.bars] == ["BBB", "BBB"]
    (row,) = judged.refused
    assert reason in row["reason"]
    assert all(isinstance(value, str) for value in row.values())


def test_a_fractional_volume_is_kept():
    assert judge({**bar_message("AAA", STARTS[0]), "v": 0.125}).bars[0].volume == 0.125


def test_a_message_without_a_field_is_refused():
    assert len(judge({"T": "b"}).refused) == 1


def test_repeated_and_corrected_bars_are_no_contradictions():
    judged = judge(*[bar_message("AAA", STARTS[0], close) for close in (10.0, 10.0, 11.0)])
    assert np.allclose([bar.close for bar in judged.bars], [10.0, 10.0, 11.0])
    assert judged.refused == []
