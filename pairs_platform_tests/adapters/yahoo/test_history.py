from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from curl_cffi.requests import Session
from yfinance.data import SingletonMeta

from pairs_platform.adapters.yahoo.history import YahooMarketData, yahoo_symbol
from pairs_platform.adapters.yahoo.settings import YahooSettings
from pairs_platform.core.errors import ConfigurationError, NotFound, Unavailable
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_open, sessions_between
from pairs_platform.ports.market_data import UnavailableSymbol
from pairs_platform_tests.support.vendor_servers import (
    NEW_YORK,
    NO_ANSWER,
    Answer,
    YahooServer,
    running,
    yahoo_chart,
    yahoo_error,
)

FIRST, LAST = date(2024, 3, 6), date(2024, 3, 12)  # five sessions, across the clock change of 10 March
EARLY_CLOSE = date(2024, 7, 3)
NOW = datetime(2024, 8, 1, tzinfo=UTC)


class LocalSession(Session):
    """yfinance's own kind of session, with every one of its hosts replaced by the local server."""

    def __init__(self, url):
        super().__init__(impersonate="chrome")
        self.local = url

    def request(self, method, url, **kwargs):
        path = url.split("/", 3)[3] if url.count("/") > 2 else ""
        return super().request(method, f"{self.local}/{path}", **kwargs)


@pytest.fixture
def server(tmp_path, monkeypatch):
    import yfinance

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yfinance.set_tz_cache_location(str(tmp_path))
    SingletonMeta._instances.clear()
    served = YahooServer()
    for n, symbol in enumerate(("AAPL", "BRK-B", "IBM")):
        served.charts[symbol] = daily(symbol, 100.0 * (n + 1))
    with running(served):
        yield served
    SingletonMeta._instances.clear()


def daily(symbol, base, **events):
    rows = [(session_open(day), base + day.day) for day in sessions_between(FIRST, LAST)]
    return yahoo_chart(symbol, rows, **events)


def hourly(symbol, first, last):
    """Hourly bars from 09:30 to 15:30 New York and the price at the close, also on an early close."""
    hours = [timedelta(hours=n) for n in range(7)] + [timedelta(hours=6, minutes=30)]
    return yahoo_chart(
        symbol, [(session_open(day) + hour, 100.0) for day in sessions_between(first, last) for hour in hours]
    )


class Sleeps(list):
    def __call__(self, seconds):
        self.append(seconds)


def source(server, frequency=Frequency.ONE_DAY, sleep=None, now=NOW, **settings):
    return YahooMarketData(
        frequency=frequency,
        settings=YahooSettings(**settings),
        session=LocalSession(server.url),
        sleep=sleep if sleep is not None else Sleeps(),
        now=lambda: now,
    )


def expected(*symbols):
    stamps = bar_grid(sessions_between(FIRST, LAST), Frequency.ONE_DAY).ts_utc
    return [(symbol, stamp) for symbol in symbols for stamp in stamps]


def keys(bars):
    return list(bars[["symbol", "ts_utc"]].itertuples(index=False, name=None))


# What is returned


def test_it_says_what_it_is(server):
    yahoo = source(server)
    assert (yahoo.label, yahoo.basis, yahoo.frequency) == (
        "Yahoo Finance",
        PriceBasis.SPLIT_ADJUSTED,
        Frequency.ONE_DAY,
    )
    assert yahoo.universe() is None
    assert yahoo.sessions_available() is None


def test_daily_bars_are_not_adjusted_for_dividends(server):
    reply = source(server).fetch_bars(["AAPL", "IBM"], FIRST, LAST)
    assert keys(reply.bars) == expected("AAPL", "IBM")
    assert reply.unavailable == ()
    assert tuple(reply.bars.columns) == BAR_COLUMNS
    assert reply.bars["close"].tolist()[:5] == [106.0, 107.0, 108.0, 111.0, 112.0]
    assert reply.bars["volume"].dtype == "float64"
    query = server.asked[0].query
    assert query["interval"] == "1d"
    assert int(query["period1"]) == datetime(2024, 3, 6, tzinfo=NEW_YORK).timestamp()
    assert int(query["period2"]) == datetime(2024, 3, 13, tzinfo=NEW_YORK).timestamp()
    assert query["crumb"] == server.CRUMB


