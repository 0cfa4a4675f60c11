"""The simulated broker, seen by Alpaca's own client library, unmodified, and by plain requests where it has no call."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
import requests
import websockets
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
)
from alpaca.trading.stream import TradingStream
from pydantic import ValidationError
from websockets.sync import client as websocket_client

from pairs_platform.processes.broker.faults import PRESETS, FaultScript
from pairs_platform_tests.support.simulated_broker import (
    EVENING,
    KEYS,
    MORNING,
    PRICES,
    RunningBroker,
    simulated_broker,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

AT_ONCE = 0.0
"""What came before a pong is there when the pong is."""

ONE = {"symbol": "AAA", "qty": "1", "side": "buy", "time_in_force": "day"}
HEADERS = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}


@pytest.fixture(scope="module")
def served() -> Iterator[RunningBroker]:
    with simulated_broker() as running:
        yield running


@pytest.fixture
def broker(served) -> RunningBroker:
    """The server with a new account, an open market and the first prices."""
    served.renew()
    return served


@pytest.fixture
def client(broker) -> TradingClient:
    client = TradingClient(*KEYS, url_override=broker.url)
    client._retry_wait = 0  # the library's own three seconds would be waited for
    return client


def market(symbol: str, qty: float, side: str = "buy", name: str | None = None) -> MarketOrderRequest:
    return MarketOrderRequest(
        symbol=symbol, qty=qty, side=OrderSide(side), time_in_force=TimeInForce.DAY, client_order_id=name
    )


def limit(symbol: str, qty: float, price: float, side: str = "buy", name: str | None = None) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol=symbol,
        qty=qty,
        side=OrderSide(side),
        time_in_force=TimeInForce.DAY,
        limit_price=price,
        client_order_id=name,
    )


def status_of(client: TradingClient, name: str) -> OrderStatus:
    return client.get_order_by_client_id(name).status


def filled(client: TradingClient, request: MarketOrderRequest, name: str) -> None:
    client.submit_order(request)
    until(lambda: status_of(client, name) is OrderStatus.FILLED)


def refusal(client: TradingClient, request: MarketOrderRequest | LimitOrderRequest) -> tuple[int, int, str]:
    with pytest.raises(APIError) as refused:
        client.submit_order(request)
    return refused.value.status_code, refused.value.code, refused.value.message


@contextmanager
def following(broker: RunningBroker) -> Iterator[list[TradeUpdate]]:
    """An unmodified `TradingStream` in a thread while the block runs."""
    got: list[TradeUpdate] = []

    async def take(update: TradeUpdate) -> None:
        got.append(update)

    stream = TradingStream(*KEYS, url_override=broker.stream_url)
    stream.subscribe_trade_updates(take)
    until(lambda: broker.server._stream is None)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    until(lambda: broker.server.is_followed)
    try:
        yield got
    finally:
        # Its loop looks once in five seconds whether it was told to end.
        broker.server.do(broker.server._break_stream)
        stream.stop()
        thread.join(WAIT_SECONDS)


class TestOrders:
    def test_a_market_order_is_filled_at_the_last_price_and_moves_cash_and_position(self, broker, client):
        placed = client.submit_order(market("AAA", 7, name="one"))
        assert (placed.client_order_id, placed.qty, placed.filled_qty) == ("one", "7", "0")
        order = until(lambda: (now := client.get_order_by_id(placed.id)).status is OrderStatus.FILLED and now)
        assert (order.filled_qty, order.filled_avg_price) == ("7", "10")
        position = client.get_open_position("AAA")
        assert (position.qty, position.side.value, position.qty_available) == ("7", "long", "7")
        assert client.get_open_position(placed.asset_id) == position
        account = client.get_account()
        assert (account.cash, account.equity) == ("99930.00", "100000.00")

    def test_a_short_position_is_negative_and_its_money_comes_in(self, broker, client):
        filled(client, market("BBB", 3, "sell", "short"), "short")
        (position,) = client.get_all_positions()
        assert (position.symbol, position.qty, position.side.value) == ("BBB", "-3", "short")
        assert client.get_account().cash == "100060.00"

    def test_a_limit_order_waits_for_its_price(self, broker, client):
        client.submit_order(limit("AAA", 5, 9.5, name="low"))
        until(lambda: status_of(client, "low") is OrderStatus.NEW)
        assert [order.client_order_id for order in client.get_orders()] == ["low"]
        broker.server.do(lambda: broker.server.set_prices({"AAA": 9.4}))
        assert status_of(client, "low") is OrderStatus.FILLED
        assert client.get_order_by_client_id("low").filled_avg_price == "9.4"
        assert client.get_orders() == []

    def test_a_canceled_order_ends_and_another_cancelation_is_refused(self, broker, client):
        order = client.submit_order(limit("AAA", 5, 9.5, name="low"))
        client.cancel_order_by_id(order.id)
        until(lambda: status_of(client, "low") is OrderStatus.CANCELED)
        with pytest.raises(APIError) as refused:
            client.cancel_order_by_id(order.id)
        assert (refused.value.status_code, refused.value.code) == (422, 42210000)

    def test_all_orders_are_canceled_at_once(self, broker, client):
        for name in ("a", "b"):
            client.submit_order(limit("AAA", 5, 9.5, name=name))
        assert [answer.status for answer in client.cancel_orders()] == [200, 200]
        until(lambda: not client.get_orders())

    def test_a_replaced_order_has_a_new_id_and_names_the_old_one(self, broker, client):
        old = client.submit_order(limit("AAA", 5, 9.5, name="old"))
        new = client.replace_order_by_id(old.id, ReplaceOrderRequest(qty=6, limit_price=9.6))
        assert (new.replaces, new.qty, new.limit_price) == (old.id, "6", "9.6")
        assert client.get_order_by_id(old.id).status is OrderStatus.REPLACED

    def test_the_list_has_open_ones_newest_first_unless_asked_otherwise(self, broker, client):
        filled(client, market("AAA", 1, name="first"), "first")
        for name in ("second", "third"):
            client.submit_order(limit("BBB", 1, 9, name=name))

        def names(**query: object) -> list[str]:
            return [order.client_order_id for order in client.get_orders(GetOrdersRequest(**query))]

        assert [order.client_order_id for order in client.get_orders()] == ["third", "second"]
        assert names(status=QueryOrderStatus.ALL, direction="asc") == ["first", "second", "third"]
        assert names(status=QueryOrderStatus.ALL, direction="asc", limit=1) == ["first"]
        assert names(status=QueryOrderStatus.CLOSED) == ["first"]
        assert names(status=QueryOrderStatus.ALL, symbols=["BBB"], side=OrderSide.BUY) == ["third", "second"]
        second = client.get_order_by_client_id("second").submitted_at
        assert names(status=QueryOrderStatus.ALL, after=second) == ["third"]
        assert names(status=QueryOrderStatus.ALL, until=second) == ["first"]

    def test_an_order_that_nobody_knows(self, broker, client):
        for ask in (
            lambda: client.get_order_by_client_id("never"),
            lambda: client.get_order_by_id("00000000-0000-4000-8000-000000000000"),
            lambda: client.cancel_order_by_id("00000000-0000-4000-8000-000000000000"),
            lambda: client.get_open_position("AAA"),
            lambda: client.get_asset("ZZZ"),
        ):
            with pytest.raises(APIError) as refused:
                ask()
            assert refused.value.status_code == 404

    def test_fills_are_account_activities(self, broker, client):
        filled(client, market("AAA", 7, name="one"), "one")
        (fill,) = client.get("/account/activities/FILL")
        order = client.get_order_by_client_id("one")
        assert (fill["order_id"], fill["qty"], fill["cum_qty"], fill["price"]) == (str(order.id), "7", "7", "10")
        assert client.get("/account/activities", {"activity_types": "DIV"}) == []
        after = datetime.now(UTC) + timedelta(days=400)
        assert client.get("/account/activities/FILL", {"after": after.isoformat()}) == []
        assert client.get("/account/activities/FILL", {"page_token": fill["id"]}) == []

    def test_partial_fills_come_at_random_and_add_up(self):
        with simulated_broker(partial_share=0.9) as broker:
            client = TradingClient(*KEYS, url_override=broker.url)
            filled(client, market("AAA", 100, name="parts"), "parts")
            fills = client.get("/account/activities/FILL", {"direction": "asc"})
        assert len(fills) > 1
        assert sum(int(fill["qty"]) for fill in fills) == 100
        assert max(int(fill["cum_qty"]) for fill in fills) == 100


class TestPositions:
    def test_one_is_closed_whole_or_in_part(self, broker, client):
        filled(client, market("AAA", 8, name="one"), "one")
        half = client.close_position("AAA", ClosePositionRequest(percentage="50"))
        until(lambda: client.get_open_position("AAA").qty == "4")
        assert (half.side, half.qty) == (OrderSide.SELL, "4")
        client.close_position("AAA", ClosePositionRequest(qty="1"))
        until(lambda: client.get_open_position("AAA").qty == "3")
        client.close_position("AAA")
        until(lambda: not client.get_all_positions())

    def test_all_are_closed_and_their_orders_canceled(self, broker, client):
        filled(client, market("AAA", 8, name="one"), "one")
        client.submit_order(limit("AAA", 8, 11, "sell", "exit"))
        (answer,) = client.close_all_positions(cancel_orders=True)
        assert (answer.status, answer.symbol) == (200, "AAA")
        until(lambda: not client.get_all_positions())
        assert status_of(client, "exit") is OrderStatus.CANCELED


class TestAccount:
    def test_account_configurations_assets_and_history_are_read_by_the_library_s_models(self, broker, client):
        filled(client, market("AAA", 7, name="one"), "one")
        account = client.get_account()
        assert (account.buying_power, account.multiplier, account.shorting_enabled) == ("199930.00", "2", True)
        configuration = client.get_account_configurations()
        configuration.no_shorting = True
        assert client.set_account_configurations(configuration).no_shorting
        assert client.get_account().shorting_enabled is False
        assert {asset.symbol for asset in client.get_all_assets()} == set(PRICES)
        assert client.get_asset("AAA").easy_to_borrow
        assert client.get_portfolio_history().equity == [100_000.0]

    def test_keys_are_required(self, broker):
        assert requests.get(f"{broker.url}/v2/account").status_code == 401
        wrong = requests.get(f"{broker.url}/v2/account", headers={**HEADERS, "APCA-API-SECRET-KEY": "x"})
        assert (wrong.status_code, wrong.json()) == (403, {"message": "forbidden."})


class TestHours:
    def test_clock_and_calendar_with_a_half_day(self, broker, client):
        clock = client.get_clock()
        assert clock.is_open
        assert clock.next_close == datetime(2026, 11, 24, 21, tzinfo=UTC)
        assert clock.next_open == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
        days = client.get_calendar(GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 27)))
        assert [(day.date.day, day.open.hour, day.close.hour) for day in days] == [(25, 9, 16), (27, 9, 13)]
        assert all(day.close.tzinfo is None for day in days)

    def test_a_half_day_of_the_script_ends_at_one(self):
        script = FaultScript.model_validate({"faults": [{"do": "half_day"}]})
        with simulated_broker(script=script) as broker:
            client = TradingClient(*KEYS, url_override=broker.url)
            assert client.get_clock().next_close == datetime(2026, 11, 24, 18, tzinfo=UTC)

    def test_an_order_of_the_evening_waits_for_the_opening_and_so_does_its_cancelation(self, broker, client):
        broker.server.do(lambda: broker.server.set_time(EVENING))
        client.submit_order(market("AAA", 1, name="waits"))
        client.cancel_order_by_id(client.submit_order(market("BBB", 1, name="canceled")).id)
        assert status_of(client, "waits") is OrderStatus.ACCEPTED
        assert status_of(client, "canceled") is OrderStatus.PENDING_CANCEL
        broker.server.do(lambda: broker.server.set_time(MORNING))
        until(lambda: status_of(client, "waits") is OrderStatus.FILLED)
        assert status_of(client, "canceled") is OrderStatus.CANCELED

    def test_a_day_order_expires_at_the_close(self, broker, client):
        client.submit_order(limit("AAA", 1, 9, name="day"))
        broker.server.do(lambda: broker.server.set_time(EVENING))
        assert status_of(client, "day") is OrderStatus.EXPIRED

    def test_a_short_sale_that_waits_is_canceled_when_its_symbol_turns_hard_to_borrow(self, broker, client):
        broker.server.do(lambda: broker.server.set_time(EVENING))
        client.submit_order(market("AAA", 1, "sell", "short"))
        changed = requests.post(
            f"{broker.url}/simulator/assets", json={"AAA": {"borrow_status": "hard_to_borrow"}}, headers=HEADERS
        )
        assert changed.status_code == 200
        broker.server.do(lambda: broker.server.set_time(MORNING))
        assert status_of(client, "short") is OrderStatus.CANCELED


class TestRefused:
    def test_what_an_order_must_say(self, broker, client):
        assert refusal(client, market("ZZZ", 1)) == (422, 42210000, 'asset "ZZZ" not found')
        assert refusal(client, limit("AAA", 1, 9.555))[:2] == (422, 42210000)
        assert refusal(client, market("AAA", 1, name="x" * 49))[:2] == (422, 40010001)
        for fields in ({}, {"symbol": "AAA"}, {"symbol": "AAA", "qty": 0}, {"symbol": "AAA", "qty": 1, "side": "up"}):
            answer = requests.post(f"{broker.url}/v2/orders", json=fields, headers=HEADERS)
            assert (answer.status_code, answer.json()["code"]) == (422, 40010001), fields

    def test_a_client_id_is_taken_for_ever(self, broker, client):
        order = client.submit_order(limit("AAA", 1, 9, name="once"))
        client.cancel_order_by_id(order.id)
        until(lambda: status_of(client, "once") is OrderStatus.CANCELED)
        assert refusal(client, market("AAA", 1, name="once")) == (422, 40010001, "client_order_id must be unique")

    def test_buying_power_and_what_working_orders_hold_of_it(self, broker, client):
        status, code, message = refusal(client, market("AAA", 20_000))
        assert (status, code, message) == (403, 40310000, "insufficient buying power")
        client.submit_order(limit("AAA", 15_000, 9))
        assert refusal(client, market("BBB", 5_000))[2] == "insufficient buying power"

    def test_a_close_is_never_larger_than_what_is_free(self, broker, client):
        filled(client, market("AAA", 10, name="one"), "one")
        assert "insufficient qty available" in refusal(client, market("AAA", 11, "sell"))[2]
        client.submit_order(limit("AAA", 6, 11, "sell"))
        assert "requested: 5, available: 4" in refusal(client, market("AAA", 5, "sell"))[2]

    def test_one_direction_at_a_time(self, broker, client):
        client.submit_order(limit("AAA", 1, 9))
        assert refusal(client, market("AAA", 1, "sell"))[2] == (
            "cannot open a short sell while a long buy order is open"
        )
        client.submit_order(limit("BBB", 1, 25, "sell"))
        assert refusal(client, market("BBB", 1))[2] == "cannot open a long buy while a short sell order is open"
        filled(client, market("CCC", 2, name="held"), "held")
        client.submit_order(limit("CCC", 1, 40, "sell"))
        assert "wash trade" in refusal(client, market("CCC", 1))[2]

    def test_short_sales_need_borrow_whole_shares_and_equity(self, broker, client):
        assert refusal(client, market("AAA", 1.5, "sell"))[2] == "fractional orders cannot be sold short"
        requests.post(f"{broker.url}/simulator/assets", json={"AAA": {"shortable": False}})
        assert refusal(client, market("AAA", 1, "sell")) == (403, 40310000, 'asset "AAA" cannot be sold short')
        broker.server.account.state.cash -= 99_000
        assert refusal(client, market("BBB", 1, "sell"))[2] == "account is not allowed to short"

    def test_the_limit_of_requests(self):
        with simulated_broker(requests_per_minute=2) as broker:
            statuses = [requests.get(f"{broker.url}/v2/clock", headers=HEADERS).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]


class TestStream:
    def test_the_library_s_stream_follows_an_order(self, broker, client):
        with following(broker) as got:
            filled(client, market("AAA", 4, name="one"), "one")
            until(lambda: len(got) == 2)
        assert [str(update.event) for update in got] == ["new", "fill"]
        fill = got[-1]
        assert (fill.qty, fill.price, fill.position_qty, fill.order.filled_qty) == (4.0, 10.0, 4.0, "4")
        (activity,) = client.get("/account/activities/FILL")
        assert activity["id"].endswith(str(fill.execution_id))

    def test_a_second_connection_is_refused_at_the_handshake(self, broker):
        with following(broker), pytest.raises(websockets.InvalidStatus) as refused:
            websocket_client.connect(broker.stream_url, open_timeout=WAIT_SECONDS)
        assert refused.value.response.status_code == 429

    def test_wrong_keys_are_said_and_nothing_is_heard(self, broker):
        until(lambda: broker.server._stream is None)
        with websocket_client.connect(broker.stream_url, open_timeout=WAIT_SECONDS) as connection:
            for action, data in (
                ("authenticate", {"key_id": KEYS[0], "secret_key": "x"}),
                ("listen", {"streams": ["trade_updates"]}),
            ):
                connection.send(json.dumps({"action": action, "data": data}))
                assert json.loads(connection.recv())["data"]["status"] == "unauthorized"
        assert not broker.server.is_followed


class TestFaults:
    """What a fault does; the adapter's tests say how it is taken."""

    def test_the_library_sends_an_order_twice_after_a_504_and_the_id_keeps_it_one(self, broker, client):
        broker.script("accept_then_504")
        with pytest.raises(APIError) as refused:
            client.submit_order(market("AAA", 1, name="once"))
        assert refused.value.message == "client_order_id must be unique"
        assert broker.server.requests == ["submit", "submit"]
        assert len(broker.state()["orders"]) == 1

    @pytest.mark.parametrize("fault", ["accept_then_reset", "accept_then_garbage", "restart"])
    def test_an_answer_that_is_lost(self, broker, client, fault):
        broker.script(fault)
        with pytest.raises(requests.RequestException):
            client.submit_order(market("AAA", 1, name="once"))
        assert len(broker.state()["orders"]) == (0 if fault == "restart" else 1)

    def test_events_are_duplicated_dropped_reordered_and_delayed(self, broker, client):
        with following(broker) as got:
            for fault, fields, seen in (
                ("duplicate_event", {"event": "fill"}, ["new", "fill", "fill"]),
                ("drop_event", {"event": "new"}, ["fill"]),
                ("reorder_event", {"event": "new"}, ["fill", "new"]),
                ("delay_event", {"event": "new", "seconds": 0.1}, ["fill", "new"]),
                ("unknown_event", {"event": "new"}, ["under_examination", "fill"]),
            ):
                broker.script(fault, **fields)
                got.clear()
                filled(client, market("AAA", 1, name=fault), fault)
                until(lambda seen=seen: len(got) == len(seen))
                assert [str(update.event) for update in got] == seen, fault

    def test_orders_that_end_otherwise_than_they_began(self, broker, client):
        for fault, fields, end, shares in (
            ("reject_later", {}, "rejected", "0"),
            ("partial_then_cancel", {}, "canceled", "5"),
            ("one_share_then_silence", {}, "partially_filled", "1"),
            ("one_share_then_silence", {"shares": 3}, "partially_filled", "3"),
            ("never_filled", {}, "new", "0"),
            ("fill_before_answer", {}, "filled", "10"),
        ):
            name = f"{fault}{len(fields)}"
            broker.script(fault, **fields)
            client.submit_order(market("AAA", 10, name=name))
            until(lambda name=name, end=end: broker.order(name)["status"] == end)
            assert broker.order(name)["filled_qty"] == shares, fault

    @pytest.mark.parametrize(
        ("fault", "end", "shares"),
        [
            ("fill_during_cancel", "filled", "10"),
            ("fill_after_cancel", "filled", "10"),
            ("cancel_ignored", "pending_cancel", "0"),
        ],
    )
    def test_what_becomes_of_a_cancelation(self, broker, client, fault, end, shares):
        broker.script(fault)
        order = client.submit_order(limit("AAA", 10, 9, name=fault))
        until(lambda: broker.order(fault)["status"] == "new")
        client.cancel_order_by_id(order.id)
        until(lambda: broker.order(fault)["status"] == end)
        assert broker.order(fault)["filled_qty"] == shares

    def test_an_order_of_somebody_else_and_a_liquidation(self, broker, client):
        broker.script("foreign_order", shares=3)
        filled(client, market("AAA", 4, name="own"), "own")
        until(lambda: broker.held("AAA") == 7)
        broker.script("liquidation", seconds=0.05)
        filled(client, market("AAA", 1, name="more"), "more")
        until(lambda: broker.held("AAA") == 0)
        assert [order["client_order_id"].split("-")[0] for order in broker.state()["orders"]] == [
            "own",
            "manual",
            "more",
            "liquidation",
        ]

    def test_a_split_overnight(self, broker, client):
        filled(client, market("AAA", 7, name="one"), "one")
        broker.server.do(lambda: broker.server.set_time(EVENING))
        broker.script("split", symbol="AAA", ratio=0.5)
        broker.server.do(lambda: broker.server.set_time(MORNING))
        position = client.get_open_position("AAA")
        assert (position.qty, position.current_price, position.avg_entry_price) == ("3", "20", "20")

    def test_positions_and_orders_lag_behind(self, broker, client):
        broker.script("positions_lag", "orders_lag", seconds=0.3)
        client.submit_order(market("AAA", 1, name="late"))
        until(lambda: broker.held("AAA") == 1)
        assert client.get_all_positions() == []
        assert client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL)) == []
        until(lambda: client.get_all_positions())
        until(lambda: status_of(client, "late") is OrderStatus.FILLED)

    def test_fields_that_alpaca_left_out_are_missing_and_break_the_library_s_asset(self, broker, client):
        broker.script("missing_fields")
        assert client.get_account().pattern_day_trader is None
        with pytest.raises(ValidationError, match="easy_to_borrow"):
            client.get_asset("AAA")

    def test_a_clock_that_is_wrong(self, broker, client):
        right = client.get_clock().timestamp
        broker.script("clock_skew", seconds=90)
        assert 89 < (client.get_clock().timestamp - right).total_seconds() < 91 + WAIT_SECONDS

    def test_a_gateway_that_fails_and_a_burst_of_refusals(self, broker):
        def statuses(n: int) -> list[int]:
            return [requests.get(f"{broker.url}/v2/clock", headers=HEADERS).status_code for _ in range(n)]

        broker.script("rate_limit", times=2, request="clock")
        assert statuses(3) == [429, 429, 200]
        broker.script("bad_gateway")
        answer = requests.get(f"{broker.url}/v2/clock", headers=HEADERS)
        assert answer.status_code == 502
        assert answer.text.startswith("<html>")

    def test_a_mute_stream_answers_pings_and_says_nothing_of_orders(self, broker, client):
        until(lambda: broker.server._stream is None)
        broker.script("mute_stream")
        with websocket_client.connect(broker.stream_url, open_timeout=WAIT_SECONDS) as connection:
            for action, data in (
                ("authenticate", {"key_id": KEYS[0], "secret_key": KEYS[1]}),
                ("listen", {"streams": ["trade_updates"]}),
            ):
                connection.send(json.dumps({"action": action, "data": data}))
                connection.recv()
            filled(client, market("AAA", 1, name="unheard"), "unheard")
            assert connection.ping().wait(WAIT_SECONDS)
            with pytest.raises(TimeoutError):
                connection.recv(timeout=AT_ONCE)

    def test_a_script_ends_the_same_way_each_time(self, broker, client):
        def ends() -> list[tuple[str, str]]:
            broker.server.do(lambda: broker.server.begin_again(FaultScript(seed=3, faults=PRESETS["chaos"])))
            for number in range(12):
                name = f"n{number}"
                try:
                    requests.post(
                        f"{broker.url}/v2/orders",
                        json=market("AAA", 2, name=name).to_request_fields(),
                        headers=HEADERS,
                    )
                except requests.RequestException:
                    continue
            until(lambda: all(order["status"] not in ("pending_new",) for order in broker.state()["orders"]))
            return [(order["client_order_id"], order["id"]) for order in broker.state()["orders"]]

        assert ends() == ends() != []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "orders?status=all&after=2026-11-24", None, 200),
        ("GET", "account/activities/FILL?after=2026-11-24T15:00:00", None, 200),
        ("POST", "orders", [1], 400),
        ("PATCH", "account/configurations", "no", 400),
        ("POST", "orders", {**ONE, "type": "limit", "limit_price": "1e40"}, 422),
        ("DELETE", "positions/AAA?qty=all", None, 422),
        ("DELETE", "positions/AAA?percentage=half", None, 422),
    ],
)
def test_a_request_that_nobody_foresaw_is_answered_and_ends_nothing(broker, client, method, path, body, status):
    filled(client, market("AAA", 7, name="one"), "one")
    answer = requests.request(method, f"{broker.url}/v2/{path}", json=body, headers=HEADERS)
    assert answer.status_code == status
    if method == "GET":
        assert len(answer.json()) == 1, "a time without a zone is UTC"
    assert broker.server.failure is None


class TestControl:
    def test_what_really_happened_can_be_seen_and_prices_time_and_script_changed(self, broker, client):
        def post(name: str, content: object) -> int:
            return requests.post(f"{broker.url}/simulator/{name}", json=content).status_code

        assert post("prices", {"AAA": 12}) == 200
        assert post("time", "2026-11-25T15:00:00+00:00") == 200
        assert post("faults", {"do": "reject_later"}) == 200
        client.submit_order(market("AAA", 1, name="one"))
        until(lambda: broker.order("one")["status"] == "rejected")
        state = requests.get(f"{broker.url}/simulator").json()
        assert state["prices"]["AAA"] == "12"
        assert state["clock"]["timestamp"].startswith("2026-11-25T10:00")
        assert state["faults"] == ["reject_later"]
        for name, content in (("prices", {"ZZZ": 1}), ("prices", {"AAA": "NaN"}), ("faults", {"do": "nothing"})):
            assert post(name, content) == 422
        assert post("reset", {"seed": 2}) == 200
        assert requests.get(f"{broker.url}/simulator").json()["orders"] == []
