"""The historical end points, asked by Alpaca's own client library and by the platform's adapter over it."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
import requests
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.history import AlpacaMarketData
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.processes.replay.rest import Correction, History
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_actions, make_bars
from pairs_platform_tests.support.replays import WrittenBars, alpaca_client, make_playlist, running_replay
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

BARS = make_bars([FULL, EARLY_CLOSE])
MINUTES = make_bars([FULL], frequency=Frequency.ONE_MINUTE)
RANGE = {"mode": "date_range", "first": FULL, "last": EARLY_CLOSE}
OPENED = session_open(FULL)


def history(moment: datetime, bars: pd.DataFrame = BARS, *, due=None, corrections=(), **settings) -> History:
    """What is known at a moment of market time."""
    length = settings.pop("length", Frequency.FIVE_MINUTES)
    source = WrittenBars(bars) if due is None else WrittenBars(bars, due)
    playlist = make_playlist(source, length=length, **settings)
    return History(playlist, lambda: pd.Timestamp(moment).as_unit("ns").value, corrections=corrections)


def pages(history: History, **query: str) -> list[tuple[str, str]]:
    """Symbol and stamp of every bar, page after page."""
    found, token = [], ""
    for _ in range(1000):
        reply = history.bars({**query, "page_token": token} if token else query)
        found += [(symbol, bar["t"]) for symbol, bars in reply["bars"].items() for bar in bars]
        token = reply["next_page_token"]
        if not token:
            return found
    raise AssertionError("the pages do not end")


@pytest.fixture(scope="module")
def played():
    """A replay that has played two sessions to the end."""
    with running_replay(make_playlist(WrittenBars(BARS), **RANGE)) as replay:
        with alpaca_client(replay.socket, "AAA") as got:
            until(lambda: len(got.bars) == 78 + 42)
            until(lambda: replay.output.last[0] > pd.Timestamp(session_close(EARLY_CLOSE)).value + 10**12)
        yield replay


class TestOverHttp:
    def test_the_client_library_gets_every_bar(self, played):
        client = StockHistoricalDataClient("KEY", "SECRET", url_override=played.http)
        asked = StockBarsRequest(
            symbol_or_symbols=["BBB", "AAA", "ZZZ"],
            timeframe=TimeFrame(5, TimeFrameUnit.Minute),
            start=OPENED,
            end=session_close(EARLY_CLOSE),
        )
        reply = client.get_stock_bars(asked).data
        assert set(reply) == {"AAA", "BBB"}
        for symbol, own in BARS.groupby("symbol"):
            assert [bar.timestamp for bar in reply[symbol]] == own["ts_utc"].tolist()
            assert [bar.close for bar in reply[symbol]] == own["close"].tolist()

    def test_the_platform_s_adapter_gets_what_was_stored(self, played):
        market = AlpacaMarketData(
            key_id=SecretStr("KEY"),
            secret_key=SecretStr("SECRET"),
            frequency=Frequency.FIVE_MINUTES,
            base_url=played.http,
        )
        pd.testing.assert_frame_equal(market.fetch_bars(["AAA", "BBB"], FULL, EARLY_CLOSE).bars, BARS)

    def test_a_longer_time_frame_of_the_adapter(self, played):
        market = AlpacaMarketData(
            key_id=SecretStr("KEY"), secret_key=SecretStr("SECRET"), frequency=Frequency.ONE_DAY, base_url=played.http
        )
        expected = aggregate_bars(BARS, source=Frequency.FIVE_MINUTES, target=Frequency.ONE_DAY)
        pd.testing.assert_frame_equal(market.fetch_bars(["AAA", "BBB"], FULL, EARLY_CLOSE).bars, expected)

    def test_keys_are_required(self, played):
        reply = requests.get(f"{played.http}/v2/stocks/bars", params={"symbols": "AAA"}, timeout=WAIT_SECONDS)
        assert (reply.status_code, reply.json()) == (403, {"message": "forbidden."})

    def test_what_cannot_be_answered_is_said(self, played):
        client = StockHistoricalDataClient("KEY", "SECRET", url_override=played.http)
        asked = StockBarsRequest(symbol_or_symbols="AAA", timeframe=TimeFrame(1, TimeFrameUnit.Minute))
        with pytest.raises(APIError, match="invalid timeframe: 1Min; bars of 5min are played"):
            client.get_stock_bars(asked)


class TestNeverTheFuture:
    def test_a_bar_is_there_at_its_end_and_not_before(self):
        query = {"symbols": "AAA", "timeframe": "5Min", "end": "2030-01-01"}
        ends = OPENED + timedelta(minutes=5)
        assert pages(history(ends - timedelta(microseconds=1), first=FULL), **query) == []
        assert pages(history(ends, first=FULL), **query) == [("AAA", "2024-07-02T13:30:00Z")]

    def test_a_longer_bar_is_there_when_it_is_complete(self):
        query = {"symbols": "AAA", "timeframe": "5Min"}
        minutes = {"bars": MINUTES, "length": Frequency.ONE_MINUTE}
        assert pages(history(OPENED + timedelta(minutes=9), **minutes), **query) == [("AAA", "2024-07-02T13:30:00Z")]
        assert len(pages(history(OPENED + timedelta(minutes=10), **minutes), **query)) == 2

    def test_later_sessions_of_a_range_are_not_there(self):
        query = {"symbols": "AAA", "timeframe": "5Min", "start": "2024-07-01", "end": "2030-01-01"}
        assert len(pages(history(session_close(FULL), **RANGE), **query)) == 78
        assert len(pages(history(session_close(EARLY_CLOSE), **RANGE), **query)) == 78 + 42

    def test_without_a_start_it_is_today_by_the_market_clock(self):
        assert len(pages(history(session_close(EARLY_CLOSE), **RANGE), symbols="AAA", timeframe="5Min")) == 42

    def test_a_running_replay_gives_what_its_clock_has_passed(self):
        playlist = make_playlist(WrittenBars(BARS), first=FULL, bars=3)
        with running_replay(playlist) as replay:
            client = StockHistoricalDataClient("KEY", "SECRET", url_override=replay.http)
            asked = StockBarsRequest(
                symbol_or_symbols="AAA",
                timeframe=TimeFrame(5, TimeFrameUnit.Minute),
                start=OPENED,
                end=session_close(FULL),
            )
            assert client.get_stock_bars(asked).data == {}
            with alpaca_client(replay.socket, "AAA") as got:
                until(lambda: len(got.bars) == 3)
                assert len(client.get_stock_bars(asked).data["AAA"]) == 3


class TestPages:
    QUERY = {"symbols": "AAA,BBB", "timeframe": "5Min", "start": "2024-07-02T13:30:00Z", "limit": "7"}  # noqa: RUF012
    DONE = session_close(FULL)

    def test_have_every_bar_once_by_symbol_then_time(self):
        found = pages(history(self.DONE, first=FULL), **self.QUERY)
        own = BARS[BARS["ts_utc"] < self.DONE]
        assert found == list(zip(own["symbol"], own["ts_utc"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), strict=True))

    def test_backwards(self):
        ascending = pages(history(self.DONE, first=FULL), **self.QUERY)
        found = pages(history(self.DONE, first=FULL), **self.QUERY, sort="desc")
        assert found == sorted(ascending, key=lambda item: (item[0], [-ord(letter) for letter in item[1]]))

    def test_lose_nothing_when_bars_arrive_between_two_of_them(self):
        early = history(OPENED + timedelta(minutes=60), first=FULL).bars(self.QUERY)
        rest = pages(history(self.DONE, first=FULL), **self.QUERY, page_token=early["next_page_token"])
        assert len(early["bars"]["AAA"]) == 7
        assert len(rest) == 2 * 78 - 7

    def test_are_not_longer_than_the_limit(self):
        reply = history(self.DONE, first=FULL).bars(self.QUERY)
        assert sum(map(len, reply["bars"].values())) == 7

    def test_the_client_library_turns_them(self):
        bars = make_bars([FULL], symbols=[f"S{number:02d}" for number in range(30)], frequency=Frequency.ONE_MINUTE)
        playlist = make_playlist(WrittenBars(bars), length=Frequency.ONE_MINUTE)
        with running_replay(playlist) as replay:
            with alpaca_client(replay.socket, "S00"):
                until(lambda: replay.output.last[0] > pd.Timestamp(session_close(FULL)).value)
            client = StockHistoricalDataClient("KEY", "SECRET", url_override=replay.http)
            asked = StockBarsRequest(
                symbol_or_symbols=sorted(set(bars["symbol"])),
                timeframe=TimeFrame(1, TimeFrameUnit.Minute),
                start=OPENED,
                end=session_close(FULL),
            )
            reply = client.get_stock_bars(asked).data
        assert len(bars) > 10_000  # the library's page
        assert [bar.close for symbol in sorted(reply) for bar in reply[symbol]] == bars["close"].tolist()

    def test_sorting_over_http(self, played):
        client = StockHistoricalDataClient("KEY", "SECRET", url_override=played.http)
        asked = StockBarsRequest(
            symbol_or_symbols="AAA", timeframe=TimeFrame(1, TimeFrameUnit.Hour), start=OPENED, sort=Sort.DESC, limit=3
        )
        stamps = [bar.timestamp for bar in client.get_stock_bars(asked).data["AAA"]]
        assert stamps == [datetime(2024, 7, 3, hour, 30, tzinfo=UTC) for hour in (16, 15, 14)]


def test_a_corrected_bar_is_corrected_from_then_on():
    correction = Correction("AAA", int(OPENED.timestamp()) * 10**9, {"close": 51.5}, delay_seconds=60)
    query = {"symbols": "AAA", "timeframe": "5Min"}
    before, after = (
        history(OPENED + timedelta(minutes=minutes), first=FULL, corrections=[correction]).bars(query)["bars"]["AAA"]
        for minutes in (5, 6)
    )
    assert before[0]["c"] == BARS["close"].iloc[0]
    assert after[0]["c"] == 51.5


def test_a_proxy_s_bars_are_marked():
    told = history(session_close(FULL), first=FULL, proxied=("CCC",), proxy="AAA")
    for timeframe in ("5Min", "1Hour"):
        bars = told.bars({"symbols": "AAA,CCC", "timeframe": timeframe})["bars"]
        assert {bar.get("x") for bar in bars["CCC"]} == {"proxy:AAA"}
        assert {bar.get("x") for bar in bars["AAA"]} == {None}


class TestActions:
    DUE = make_actions(
        ("AAA", str(FULL), "split", 2.0, "2024-07-01"),
        ("BBB", str(FULL), "split", 0.1, "2024-07-01"),
        ("BBB", str(FULL), "dividend", 0.25, "2024-07-01"),
        ("AAA", str(EARLY_CLOSE), "dividend", 0.5, "2024-07-01"),
    )

    def test_the_adapter_gets_those_of_the_session(self):
        with running_replay(make_playlist(WrittenBars(BARS, self.DUE), first=FULL)) as replay:
            market = AlpacaMarketData(
                key_id=SecretStr("KEY"),
                secret_key=SecretStr("SECRET"),
                frequency=Frequency.FIVE_MINUTES,
                base_url=replay.http,
            )
            found = market.fetch_actions(["AAA", "BBB"], FULL, FULL).actions
        rows = sorted(zip(found["symbol"], found["ex_date"].dt.date, found["kind"], found["value"], strict=True))
        assert rows == [
            ("AAA", FULL, "split", 2.0), ("BBB", FULL, "dividend", 0.25), ("BBB", FULL, "split", 0.1),
        ]  # fmt: skip

    def test_those_of_later_sessions_are_not_known(self):
        told = history(OPENED, due=self.DUE, **RANGE)
        assert set(told.actions({})["corporate_actions"]) == {"forward_splits", "reverse_splits", "cash_dividends"}
        assert told.actions({"types": "cash_dividend", "symbols": "AAA"})["corporate_actions"] == {}

    def test_they_move_with_the_session(self):
        told = history(session_open(date(2024, 7, 9)), due=self.DUE, first=FULL, stamps="present")
        [split] = told.actions({"start": "2024-07-09", "end": "2024-07-09"})["corporate_actions"]["forward_splits"]
        assert (split["ex_date"], split["symbol"]) == ("2024-07-09", "AAA")
