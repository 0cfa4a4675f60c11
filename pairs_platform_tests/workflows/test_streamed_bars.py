"""Streamed bars of the demo's last session, from a real Redis into the lake."""

import pandas as pd

from pairs_platform.core.streaming.bars import UPDATED
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.workflows.streamed_bars import save_stream
from pairs_platform_tests.support.demo_profile import SYMBOLS, key
from pairs_platform_tests.support.streamed_profile import live, server

__all__ = ["live", "server"]


class TestStreamedBars:
    def test_what_redis_forgot_stays_and_newer_revisions_win(self, live):
        live.stream(0, 1)
        save_stream(live.platform, key())
        live.platform.streams.replay.reset()
        first = live.bars([0])[0]
        live.stream(2, bars=[first._replace(close=1.25, low=1.0, revision=UPDATED), *live.bars([2])])
        save_stream(live.platform, key())
        frame = live.platform.lake.read(STREAMED_BARS, key())
        assert len(frame) == 3 * len(SYMBOLS)
        revised = frame[frame["revision"] == UPDATED]
        assert revised[["symbol", "close"]].values.tolist() == [[first.symbol, 1.25]]
        live.platform.streams.bars.add([first])
        save_stream(live.platform, key())
        again = live.platform.lake.read(STREAMED_BARS, key())
        pd.testing.assert_frame_equal(again, frame)

    def test_rows_of_the_other_feed_stay(self, live):
        live.stream(0)
        save_stream(live.platform, key())
        frame, facts = live.platform.lake.read(STREAMED_BARS, key()), live.platform.lake.metadata(STREAMED_BARS, key())
        live.platform.lake.write(STREAMED_BARS, key(), frame.assign(run_mode="live", close=frame["low"]), facts)
        save_stream(live.platform, key())
        both = live.platform.lake.read(STREAMED_BARS, key())
        assert both["run_mode"].value_counts().to_dict() == {"live": 8, "replay": 8}
        assert (both.loc[both["run_mode"] == "live", "close"] == both.loc[both["run_mode"] == "live", "low"]).all()

    def test_a_proxy_is_stored_as_one_until_the_symbols_own_bar_comes(self, live):
        own = next(bar for bar in live.bars([0]) if bar.symbol == "ADI")
        live.stream(0, bars=[own._replace(source="proxy:AAPL", close=own.high, revision=UPDATED)])
        frame = save_stream(live.platform, key()).bars
        assert frame["source"].tolist() == ["proxy:AAPL"]
        live.platform.streams.bars.add([own])
        frame = save_stream(live.platform, key()).bars
        assert frame[["source", "close"]].values.tolist() == [["feed", own.close]]

    def test_symbols_of_another_sector_are_not_its(self, live):
        live.stream(0, bars=[*live.bars([0]), live.bars([0])[0]._replace(symbol="XOM")])
        frame = save_stream(live.platform, key()).bars
        assert set(frame["symbol"]) == set(SYMBOLS)