def test_share_classes_are_asked_with_a_dash_and_returned_with_a_dot(server):
    reply = source(server).fetch_bars(["BRK.B"], FIRST, LAST)
    assert server.asked[0].path.endswith("/BRK-B")
    assert keys(reply.bars) == expected("BRK.B")


def test_hourly_bars_of_the_regular_session(server):
    server.charts["AAPL"] = hourly("AAPL", FIRST, LAST)
    bars = source(server, Frequency.ONE_HOUR).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert list(bars["ts_utc"]) == list(bar_grid(sessions_between(FIRST, LAST), Frequency.ONE_HOUR).ts_utc)
    assert server.asked[0].query["interval"] == "1h"
    server.charts["AAPL"] = hourly("AAPL", EARLY_CLOSE, EARLY_CLOSE)
    early = source(server, Frequency.ONE_HOUR).fetch_bars(["AAPL"], EARLY_CLOSE, EARLY_CLOSE).bars
    assert list(early["ts_utc"]) == list(bar_grid([EARLY_CLOSE], Frequency.ONE_HOUR).ts_utc)


def test_the_live_row_behind_the_range_and_its_double_do_not_count(server):
    rows = [(session_open(day), 100.0) for day in sessions_between(FIRST, LAST)]
    rows += [
        (datetime(2024, 3, 12, 15, 59, 58, tzinfo=NEW_YORK), 101.0),
        (datetime(2024, 3, 13, 10, tzinfo=NEW_YORK), 9.0),
    ]
    server.charts["AAPL"] = yahoo_chart("AAPL", rows)
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert keys(bars) == expected("AAPL")
    assert bars["close"].iloc[-1] == 101.0


def test_shuffled_rows_come_out_in_order(server):
    rows = [(session_open(day), float(day.day)) for day in sessions_between(FIRST, LAST)]
    server.charts["AAPL"] = yahoo_chart("AAPL", [rows[n] for n in (3, 0, 4, 1, 2)])
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert keys(bars) == expected("AAPL")
    assert bars["close"].tolist() == [6.0, 7.0, 8.0, 11.0, 12.0]


def test_rows_without_any_price_are_dropped_and_half_empty_ones_left_to_validation(server):
    chart = daily("AAPL", 100.0)
    quote = chart["chart"]["result"][0]["indicators"]["quote"][0]
    for name in ("open", "high", "low", "close", "volume"):
        quote[name][1] = None
    quote["close"][3] = quote["volume"][3] = None
    server.charts["AAPL"] = chart
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert [stamp.day for stamp in bars["ts_utc"]] == [6, 8, 11, 12]
    assert bars["close"].isna().tolist() == [False, False, True, False]
    assert bars["volume"].isna().tolist() == [False, False, True, False]


# Symbols without data


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(yahoo_error("Not Found", "No data found, symbol may be delisted"), 404), "symbol may be delisted"),
        (Answer(yahoo_error("Bad Request", "Data doesn't exist for startDate = 1"), 400), "Data doesn't exist"),
        (Answer({"chart": {"result": [], "error": None}}), "no bars"),
        (Answer({"chart": {"result": None, "error": None}}), "no bars"),
        (Answer(yahoo_chart("X", [])), "no bars"),
        (Answer(yahoo_chart("X", [(session_open(FIRST), 1.0)], currency="GBp")), "quoted in GBp"),
        (Answer(yahoo_chart("X", [(session_open(date(2024, 3, 4)), 1.0)])), "no bars from 2024-03-06 to 2024-03-12"),
        (Answer(yahoo_chart("X", [(session_open(FIRST), None)])), "no bars from"),
    ],
)
def test_a_symbol_without_data_is_unavailable_and_the_others_go_on(server, answer, reason):
    plain = server.answer
    server.answer = lambda asked: answer if asked.path.endswith("/X") else plain(asked)
    sleeps = Sleeps()
    reply = source(server, sleep=sleeps).fetch_bars(["AAPL", "X", "IBM"], FIRST, LAST)
    assert keys(reply.bars) == expected("AAPL", "IBM")
    assert [missing.symbol for missing in reply.unavailable] == ["X"]
    assert reason in reply.unavailable[0].reason
    assert sleeps == []


