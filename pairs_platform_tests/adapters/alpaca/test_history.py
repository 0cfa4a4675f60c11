import logging
import random
import re
import traceback
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from pydantic import SecretStr, ValidationError

from pairs_platform.adapters.alpaca.history import AlpacaMarketData
from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES, AlpacaSettings
from pairs_platform.core.errors import ConfigurationError, Refused, Unavailable
from pairs_platform.core.masking import keep_secret
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_open, sessions_between
from pairs_platform.ports.market_data import UnavailableSymbol
from pairs_platform.settings.output import mask_output
from pairs_platform_tests.support.vendor_servers import (
    NEW_YORK,
    NO_ANSWER,
    AlpacaServer,
    Answer,
    Asked,
    alpaca_bar,
    running,
)

FIRST, LAST = date(2024, 3, 6), date(2024, 3, 12)  # five sessions, across the clock change of 10 March
EARLY_CLOSE = date(2024, 7, 3)
SYMBOLS = ("AAPL", "IBM", "MSFT")
NOW = datetime(2024, 4, 1, tzinfo=UTC)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = AlpacaServer()
    for n, symbol in enumerate(SYMBOLS):
        for day in sessions_between(FIRST, LAST):
            midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
            served.bars.setdefault((symbol, "1Day"), []).append(alpaca_bar(midnight, 100.0 * (n + 1) + day.day))
        served.bars[symbol, "5Min"] = intraday(FIRST, LAST, 100.0 * (n + 1))
    with running(served):
        yield served


def intraday(first, last, base):
    """Five-minute bars of each session, from 08:00 to 18:00 New York."""
    return [
        alpaca_bar(
            datetime(day.year, day.month, day.day, 8, tzinfo=NEW_YORK) + timedelta(minutes=5 * position),
            base + position / 10,
            100 + position,
        )
        for day in sessions_between(first, last)
        for position in range(120)
    ]


class Sleeps(list):
    def __call__(self, seconds):
        self.append(seconds)


def source(server, frequency=Frequency.ONE_DAY, sleep=None, secret=AlpacaServer.SECRET_KEY, **settings):
    return AlpacaMarketData(
        key_id=SecretStr(AlpacaServer.KEY_ID),
        secret_key=SecretStr(secret),
        frequency=frequency,
        settings=AlpacaSettings(**settings),
        base_url=server.url,
        sleep=sleep if sleep is not None else Sleeps(),
        now=lambda: NOW,
    )


def expected_daily(symbols=SYMBOLS):
    stamps = bar_grid(sessions_between(FIRST, LAST), Frequency.ONE_DAY).ts_utc
    return [(symbol, stamp) for symbol in symbols for stamp in stamps]


def keys(bars):
    return list(bars[["symbol", "ts_utc"]].itertuples(index=False, name=None))


# What is returned


def test_it_says_what_it_is(server):
    alpaca = source(server, Frequency.FIVE_MINUTES, feed="sip")
    assert (alpaca.label, alpaca.basis, alpaca.frequency) == (
        "Alpaca (sip feed)",
        PriceBasis.RAW,
        Frequency.FIVE_MINUTES,
    )
    assert alpaca.universe() is None
    assert alpaca.sessions_available() is None


def test_daily_bars_start_at_their_sessions_open(server):
    reply = source(server).fetch_bars(SYMBOLS, FIRST, LAST)
    assert keys(reply.bars) == expected_daily()
    assert reply.unavailable == ()
    assert tuple(reply.bars.columns) == BAR_COLUMNS
    assert reply.bars.dtypes.astype(str).tolist() == [
        "object", "datetime64[ns, UTC]", "float64", "float64", "float64", "float64", "float64",
    ]  # fmt: skip
    ibm = reply.bars[reply.bars["symbol"] == "IBM"]
    assert ibm["close"].tolist() == [206.0, 207.0, 208.0, 211.0, 212.0]
    assert ibm["open"].tolist() == pytest.approx([205.9, 206.9, 207.9, 210.9, 211.9])
    asked = server.asked[0].query
    assert (asked["adjustment"], asked["feed"], asked["timeframe"]) == ("raw", "iex", "1Day")


