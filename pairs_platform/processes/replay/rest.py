"""Alpaca's historical end points over what is played: bars and corporate actions, never later than the market clock.

Bars are as they are played, whatever adjustment or feed is asked for. What does not belong here: the stream (`server`).

References
----------
Historical bars: https://docs.alpaca.markets/reference/stockbars
Corporate actions: https://docs.alpaca.markets/reference/corporateactions-1
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import SPLIT
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_of
from pairs_platform.core.time import MARKET_TIMEZONE, SECOND_NS, market_day, market_midnight, moment_ns, stamps_ns
from pairs_platform.processes.replay.playlist import PlayedSession, Playlist
from pairs_platform.processes.replay.wire import BarFields, rfc3339
from pairs_platform.processes.web import Keys, may_enter, presented_keys

_TIMEFRAMES = {
    "1Min": Frequency.ONE_MINUTE,
    "1T": Frequency.ONE_MINUTE,
    "5Min": Frequency.FIVE_MINUTES,
    "5T": Frequency.FIVE_MINUTES,
    "1Hour": Frequency.ONE_HOUR,
    "1H": Frequency.ONE_HOUR,
    "1Day": Frequency.ONE_DAY,
    "1D": Frequency.ONE_DAY,
}
_DEFAULT_LIMIT, _MAX_LIMIT = 1000, 10_000


@dataclass(frozen=True)
class Correction:
    """A bar that is sent again with other values.

    Attributes
    ----------
    symbol : str
    ts_ns : int
        Start of the bar as it is stamped, nanoseconds since 1970-01-01 UTC.
    changes : mapping of a price or "volume" to its new value
    delay_seconds : float
        Market time from the end of the bar to the correction.
    """

    symbol: str
    ts_ns: int
    changes: Mapping[str, float]
    delay_seconds: float = 60.0


class _BadRequest(DataError):
    """A request that cannot be answered; its text is the reply's message."""


