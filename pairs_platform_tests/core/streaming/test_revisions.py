import numpy as np
import pandas as pd

from pairs_platform.core.prices.bars import BAR_COLUMNS
from pairs_platform.core.streaming.bars import BACKFILLED, FIRST, UPDATED, StreamBar
from pairs_platform.core.streaming.revisions import merge_revisions, without_proxies

START = 1711632600 * 10**9  # the open of 2024-03-28
STEP = 300 * 10**9


def bar(symbol: str = "AAA", place: int = 0, close: float = 10.0, revision: int = FIRST, source: str = "feed"):
    return StreamBar(symbol, START + place * STEP, close, close, close, close, 100, revision, source)


def closes(*bars: StreamBar) -> list[float]:
    return merge_revisions(bars).close.tolist()


def test_bars_are_sorted_by_symbol_and_time_whatever_the_order_of_arrival():
    merged = merge_revisions([bar("BBB", 1, 1.0), bar("AAA", 2, 2.0), bar("BBB", 0, 3.0), bar("AAA", 1, 4.0)])
    assert list(zip(merged.symbol, merged.close, strict=True)) == [("AAA", 4), ("AAA", 2), ("BBB", 3), ("BBB", 1)]
    assert len(merged) == 4


def test_the_highest_revision_counts_and_of_equal_ones_the_last():
    assert closes(bar(close=1.0), bar(close=2.0)) == [2.0]
    assert closes(bar(close=1.0, revision=UPDATED), bar(close=2.0)) == [1.0]
    assert closes(bar(close=1.0, revision=UPDATED), bar(close=2.0, revision=BACKFILLED)) == [1.0]
    assert closes(bar(close=1.0, revision=BACKFILLED), bar(close=2.0)) == [1.0]
    assert closes(bar(close=1.0, revision=UPDATED), bar(close=2.0, revision=UPDATED)) == [2.0]


def test_a_symbols_own_bar_beats_a_proxys_whichever_comes_first():
    own, proxy = bar(close=1.0), bar(close=2.0, revision=UPDATED, source="proxy:AAPL")
    assert closes(own, proxy) == closes(proxy, own) == [1.0]


def test_bars_of_proxies_can_be_left_out():
    proxy, own = bar(source="proxy:AAPL"), merge_revisions([bar("BBB"), bar("CCC", source="backfill")])
    assert without_proxies(merge_revisions([proxy, bar("BBB"), bar("CCC")])).symbol.tolist() == ["BBB", "CCC"]
    assert without_proxies(own) is own
    assert len(without_proxies(merge_revisions([proxy]))) == len(without_proxies(merge_revisions([]))) == 0


def test_no_bars_merge_to_none_with_the_types_of_some():
    empty, full = merge_revisions([]), merge_revisions([bar()])
    assert len(empty) == 0
    for name in StreamBar._fields:
        assert getattr(empty, name).dtype == getattr(full, name).dtype


def test_a_frame_has_the_columns_of_bars():
    merged = merge_revisions([bar(place=0), bar(place=1)])
    frame = merged.before(START + STEP).frame()
    assert tuple(frame.columns[:7]) == BAR_COLUMNS
    assert frame["ts_utc"].tolist() == [pd.Timestamp(START, tz="UTC")]
    assert np.issubdtype(frame["volume"].dtype, np.float64)
