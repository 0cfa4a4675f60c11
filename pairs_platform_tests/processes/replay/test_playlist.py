from datetime import date

import pandas as pd
import pytest

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, session_close
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.platform import open_lake
from pairs_platform.processes.replay.playlist import PlayedSession, Playlist, open_playlist
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, HOLIDAY, make_actions, make_bars
from pairs_platform_tests.support.replays import TODAY, WrittenBars, make_playlist

BEFORE = date(2024, 7, 1)
WINTER = date(2024, 1, 16)
BARS = make_bars([BEFORE, FULL, EARLY_CLOSE])


def ns(moment) -> int:
    return pd.Timestamp(moment).as_unit("ns").value


def new_york(session: date, time: str) -> int:
    return pd.Timestamp(f"{session} {time}", tz="America/New_York").as_unit("ns").value


def loaded(playlist: Playlist, position: int = 0) -> PlayedSession:
    played = playlist.load(position)
    assert played is not None
    return played


class TestSessions:
    def test_the_newest_is_played_where_none_is_named(self):
        assert make_playlist(WrittenBars(BARS)).origins == (EARLY_CLOSE,)

    def test_a_single_pass_is_one_session(self):
        playlist = make_playlist(WrittenBars(BARS), first=BEFORE, last=FULL)
        assert playlist.origins == (BEFORE,)

    @pytest.mark.parametrize("mode", ["date_range", "loop"])
    def test_a_range_holds_every_session(self, mode):
        playlist = make_playlist(WrittenBars(BARS), mode=mode, first=BEFORE, last=date(2024, 7, 4))
        assert playlist.origins == (BEFORE, FULL, EARLY_CLOSE)

    def test_a_session_that_is_not_stored_is_refused_with_the_newest_one(self):
        with pytest.raises(NotFound, match=r"no bars of 2024-07-05; newest: 2024-07-03"):
            make_playlist(WrittenBars(BARS), first=date(2024, 7, 5))

    def test_a_holiday_is_refused(self):
        with pytest.raises(NotFound, match="not an XNYS session"):
            make_playlist(WrittenBars(BARS), first=HOLIDAY)


class TestStamps:
    def test_original_bars_keep_their_time_and_end_with_the_session(self):
        played = loaded(make_playlist(WrittenBars(BARS), first=FULL))
        expected = BARS[BARS["ts_utc"].isin(bar_grid([FULL], Frequency.FIVE_MINUTES).ts_utc)]
        pd.testing.assert_frame_equal(played.bars, expected.reset_index(drop=True))
        assert played.end_ns.max() == ns(session_close(FULL))
        assert played.is_whole

    def test_a_bar_ends_with_the_session_although_it_is_longer(self):
        played = loaded(
            make_playlist(WrittenBars(make_bars([FULL], frequency=Frequency.ONE_HOUR)), length=Frequency.ONE_HOUR)
        )
        assert played.end_ns.max() == ns(session_close(FULL))

    def test_present_bars_have_the_same_time_of_day_across_a_change_of_clocks(self):
        source = WrittenBars(make_bars([WINTER]))
        played = loaded(make_playlist(source, stamps="present", today=TODAY))
        assert (played.session, played.origin) == (TODAY, WINTER)
        local = [stamps.dt.tz_convert("America/New_York") for stamps in (source.frame["ts_utc"], played.bars["ts_utc"])]
        assert (local[0].dt.time == local[1].dt.time).all()
        assert (local[1].dt.date == TODAY).all()

    def test_present_is_the_next_session_on_a_day_without_trading(self):
        playlist = make_playlist(WrittenBars(BARS), stamps="present", today=date(2024, 7, 6))
        assert playlist.sessions == (date(2024, 7, 8),)

    def test_the_last_of_several_sessions_is_the_present_one(self):
        playlist = make_playlist(
            WrittenBars(BARS), stamps="present", mode="date_range", first=BEFORE, last=EARLY_CLOSE, today=TODAY
        )
        assert playlist.sessions == (date(2024, 7, 5), date(2024, 7, 8), TODAY)

    def test_bars_behind_an_early_close_of_the_present_are_left_out(self):
        played = loaded(make_playlist(WrittenBars(BARS), first=FULL, stamps="present", today=EARLY_CLOSE))
        assert played.close_ns == played.end_ns.max() == ns(session_close(EARLY_CLOSE))
        assert len(played.bars) == 2 * 42


class TestPart:
    def test_only_the_bars_that_are_asked_for(self):
        played = loaded(make_playlist(WrittenBars(BARS), first=FULL, start="10:00", bars=3))
        ticks = dict(played.ticks())
        assert list(ticks) == [new_york(FULL, time) for time in ("10:05", "10:10", "10:15")]
        assert not played.is_whole

    def test_bars_are_the_profile_s(self):
        source = WrittenBars(make_bars([FULL], frequency=Frequency.ONE_MINUTE))
        played = loaded(make_playlist(source, length=Frequency.ONE_MINUTE, bars=2))
        assert [len(rows) for _, rows in played.ticks()] == [2] * 10

    def test_more_bars_than_are_left_reach_to_the_close(self):
        assert loaded(make_playlist(WrittenBars(BARS), first=FULL, start="15:00", bars=99)).is_whole

    @pytest.mark.parametrize(("start", "said"), [("16:00", "from 09:30 to 16:00"), ("09:29", "outside")])
    def test_a_start_outside_the_session_is_refused(self, start, said):
        with pytest.raises(ConfigurationError, match=said):
            make_playlist(WrittenBars(BARS), first=FULL, start=start)


