"""The stream of updates against the simulated broker: what reaches the receiver, and what ends a connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trade_updates import DueUpdates, Follower
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.adapters.alpaca.trading_records import News
from pairs_platform.core.errors import Refused, Unavailable
from pairs_platform.core.trading.orders import Order, OrderStatus, applied
from pairs_platform.ports.broker import TradeUpdate
from pairs_platform.ports.live_bars import ConnectionRefused
from pairs_platform_tests.support.simulated_broker import KEYS, RunningBroker, order, simulated_broker
from pairs_platform_tests.support.stream_servers import StreamServer
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

KEY_ID, SECRET_KEY = map(SecretStr, KEYS)


@pytest.fixture(scope="module")
def served() -> Iterator[RunningBroker]:
    with simulated_broker() as running:
        yield running


@pytest.fixture
def server(served) -> RunningBroker:
    """The server with a new account, an open market, the first prices, and nobody who listens."""
    served.renew()
    return served


@dataclass
class Told:
    """A receiver that keeps what it is told, in order."""

    calls: list[str] = field(default_factory=list)
    updates: list[TradeUpdate] = field(default_factory=list)
    reasons: list[Unavailable] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    unknown: int = 0
    """How often the state of the account cannot be asked for."""

    snapshot: threading.Event = field(default_factory=threading.Event)
    """Ends the asking."""

    def __post_init__(self) -> None:
        self.snapshot.set()

    @property
    def events(self) -> list[str]:
        return [update.event for update in self.updates]

    def connected(self) -> None:
        self.calls.append("connected")
        assert self.snapshot.wait(WAIT_SECONDS)
        if self.unknown:
            self.unknown -= 1
            raise Unavailable("no answer")

    def updated(self, update: TradeUpdate) -> None:
        self.calls.append(update.event)
        self.updates.append(update)

    def unreadable(self, reason: str) -> None:
        self.strange.append(reason)

    def lost(self, reason: Unavailable) -> None:
        self.calls.append("lost")
        self.reasons.append(reason)


@dataclass
class Following:
    told: Told
    broker: AlpacaBroker
    failure: list[BaseException] = field(default_factory=list)


@contextmanager
def following(
    server: RunningBroker,
    told: Told | None = None,
    *,
    keys=(KEY_ID, SECRET_KEY),
    seconds: float = WAIT_SECONDS,
    url: str | None = None,
) -> Iterator[Following]:
    """Follow in a thread while the block runs; a silence of `seconds` is too long."""
    settings = AlpacaTradingSettings(base_url=url or server.url)
    broker = AlpacaBroker(lambda: (KEY_ID, SECRET_KEY), settings)
    broker._due = DueUpdates(seconds)
    run = Following(told or Told(), broker)
    follower = Follower(
        lambda: keys, settings, receiver=run.told, due=broker._due, news=News(), first_wait_s=0.01, refused_s=0.05
    )
    stopping = threading.Event()

    def work() -> None:
        try:
            follower.run(stopping)
        except Exception as error:  # noqa: BLE001 - the test asserts it
            run.failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield run
    finally:
        stopping.set()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


@contextmanager
def connected(server: RunningBroker, **more) -> Iterator[Following]:
    with following(server, **more) as run:
        until(lambda: "connected" in run.told.calls and server.server.is_followed)
        yield run


def after(name: str, quantity: int, updates: list[TradeUpdate]) -> tuple[Order, list[str]]:
    """An order after updates, and what a person must know."""
    held, anomalies = order(name, quantity), []
    for update in updates:
        anomalies += update.anomalies
        result = applied(held, update.report)
        held, anomalies = result.order, anomalies + ([result.anomaly] if result.anomaly else [])
    return held, anomalies


class TestUpdates:
    def test_an_order_is_followed_to_its_end(self, server):
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == ["new", "fill"])
        held, anomalies = after("pp-1", 5, run.told.updates)
        assert (held.status, held.executed, held.average_price, anomalies) == (OrderStatus.FILLED, 5, 10.0, [])
        assert run.told.calls == ["connected", "new", "fill"]

    @pytest.mark.parametrize(
        ("fault", "fields", "events"),
        [
            ("duplicate_event", {"event": "fill"}, ["new", "fill", "fill"]),
            ("reorder_event", {"event": "new"}, ["fill", "new"]),
            ("delay_event", {"event": "new", "seconds": 0.05}, ["fill", "new"]),
            ("drop_event", {"event": "new"}, ["fill"]),
        ],
    )
    def test_events_that_come_twice_late_or_out_of_order_end_in_the_same_order(self, server, fault, fields, events):
        server.script(fault, **fields)
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == events)
        held, anomalies = after("pp-1", 5, run.told.updates)
        assert (held.status, held.executed, len(held.fills), anomalies) == (OrderStatus.FILLED, 5, 1, [])

    def test_a_fill_that_comes_before_the_answer(self, server):
        server.script("fill_before_answer")
        with connected(server) as run:
            placed = run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == ["new", "fill"])
        assert placed.status is OrderStatus.FILLED
        assert run.broker._due.overdue() is None

    @pytest.mark.parametrize(
        ("fault", "events"),
        [("fill_during_cancel", ["new", "fill"]), ("fill_after_cancel", ["new", "canceled", "fill"])],
    )
    def test_a_fill_that_wins_the_race_against_its_cancelation(self, server, fault, events):
        server.script(fault)
        with connected(server) as run:
            placed = run.broker.submit(order("pp-1", 5, limit=9.0))
            until(lambda: run.told.events == ["new"])
            run.broker.cancel(placed.broker_order_id)
            until(lambda: run.told.events == events)
        held, _ = after("pp-1", 5, run.told.updates)
        assert (held.status, held.executed) == (OrderStatus.FILLED, 5)

    def test_a_part_that_is_filled_before_the_broker_cancels_the_rest(self, server):
        server.script("partial_then_cancel")
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == ["new", "partial_fill", "canceled"])
        held, _ = after("pp-1", 5, run.told.updates)
        assert (held.status, held.executed) == (OrderStatus.CANCELED, 2)

    @pytest.mark.parametrize(("fault", "shares", "events"), [
        ("one_share_then_silence", 1, ["new", "partial_fill"]), ("never_filled", 0, ["new"])
    ])  # fmt: skip
    def test_an_order_that_is_not_filled_any_further_works_on_until_it_is_canceled(self, server, fault, shares, events):
        server.script(fault)
        with connected(server) as run:
            placed = run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == events)
            held, _ = after("pp-1", 5, run.told.updates)
            assert (held.status, held.executed) == (OrderStatus.WORKING, shares)
            run.broker.cancel(placed.broker_order_id)
            until(lambda: run.told.events == [*events, "canceled"])
        held, anomalies = after("pp-1", 5, run.told.updates)
        assert (held.status, held.executed, anomalies) == (OrderStatus.CANCELED, shares, [])

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            ("unknown_event", "the event 'under_examination' is not known"),
            ("unknown_status", "the status 'under_examination' is not known"),
            ("unknown_field", "order field venue_hint"),
            ("zero_quantity", "has '0' shares"),
            ("price_nan", "has the price 'NaN'"),
        ],
    )
    def test_what_nobody_knows_is_named_and_nothing_is_guessed(self, server, fault, said):
        server.script(fault, event="fill")
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: len(run.told.updates) == 2)
        held, anomalies = after("pp-1", 5, run.told.updates)
        assert any(said in anomaly for anomaly in anomalies)
        assert held.filled == 5
        assert (held.executed == 5) == (fault in ("unknown_status", "unknown_field"))
        assert held.lacks_executions == (held.executed == 0)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"<html>", "Expecting value"),
            (b"[]", "without a stream"),
            (b'{"stream": "news", "data": {}}', "'news'"),
            (b'{"stream": "trade_updates", "data": {"event": "fill"}}', "order that is none"),
            (b"\xff", "codec"),
        ],
    )
    def test_a_message_that_cannot_be_read_is_told_and_the_next_one_is_read(self, server, content, said):
        with connected(server) as run:
            server.server.do(lambda: server.server._send(content))
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events == ["new", "fill"])
        assert len(run.told.strange) == 1
        assert said in run.told.strange[0]

    def test_orders_of_others_and_liquidations_are_told(self, server):
        server.script("foreign_order", "liquidation", seconds=0.05)
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.events.count("fill") == 2)
            run.broker.submit(order("pp-2", 5))
            until(lambda: run.told.events.count("fill") == 4)
        names = [update.order.client_order_id.split("-")[0] for update in run.told.updates if update.event == "fill"]
        assert sorted(names) == ["liquidation", "manual", "pp", "pp"]


class TestConnection:
    def test_what_comes_while_the_account_is_asked_for_follows_it(self, server):
        told = Told()
        told.snapshot.clear()
        with following(server, told) as run:
            until(lambda: told.calls == ["connected"])
            run.broker.submit(order("pp-1", 5))
            until(lambda: server.order("pp-1")["status"] == "filled")
            assert told.updates == []
            told.snapshot.set()
            until(lambda: told.events == ["new", "fill"])

    def test_a_broken_connection_is_made_again_and_the_account_asked_for_again(self, server):
        server.script("break_stream", event="fill")
        with connected(server) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.calls == ["connected", "new", "lost", "connected"])
            assert run.broker.order("pp-1").status is OrderStatus.FILLED

    def test_while_the_account_cannot_be_asked_for_there_is_no_stream(self, server):
        with following(server, Told(unknown=2)) as run:
            until(lambda: run.told.calls == ["connected", "lost"] * 2 + ["connected"])
        assert "the state of the account is not known: no answer" in str(run.told.reasons[0])

    def test_a_mute_stream_is_noticed_by_what_it_does_not_say(self, server):
        server.script("mute_stream")
        with connected(server, seconds=0.1) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.told.calls == ["connected", "lost", "connected"])
            assert "says nothing of the order pp-1" in str(run.told.reasons[0])
            run.broker.submit(order("pp-2", 5))
            until(lambda: run.told.events == ["new", "fill"])

    def test_a_cancelation_of_which_nothing_is_said_is_noticed_too(self, server):
        server.script("cancel_ignored")
        with connected(server, seconds=0.1) as run:
            placed = run.broker.submit(order("pp-1", 5, limit=9.0))
            until(lambda: run.told.events == ["new"])
            run.broker.cancel(placed.broker_order_id)
            until(lambda: "lost" in run.told.calls)

    def test_a_second_connection_is_named_and_made_when_the_first_one_has_ended(self, server):
        with connected(server):
            second = following(server)
            late = second.__enter__()
            until(lambda: late.told.reasons)
        reason = late.told.reasons[0]
        assert isinstance(reason, ConnectionRefused)
        assert reason.state == "rate_limited"
        assert "another one is open" in str(reason)
        until(lambda: "connected" in late.told.calls)
        second.__exit__(None, None, None)

    def test_a_handshake_that_is_refused_is_tried_again(self, server):
        server.script("refuse_stream", times=2)
        with following(server) as run:
            until(lambda: run.told.calls == ["lost", "lost", "connected"])
        assert all(isinstance(each, ConnectionRefused) and each.state == "rate_limited" for each in run.told.reasons)

    def test_wrong_keys_are_named_and_new_ones_are_taken(self, server):
        keys = [KEY_ID, SecretStr("wrong-and-secret")]
        with following(server, keys=keys) as run:
            until(lambda: len(run.told.reasons) == 2)
            assert all(isinstance(each, ConnectionRefused) and each.state == "auth_failed" for each in run.told.reasons)
            assert "wrong-and-secret" not in str(run.told.reasons[0])
            keys[1] = SECRET_KEY
            until(lambda: "connected" in run.told.calls)

    def test_keys_that_are_gone_are_named(self, server):
        with following(server, keys=(None, None)) as run:
            until(lambda: run.told.reasons)
        assert "APCA_API_KEY_ID" in str(run.told.reasons[0])

    def test_an_address_without_a_stream_ends_it(self, server):
        nowhere = StreamServer()
        nowhere.status = HTTPStatus.NOT_FOUND
        with (
            nowhere.running(),
            following(server, url=nowhere.url.replace("ws://", "http://").removesuffix("/v2/iex")) as run,
        ):
            until(lambda: run.failure)
        assert isinstance(run.failure[0], Refused)
        assert "check the setting base_url" in str(run.failure[0])

    def test_a_bug_of_the_receiver_is_no_lost_connection(self, server):
        class Broken(Told):
            def updated(self, update: TradeUpdate) -> None:
                raise KeyError("a bug")

        with connected(server, told=Broken()) as run:
            run.broker.submit(order("pp-1", 5))
            until(lambda: run.failure)
        assert isinstance(run.failure[0], KeyError)


class TestDue:
    def test_an_order_is_overdue_after_the_time_unless_something_is_said_of_it(self):
        now = [0.0]
        due = DueUpdates(10.0, lambda: now[0])
        for name in ("a", "b", "c"):
            due.expect(name)
        now[0] = 10.0
        assert due.overdue() is None
        now[0] = 10.1
        assert due.overdue() == "a"
        due.heard("a", "broker's id of a")
        assert due.overdue() == "b"
        due.clear()
        assert due.overdue() is None

    def test_the_time_counts_from_the_first_request(self):
        now = [0.0]
        due = DueUpdates(10.0, lambda: now[0])
        due.expect("a")
        now[0] = 8.0
        due.expect("a")
        now[0] = 11.0
        assert due.overdue() == "a"