def test_nothing_at_all_is_an_empty_reply(server):
    reply = source(server).fetch_bars(["YYYY", "ZZZZ", "YYYY"], FIRST, LAST)
    assert reply.bars.empty
    assert tuple(reply.bars.columns) == BAR_COLUMNS
    assert [missing.symbol for missing in reply.unavailable] == ["YYYY", "ZZZZ"]


def test_a_range_without_a_session_asks_nothing(server):
    reply = source(server).fetch_bars(["AAPL"], date(2024, 3, 9), date(2024, 3, 10))
    assert reply.unavailable == (UnavailableSymbol("AAPL", "no bars from 2024-03-09 to 2024-03-10 at Yahoo"),)
    assert server.asked == []


# Failures


@pytest.mark.parametrize(
    "fault",
    [
        Answer("down", 500),
        Answer(yahoo_error("Internal Server Error", "try later"), 502),
        Answer("Too Many Requests", 429),
        Answer({"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}, 401),
        Answer("<html>Will be right back</html>"),
        Answer('{"chart": {"result": [{"meta"'),
        Answer(daily("IBM", 300.0), cut_at=300),
        Answer({"unexpected": 1}),
        NO_ANSWER,
    ],
    ids=[
        "500",
        "502 with a chart",
        "429",
        "401",
        "maintenance",
        "half a JSON",
        "half an answer",
        "other JSON",
        "reset",
    ],
)
def test_a_failure_that_passes_is_survived(server, fault):
    """yfinance itself asks a second time after a refusal: the fault lasts for its two requests and one more."""
    server.faults = dict.fromkeys([1, 2, 3], fault)
    sleeps = Sleeps()
    reply = source(server, sleep=sleeps).fetch_bars(["AAPL", "IBM"], FIRST, LAST)
    assert keys(reply.bars) == expected("AAPL", "IBM")
    assert reply.bars["close"].tolist()[5:] == [306.0, 307.0, 308.0, 311.0, 312.0]
    assert sleeps
    assert [asked.path.rsplit("/", 1)[1] for asked in server.asked] == ["AAPL"] + ["IBM"] * (len(server.asked) - 1)


def test_a_slow_server_is_given_up_after_the_timeout(server):
    server.faults = {0: Answer(daily("AAPL", 1.0), delay_s=30)}
    bars = source(server, timeout_s=2).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert bars["close"].tolist() == [106.0, 107.0, 108.0, 111.0, 112.0]
    assert len(server.asked) == 2


def test_a_symbol_that_keeps_failing_is_not_taken_for_one_without_data(server):
    plain = server.answer
    server.answer = lambda asked: Answer("down", 500) if asked.path.endswith("/IBM") else plain(asked)
    sleeps = Sleeps()
    with pytest.raises(Unavailable, match=r"500.*IBM"):
        source(server, sleep=sleeps, max_attempts=3, first_wait_s=8.0).fetch_bars(["AAPL", "IBM"], FIRST, LAST)
    assert len(sleeps) == 2
    assert 4.0 <= sleeps[0] <= 8.0 <= sleeps[1] <= 16.0


def test_a_rate_limit_that_stays_ends_with_its_reason(server):
    server.faults = dict.fromkeys(range(99), Answer("Too Many Requests", 429))
    with pytest.raises(Unavailable, match="rate limit"):
        source(server, max_attempts=2).fetch_bars(["AAPL"], FIRST, LAST)


def test_the_wait_that_the_server_asks_for_is_honoured(server):
    server.faults = dict.fromkeys([0, 1], Answer("busy", 503, {"Retry-After": "33"}))
    sleeps = Sleeps()
    source(server, sleep=sleeps).fetch_bars(["AAPL"], FIRST, LAST)
    assert len(sleeps) == 1
    assert 33.0 <= sleeps[0] <= 38.0


def test_more_requests_than_a_minute_allows_are_held_back(server):
    sleeps = Sleeps()
    source(server, sleep=sleeps, requests_per_minute=2).fetch_bars(["AAPL", "IBM", "BRK.B"], FIRST, LAST)
    assert len(sleeps) == 1
    assert 50.0 < sleeps[0] <= 60.0


def chart_with(**changes):
    chart = daily("AAPL", 100.0)
    chart["chart"]["result"][0].update(changes)
    return chart


def quotes_with(**changes):
    quote = daily("AAPL", 100.0)["chart"]["result"][0]["indicators"]["quote"][0]
    return chart_with(indicators={"quote": [{**quote, **changes}]})


@pytest.mark.parametrize(
    ("chart", "reason"),
    [
        (quotes_with(open=[1.0]), "open has no value for each time stamp"),
        (quotes_with(volume=None), "volume has no value for each time stamp"),
        (quotes_with(close={"a": 1}), "close has no value for each time stamp"),
        (chart_with(indicators={}), "cannot be read: KeyError"),
        (chart_with(indicators={"quote": []}), "cannot be read: IndexError"),
        (chart_with(indicators=None), "cannot be read: TypeError"),
        (chart_with(meta=None), "does not say in which currency"),
        (chart_with(meta={}), "does not say in which currency"),
        (chart_with(meta=[1]), "does not say in which currency"),
        (chart_with(timestamp=7), "timestamp has no value"),
        (chart_with(timestamp=None), "no bars"),
        (chart_with(timestamp=[None] * 5), "none of its bars can be read: no time"),
        (chart_with(timestamp=[10**400, -1, "2024", True, 10**12]), "none of its bars can be read: no time"),
        ({"chart": {"result": [None], "error": None}}, "its result is None"),
        ({"chart": {"result": 7, "error": None}}, "its result is 7"),
        ({"chart": {"result": None, "error": "sorry"}}, "Yahoo: 'sorry'"),
    ],
)
def test_a_symbol_whose_chart_cannot_be_read_is_unavailable_and_the_others_are_not(server, chart, reason):
    server.charts["AAPL"] = chart
    reply = source(server).fetch_bars(["AAPL", "IBM"], FIRST, LAST)
    assert keys(reply.bars) == expected("IBM")
    assert [item.symbol for item in reply.unavailable] == ["AAPL"]
    assert reason in reply.unavailable[0].reason


def test_a_row_without_a_time_costs_itself_and_is_noted(server):
    stamps = daily("AAPL", 100.0)["chart"]["result"][0]["timestamp"]
    server.charts["AAPL"] = chart_with(timestamp=[stamps[0], None, *stamps[2:]])
    reply = source(server).fetch_bars(["AAPL"], FIRST, LAST)
    assert reply.bars["close"].tolist() == [106.0, 108.0, 111.0, 112.0]
    assert reply.notes == ("1 row of AAPL left out: no time (the first: None)",)


@pytest.mark.parametrize(
    "events",
    [
        {"splits": {"1": None}},
        {"splits": [1]},
        {"splits": {"1": {"date": 1710163800, "numerator": 4}}},
        {"splits": {"1": {"date": None, "numerator": 4, "denominator": 1}}},
        {"dividends": {"1": {"date": 1710163800, "amount": -1.0}}},
        {"dividends": {"1": {"date": 1710163800, "amount": "n/a"}}},
        [1],
    ],
)
def test_a_symbol_of_which_an_event_cannot_be_read_is_unsure(server, events):
    server.charts["AAPL"] = chart_with(events=events)
    server.charts["IBM"] = daily("IBM", 1.0, dividends={session_open(LAST): 0.5})
    reply = source(server).fetch_actions(["AAPL", "IBM"], FIRST, LAST)
    assert reply.actions["symbol"].tolist() == ["IBM"]
    assert [item.symbol for item in reply.unsure] == ["AAPL"]


# Frequencies


@pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_MINUTE])
def test_other_frequencies_are_refused_with_the_valid_ones(frequency):
    with pytest.raises(ConfigurationError, match=rf"no {frequency} bars.*1h or 1d"):
        YahooMarketData(frequency=frequency)


