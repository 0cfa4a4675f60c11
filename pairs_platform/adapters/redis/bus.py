"""Streamed bars, bar-close events and the health of the collector in Redis: the only code that knows its keys.

What does not belong here: starting a server (`processes.runtime.redis_server`), judging bars
(`core.prices.validation`), when a bar is complete (`core.streaming.builder`).

References
----------
Streams: https://redis.io/docs/latest/develop/data-types/streams/
"""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, get_args

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pairs_platform.core.errors import ClockUnknown, ConfigurationError, StreamUnavailable
from pairs_platform.core.streaming.bars import MergedBars, StreamBar, merge_revisions
from pairs_platform.core.streaming.intervals import BarClose, BarInterval
from pairs_platform.core.streaming.settings import RunMode, StreamSettings, SymbolSet
from pairs_platform.core.time import DAY_NS, DAY_SECONDS, utc_day

URL_VARIABLE = "PAIRS_PLATFORM__REDIS_URL"
SOCKET_FILE = "redis.sock"
"""Socket of the embedded server in its folder; a link where the folder's path is too long for a socket."""

LONGEST_SOCKET_BYTES = 100
"""Systems allow 104 to 108 bytes for the path of a socket."""

LONGEST_BLOCK_MS = 4500
_ANSWER_SECONDS = 15.0
_SHORT_STREAM = 10_000
_PAGE = 10_000
_MAY_PASS = re.compile(r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b")

_ADD_BARS = """
local newest = {}
for i = 3, #ARGV, 5 do
  local symbol, ts = ARGV[i], ARGV[i + 1]
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'symbol', symbol, 'ts', ts,
             'revision', ARGV[i + 2], 'source', ARGV[i + 3], 'bar', ARGV[i + 4])
  if not newest[symbol] or newest[symbol] < ts then newest[symbol] = ts end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
for symbol, ts in pairs(newest) do
  local held = redis.call('HGET', KEYS[2], symbol)
  if not held or held < ts then redis.call('HSET', KEYS[2], symbol, ts) end
end
"""
"""Appends bars and notes the newest of each symbol, at once: a command for each bar would cost the client most of its
time. Stamps have 19 digits and are compared as texts, because Lua's numbers lose nanoseconds."""

_ANNOUNCE_ONCE = """
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held then return held end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 4))
redis.call('HSET', KEYS[2], ARGV[1], id)
redis.call('EXPIRE', KEYS[2], ARGV[3])
return id
"""
"""Appends a bar unless it is there: a repeated request, or a second collector, announces nothing twice."""


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
        except ValueError:  # its words may hold a part of the password
            raise ConfigurationError(
                f"{URL_VARIABLE} is no address of a Redis: write redis://, rediss:// or unix://, and special "
                "characters of a password percent-encoded"
            ) from None
    if os.name == "nt":
        raise ConfigurationError(f"there is no embedded Redis on Windows; name a server with {URL_VARIABLE}")
    return redis.Redis(unix_socket_path=str(socket_path(folder)), **shared)


def socket_path(folder: Path) -> Path:
    """Where the embedded server of a folder listens; in the temporary folder where the path would be too long."""
    usual = folder.absolute() / SOCKET_FILE
    if usual.is_symlink():
        return Path(os.readlink(usual))
    if len(os.fsencode(usual)) <= LONGEST_SOCKET_BYTES:
        return usual
    digest = hashlib.sha256(os.fsencode(usual.parent)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pairs-platform-{digest}" / SOCKET_FILE


class StreamBus:
    """What collector, replay server, signals and status share, for one profile and run mode.

    Parameters
    ----------
    client : redis.Redis
        Decodes its replies (`connect`).
    profile : str
        Name of the profile.
    run_mode : "live" or "replay"
    settings : StreamSettings
    wall : callable
        Wall clock, nanoseconds since 1970-01-01 UTC.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        profile: str,
        run_mode: RunMode,
        settings: StreamSettings,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.run_mode, self.settings = run_mode, settings
        self._redis: Any = client  # the library's types allow for replies that are not decoded
        self._wall = wall
        self._shared, self._prefix = f"pairs:{profile}:", f"pairs:{profile}:{run_mode}:"

    def add_bars(self, bars: Sequence[StreamBar]) -> None:
        """Append bars to the streams of their sessions, in one exchange."""
        if not bars:
            return
        by_day: dict[int, list[str | int]] = {}
        for symbol, ts_ns, opened, high, low, close, volume, revision, source in bars:
            text = f"{opened!r},{high!r},{low!r},{close!r},{volume}"
            by_day.setdefault(ts_ns // DAY_NS, []).extend((symbol, ts_ns, revision, source, text))
        limits = (self.settings.max_bars, self._keep_seconds)
        with self._speaking(), self._redis.pipeline(transaction=False) as batch:
            for day, flat in by_day.items():
                batch.eval(_ADD_BARS, 2, self._key("bars", utc_day(day)), self._prefix + "last", *limits, *flat)
            batch.execute()

    def add_quarantined(self, rows: Sequence[Mapping[str, str]], session: date) -> None:
        """Append refused rows, each with its reason, to the session's quarantine."""
        key = self._key("quarantine", session)
        with self._speaking(), self._redis.pipeline(transaction=False) as batch:
            for row in rows:
                batch.xadd(key, dict(row), maxlen=_SHORT_STREAM, approximate=True)
            self._expire(batch, key)
            batch.execute()

    def quarantined(self, session: date) -> list[dict[str, str]]:
        """The session's refused rows, oldest first."""
        return [fields for _, fields in self._entries(self._key("quarantine", session))]

    def bars(self, session: date) -> list[StreamBar]:
        """Every bar of a session, in the order of arrival."""
        return [_bar(fields) for _, fields in self._entries(self._key("bars", session))]

    def places(self, session: date) -> Iterator[tuple[str, int]]:
        """Symbol and start (nanoseconds since 1970-01-01 UTC) of every bar of a session, in the order of arrival."""
        return ((fields["symbol"], int(fields["ts"])) for _, fields in self._entries(self._key("bars", session)))

    def arrivals(self, session: date) -> Iterator[tuple[int, int]]:
        """When each bar of a session arrived, milliseconds since 1970-01-01 UTC by Redis' clock, and its start (ns)."""
        return ((int(name.split("-")[0]), int(row["ts"])) for name, row in self._entries(self._key("bars", session)))

    def folded(self, session: date) -> MergedBars:
        """The bars of a session that count: one for each symbol and time."""
        return merge_revisions(self.bars(session))

    def last_bars(self) -> dict[str, int]:
        """Start of the newest bar of each symbol, nanoseconds since 1970-01-01 UTC."""
        with self._speaking():
            return {symbol: int(ts_ns) for symbol, ts_ns in self._redis.hgetall(self._prefix + "last").items()}

    def announce(self, announcement: BarClose) -> str:
        """Say once that a bar is complete; returns the id of the entry, the first one if it was said before."""
        interval = announcement.interval
        fields: dict[str, str | int] = {
            "session": interval.session.isoformat(),
            "start_ns": interval.start_ns,
            "end_ns": interval.end_ns,
            "reason": announcement.reason,
            "symbols_in": announcement.symbols_in,
            "symbols_expected": announcement.symbols_expected,
            "market_ns": announcement.market_ns,
            "wall_ns": announcement.wall_ns,
        }
        keys = (self._prefix + "buckets", self._key("announced", interval.session))
        flat = [part for field in fields.items() for part in field]
        limits = (_SHORT_STREAM, self._keep_seconds)
        with self._speaking():
            return str(self._redis.eval(_ANNOUNCE_ONCE, 2, *keys, interval.start_ns, *limits, *flat))

    def announcements(self, after: str = "0-0", block_ms: int = 0) -> list[BarClose]:
        """Announcements after the id `after`, oldest first; waits up to `block_ms` for one, 0 does not wait.

        Raises
        ------
        ValueError
            `block_ms` is outside 0 to 4500: a longer wait would look like a server that does not answer.
        """
        if not 0 <= block_ms <= LONGEST_BLOCK_MS:
            raise ValueError(f"block_ms is {block_ms}; it must lie between 0 and {LONGEST_BLOCK_MS}")
        with self._speaking():
            reply = self._redis.xread({self._prefix + "buckets": after}, count=_PAGE, block=block_ms or None)
        return [_announcement(name, fields) for _, entries in reply for name, fields in entries]

    def announced(self, session: date) -> list[BarClose]:
        """Announcements of one session, oldest first."""
        day = session.isoformat()
        entries = self._entries(self._prefix + "buckets")
        return [_announcement(name, fields) for name, fields in entries if fields["session"] == day]

    def market_ns(self) -> int:
        """Market time now, nanoseconds since 1970-01-01 UTC: the wall clock, or the replay's own.

        Raises
        ------
        ClockUnknown
            No replay has published a clock.
        """
        if self.run_mode == "live":
            return self._wall()
        with self._speaking():
            market_ns, wall_ns, rate = self._redis.hmget(self._prefix + "clock", ["market_ns", "wall_ns", "rate"])
        if market_ns is None or wall_ns is None or rate is None:
            raise ClockUnknown("no replay has published its clock")
        return int(market_ns) + round((self._wall() - int(wall_ns)) * float(rate))

    def publish_clock(self, market_ns: int, rate: float) -> None:
        """Set the replay's market clock: it is `market_ns` now and goes on by `rate` market seconds per second."""
        self._require_replay("publishes a clock")
        fields = {"market_ns": market_ns, "wall_ns": self._wall(), "rate": repr(float(rate))}
        with self._speaking():
            self._redis.hset(self._prefix + "clock", mapping=fields)

    def set_actions(self, session: date, actions: Sequence[Mapping[str, object]]) -> None:
        """Replace the corporate actions ("symbol", "kind", "value") that fall ex in a session."""
        key = self._key("actions", session)
        with self._speaking(), self._redis.pipeline(transaction=True) as batch:
            batch.delete(key)
            for action in actions:
                batch.rpush(key, json.dumps(dict(action), sort_keys=True))
            self._expire(batch, key)
            batch.execute()

    def actions(self, session: date) -> list[dict[str, Any]]:
        """Corporate actions that fall ex in a session, as `set_actions` got them."""
        with self._speaking():
            return [json.loads(text) for text in self._redis.lrange(self._key("actions", session), 0, -1)]

    def symbol_set(self) -> SymbolSet:
        """Which symbols are streamed: as last set, else as the settings say."""
        with self._speaking():
            name = self._redis.get(self._shared + "symbols")
        return self.settings.symbols if name is None else _symbol_set(str(name))

    def set_symbol_set(self, name: SymbolSet) -> None:
        """Switch the symbols that are streamed, for both run modes of the profile."""
        with self._speaking():
            self._redis.set(self._shared + "symbols", _symbol_set(name))

    def set_health(self, facts: Mapping[str, str]) -> None:
        """Set facts about the collector; others stay."""
        with self._speaking():
            self._redis.hset(self._prefix + "health", mapping=dict(facts))

    def health(self) -> dict[str, str]:
        """Facts about the collector; empty before the first one ran."""
        with self._speaking():
            return dict(self._redis.hgetall(self._prefix + "health"))

    def generation(self) -> int:
        """How often the replay was reset; 0 at first."""
        with self._speaking():
            return int(self._redis.get(self._prefix + "generation") or 0)

    def reset(self) -> int:
        """Forget the replay's bars, bar-close events, actions and clock, at once; returns the raised generation.

        Raises
        ------
        ValueError
            The run mode is live.
        """
        self._require_replay("is reset")
        kept = {self._prefix + "generation", self._prefix + "health"}
        with self._speaking():
            keys = [key for key in self._redis.scan_iter(self._prefix + "*", count=1000) if key not in kept]
            with self._redis.pipeline(transaction=True) as batch:
                batch.incr(self._prefix + "generation")
                if keys:
                    batch.unlink(*keys)
                return int(batch.execute()[0])

    def memory_bytes(self) -> int:
        """Memory that the whole server uses for its data."""
        with self._speaking():
            return int(self._redis.info("memory")["used_memory"])

    def dump(self) -> list[tuple[str, int, bytes]]:
        """Every key of the profile, of both run modes: name, milliseconds until it expires or 0, value dumped.

        `load` puts them back.
        """
        with self._speaking():
            keys = sorted(self._redis.scan_iter(self._shared + "*", count=1000))
            found = [(key, max(self._redis.pttl(key), 0), self._redis.dump(key)) for key in keys]
        return [(key, left, value) for key, left, value in found if value is not None]

    def require_no_keys(self) -> None:
        """Refuse a Redis in which the profile has keys.

        Raises
        ------
        ConfigurationError
        """
        with self._speaking():
            first = next(self._redis.scan_iter(self._shared + "*", count=1000), None)
        if first is not None:
            raise ConfigurationError(
                f"Redis at {address(self._redis)} has keys of this profile already, {first} among them: name another "
                f"one with {URL_VARIABLE}, or remove them"
            )

    def load(self, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """Put back what `dump` gave, at once, where none of the keys is there yet.

        Raises
        ------
        ConfigurationError
            The profile has keys already; they stay as they are.
        """
        self.require_no_keys()
        with self._speaking(), self._redis.pipeline(transaction=True) as batch:
            for key, left, value in rows:
                batch.restore(key, left, value)
            batch.execute()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _key(self, name: str, session: date) -> str:
        return f"{self._prefix}{name}:{session.isoformat()}"

    def _expire(self, batch: Any, key: str) -> None:
        batch.expire(key, self._keep_seconds)

    @property
    def _keep_seconds(self) -> int:
        return self.settings.keep_days * DAY_SECONDS

    def _entries(self, key: str) -> Iterator[tuple[str, dict[str, str]]]:
        start = "-"
        while True:
            with self._speaking():
                page = self._redis.xrange(key, min=start, count=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            start = f"({page[-1][0]}"

    def _require_replay(self, what: str) -> None:
        if self.run_mode != "replay":
            raise ValueError(f"the run mode is {self.run_mode}: only a replay {what}")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except redis.DataError:
            raise
        except redis.RedisError as error:
            if type(error) is redis.ResponseError and not _MAY_PASS.search(str(error)):
                raise
            raise StreamUnavailable(f"Redis at {address(self._redis)} does not answer ({error})") from error


def address(client: redis.Redis) -> str:
    """Where a client's server listens, without user and password."""
    where = client.connection_pool.connection_kwargs
    return str(where["path"]) if "path" in where else f"{where.get('host')}:{where.get('port')}/{where.get('db', 0)}"


def _symbol_set(name: str) -> SymbolSet:
    for known in get_args(SymbolSet):
        if name == known:
            return known
    raise ValueError(f"{name!r} is no set of symbols; valid: {', '.join(get_args(SymbolSet))}")


def _bar(fields: Mapping[str, str]) -> StreamBar:
    opened, high, low, close, volume = fields["bar"].split(",")
    return StreamBar(
        fields["symbol"], int(fields["ts"]), float(opened), float(high), float(low), float(close), int(volume),
        int(fields["revision"]), fields["source"],
    )  # fmt: skip


def _announcement(name: str, fields: Mapping[str, str]) -> BarClose:
    interval = BarInterval(date.fromisoformat(fields["session"]), int(fields["start_ns"]), int(fields["end_ns"]))
    return BarClose(
        interval,
        "all_in" if fields["reason"] == "all_in" else "grace",
        int(fields["symbols_in"]),
        int(fields["symbols_expected"]),
        int(fields["market_ns"]),
        int(fields["wall_ns"]),
        name,
    )
