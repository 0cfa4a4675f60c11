import os
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from pairs_platform.adapters.redis.connection import address, connect
from pairs_platform.adapters.redis.socket_file import socket_path
from pairs_platform.core.errors import ConfigurationError, Refused, StreamUnavailable
from pairs_platform_tests.support.redis_streams import SESSION, bar, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_an_absent_server_is_never_no_data(tmp_path):
    streams = make_streams(connect(None, tmp_path))
    for read in (
        lambda: streams.bars.of_session(SESSION),
        streams.bar_closes.after,
        streams.health.read,
        streams.bars.newest,
        streams.replay.generation,
        streams.replay.reset,
    ):
        with pytest.raises(StreamUnavailable, match="does not answer"):
            read()
    with pytest.raises(StreamUnavailable):
        streams.bars.add([bar()])


def test_a_message_names_the_server_without_its_password():
    client = connect("redis://somebody:secret-word@127.0.0.1:1/3", Path())
    assert address(client) == "127.0.0.1:1/3"
    with pytest.raises(StreamUnavailable) as raised:
        make_streams(client).health.read()
    assert "127.0.0.1:1/3" in str(raised.value)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="PAIRS_PLATFORM__REDIS_URL is no address"):
        connect("http://example.com", Path())


def test_a_long_path_gets_a_short_socket():
    long = Path("/") / ("x" * 120)
    assert len(str(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long) != socket_path(long / "y")


@pytest.fixture
def locked(client) -> redis.Redis:
    """A server with a password and a user of few rights."""
    client.execute_command("ACL", "SETUSER", "reader", "on", ">Re@der:w/rd", "~*", "-@all", "+hgetall", "+ping")
    client.config_set("requirepass", "Pa@ss:w/rd")
    yield client
    client.execute_command("AUTH", "Pa@ss:w/rd")
    client.config_set("requirepass", "")
    client.execute_command("ACL", "DELUSER", "reader")


def url(server: Path, user: str = "", password: str = "") -> str:
    given = f"{user}:{quote(password, safe='')}@" if password else ""
    return f"unix://{given}{socket_path(server)}"


@pytest.mark.parametrize(
    ("user", "password", "told"),
    [
        ("", "", "needs a password"),
        ("", "Wr@ng:w/rd", "does not take user and password"),
        ("nobody", "Pa@ss:w/rd", "does not take user and password"),
        ("reader", "Re@der:w/rd", "too few rights"),
    ],
)
def test_a_refusal_is_named_with_the_variable_and_is_not_tried_again(server, locked, user, password, told):
    streams = make_streams(connect(url(server, user, password), Path()))
    with pytest.raises(Refused, match=told) as raised:
        streams.bars.add([bar()])
    assert "PAIRS_PLATFORM__REDIS_URL" in str(raised.value)
    assert "w/rd" not in str(raised.value)
    assert "does not answer" not in str(raised.value)
    streams.close()


def test_a_server_that_drops_bars_says_so(server, client):
    connection = make_streams(client).connection
    assert connection.eviction() == ""
    for policy, limit, drops in (
        ("allkeys-lru", "50mb", True),
        ("volatile-ttl", "50mb", True),
        ("noeviction", "50mb", False),
        ("allkeys-lru", "0", False),
    ):
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", limit)
        assert (policy in connection.eviction() and "noeviction" in connection.eviction()) == drops
    client.config_set("maxmemory-policy", "noeviction")


def test_a_user_without_info_leaves_it_open(server, locked):
    streams = make_streams(connect(url(server, "reader", "Re@der:w/rd"), Path()))
    assert "does not say whether it drops bars" in streams.connection.eviction()
    streams.close()