def test_hourly_bars_reach_back_730_days(server):
    server.charts["AAPL"] = hourly("AAPL", FIRST, LAST)
    now = datetime(2024, 3, 6, 20, tzinfo=UTC) + timedelta(days=729)
    assert len(source(server, Frequency.ONE_HOUR, now=now).fetch_bars(["AAPL"], FIRST, LAST).bars) == 35
    late = source(server, Frequency.ONE_HOUR, now=now + timedelta(days=1))
    with pytest.raises(NotFound, match="730 days: 2024-03-06 is too early, 2024-03-07 is the earliest"):
        late.fetch_bars(["AAPL"], FIRST, LAST)
    assert len(source(server, now=now + timedelta(days=1)).fetch_bars(["IBM"], FIRST, LAST).bars) == 5


# Corporate actions


def test_dividends_and_splits_forward_and_reverse(server):
    server.charts["AAPL"] = daily(
        "AAPL",
        100.0,
        dividends={session_open(date(2024, 3, 8)): 0.24, session_open(date(2024, 3, 20)): 0.5},
        splits={session_open(date(2024, 3, 11)): (4, 1)},
    )
    server.charts["BRK-B"] = daily("BRK-B", 200.0, splits={session_open(date(2024, 3, 7)): (1, 8)})
    frame = source(server).fetch_actions(["AAPL", "BRK.B", "IBM", "ZZZZ"], FIRST, LAST).actions
    assert tuple(frame.columns) == ACTION_COLUMNS
    assert frame[["symbol", "kind", "value"]].to_numpy().tolist() == [
        ["AAPL", "dividend", 0.24],
        ["AAPL", "split", 4.0],
        ["BRK.B", "split", 0.125],
    ]
    days = [date(2024, 3, 8), date(2024, 3, 11), date(2024, 3, 7)]
    assert frame["ex_date"].tolist() == [pd.Timestamp(day) for day in days]
    assert frame["known_ts_utc"].tolist() == [pd.Timestamp(session_open(day)) for day in days]