class TestProxy:
    def test_stands_in_for_a_symbol_without_bars(self):
        played = loaded(make_playlist(WrittenBars(BARS), first=FULL, proxied=("CCC",), proxy="BBB"))
        rows = played.bars.set_index("symbol")
        assert rows.loc["CCC", "close"].tolist() == rows.loc["BBB", "close"].tolist()
        assert played.proxies == {"CCC": "proxy:BBB"}
        assert set(played.with_sources(played.bars)["source"]) == {"", "proxy:BBB"}

    def test_never_for_a_symbol_that_has_a_single_bar_of_its_own(self):
        own = make_bars([FULL], symbols=["CCC"]).head(1)
        source = WrittenBars(pd.concat([BARS, own], ignore_index=True))
        played = loaded(make_playlist(source, first=FULL, proxied=("CCC",), proxy="BBB"))
        assert (played.bars["symbol"] == "CCC").sum() == 1
        assert not played.proxies

    def test_a_proxy_without_bars_stands_in_for_nothing(self, caplog):
        played = loaded(make_playlist(WrittenBars(BARS), first=FULL, proxied=("CCC",), proxy="AAPL"))
        assert set(played.bars["symbol"]) == {"AAA", "BBB"}
        assert "the proxy AAPL has no bars" in caplog.text


def settings_with(**replay: object):
    return load_settings({"stream": {"replay": {"speed": 0, **replay}}})


class TestOpened:
    def test_the_lake_s_active_sectors(self):
        settings = settings_with()
        lake, sector = open_lake(settings), settings.active_sectors[0]
        actions = make_actions(("AAA", str(FULL), "split", 2.0, "2024-07-01"))
        lake.write(PRICE_HISTORY, PartitionKey(FULL, sector), make_bars([FULL]), {})
        lake.write(CORPORATE_ACTIONS, PartitionKey(FULL, sector), actions, {})
        lake.write(PRICE_HISTORY, PartitionKey(FULL, "utilities"), make_bars([FULL], symbols=["UUU"]), {})
        playlist = open_playlist(settings)
        assert playlist.origins == (FULL,)
        assert set(loaded(playlist).bars["symbol"]) == {"AAA", "BBB"}
        assert playlist.actions(0)["value"].tolist() == [2.0]

    def test_a_session_that_the_lake_lacks_is_named_with_the_newest_one_and_the_command(self):
        settings = settings_with(first=EARLY_CLOSE)
        key = PartitionKey(FULL, settings.active_sectors[0])
        open_lake(settings).write(PRICE_HISTORY, key, make_bars([FULL]), {})
        with pytest.raises(NotFound, match=r"(?s)2024-07-03; the newest stored one is 2024-07-02.*--select"):
            open_playlist(settings)

    def test_an_empty_lake_is_refused(self):
        with pytest.raises(NotFound, match="it holds none"):
            open_playlist(settings_with())

    def test_bars_that_the_lake_does_not_have_are_refused(self):
        settings = load_settings({"stream": {"bar": "1min"}})
        with pytest.raises(ConfigurationError, match=r"stream.bar is 1min, and the lake holds bars of 5min"):
            open_playlist(settings)

    def test_files_are_played_without_their_unsound_rows(self, tmp_path, caplog):
        path = tmp_path / "prices.parquet"
        bars = make_bars([FULL, EARLY_CLOSE], symbols=["AAPL", "MSFT"])
        bars.loc[3, "close"] = -1.0
        bars.to_parquet(path)
        playlist = open_playlist(settings_with(files=(str(path),), first=FULL))
        assert len(loaded(playlist).bars) == 2 * 78 - 1
        assert "1 unsound rows are not played" in caplog.text
        assert playlist.label == "files: prices.parquet"

    def test_files_of_minutes_give_bars_of_the_profile(self, tmp_path):
        path = tmp_path / "minutes.parquet"
        make_bars([FULL], symbols=["AAPL"], frequency=Frequency.ONE_MINUTE).to_parquet(path)
        assert len(loaded(open_playlist(settings_with(files=(str(path),)))).bars) == 78

    def test_a_session_outside_the_files_is_named_with_theirs(self, tmp_path):
        path = tmp_path / "prices.parquet"
        make_bars([FULL], symbols=["AAPL"]).to_parquet(path)
        with pytest.raises(NotFound, match=r"2024-07-03; they have sessions from 2024-07-02 to 2024-07-02"):
            open_playlist(settings_with(files=(str(path),), first=EARLY_CLOSE))

    def test_a_file_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(NotFound, match="does not exist"):
            open_playlist(settings_with(files=(str(tmp_path / "none.parquet"),)))
