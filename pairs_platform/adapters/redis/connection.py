"""One connection to Redis: how it is reached, and which of its errors may pass.

What does not belong here: keys (`keys`) and what is stored under them, starting a server
(`processes.runtime.redis_server`).
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pairs_platform.adapters.redis.socket_file import socket_path
from pairs_platform.core.errors import ConfigurationError, Refused, StreamUnavailable

URL_VARIABLE = "PAIRS_PLATFORM__REDIS_URL"
PAGE = 10_000
"""Entries of a stream that are read at once."""

_ANSWER_SECONDS = 15.0
_MAY_PASS = re.compile(r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b")


def connect(url: str | None, folder: Path) -> redis.Redis:
    """A client of the Redis at `url`, or of the platform's own whose socket is in `folder`; connects at first use.

    Raises
    ------
    ConfigurationError
        The URL is none, or there is none where the system has no Unix sockets.
    """
    shared: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": _ANSWER_SECONDS,
        "socket_connect_timeout": 5.0,
        "retry": Retry(NoBackoff(), 1),
    }
    if url is not None:
        try:
            return redis.Redis.from_url(url, **shared)
        except ValueError:  # its message may hold a part of the password
            raise ConfigurationError(
                f"{URL_VARIABLE} is no address of a Redis: write redis://, rediss:// or unix://, and special "
                "characters of a password percent-encoded"
            ) from None
    if os.name == "nt":
        raise ConfigurationError(f"there is no embedded Redis on Windows; name a server with {URL_VARIABLE}")
    return redis.Redis(unix_socket_path=str(socket_path(folder)), **shared)


def address(client: redis.Redis) -> str:
    """Where a client's server listens, without user and password."""
    arguments = client.connection_pool.connection_kwargs
    if "path" in arguments:
        return str(arguments["path"])
    return f"{arguments.get('host')}:{arguments.get('port')}/{arguments.get('db', 0)}"


class Connection:
    """A client whose failures are `StreamUnavailable`, shared by everything that is stored in one Redis.

    Parameters
    ----------
    client : redis.Redis
        Decodes its replies (`connect`).
    """

    def __init__(self, client: redis.Redis) -> None:
        self.redis: Any = client  # the library's types allow for replies that are not decoded

    @property
    def address(self) -> str:
        """Where the server listens, without user and password."""
        return address(self.redis)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Commands of the block raise `StreamUnavailable` where the server fails in a way that may pass.

        `Refused` where it wants another user, another password, or gives its user too few rights.
        """
        try:
            yield
        except redis.DataError:
            raise
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise Refused(f"Redis at {self.address} {_refusal(str(error))} ({error})") from error
        except redis.RedisError as error:
            if type(error) is redis.ResponseError and not _MAY_PASS.search(str(error)):
                raise
            raise StreamUnavailable(f"Redis at {self.address} does not answer ({error})") from error

    def entries(self, key: str, *, after: str = "") -> Iterator[tuple[str, dict[str, str]]]:
        """Id and fields of every entry of a stream (after that of an id, if given), oldest first, read by pages.

        Raises
        ------
        StreamUnavailable
        """
        start = f"({after}" if after else "-"
        while True:
            with self.answering():
                page = self.redis.xrange(key, min=start, count=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            start = f"({page[-1][0]}"

    def eviction(self) -> str:
        """Why the server may drop what it holds when its memory is full, and the remedy; empty where it never does.

        Raises
        ------
        StreamUnavailable, Refused
        """
        try:
            with self.answering():
                memory = self.redis.info("memory")  # tells it where a managed server forbids CONFIG
        except Refused as error:
            if not isinstance(error.__cause__, redis.exceptions.NoPermissionError):
                raise
            return f"Redis at {self.address} does not say whether it drops bars: let its user use the command INFO"
        policy, limit = str(memory.get("maxmemory_policy", "noeviction")), int(memory.get("maxmemory", 0))
        if policy == "noeviction" or not limit:
            return ""
        return (
            f"Redis at {self.address} drops bars when its {limit / 1e6:.0f} MB are full (maxmemory-policy {policy}): "
            "set maxmemory-policy to noeviction"
        )

    def memory_bytes(self) -> int:
        """Memory that the whole server uses for its data.

        Raises
        ------
        StreamUnavailable
        """
        with self.answering():
            return int(self.redis.info("memory")["used_memory"])

    def close(self) -> None:
        """Close the client."""
        self.redis.close()


def _refusal(reply: str) -> str:
    form = f"in {URL_VARIABLE} (redis://USER:PASSWORD@HOST:PORT/0, both percent-encoded)"
    if "NOPERM" in reply or "no permissions" in reply.lower():
        return f"gives its user too few rights: let it use every command and key, or name another one {form}"
    if "WRONGPASS" in reply or "invalid" in reply.lower():
        return f"does not take user and password: give those that it has {form}"
    if "no password is set" in reply.lower() or "without any password" in reply.lower():
        return f"has no password: take it out of the URL {form}"
    return f"needs a password: give it {form}"
