"""Daily and hourly bars from Yahoo Finance, through yfinance.

Of yfinance only the transport is used (browser-like session, cookies, crumb). Its `Ticker.history` hides the HTTP
status, keeps failed replies in a cache for the life of the process and calls a failing server "possibly delisted": a
retry would get the same failure again, and a bad hour at Yahoo would look like missing symbols.

What does not belong here: when to ask again (`vendors.retry`), aggregation and validation (`core.prices`).

References
----------
yfinance: https://ranaroussi.github.io/yfinance
"""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from pairs_platform.adapters.vendors.retry import AskedToWait, Pacer, RetryPolicy, wait_asked_for_s
from pairs_platform.adapters.vendors.rows import (
    PRICES,
    LeftOut,
    VendorAction,
    actions_reply,
    bars_reply,
    checked_action,
    join_bars,
    no_bars,
    shortened,
    tidy_bars,
)
from pairs_platform.adapters.yahoo.settings import YahooSettings
from pairs_platform.core.errors import ConfigurationError, DataError, NotFound, Unavailable
from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import sessions_between
from pairs_platform.core.prices.numbers import number, numbers
from pairs_platform.core.time import MARKET_TIMEZONE, SECOND_NS, market_midnight, moment_ns, utc_now
from pairs_platform.ports.market_data import ActionsReply, BarsReply, Listing

HOURLY_DAYS = 730
"""Yahoo keeps hourly bars for this many days."""

_INTERVALS = {Frequency.ONE_HOUR: "1h", Frequency.ONE_DAY: "1d"}


_LAST_SECOND = 4_102_444_800
"""1970-01-01 to 2100-01-01 UTC; what a vendor stamps later is no time."""


class _NoData(NotFound):
    """Yahoo has nothing for this one symbol, and says why."""


class _Unreadable(DataError):
    """Yahoo's chart of this one symbol is not what it should be."""


