"""What the servers of this package have in common: a bound socket, a web application that is served on it, and keys.

What does not belong here: what a server answers (`replay.server`, `broker.server`).
"""

import signal
import socket
from typing import Any

import uvicorn
from starlette.requests import Request

from pairs_platform.core.errors import ConfigurationError

Keys = tuple[str, str]
"""Key id and secret key of a client."""


class WebServer:
    """Serves a web application until the process is told to end, or `stop` is called; `app` is set by the subclass.

    Attributes
    ----------
    failure : BaseException or None
        What ended it too early.
    """

    app: Any

    def __init__(self) -> None:
        self._web: uvicorn.Server | None = None
        self.failure: BaseException | None = None

    def serve(self, listener: socket.socket) -> None:
        """Serve on a bound socket.

        Raises
        ------
        Exception
            What ended it too early.
        """
        config = uvicorn.Config(
            self.app,
            log_config=None,
            log_level="warning",
            access_log=False,
            ws_per_message_deflate=False,
            ws_ping_interval=None,  # a client that is busy does not answer; one that does not read is given up
            timeout_graceful_shutdown=3,
        )
        self._web = uvicorn.Server(config)
        self._web.run(sockets=[listener])
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """End `serve`, from any thread."""
        if self._web is not None:
            self._web.should_exit = True

    async def guarded(self, work: Any) -> None:
        """Run to its end; an error in it ends the server instead of leaving it mute."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - handed to the caller of `serve`
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End `serve` with an error."""
        self.failure = error
        self.stop()


def presented_keys(request: Request) -> tuple[str | None, str | None]:
    """Key id and secret key in the headers of a request, as Alpaca's clients send them."""
    return request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key")


def may_enter(given: tuple[object, object], keys: Keys | None) -> bool:
    """Whether a client that presents these keys may enter; None accepts any that are not empty."""
    return all(given) and keys in (None, given)


def listen(host: str, port: int, *, server: str, choice: str) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Parameters
    ----------
    host, port
    server : str
        Who listens, for a person.
    choice : str
        By which setting or option a person chooses another port.

    Raises
    ------
    ConfigurationError
        The address cannot be used; names it and the choice.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"{server} cannot listen on {host}:{port} ({error.strerror or error}); end what uses the port, or choose "
            f"another one with {choice}"
        ) from error
    return listener


def end_quietly() -> None:
    """Let SIGTERM and SIGINT end the process with 0: the web server has ended because of one and raises it again."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