def test_intraday_bars_outside_the_regular_session_are_dropped(server):
    server.bars["AAPL", "5Min"] = intraday(EARLY_CLOSE, EARLY_CLOSE, 100.0)
    regular = source(server, Frequency.FIVE_MINUTES).fetch_bars(["MSFT"], FIRST, LAST).bars
    assert list(regular["ts_utc"]) == list(bar_grid(sessions_between(FIRST, LAST), Frequency.FIVE_MINUTES).ts_utc)
    early = source(server, Frequency.FIVE_MINUTES).fetch_bars(["AAPL"], EARLY_CLOSE, EARLY_CLOSE).bars
    assert list(early["ts_utc"]) == list(bar_grid([EARLY_CLOSE], Frequency.FIVE_MINUTES).ts_utc)
    assert len(early) == 42


def test_hourly_bars_start_at_half_past_nine_and_hold_no_premarket_trade(server):
    bars = source(server, Frequency.ONE_HOUR).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert {asked.query["timeframe"] for asked in server.asked} == {"5Min"}
    assert list(bars["ts_utc"]) == list(bar_grid(sessions_between(FIRST, LAST), Frequency.ONE_HOUR).ts_utc)
    first_hour = intraday(FIRST, FIRST, 100.0)[18:30]
    bar = bars.iloc[0]
    assert bar["open"] == first_hour[0]["o"]
    assert bar["close"] == first_hour[-1]["c"]
    assert bar["low"] == min(row["l"] for row in first_hour)
    assert bar["volume"] == sum(row["v"] for row in first_hour)


def test_a_bar_without_volume_or_with_a_wrong_price_is_left_to_validation(server):
    server.bars["AAPL", "1Day"][1]["v"] = None
    server.bars["AAPL", "1Day"][2]["c"] = "n/a"
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert len(bars) == 5
    assert bars["volume"].isna().tolist() == [False, True, False, False, False]
    assert bars["close"].isna().tolist() == [False, False, True, False, False]


def test_a_fractional_volume_comes_as_it_is(server):
    server.bars["AAPL", "1Day"][1]["v"] = 1234.5678
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert bars["volume"].tolist() == [100.0, 1234.5678, 100.0, 100.0, 100.0]


def test_a_range_without_a_session_has_no_bars_and_asks_nothing(server):
    reply = source(server).fetch_bars(["AAPL"], date(2024, 3, 9), date(2024, 3, 10))
    assert reply.bars.empty
    assert [missing.symbol for missing in reply.unavailable] == ["AAPL"]
    assert server.asked == []


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_reply_that_holds_no_bars_leaves_every_symbol_unavailable(server, nothing):
    server.faults = {0: Answer({"bars": nothing, "next_page_token": None})}
    reply = source(server).fetch_bars(SYMBOLS, FIRST, LAST)
    assert [item.reason for item in reply.unavailable] == [f"no bars from {FIRST} to {LAST} on the iex feed"] * 3
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (None, "no bars from"),
        ({"t": "2024-03-06T05:00:00Z"}, "none of its bars can be read: no bar"),
        ("bars", "none of its bars can be read: no bar"),
        ([None, 7], "none of its bars can be read: no bar"),
        ([{"o": 1.0}], "none of its bars can be read: no time with a zone"),
        ([alpaca_bar(NOW, 1.0) | {"t": "2024-03-06"}], "none of its bars can be read: no time with a zone"),
        ([alpaca_bar(NOW, 1.0) | {"t": "2024-02-31T05:00:00Z"}], "none of its bars can be read: no time with a zone"),
    ],
)
def test_a_symbol_whose_bars_cannot_be_read_is_unavailable_and_the_others_are_not(server, spoilt, reason):
    plain = server.answer

    def answer(asked):
        page = plain(asked).body
        return Answer({**page, "bars": {**page["bars"], "IBM": spoilt}})

    server.answer = answer
    reply = source(server).fetch_bars(SYMBOLS, FIRST, LAST)
    assert keys(reply.bars) == expected_daily(["AAPL", "MSFT"])
    assert [item.symbol for item in reply.unavailable] == ["IBM"]
    assert reason in reply.unavailable[0].reason