class YahooMarketData:
    """`MarketData` from Yahoo Finance, one request per symbol.

    Prices are adjusted for splits up to today, not for dividends; dividends are actions, and so are splits, which tell
    when the past has to be fetched again. A row outside the regular session or without any price is dropped, one
    without a time noted. A symbol that Yahoo does not know, that is not quoted in US dollars, or whose chart cannot be
    read is unavailable; one that keeps failing fails the whole request, because a symbol that could not be asked for is
    not one without data.

    Parameters
    ----------
    frequency : Frequency
        ``1h`` or ``1d``.
    session : curl_cffi.requests.Session or None
        Instead of yfinance's own, for a proxy.
    sleep, now : callable
        Takes seconds; returns the aware time.

    Raises
    ------
    ConfigurationError
        When Yahoo does not have the frequency.
    """

    basis = PriceBasis.SPLIT_ADJUSTED
    label = "Yahoo Finance"

    def __init__(
        self,
        *,
        frequency: Frequency,
        settings: YahooSettings | None = None,
        session: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        if frequency not in _INTERVALS:
            raise ConfigurationError(
                f"Yahoo has no {frequency} bars of a useful history: set the bar frequency to "
                f"{' or '.join(_INTERVALS)}, or take another source"
            )
        self.frequency = frequency
        self.settings = settings or YahooSettings()
        self._session, self._now = session, now
        self._policy = RetryPolicy(
            self.settings.max_attempts, self.settings.first_wait_s, self.settings.longest_wait_s, sleep
        )
        self._pacer = Pacer(self.settings.requests_per_minute, sleep=sleep)

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols`, as `MarketData.fetch_bars` says."""
        self._require_in_reach(first)
        unique_symbols, sessions = list(dict.fromkeys(symbols)), sessions_between(first, last)
        reasons: dict[str, str] = {}
        parts, left_out = [], LeftOut()
        for symbol in unique_symbols if sessions else ():
            try:
                rows = _rows_of(self._chart(symbol, first, last, _INTERVALS[self.frequency]), symbol, left_out)
            except (_NoData, _Unreadable) as error:
                reasons[symbol] = str(error)
            else:
                parts.append(tidy_bars(rows, sessions, self.frequency))
        bars = join_bars(parts)
        return bars_reply(bars, unique_symbols, reasons, f"{no_bars(first, last)} at Yahoo", left_out)

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Splits and cash dividends of `symbols`, as `MarketData.fetch_actions` says.

        A dividend's amount is adjusted for later splits, as the prices are.
        """
        actions: list[VendorAction] = []
        unsure: dict[str, str] = {}
        for symbol in dict.fromkeys(symbols):
            try:
                actions += _actions_of(self._chart(symbol, first, last, "1d"), symbol, first, last)
            except _NoData:
                continue  # `fetch_bars` says so
            except _Unreadable as error:
                unsure[symbol] = str(error)
        return actions_reply(actions, unsure)

    def universe(self) -> tuple[Listing, ...] | None:
        """None: the sectors are not part of the replies."""
        return None

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date] | None:
        """None: it depends on the symbol."""
        return None

    def _require_in_reach(self, first: date) -> None:
        earliest = self._now().astimezone(ZoneInfo(MARKET_TIMEZONE)).date() - timedelta(days=HOURLY_DAYS - 1)
        if self.frequency is Frequency.ONE_HOUR and first < earliest:
            raise NotFound(
                f"Yahoo keeps hourly bars for {HOURLY_DAYS} days: {first} is too early, {earliest} is the earliest; "
                "choose a later start or the frequency 1d"
            )

    def _chart(self, symbol: str, first: date, last: date, interval: str) -> Mapping[str, Any]:
        params = {
            "period1": _midnight_s(first),
            "period2": _midnight_s(last + timedelta(days=1)),
            "interval": interval,
            "includePrePost": "false",
            "events": "div,splits",
        }
        return self._policy.call(lambda: self._ask(symbol, params))

    def _ask(self, symbol: str, params: dict[str, Any]) -> Mapping[str, Any]:
        """One request: the chart of `symbol`, or why there is none."""
        from yfinance.const import _BASE_URL_
        from yfinance.data import YfData
        from yfinance.exceptions import YFRateLimitError

        self._pacer.wait()
        url = f"{_BASE_URL_}/v8/finance/chart/{quote(yahoo_symbol(symbol), safe='')}"
        try:
            reply = YfData(session=self._session).get(url, params=params, timeout=self.settings.timeout_s)
        except YFRateLimitError as error:
            raise Unavailable("Yahoo's rate limit is reached (429)") from error
        except OSError as error:  # the base of both HTTP libraries' errors
            raise Unavailable(f"no complete answer from Yahoo ({type(error).__name__})") from error
        if reply.status_code >= 500 or reply.status_code in (401, 403, 408, 429):
            raise AskedToWait(
                f"Yahoo refuses or fails at the moment ({reply.status_code}) for {symbol}; if it stays so, Yahoo may "
                "have blocked this machine's address for a while",
                wait_asked_for_s(reply.headers, self._now()),
            )
        return _chart_of(reply)


_YAHOO_PARTS = {"WS": "WT", "U": "UN", "RT": "RI"}


def yahoo_symbol(symbol: str) -> str:
    """Yahoo's spelling of a US symbol: a dash for the dot (``BRK-B``), its own words for series, warrants and units."""
    root, dot, part = symbol.partition(".")
    if part.startswith("PR") and len(part) == 3:
        part = "P" + part[2]
    return (root + dot + _YAHOO_PARTS.get(part, part)).replace(".", "-")


def _chart_of(reply: Any) -> Mapping[str, Any]:
    try:
        chart = reply.json()["chart"]
        error, results = chart["error"], chart["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as broken:
        raise Unavailable(f"Yahoo's answer ({reply.status_code}) is not a chart") from broken
    if error:
        words = error.get("description") or error.get("code") if isinstance(error, dict) else None
        raise _NoData(f"Yahoo: {words if isinstance(words, str) else shortened(error)}")
    if not results:
        raise _NoData("Yahoo's answer holds no bars")
    result = results[0] if isinstance(results, list) else results
    if not isinstance(result, dict):
        raise _Unreadable(f"Yahoo's chart cannot be read: its result is {shortened(result)}")
    if not result.get("timestamp"):
        raise _NoData("Yahoo's answer holds no bars")
    meta = result.get("meta")
    currency = meta.get("currency") if isinstance(meta, dict) else None
    if not isinstance(currency, str):
        raise _Unreadable("Yahoo's chart does not say in which currency it is")
    if currency != "USD":
        raise _NoData(f"quoted in {currency} at Yahoo, not in US dollars")
    return result


def _rows_of(chart: Mapping[str, Any], symbol: str, left_out: LeftOut) -> pd.DataFrame:
    try:
        quotes, stamps = chart["indicators"]["quote"][0], chart["timestamp"]
        columns = {name: quotes[name] for name in (*PRICES, "volume")}
    except (KeyError, IndexError, TypeError) as error:
        raise _Unreadable(f"Yahoo's chart cannot be read: {error!r}") from error
    for name, values in {"timestamp": stamps, **columns}.items():
        if not isinstance(values, list) or len(values) != len(stamps):
            raise _Unreadable(f"Yahoo's chart cannot be read: {name} has no value for each time stamp")
    has_price = np.array([any(columns[name][i] is not None for name in PRICES) for i in range(len(stamps))], dtype=bool)
    seconds = np.array([_seconds(stamp) for stamp in stamps])
    for i in np.flatnonzero(has_price & np.isnan(seconds)):
        left_out.add(symbol, "no time", stamps[i])
    kept = np.flatnonzero(has_price & ~np.isnan(seconds))
    rows = {name: numbers(values)[kept] for name, values in columns.items()}
    at = pd.DatetimeIndex((seconds[kept] * SECOND_NS).astype("int64"), tz="UTC")
    return pd.DataFrame({"symbol": symbol, "ts_utc": at, **rows})[list(BAR_COLUMNS)]


def _actions_of(chart: Mapping[str, Any], symbol: str, first: date, last: date) -> list[VendorAction]:
    events = chart.get("events") or {}
    actions: list[VendorAction] = []
    for name, kind, value in (("dividends", DIVIDEND, _amount), ("splits", SPLIT, _ratio)):
        try:
            for item in (events.get(name) or {}).values():
                ex_date = _new_york_date(item["date"])
                if first <= ex_date <= last:
                    actions.append(checked_action(symbol, ex_date, kind, value(item)))
        except (AttributeError, KeyError, TypeError, DataError) as error:
            what = str(error) if isinstance(error, DataError) else repr(error)
            raise _Unreadable(f"Yahoo's {name} cannot be read: {what}") from error
    return actions


def _amount(item: Mapping[str, Any]) -> float:
    return number(item["amount"])


def _ratio(item: Mapping[str, Any]) -> float:
    old = number(item["denominator"])
    if old == 0.0:
        raise DataError("the denominator of a split is zero")
    return number(item["numerator"]) / old


def _seconds(stamp: object) -> float:
    """Whole seconds since 1970-01-01 UTC; NaN where a value is no time."""
    seconds = math.nan if isinstance(stamp, str) else number(stamp)
    return float(math.floor(seconds)) if 0.0 <= seconds < _LAST_SECOND else math.nan


def _new_york_date(epoch_s: object) -> date:
    seconds = _seconds(epoch_s)
    if math.isnan(seconds):
        raise DataError(f"{shortened(epoch_s)} is no time")
    return datetime.fromtimestamp(seconds, ZoneInfo(MARKET_TIMEZONE)).date()


def _midnight_s(day: date) -> int:
    return moment_ns(market_midnight(day)) // SECOND_NS