def test_no_actions_is_an_empty_frame(server):
    frame = source(server).fetch_actions(["AAPL"], FIRST, LAST).actions
    assert frame.empty
    assert tuple(frame.columns) == ACTION_COLUMNS


def test_an_event_that_is_not_as_expected_is_refused(server):
    chart = daily("AAPL", 100.0, splits={session_open(LAST): (4, 0)})
    server.charts["AAPL"] = chart
    reply = source(server).fetch_actions(["AAPL", "IBM"], FIRST, LAST)
    assert [item.symbol for item in reply.unsure] == ["AAPL"]
    assert "actions are unsure: Yahoo's splits cannot be read" in reply.unsure[0].reason


@pytest.mark.parametrize(
    ("symbol", "spelling"),
    [
        ("AAPL", "AAPL"),
        ("BRK.B", "BRK-B"),
        ("BAC.PRL", "BAC-PL"),
        ("ACHR.WS", "ACHR-WT"),
        ("AAC.U", "AAC-UN"),
        ("ABC.RT", "ABC-RI"),
        ("XYZ.PR", "XYZ-PR"),
        ("BTC.USD", "BTC-USD"),
    ],
)
def test_yahoo_is_asked_in_its_own_spelling(symbol, spelling):
    assert yahoo_symbol(symbol) == spelling