class History:
    """Answers requests for what has been played.

    Parameters
    ----------
    playlist : Playlist
    market_ns : callable
        The market clock.
    keys : (key id, secret key) or None
        None accepts any.
    corrections : sequence of Correction
    """

    def __init__(
        self,
        playlist: Playlist,
        market_ns: Callable[[], int],
        *,
        keys: Keys | None = None,
        corrections: Sequence[Correction] = (),
    ) -> None:
        self._playlist, self._market_ns, self._keys, self._corrections = playlist, market_ns, keys, corrections

    def routes(self) -> list[Route]:
        """The end points."""
        return [
            Route("/v2/stocks/bars", partial(self._answer, find=self.bars)),
            Route("/v1/corporate-actions", partial(self._answer, find=self.actions)),
        ]

    async def _answer(self, request: Request, find: Callable[[Mapping[str, str]], dict[str, Any]]) -> JSONResponse:
        if not may_enter(presented_keys(request), self._keys):
            return JSONResponse({"message": "forbidden."}, 403)
        try:
            return JSONResponse(await run_in_threadpool(find, request.query_params))
        except _BadRequest as error:
            return JSONResponse({"message": str(error)}, 400)

    def bars(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of bars that have ended: by symbol, then by time."""
        now_ns = self._market_ns()
        symbols = set(_text(query, "symbols").split(","))
        target = self._target(_text(query, "timeframe"))
        start_ns = _moment(query, "start", moment_ns(market_midnight(market_day(now_ns))))
        end_ns = min(_moment(query, "end", now_ns), now_ns)
        limit = _limit(query)
        descending = query.get("sort", "asc") == "desc"

        first, last = market_day(start_ns), market_day(end_ns)
        sessions = [self._playlist.load(position) for position in self._positions(first, last)]
        parts = [self._ended(played, symbols, target, now_ns) for played in sessions if played is not None]
        if not parts:
            return {"bars": {}, "next_page_token": None}
        bars = pd.concat(parts, ignore_index=True)
        stamps = stamps_ns(bars["ts_utc"])
        names = bars["symbol"].to_numpy(dtype=str)
        inside = np.flatnonzero((stamps >= start_ns) & (stamps <= end_ns))
        order = inside[np.lexsort((-stamps[inside] if descending else stamps[inside], names[inside]))]
        if query.get("page_token"):
            name, ts_ns = _read_token(query["page_token"])
            later = stamps[order] < ts_ns if descending else stamps[order] > ts_ns
            order = order[(names[order] > name) | ((names[order] == name) & later)]
        page, more = order[:limit], len(order) > limit
        by_symbol: dict[str, list[dict[str, Any]]] = {}
        for row in BarFields(bars.iloc[page]):
            by_symbol.setdefault(row.pop("S"), []).append({**row, "t": rfc3339(row["t"])})
        token = _token(names[page[-1]], int(stamps[page[-1]])) if more else None
        return {"bars": by_symbol, "next_page_token": token}

    def actions(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The splits and cash dividends that fall ex in played sessions, in one page."""
        first, last = (date.fromisoformat(query[name]) if query.get(name) else None for name in ("start", "end"))
        today = market_day(self._market_ns())
        symbols = set(query["symbols"].split(",")) if query.get("symbols") else None
        types = set(query["types"].split(",")) if query.get("types") else None
        actions: dict[str, list[dict[str, Any]]] = {}
        for position in self._positions(first or date.min, min(last or today, today)):
            day = self._playlist.sessions[position].isoformat()
            due = self._playlist.actions(position)
            for symbol, what, value in zip(due["symbol"], due["kind"], due["value"].tolist(), strict=True):
                kind, fields = _action(what, value)
                if (symbols is None or symbol in symbols) and (types is None or kind in types):
                    named = {"id": f"{symbol}-{kind}-{day}", "symbol": symbol}
                    actions.setdefault(f"{kind}s", []).append({**named, "ex_date": day, "process_date": day, **fields})
        return {"corporate_actions": actions, "next_page_token": None}

    def _positions(self, first: date, last: date) -> list[int]:
        return [position for position, day in enumerate(self._playlist.sessions) if first <= day <= last]

    def _target(self, timeframe: str) -> Frequency:
        target, length = _TIMEFRAMES.get(timeframe), self._playlist.length
        if target is None or target.minutes < length.minutes:
            usable = [name for name, longer in _TIMEFRAMES.items() if longer.minutes >= length.minutes]
            raise _BadRequest(
                f"invalid timeframe: {timeframe}; bars of {length} are played, usable: {', '.join(usable)}"
            )
        return target

    def _ended(self, played: PlayedSession, symbols: set[str], target: Frequency, now_ns: int) -> pd.DataFrame:
        """Bars of `target` length of a session that have ended; see `BarFields`."""
        wanted = played.bars["symbol"].isin(symbols).to_numpy() & (played.end_ns <= now_ns)
        bars = self._corrected(played, now_ns)[wanted]
        if target is not self._playlist.length:
            complete_at = pd.Timestamp(now_ns, tz="UTC")
            bars = aggregate_bars(bars, source=self._playlist.length, target=target, complete_at=complete_at)
        if target is Frequency.ONE_DAY:  # Alpaca stamps it with New York's midnight
            bars = bars.assign(ts_utc=session_of(bars["ts_utc"]).dt.tz_localize(MARKET_TIMEZONE).dt.tz_convert("UTC"))
        return played.with_sources(bars)

    def _corrected(self, played: PlayedSession, now_ns: int) -> pd.DataFrame:
        bars = played.bars
        for correction, position, moment in corrections_of(played, self._corrections):
            if moment <= now_ns:
                bars = bars if bars is not played.bars else bars.copy()
                for name, value in correction.changes.items():
                    bars.loc[position, name] = value
        return bars


def corrections_of(played: PlayedSession, corrections: Sequence[Correction]) -> list[tuple[Correction, int, int]]:
    """The corrections of a session's bars, each with the position of its bar and the moment at which it is sent."""
    starts = stamps_ns(played.bars["ts_utc"])
    sent = []
    for correction in corrections:
        for position in np.flatnonzero((starts == correction.ts_ns) & (played.bars["symbol"] == correction.symbol)):
            moment = int(played.end_ns[position]) + round(correction.delay_seconds * SECOND_NS)
            sent.append((correction, int(position), moment))
    return sent


def _action(kind: str, value: float) -> tuple[str, dict[str, float]]:
    if kind != SPLIT:
        return "cash_dividend", {"rate": value}
    return ("forward_split" if value >= 1 else "reverse_split"), {"new_rate": value, "old_rate": 1.0}


def _text(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        raise _BadRequest(f"{name} is required")
    return query[name]


def _moment(query: Mapping[str, str], name: str, default: int) -> int:
    if not query.get(name):
        return default
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise _BadRequest(f"invalid {name}: {query[name]}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(MARKET_TIMEZONE) if "T" not in query[name] else UTC)
    return round(moment.timestamp() * 1e6) * 1000


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit") or str(_DEFAULT_LIMIT)
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_LIMIT:
        raise _BadRequest(f"invalid limit: {text}; valid: 1 to {_MAX_LIMIT}")
    return int(text)


def _token(symbol: str, ts_ns: int) -> str:
    return base64.urlsafe_b64encode(f"{symbol}|{ts_ns}".encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        symbol, _, ts_ns = base64.urlsafe_b64decode(token).decode().partition("|")
        return symbol, int(ts_ns)
    except (ValueError, binascii.Error):
        raise _BadRequest("invalid page_token") from None
