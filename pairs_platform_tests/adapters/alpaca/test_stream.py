"""What a refused handshake of Alpaca's stream means."""

import asyncio
from http import HTTPStatus

import pytest

from pairs_platform.adapters.alpaca.stream import AlpacaLiveBars
from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused
from pairs_platform_tests.support.stream_servers import StreamServer


async def ignore(message: object) -> None:
    pass


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (HTTPStatus.NOT_FOUND, "wrong_address"),
        (HTTPStatus.GONE, "wrong_address"),
        (HTTPStatus.METHOD_NOT_ALLOWED, "wrong_address"),
        (HTTPStatus.UNAUTHORIZED, "auth_failed"),
        (HTTPStatus.FORBIDDEN, "auth_failed"),
        (HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"),
        (HTTPStatus.BAD_GATEWAY, None),
    ],
)
def test_a_refused_handshake_is_named_for_what_it_is(status, state):
    server = StreamServer()
    server.status = status

    async def open_once() -> None:
        connection = AlpacaLiveBars("key", "secret", feed="iex", url=server.url, receive=ignore)
        try:
            await connection.open(["AAA"])
        finally:
            await connection.shut()

    with server.running(), pytest.raises(ConnectionLost) as raised:
        asyncio.run(open_once())
    assert (raised.value.state if isinstance(raised.value, ConnectionRefused) else None) == state
    assert str(int(status)) in str(raised.value)
    if state == "wrong_address":
        assert server.url in str(raised.value)
        assert "source.alpaca.feed" in str(raised.value)
