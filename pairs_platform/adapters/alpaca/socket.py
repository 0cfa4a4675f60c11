"""What the sockets of Alpaca's streams have in common: their keys, and what a failure of library or server means.

What does not belong here: what a stream says (`stream`, `trade_updates`).
"""

import contextlib
from collections.abc import Callable, Iterator

import websockets
from websockets.legacy.exceptions import InvalidStatusCode  # the library connects by the legacy client (0.44)

from pairs_platform.adapters.alpaca.keys import Keys, present_keys
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused

CONNECT_SECONDS = 20.0
SOCKET = {"ping_interval": 10, "ping_timeout": 60, "close_timeout": 2, "max_queue": 16, "max_size": 2**24}
"""A pong waits behind the messages that wait for a slow receiver; few wait, so that it comes in time."""

_KEY_ERRORS = (401, 402, 403, 404, 409)
_LIMIT_ERRORS = (405, 406, 407, 429)
_ADDRESS_STATUSES = (404, 405, 410)
_KEY_PHRASES = ("auth", "insufficient subscription", "forbidden")
_LIMIT_PHRASES = ("limit", "slow client", "too many")


def keys_of_the_moment(keys: Callable[[], Keys]) -> tuple[str, str]:
    """Key id and secret key of a connection that is about to be made.

    Raises
    ------
    ConnectionRefused
        There are none at the moment, as while a file of keys is being replaced.
    """
    try:
        return present_keys(keys())
    except ConfigurationError as error:
        raise ConnectionRefused("auth_failed", str(error)) from error


@contextlib.contextmanager
def translated(address: str = "", *, check: str = "", limit: str = "") -> Iterator[None]:
    """Raise `ConnectionLost` or `ConnectionRefused` in the place of what the library raises.

    Parameters
    ----------
    address : str
        To which a connection is made.
    check : str
        What a person checks where there is no stream at it.
    limit : str
        What a limit at the handshake means.
    """
    try:
        yield
    except InvalidStatusCode as error:
        status = int(error.status_code)
        if status in _ADDRESS_STATUSES:
            raise ConnectionRefused(
                "wrong_address", f"there is no stream at {address} (HTTP status {status}): check {check}"
            ) from error
        said = f"HTTP status {status}" + (f": {limit}" if limit and status in _LIMIT_ERRORS else "")
        raise refusal(status, said) or ConnectionLost(str(error)) from error
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise ConnectionLost(str(error) or type(error).__name__) from error
    except ValueError as error:  # how the library says that the server refuses
        raise refusal(0, str(error)) or ConnectionLost(str(error)) from error
    except (LookupError, TypeError, AttributeError) as error:
        raise ConnectionLost(f"a message that is none of Alpaca's: {error!r}") from error


def refusal(code: int, text: str) -> ConnectionRefused | None:
    """What an error of the server means; None for one after which a new connection may help at once."""
    lower = text.lower()
    message = f"{text} ({code})" if code else text
    if code in _KEY_ERRORS or any(phrase in lower for phrase in _KEY_PHRASES):
        return ConnectionRefused("auth_failed", message)
    if code in _LIMIT_ERRORS or any(phrase in lower for phrase in _LIMIT_PHRASES):
        return ConnectionRefused("rate_limited", message)
    return None