def test_a_null_for_a_symbol_on_a_later_page_loses_nothing_of_an_earlier_one(server):
    server.page_size, plain = 10, server.answer

    def answer(asked):
        page = plain(asked).body
        null = {"AAPL": None} if asked.query.get("page_token") else {}
        return Answer({**page, "bars": {**page["bars"], **null}})

    server.answer = answer
    assert keys(source(server).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()


def test_a_bar_that_says_no_time_costs_itself_and_is_noted(server):
    server.bars["AAPL", "1Day"].insert(2, alpaca_bar(NOW, 1.0))
    plain = server.answer

    def answer(asked):
        page = plain(asked)
        page.body["bars"]["AAPL"][2] = {"t": 7, "o": 1.0}
        page.body["bars"]["AAPL"].append(None)
        page.body["bars"]["AAPL"].append({"extra": [], **page.body["bars"]["AAPL"][0]})
        return page

    server.answer = answer
    reply = source(server).fetch_bars(["AAPL"], FIRST, LAST)
    assert [stamp.day for stamp in reply.bars["ts_utc"]] == [6, 7, 11, 12]
    assert reply.notes == (
        "1 row of AAPL left out: no time with a zone (the first: 7)",
        "1 row of AAPL left out: no bar (the first: None)",
    )


@pytest.mark.parametrize(
    ("value", "number"), [("101.5", 101.5), (True, None), ([1], None), (10**400, None), ("", None)]
)
def test_a_value_of_another_type_is_a_number_or_none(server, value, number):
    server.bars["AAPL", "1Day"][1]["c"] = value
    close = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars["close"]
    assert close.isna().tolist() == [False, number is None, False, False, False]
    assert number is None or close[1] == number


def test_the_bars_of_a_session_under_way_are_read_with_the_same_care(server):
    plain = server.answer

    def answer(asked):
        page = plain(asked)
        page.body["bars"]["AAPL"].insert(0, None)
        page.body["bars"]["IBM"] = None
        return page

    server.answer = answer
    bars = source(server, Frequency.FIVE_MINUTES).fetch_since(SYMBOLS, LAST, session_open(LAST))
    assert bars["symbol"].value_counts().to_dict() == {"AAPL": 78, "MSFT": 78}


# Chunks and pages


def test_requests_are_chunked_by_symbols_and_sessions(server):
    alpaca = source(server, symbols_per_request=2, sessions_per_request=3)
    assert keys(alpaca.fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()
    assert [asked.query["symbols"] for asked in server.asked] == ["AAPL,IBM", "AAPL,IBM", "MSFT", "MSFT"]
    assert server.asked[0].query["start"] == "2024-03-06T05:00:00+00:00"
    assert server.asked[1].query["start"] == "2024-03-11T04:00:00+00:00"


def test_all_pages_are_read(server):
    server.page_size = 4
    assert keys(source(server).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()
    assert [asked.query.get("page_token") for asked in server.asked] == [None, "4", "8", "12"]


def test_bars_repeated_where_pages_meet_count_once(server):
    server.page_size, server.overlap = 4, 2
    assert keys(source(server).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()


def test_shuffled_pages_come_out_in_order(server):
    server.page_size = 7
    generator = random.Random(5)
    server.turn_page = lambda items: generator.sample(items, len(items))
    assert keys(source(server).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()


def test_of_two_versions_of_a_bar_the_later_one_stays(server):
    server.bars["AAPL", "1Day"].append(server.bars["AAPL", "1Day"][-1] | {"c": 99.0})
    bars = source(server).fetch_bars(["AAPL"], FIRST, LAST).bars
    assert len(bars) == 5
    assert bars["close"].iloc[-1] == 99.0


def test_a_page_that_names_itself_as_the_next_does_not_loop_for_ever(server):
    page = server.answer
    server.answer = lambda asked: Answer(page(asked).body | {"next_page_token": "7"})
    with pytest.raises(Unavailable, match="names itself"):
        source(server, max_attempts=2).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(server.asked) == 3


def test_pages_that_go_round_in_a_circle_end_with_the_reason(server):
    page, next_page = server.answer, {None: "7", "7": "8", "8": "7"}
    server.answer = lambda asked: Answer(
        {**page(Asked(asked.path, {**asked.query, "page_token": "0"}, asked.headers)).body}
        | {"next_page_token": next_page[asked.query.get("page_token")]}
    )
    with pytest.raises(Unavailable, match="names itself, or one before it, as the next one"):
        source(server, max_attempts=2).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(server.asked) == 4


def test_a_next_page_without_a_name_is_none(server):
    page = server.answer
    server.answer = lambda asked: Answer(page(asked).body | {"next_page_token": ""})
    assert keys(source(server).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()
    assert len(server.asked) == 1


# Failures that pass

FAULTS = {
    "500": [Answer("down", 500), Answer("down", 500)],
    "503": [Answer("busy", 503)],
    "504": [Answer("", 504)],
    "429": [Answer({"message": "too many requests."}, 429)],
    "no answer": [NO_ANSWER, NO_ANSWER],
    "half an answer": [Answer({"bars": {"AAPL": [alpaca_bar(NOW, 1.0)] * 50}}, cut_at=700)],
    "half a JSON": [Answer('{"bars": {"AAPL": [{"t": "2024-03-')],
    "an empty answer": [Answer("")],
    "another JSON": [Answer({"message": "maintenance"})],
    "bars as a list": [Answer({"bars": [alpaca_bar(NOW, 1.0)], "next_page_token": None})],
    "no object": [Answer([{"bars": {}}])],
    "nested without end": [Answer("[" * 100_000)],
    "a token that is none": [Answer({"bars": {}, "next_page_token": {"page": 2}})],
}


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_on_any_page_costs_that_page_only(server, fault, at):
    server.page_size = 4
    server.faults = {at + n: answer for n, answer in enumerate(FAULTS[fault])}
    sleeps = Sleeps()
    assert keys(source(server, sleep=sleeps).fetch_bars(SYMBOLS, FIRST, LAST).bars) == expected_daily()
    assert len(sleeps) == len(FAULTS[fault])
    tokens = [None, "4", "8", "12"]
    page = at
    assert [asked.query.get("page_token") for asked in server.asked] == (
        tokens[:page] + [tokens[page]] * len(FAULTS[fault]) + tokens[page:]
    )


def test_a_silent_server_is_given_up_after_the_timeout(server):
    server.faults = {0: Answer({"bars": {}, "next_page_token": None}, delay_s=30)}
    reply = source(server, timeout_s=2).fetch_bars(SYMBOLS, FIRST, LAST)
    assert keys(reply.bars) == expected_daily()
    assert len(server.asked) == 2


def test_patience_is_bounded(server):
    server.faults = dict.fromkeys(range(99), Answer("down", 500))
    sleeps = Sleeps()
    with pytest.raises(Unavailable, match="500"):
        source(server, sleep=sleeps, max_attempts=3).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(server.asked) == 3
    assert len(sleeps) == 2
    assert 0.5 <= sleeps[0] <= 1.0 <= sleeps[1] <= 2.0


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "21"}, {"x-ratelimit-reset": str(int(NOW.timestamp()) + 21)}], ids=["after", "reset"]
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for_is_honoured(server, headers, status):
    server.faults = {0: Answer({"message": "too many requests."}, status, headers)}
    sleeps = Sleeps()
    source(server, sleep=sleeps).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(sleeps) == 1
    assert 21.0 <= sleeps[0] <= 22.0


def test_more_requests_than_a_minute_allows_are_held_back(server):
    sleeps = Sleeps()
    source(server, sleep=sleeps, requests_per_minute=2, symbols_per_request=1).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(server.asked) == 3
    assert len(sleeps) == 1
    assert 55.0 < sleeps[0] <= 60.0


# Failures that do not pass


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_it_at_once_and_names_the_remedy(server, status):
    server.faults = {0: Answer({"message": "forbidden."}, status)}
    sleeps = Sleeps()
    with pytest.raises(Refused) as raised:
        source(server, sleep=sleeps).fetch_bars(SYMBOLS, FIRST, LAST)
    assert all(name in str(raised.value) for name in (*KEY_VARIABLES, str(status), "forbidden.", "feed"))
    assert len(server.asked) == 1
    assert sleeps == []


@pytest.mark.parametrize("keys", [(None, None), ("id", None), ("id", ""), ("", "secret")])
def test_a_missing_key_is_said_before_anything_is_asked(keys):
    key_id, secret_key = (None if key is None else SecretStr(key) for key in keys)
    with pytest.raises(ConfigurationError, match=" and ".join(KEY_VARIABLES)):
        AlpacaMarketData(key_id=key_id, secret_key=secret_key, frequency=Frequency.ONE_DAY)


def test_another_refusal_ends_it_with_the_servers_words(server):
    server.faults = {0: Answer({"code": 42210000, "message": "end should not be before start"}, 422)}
    with pytest.raises(Refused, match="422: end should not be before start"):
        source(server).fetch_bars(SYMBOLS, FIRST, LAST)
    assert len(server.asked) == 1


def test_no_secret_is_ever_shown(server, caplog):
    secret = "wr0ng-s3cr3t"
    server.faults = {1: Answer("down", 500), 3: Answer(f"header said {secret} and {server.KEY_ID}", 500)}
    keep_secret(secret)
    keep_secret(server.KEY_ID)
    mask_output()
    alpaca = source(server, secret=secret)
    shown = [repr(alpaca), repr(vars(alpaca))]
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):  # the server repeats both keys in its refusal
            with pytest.raises((Refused, Unavailable)) as raised:
                alpaca.fetch_bars(SYMBOLS, FIRST, LAST)
            shown += traceback.format_exception(raised.value)
    shown.append(caplog.text)
    assert server.asked[0].headers["apca-api-secret-key"] == secret
    assert "***" in "".join(shown)
    assert secret not in "".join(shown)
    assert server.KEY_ID not in "".join(shown)


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_symbol_is_unavailable_and_the_others_go_on(server, status):
    server.bad_symbols, server.refusal_status = {"B@D"}, status
    reply = source(server, sessions_per_request=2).fetch_bars(["AAPL", "B@D", "IBM", "MSFT"], FIRST, LAST)
    assert keys(reply.bars) == expected_daily()
    assert reply.unavailable == (UnavailableSymbol("B@D", f"refused by Alpaca ({status}: invalid symbol: B@D)"),)
    assert len(server.asked) == 5 + 2  # the first span in halves, the others without the culprit


def test_a_symbol_without_bars_is_unavailable_with_the_reason(server):
    reply = source(server).fetch_bars(["AAPL", "ZZZZ"], FIRST, LAST)
    assert keys(reply.bars) == expected_daily(["AAPL"])
    assert reply.unavailable == (UnavailableSymbol("ZZZZ", f"no bars from {FIRST} to {LAST} on the iex feed"),)


def test_nothing_at_all_is_an_empty_reply_that_names_every_symbol(server):
    reply = source(server, Frequency.ONE_HOUR).fetch_bars(["YYYY", "ZZZZ", "YYYY"], FIRST, LAST)
    assert reply.bars.empty
    assert tuple(reply.bars.columns) == BAR_COLUMNS
    assert [missing.symbol for missing in reply.unavailable] == ["YYYY", "ZZZZ"]


@pytest.mark.parametrize("wrong", [{"feed": "otc"}, {"timeout_s": 0}, {"symbols_per_request": 0}, {"secret": "x"}])
def test_wrong_rules_are_refused(wrong):
    with pytest.raises(ValidationError):
        AlpacaSettings(**wrong)


# Corporate actions


def action(symbol, ex_date, process_date=None, **values):
    return {"symbol": symbol, "ex_date": ex_date, "process_date": process_date or ex_date, "cusip": "0", **values}


def dividend(symbol, ex_date, process_date, rate, **values):
    return action(symbol, ex_date, process_date, rate=rate, special=False, foreign=False, **values)


def fetched_actions(server, first="2024-03-06", last="2024-03-12", symbols=SYMBOLS, **settings):
    frame = (
        source(server, **settings).fetch_actions(symbols, date.fromisoformat(first), date.fromisoformat(last)).actions
    )
    assert tuple(frame.columns) == ACTION_COLUMNS
    assert frame.dtypes.astype(str).tolist() == [
        "object", "datetime64[ns]", "object", "float64", "datetime64[ns, UTC]",
    ]  # fmt: skip
    return list(
        zip(frame["symbol"], frame["ex_date"].dt.strftime("%Y-%m-%d"), frame["kind"], frame["value"], strict=True)
    )


def test_splits_forward_reverse_and_as_stock_dividend(server):
    server.actions = {
        "forward_splits": [action("AAPL", "2024-03-07", new_rate=4, old_rate=1)],
        "reverse_splits": [action("IBM", "2024-03-08", new_rate=1, old_rate=8)],
        "stock_dividends": [action("MSFT", "2024-03-11", "2024-04-05", rate=0.05)],
    }
    assert fetched_actions(server) == [
        ("AAPL", "2024-03-07", "split", 4.0),
        ("IBM", "2024-03-08", "split", 0.125),
        ("MSFT", "2024-03-11", "split", pytest.approx(1.05)),
    ]


def test_a_dividend_is_found_by_its_ex_date_though_the_service_selects_by_payment(server):
    server.actions = {
        "cash_dividends": [
            dividend("AAPL", "2024-03-07", "2024-05-31", 0.24),
            dividend("AAPL", "2024-02-09", "2024-03-08", 0.23),
            dividend("AAPL", "2024-03-15", "2024-03-29", 0.25),
        ]
    }
    assert fetched_actions(server) == [("AAPL", "2024-03-07", "dividend", 0.24)]


def test_an_action_is_known_at_the_open_of_its_ex_date(server):
    server.actions = {"cash_dividends": [dividend("AAPL", "2024-03-11", "2024-03-29", 0.24)]}
    frame = source(server).fetch_actions(["AAPL"], FIRST, LAST).actions
    assert frame["known_ts_utc"].tolist() == [pd.Timestamp(session_open(date(2024, 3, 11)))]


def test_an_ex_date_on_a_closed_day_takes_effect_at_the_next_session(server):
    server.actions = {"forward_splits": [action("AAPL", "2024-03-09", new_rate=2, old_rate=1)]}
    assert fetched_actions(server) == [("AAPL", "2024-03-11", "split", 2.0)]


def test_dividends_of_one_ex_date_add_up_and_a_repeated_one_counts_once(server):
    regular = dividend("AAPL", "2024-03-07", "2024-03-29", 0.5, id="a")
    special = dividend("AAPL", "2024-03-07", "2024-03-29", 0.5, id="b")
    server.actions = {"cash_dividends": [regular, special, regular]}
    assert fetched_actions(server) == [("AAPL", "2024-03-07", "dividend", 1.0)]


def test_actions_beyond_the_first_thousand_are_read(server):
    server.page_size = 1000
    server.actions = {
        "cash_dividends": [dividend("IBM", "2024-01-05", "2024-03-05", 0.1, id=str(n)) for n in range(1000)]
        + [dividend("AAPL", "2024-03-07", "2024-03-29", 0.24)]
    }
    assert fetched_actions(server) == [("AAPL", "2024-03-07", "dividend", 0.24)]


def test_actions_survive_failures_and_a_refused_symbol(server):
    server.bad_symbols = {"B@D"}
    server.faults = {1: Answer("down", 500)}
    server.actions = {"forward_splits": [action("AAPL", "2024-03-07", new_rate=4, old_rate=1)]}
    assert fetched_actions(server, symbols=["AAPL", "B@D"]) == [("AAPL", "2024-03-07", "split", 4.0)]


def test_no_actions_is_an_empty_frame(server):
    assert fetched_actions(server) == []


@pytest.mark.parametrize(
    ("kind", "spoilt", "reason"),
    [
        ("forward_splits", action("AAPL", "2024-03-07", new_rate=4), "'old_rate' is missing"),
        ("forward_splits", action("AAPL", "2024-03-07", new_rate=4, old_rate=0), "old_rate is zero"),
        ("forward_splits", action("AAPL", "2024-03-07", new_rate=0, old_rate=1), "a split of 0 on 2024-03-07"),
        ("reverse_splits", action("AAPL", "2024-03-07", new_rate=-1, old_rate=8), "a split of -0.125"),
        ("forward_splits", action("AAPL", "2024-03-07", new_rate=1e9, old_rate=1), "a split of 1e\\+09"),
        ("stock_dividends", action("AAPL", "2024-03-07", rate=None), "a split of nan"),
        ("cash_dividends", action("AAPL", "2024-03-07", rate=-0.24), "a dividend of -0.24"),
        ("cash_dividends", action("AAPL", "2024-03-07", rate=10**400), "a dividend of nan"),
        ("cash_dividends", action("AAPL", "2024-03-07", rate=True), "a dividend of nan"),
        ("cash_dividends", action("AAPL", None, "2024-03-07", rate=0.24), "fromisoformat: argument must be str"),
        ("cash_dividends", action("AAPL", "soon", "2024-03-07", rate=0.24), "Invalid isoformat string: 'soon'"),
        ("cash_dividends", {"symbol": "AAPL", "process_date": "2024-03-07", "rate": 1}, "'ex_date' is missing"),
    ],
)
def test_a_symbol_of_which_an_action_cannot_be_read_is_unsure_and_the_others_are_not(server, kind, spoilt, reason):
    sound = action("IBM", "2024-03-08", new_rate=2, old_rate=1)
    server.actions = {"reverse_splits": [sound]}
    server.actions.setdefault(kind, []).append(spoilt)
    reply = source(server).fetch_actions(SYMBOLS, FIRST, LAST)
    assert reply.actions["symbol"].tolist() == ["IBM"]
    assert [item.symbol for item in reply.unsure] == ["AAPL"]
    assert re.search(f"corporate actions are unsure: an item of Alpaca's {kind} .*{reason}", reply.unsure[0].reason)


def test_an_action_beyond_the_range_may_be_what_it_is(server):
    server.actions = {"cash_dividends": [action("AAPL", "2024-02-07", "2024-03-07", rate="none")]}
    assert source(server).fetch_actions(SYMBOLS, FIRST, LAST).unsure == ()


def test_an_action_that_names_no_symbol_is_found_by_halving(server):
    plain = server.answer

    def answer(asked):
        page = plain(asked)
        if "MSFT" in asked.query["symbols"].split(","):
            page.body["corporate_actions"]["forward_splits"] = [{"symbol": None, "new_rate": 4, "old_rate": 1}]
        return page

    server.answer = answer
    reply = source(server).fetch_actions(SYMBOLS, FIRST, LAST)
    assert [item.symbol for item in reply.unsure] == ["MSFT"]
    assert "names no symbol" in reply.unsure[0].reason


def test_one_id_with_two_meanings_makes_its_symbol_unsure(server):
    server.actions = {
        "cash_dividends": [
            dividend("AAPL", "2024-03-07", "2024-03-29", 0.5, id="a"),
            dividend("AAPL", "2024-03-07", "2024-03-29", 0.6, id="a"),
            dividend("IBM", "2024-03-07", "2024-03-29", 0.7, id=["no", "text"]),
        ]
    }
    reply = source(server).fetch_actions(SYMBOLS, FIRST, LAST)
    assert reply.actions["value"].tolist() == [0.7]
    assert [item.symbol for item in reply.unsure] == ["AAPL"]


def test_the_address_of_a_proxy_comes_from_the_rules_and_needs_tls_elsewhere(server):
    keys = {"key_id": SecretStr(AlpacaServer.KEY_ID), "secret_key": SecretStr(AlpacaServer.SECRET_KEY)}
    alpaca = AlpacaMarketData(**keys, frequency=Frequency.ONE_DAY, settings=AlpacaSettings(base_url=server.url))
    assert len(alpaca.fetch_bars(["IBM"], FIRST, LAST).bars)
    assert AlpacaSettings(base_url="https://proxy.example").base_url == "https://proxy.example"
    for refused in ("http://proxy.example", "http://127.0.0.1.example", "ftp://127.0.0.1"):
        with pytest.raises(ValidationError, match="base_url"):
            AlpacaSettings(base_url=refused)
