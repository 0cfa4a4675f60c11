"""The process around the desk, over a real Redis: it waits for its replay, begins again with it, and says how it is."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pairs_platform.core.errors import ConfigurationError, PlatformError
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.platform import Platform
from pairs_platform.ports.broker import AccessRefused
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.trader.brokers import OpenAccount, open_account
from pairs_platform.processes.trader.trader import Trader
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows import trading_inputs
from pairs_platform_tests.support.awkward_secrets import MARK
from pairs_platform_tests.support.memory_broker import MemoryBroker
from pairs_platform_tests.support.simulated_broker import simulated_broker
from pairs_platform_tests.support.trading_desk import SESSION
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")

MORNING = moment_ns(session_open(SESSION)) + 6 * 60 * 10**9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("r")
    with embedded_redis(folder):
        yield folder


class Followed(MemoryBroker):
    """A broker whose stream connects and says nothing."""

    def follow(self, receiver, stopping: threading.Event) -> None:
        receiver.connected()
        stopping.wait(WAIT_SECONDS)


class Opened:
    """Opens accounts, and remembers them."""

    def __init__(self, failure: PlatformError | None = None) -> None:
        self.failure, self.brokers, self.ended = failure, list[MemoryBroker](), list[object]()

    def __call__(self, platform, clock, actions) -> OpenAccount:
        if self.failure is not None:
            raise self.failure
        self.brokers.append(Followed(clock, {"AAPL": 100.0}))
        return OpenAccount(self.brokers[-1], "PA1", end_session=self.ended.append)


@pytest.fixture
def platform(server: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A profile without prices, whose replay has not begun."""
    monkeypatch.setenv(variable("redis_url"), f"unix://{server / 'redis.sock'}")
    monkeypatch.setattr(trading_inputs, "_actions", lambda *_: ({}, ()))
    found = Platform(load_settings())
    found.streams.connection.redis.flushall()
    return found


@contextmanager
def trading(platform: Platform, opened: Callable[..., OpenAccount]) -> Iterator[Trader]:
    """A trader in a thread while the block runs."""
    trader = Trader(Platform(platform.settings), opened)
    thread = threading.Thread(target=trader.run)
    thread.start()
    try:
        yield trader
    finally:
        trader.stop()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def state(platform: Platform) -> str:
    return platform.streams.trader.read().get("state", "")


def test_it_waits_for_its_replay_trades_with_it_and_begins_again_when_that_does(platform):
    opened = Opened()
    with trading(platform, opened):
        until(lambda: state(platform) == "waiting")
        platform.streams.replay.publish_clock(MORNING, 0.0)
        until(lambda: state(platform) == "active")
        assert platform.streams.trader.read()["account"] == "PA1"
        platform.streams.replay.reset()
        platform.streams.replay.publish_clock(MORNING, 0.0)
        until(lambda: len(opened.brokers) == 2)
        platform.streams.replay.publish_clock(moment_ns(session_close(SESSION)) + 121 * 10**9, 0.0)
        until(lambda: opened.ended == [SESSION])
    assert state(platform) == "stopped"


def test_one_account_has_one_trader(platform):
    with trading(platform, Opened()):
        until(lambda: state(platform) != "")
        with pytest.raises(ConfigurationError, match="one account has one trader"):
            Trader(Platform(platform.settings), Opened()).run()


def test_wrong_keys_are_said_and_tried_again(platform):
    with trading(platform, Opened(AccessRefused("the keys may not trade"))):
        until(lambda: state(platform) == "access_refused")
        assert "may not trade" in platform.streams.trader.read()["detail"]


def test_nothing_that_a_run_says_or_stores_has_a_key(platform, monkeypatch, caplog, capfd):
    caplog.set_level(logging.INFO)
    keys = (f"PK{MARK}", f"s3cr3t-{MARK}")
    with simulated_broker(keys=keys, at=moment_utc(MORNING)) as broker:
        for name, value in (
            ("APCA_API_KEY_ID", keys[0]),
            ("APCA_API_SECRET_KEY", keys[1]),
            (variable("broker.kind"), "alpaca"),
            (variable("broker.alpaca.base_url"), broker.url),
        ):
            monkeypatch.setenv(name, value)
        platform = Platform(load_settings())
        platform.streams.replay.publish_clock(MORNING, 0.0)
        said = []
        for presented, expected in ((keys, "active"), (("other", "keys"), "access_refused")):
            broker.server.options = replace(broker.server.options, keys=presented)
            with trading(platform, open_account):
                until(lambda state_now=expected: state(platform) == state_now)
                said.append(repr(platform.streams.trader.read()))
    assert "refuses" in said[1] or "refused" in said[1]
    files = b"".join(path.read_bytes() for path in platform.settings.state_root.rglob("*") if path.is_file())
    assert b"trading is active" in files
    outputs = (*said, caplog.text, repr(platform.settings), *capfd.readouterr(), files.decode("latin-1"))
    assert not [output for output in outputs if MARK in output]
