"""The adapter against the simulated broker: each call, and each fault as what it is."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import requests
from alpaca.common.exceptions import APIError
from pydantic import SecretStr, ValidationError

from pairs_platform.adapters.alpaca import trading
from pairs_platform.adapters.alpaca.settings import LIVE_URL, PAPER_URL, REAL_MONEY, AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.adapters.alpaca.trading_http import TradingHttp
from pairs_platform.core.errors import AnswerLost, ConfigurationError, DataError, NotFound, PlatformError, Unavailable
from pairs_platform.core.trading.orders import Order, OrderStatus
from pairs_platform.ports.broker import (
    AccessRefused,
    BorrowStatus,
    NotCancelable,
    OrderRejected,
    RejectReason,
    Throttled,
)
from pairs_platform_tests.support.simulated_broker import (
    EVENING,
    KEYS,
    MORNING,
    OPEN,
    PRICES,
    RunningBroker,
    order,
    simulated_broker,
)
from pairs_platform_tests.support.waiting import until

KEY_ID, SECRET_KEY = map(SecretStr, KEYS)
BEGIN = OPEN - timedelta(hours=1)


@pytest.fixture(scope="module")
def served() -> Iterator[RunningBroker]:
    with simulated_broker() as running:
        yield running


@pytest.fixture
def server(served) -> RunningBroker:
    """The server with a new account, an open market and the first prices."""
    served.renew()
    return served


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def broker(server, slept) -> AlpacaBroker:
    return broker_at(server.url, sleep=slept.append)


def broker_at(url: str, *, keys=(KEY_ID, SECRET_KEY), sleep=lambda seconds: None, **settings) -> AlpacaBroker:
    return AlpacaBroker(lambda: keys, AlpacaTradingSettings(base_url=url, **settings), sleep=sleep)


def ended(broker: AlpacaBroker, name: str) -> OrderStatus | None:
    found = broker.order(name)
    return found.status if found and found.status.ended else None


class TestCalls:
    def test_an_order_is_sent_seen_and_filled(self, server, broker):
        placed = broker.submit(order("pp-1", -7, limit=9.5))
        assert (placed.client_order_id, placed.quantity, placed.limit_price) == ("pp-1", -7, 9.5)
        assert until(lambda: ended(broker, "pp-1")) is OrderStatus.FILLED
        assert server.order("pp-1")["time_in_force"] == "day"
        (position,) = broker.positions()
        assert (position.symbol, position.quantity, position.available) == ("AAA", -7, 7)
        (fill,) = broker.fills(BEGIN)
        assert fill.fill is not None
        assert (fill.fill.execution_id, fill.fill.price) == (f"{placed.broker_order_id}/7", 10.0)
        account = broker.account()
        assert (account.cash, account.equity, account.blocked) == (100_070, 100_000, False)

    def test_a_cancelation_is_asked_for_and_seen(self, broker):
        placed = broker.submit(order("pp-1", 7, limit=9.0))
        broker.cancel(placed.broker_order_id)
        assert until(lambda: ended(broker, "pp-1")) is OrderStatus.CANCELED
        with pytest.raises(NotCancelable, match='already in "canceled" state'):
            broker.cancel(placed.broker_order_id)
        with pytest.raises(NotFound):
            broker.cancel("00000000-0000-4000-8000-000000000000")

    def test_orders_since_a_moment_and_open_ones_are_complete_over_several_pages(self, server, broker, monkeypatch):
        monkeypatch.setattr(trading, "_ORDERS_PER_PAGE", 2)
        monkeypatch.setattr(trading, "_OVERLAP", timedelta(0))
        names = [f"pp-{number}" for number in range(5)]
        for name in names:
            broker.submit(order(name, 1, limit=9.0))
        assert [found.client_order_id for found in broker.open_orders()] == names
        assert [found.client_order_id for found in broker.orders(BEGIN)] == names
        second = server.order("pp-1")["submitted_at"]
        assert [each.client_order_id for each in broker.orders(datetime.fromisoformat(second))] == names[2:]

    def test_orders_that_cannot_be_told_apart_by_their_time_are_an_error_and_no_endless_loop(self, broker, monkeypatch):
        for number in range(2):
            broker.submit(order(f"pp-{number}", 1, limit=9.0))
        monkeypatch.setattr(trading, "_ORDERS_PER_PAGE", 2)
        monkeypatch.setattr(trading, "_OVERLAP", timedelta(hours=1))
        with pytest.raises(DataError, match="do not end"):
            broker.orders(BEGIN)

    def test_fills_are_complete_over_several_pages_and_in_the_order_of_their_orders(self, server, broker, monkeypatch):
        monkeypatch.setattr(trading, "_ACTIVITIES_PER_PAGE", 3)
        account = server.server.account
        for number in range(5):
            broker.submit(order(f"pp-{number}", 10, symbol="BBB", limit=9.0))
            placed = account.by_client_id(f"pp-{number}")
            for shares in (4, 6):  # at one moment: the server lists them by their ids
                server.server.do(partial(account.execute, placed, shares, PRICES["BBB"], OPEN))
        fills = broker.fills(BEGIN)
        assert len(fills) == 10
        assert broker.bookings(BEGIN) == [], "an execution is no booking"
        for name in {fill.broker_order_id for fill in fills}:
            assert [fill.cumulative_quantity for fill in fills if fill.broker_order_id == name] == [4, 10]

    def test_asset_clock_and_calendar(self, server, broker):
        assert broker.asset("AAA").borrow is BorrowStatus.EASY
        with pytest.raises(NotFound):
            broker.asset("ZZZ")
        clock = broker.clock()
        assert clock.is_open
        assert clock.next_close_utc == datetime(2026, 11, 24, 21, tzinfo=UTC)
        hours = broker.calendar(date(2026, 11, 25), date(2026, 11, 27))
        assert [(each.session.day, each.close_utc.hour) for each in hours] == [(25, 21), (27, 18)]

    def test_nothing_is_there_in_a_new_account(self, broker):
        assert broker.order("pp-never") is None
        assert [broker.orders(BEGIN), broker.open_orders(), broker.fills(BEGIN), broker.positions()] == [[], [], [], []]
        assert broker.bookings(BEGIN) == []

    def test_several_threads_ask_at_once(self, server, broker):
        threads = [
            threading.Thread(target=partial(broker.submit, order(f"pp-{number}", 1, limit=9.0))) for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(broker.open_orders()) == 6


class TestSentOnce:
    """An order is sent once, whatever answers; what became of it is asked for by its id."""

    @pytest.mark.parametrize("fault", ["accept_then_504", "accept_then_reset", "accept_then_garbage", "slow_answer"])
    def test_an_answer_that_is_lost_leaves_an_order_that_is_found_by_its_id(self, server, broker, fault):
        broker = broker_at(server.url, read_timeout_s=0.2)
        server.script(fault, **({"request": "submit"} if fault == "slow_answer" else {}))
        with pytest.raises(AnswerLost):
            broker.submit(order("pp-1", 5))
        assert server.server.requests == ["submit"]
        assert until(lambda: ended(broker, "pp-1")) is OrderStatus.FILLED
        assert len(server.state()["orders"]) == 1

    def test_the_library_does_not_send_again_even_where_it_sees_the_failure(self, broker, monkeypatch):
        sent = []

        def fail(session: TradingHttp, method: str, url: str, **more: object) -> requests.Response:
            sent.append(method)
            reply = requests.Response()
            reply.status_code = 504
            return reply

        monkeypatch.setattr(TradingHttp, "request", fail)
        with pytest.raises(APIError):
            broker.submit(order("pp-1", 5))
        assert sent == ["POST"]

    def test_an_answer_that_is_lost_may_leave_no_order(self, server, broker):
        server.script("bad_gateway", request="submit")
        with pytest.raises(AnswerLost):
            broker.submit(order("pp-1", 5))
        assert broker.order("pp-1") is None

    def test_sent_again_the_same_order_is_adopted(self, server, broker):
        first = broker.submit(order("pp-1", 5))
        again = broker.submit(order("pp-1", 5))
        assert again.broker_order_id == first.broker_order_id
        assert len(server.state()["orders"]) == 1
        until(lambda: server.held("AAA") == 5)

    @pytest.mark.parametrize("other", [order("pp-1", 6), order("pp-1", -5), order("pp-1", 5, "BBB")])
    def test_another_order_of_the_same_id_is_not_adopted(self, broker, other):
        broker.submit(order("pp-1", 5))
        with pytest.raises(OrderRejected, match="another order of this id") as refused:
            broker.submit(other)
        assert refused.value.reason is RejectReason.ID_TAKEN

    def test_an_order_that_is_taken_and_not_shown_yet_is_unknown(self, server, broker):
        server.script("orders_lag", seconds=60)
        broker.submit(order("pp-1", 5))
        with pytest.raises(AnswerLost, match="does not show it yet"):
            broker.submit(order("pp-1", 5))

    def test_an_order_that_is_taken_and_cannot_be_asked_for_is_unknown(self, server, broker):
        broker.submit(order("pp-1", 5))
        server.script("bad_gateway", request="order", times=0)
        with pytest.raises(AnswerLost, match="was sent before"):
            broker.submit(order("pp-1", 5))

    def test_too_often_is_an_order_that_does_not_exist_and_is_not_sent_again_by_itself(self, server, broker):
        server.script("rate_limit", request="submit")
        with pytest.raises(Throttled) as refused:
            broker.submit(order("pp-1", 5))
        assert refused.value.wait_s == 1.0
        assert server.server.requests == ["submit"]
        assert broker.order("pp-1") is None

    def test_a_cancelation_whose_answer_is_lost_is_not_repeated(self, server, broker):
        placed = broker.submit(order("pp-1", 5, limit=9.0))
        server.script("bad_gateway", request="cancel")
        with pytest.raises(AnswerLost):
            broker.cancel(placed.broker_order_id)
        assert server.server.requests.count("cancel") == 1

    def test_where_nobody_listens_nothing_was_sent(self):
        with pytest.raises(Unavailable, match="nothing was sent"):
            broker_at("http://127.0.0.1:9").submit(order("pp-1", 5))

    def test_a_broker_that_restarts_without_its_memory_knows_no_order(self, server, broker):
        server.script("restart")
        with pytest.raises(AnswerLost):
            broker.submit(order("pp-1", 5))
        assert broker.order("pp-1") is None
        assert broker.orders(BEGIN) == []


class TestRefused:
    def refusal(self, broker: AlpacaBroker, wanted: Order) -> RejectReason:
        with pytest.raises(OrderRejected) as refused:
            broker.submit(wanted)
        return refused.value.reason

    def test_each_reason_of_the_account(self, server, broker):
        assert self.refusal(broker, order("pp-1", 20_000)) is RejectReason.BUYING_POWER
        assert self.refusal(broker, order("pp-2", 1, "ZZZ")) is RejectReason.UNKNOWN_SYMBOL
        assert self.refusal(broker, order("pp-3", 1, limit=9.123)) is RejectReason.INVALID
        broker.submit(order("pp-4", 10))
        until(lambda: ended(broker, "pp-4"))
        assert self.refusal(broker, order("pp-5", -11)) is RejectReason.QUANTITY_HELD
        broker.submit(order("pp-6", -4, limit=11.0))
        assert self.refusal(broker, order("pp-7", 1)) is RejectReason.WASH_TRADE
        broker.submit(order("pp-8", 1, "BBB", limit=9.0))
        assert self.refusal(broker, order("pp-9", -1, "BBB")) is RejectReason.OPPOSITE_ORDER
        server.server.do(lambda: setattr(server.server.account.state, "shorting_enabled", False))
        assert self.refusal(broker, order("pp-10", -1, "CCC")) is RejectReason.SHORTING_DISABLED
        server.server.do(lambda: setattr(server.server.account.state, "trading_blocked", True))
        assert self.refusal(broker, order("pp-11", 1, "CCC")) is RejectReason.ACCOUNT_BLOCKED
        assert broker.account().blocked

    def test_borrow_that_is_refused_although_the_asset_can_be_sold_short(self, server, broker):
        server.script("borrow_refused", symbol="BBB")
        broker.submit(order("pp-1", 5))
        assert self.refusal(broker, order("pp-2", -5, "BBB")) is RejectReason.BORROW_REFUSED
        assert broker.asset("BBB").borrow is BorrowStatus.EASY

    def test_a_wash_trade_names_the_order_that_is_in_the_way(self, server, broker):
        server.script("wash_trade")
        with pytest.raises(OrderRejected) as refused:
            broker.submit(order("pp-1", 5))
        assert "existing_order_id" in refused.value.details

    def test_what_is_rejected_after_it_was_taken_ends_so(self, server, broker):
        server.script("reject_later")
        assert broker.submit(order("pp-1", 5)).status is OrderStatus.WORKING
        assert until(lambda: ended(broker, "pp-1")) is OrderStatus.REJECTED

    def test_a_cancelation_that_loses_the_race(self, server, broker):
        placed = broker.submit(order("pp-1", 5, limit=9.0))
        server.script("cancel_refused")
        with pytest.raises(NotCancelable):
            broker.cancel(placed.broker_order_id)


class TestQuestions:
    @pytest.mark.parametrize("fault", ["rate_limit", "bad_gateway"])
    def test_one_that_fails_is_asked_again(self, server, broker, slept, fault):
        server.script(fault, times=2, request="account")
        assert broker.account().cash == 100_000
        assert server.server.requests == ["account"] * 3
        assert len(slept) == 2
        assert fault != "rate_limit" or min(slept) >= 1.0

    def test_one_that_goes_on_failing_is_no_empty_answer(self, server, broker):
        server.script("bad_gateway", times=0)
        for ask in (broker.positions, broker.open_orders, broker.account, lambda: broker.fills(BEGIN), broker.clock):
            with pytest.raises(Unavailable):
                ask()
        with pytest.raises(Unavailable):
            broker.order("pp-1")

    def test_questions_are_paced_and_orders_are_not(self, server, slept):
        broker = broker_at(server.url, sleep=slept.append, questions_per_minute=2)
        for number in range(4):
            broker.submit(order(f"pp-{number}", 1, limit=9.0))
        assert slept == []
        for _ in range(3):
            broker.clock()
        assert len(slept) == 1

    def test_what_lags_behind_is_read_as_it_is_said(self, server, broker):
        server.script("positions_lag", seconds=60)
        broker.submit(order("pp-1", 5))
        until(lambda: server.held("AAA") == 5)
        assert broker.positions() == []
        assert len(broker.fills(BEGIN)) == 1

    def test_fields_that_alpaca_left_out_are_not_missed(self, server, broker):
        server.script("missing_fields")
        assert (broker.account().shorting_enabled, broker.asset("AAA").borrow) == (True, BorrowStatus.EASY)

    def test_a_field_that_is_needed_and_missing_is_named(self, server, broker):
        server.script("missing_fields", fields=["buying_power"])
        with pytest.raises(DataError, match="buying_power"):
            broker.account()

    def test_a_clock_that_is_wrong_is_read_as_it_is_said(self, server, broker):
        server.script("clock_skew", seconds=600)
        assert broker.clock().now_utc - server.server.market.now() > timedelta(seconds=500)

    def test_an_order_of_the_evening_waits(self, server, broker):
        server.server.do(lambda: server.server.set_time(EVENING))
        placed = broker.submit(order("pp-1", 5))
        assert (placed.broker_status, placed.status) == ("accepted", OrderStatus.WORKING)
        assert not broker.clock().is_open

    def test_a_half_day_that_nobody_expected_is_in_clock_and_calendar(self, server, broker):
        server.script("half_day")
        closes = datetime(2026, 11, 24, 18, tzinfo=UTC)
        assert broker.clock().next_close_utc == closes
        assert [each.close_utc for each in broker.calendar(OPEN.date(), OPEN.date())] == [closes]

    def test_a_split_overnight_changes_the_position_and_no_fill(self, server, broker):
        broker.submit(order("pp-1", 7))
        until(lambda: server.held("AAA") == 7)
        server.server.do(lambda: server.server.set_time(EVENING))
        server.script("split", symbol="AAA", ratio=2.0)
        server.server.do(lambda: server.server.set_time(MORNING))
        (position,) = broker.positions()
        assert (position.quantity, position.average_price, position.current_price) == (14, 5, 5)
        assert [fill.quantity for fill in broker.fills(BEGIN)] == [7]

    def test_orders_of_others_are_seen(self, server, broker):
        server.script("foreign_order", shares=3)
        broker.submit(order("pp-1", 5))
        until(lambda: server.held("AAA") == 8)
        names = [found.client_order_id for found in broker.orders(BEGIN)]
        assert names[0] == "pp-1"
        assert names[1].startswith("manual-")


class TestAccess:
    @pytest.mark.parametrize("keys", [(None, None), (KEY_ID, None), (KEY_ID, SecretStr(""))])
    def test_keys_that_are_missing_are_named_by_their_variables(self, keys):
        with pytest.raises(ConfigurationError, match="APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
            broker_at("http://127.0.0.1:9", keys=keys)

    def test_wrong_keys_are_refused_without_showing_them_and_new_ones_are_taken(self, server):
        keys = [KEY_ID, SecretStr("wrong-and-secret")]
        broker = AlpacaBroker(lambda: (keys[0], keys[1]), AlpacaTradingSettings(base_url=server.url))
        for ask in (broker.account, lambda: broker.submit(order("pp-1", 5))):
            with pytest.raises(AccessRefused) as refused:
                ask()
            assert "APCA_API_KEY_ID" in str(refused.value)
            assert "wrong-and-secret" not in str(refused.value)
        keys[1] = SECRET_KEY
        assert broker.account().cash == 100_000

    def test_an_address_that_is_no_trading_api(self, server):
        broker = AlpacaBroker(lambda: (KEY_ID, SECRET_KEY), AlpacaTradingSettings(base_url=server.url))
        broker._client()._api_version = "v9"
        with pytest.raises(PlatformError, match="no trading API of Alpaca"):
            broker.submit(order("pp-1", 5))


class TestRealMoney:
    def test_the_paper_account_is_the_default(self):
        assert AlpacaTradingSettings().base_url == PAPER_URL
        assert broker_at(PAPER_URL).label == "Alpaca (paper account)"
        assert broker_at("http://localhost:8766").label == "Alpaca's protocol at localhost:8766"

    @pytest.mark.parametrize("url", [LIVE_URL, "https://proxy.example.com", "https://api.alpaca.markets:443"])
    @pytest.mark.parametrize("words", ["", "yes", "true", REAL_MONEY.upper()])
    def test_no_other_account_without_the_words(self, url, words):
        with pytest.raises(ValidationError, match="trade with real money"):
            AlpacaTradingSettings(base_url=url, real_money=words)

    def test_with_the_words(self):
        settings = AlpacaTradingSettings(base_url=LIVE_URL, real_money=REAL_MONEY)
        assert not settings.is_paper
        assert AlpacaBroker(lambda: (KEY_ID, SECRET_KEY), settings).label == "Alpaca (real money, api.alpaca.markets)"

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.alpaca.markets",
            "https://u:p@api.alpaca.markets",
            "ftp://x",
            "https://paper-api.alpaca.markets/v2",
        ],
    )
    def test_an_address_in_no_usable_form(self, url):
        with pytest.raises(ValidationError):
            AlpacaTradingSettings(base_url=url, real_money=REAL_MONEY)
