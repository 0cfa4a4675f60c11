"""Bars and corporate actions from Alpaca's market data service, through its own client library.

The library pages through replies but has no timeout, and its retry knows two status codes and one fixed wait. Both are
replaced beneath it, in the HTTP session (`http`): every page is requested with a timeout, paced, and asked again
by itself, so a connection that breaks on page 7 costs one page and can neither lose nor repeat rows.

What does not belong here: reading the keys (`settings`), aggregation and validation
(`core.prices`).

References
----------
Historical bars: https://docs.alpaca.markets/reference/stockbars
Corporate actions: https://docs.alpaca.markets/reference/corporateactions-1
"""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.errors import SymbolRefused
from pairs_platform.adapters.alpaca.keys import Keys, present_keys
from pairs_platform.adapters.alpaca.settings import AlpacaSettings
from pairs_platform.adapters.vendors.retry import Pacer, RetryPolicy
from pairs_platform.adapters.vendors.rows import (
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
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import session_close, session_open, sessions_between
from pairs_platform.core.prices.numbers import number, numbers
from pairs_platform.core.time import market_midnight, utc_now
from pairs_platform.ports.market_data import ActionsReply, BarsReply, Listing, empty_bars

if TYPE_CHECKING:
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient

    from pairs_platform.adapters.alpaca.http import AlpacaHttp

log = logging.getLogger(__name__)

T = TypeVar("T")

_NUMBERS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_STAMP = re.compile(r"(19|20)\d\d-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
"""A time that names its zone: one without would be dated by a guess."""


class AlpacaMarketData:
    """`MarketData` from Alpaca: raw prices, and the corporate actions to adjust them with.

    Bars outside the regular session are dropped. Hourly bars are built from five-minute bars, because Alpaca's own are
    aligned to the clock hour, so that the one of 09:00 mixes pre-market and regular trades. With ``feed="iex"`` prices
    are those of one exchange: closes differ from the official ones and thinly traded symbols have gaps.

    Cash dividends, splits and stock dividends are actions; a spin-off is not (its value is not in the reply) and shows
    up as a jump that validation flags. What cannot be read of a reply costs the row or the symbol: a bar without a time
    is left out and noted, a symbol of which an action cannot be read is named as unsure.

    Parameters
    ----------
    key_id, secret_key : SecretStr or None
        They appear in no message.
    frequency : Frequency
        Of the bars to return.
    base_url : str or None
        Instead of the address that the settings name.
    sleep, now : callable
        Takes seconds; returns the aware time.

    Raises
    ------
    ConfigurationError
        When a key is missing.
    """

    basis = PriceBasis.RAW

    def __init__(
        self,
        *,
        key_id: SecretStr | None,
        secret_key: SecretStr | None,
        frequency: Frequency,
        settings: AlpacaSettings | None = None,
        base_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.frequency = frequency
        self.settings = settings or AlpacaSettings()
        self._base_url = base_url or self.settings.base_url
        self._keys: Keys = (key_id, secret_key)
        present_keys(self._keys)
        self._sleep, self._now = sleep, now

    @property
    def label(self) -> str:
        """Source and feed."""
        return f"Alpaca ({self.settings.feed} feed)"

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols`, as `MarketData.fetch_bars` says."""
        unique_symbols, sessions = list(dict.fromkeys(symbols)), sessions_between(first, last)
        fetched = Frequency.FIVE_MINUTES if self.frequency is Frequency.ONE_HOUR else self.frequency
        refused: dict[str, str] = {}
        parts, left_out = [], LeftOut()
        for group in _batches(unique_symbols, self.settings.symbols_per_request):
            for span in _batches(sessions, self.settings.sessions_per_request):
                ask = partial(self._rows, span=span, frequency=fetched, left_out=left_out)
                answers = _answers(ask, [symbol for symbol in group if symbol not in refused], refused)
                parts += [tidy_bars(rows, span, fetched) for rows in answers]
        bars = join_bars(parts)
        if fetched is not self.frequency and not bars.empty:
            from pairs_platform.core.prices.aggregation import aggregate_bars

            bars = aggregate_bars(bars, source=fetched, target=self.frequency)
        otherwise = f"{no_bars(first, last)} on the {self.settings.feed} feed"
        return bars_reply(bars, unique_symbols, refused, otherwise, left_out)

    def fetch_since(self, symbols: Sequence[str], session: date, since: datetime) -> pd.DataFrame:
        """Bars of one session that start at `since` or later, of the length that the service itself gives.

        Returns
        -------
        DataFrame
            `BAR_COLUMNS`, then `mark`: the field by which a replay says that a bar is a proxy's; null otherwise.

        Raises
        ------
        Unavailable, Refused, DataError
            As `fetch_bars`.
        """
        first = market_midnight(session) if self.frequency is Frequency.ONE_DAY else max(since, session_open(session))
        parts, marks, left_out = [], {}, LeftOut()
        for group in _batches(list(dict.fromkeys(symbols)), self.settings.symbols_per_request):
            ask = partial(self._reply, start=first, end=session_close(session), frequency=self.frequency)
            for reply in _answers(ask, group, {}):
                parts.append(tidy_bars(_rows_of(reply, group, left_out), [session], self.frequency))
                marks.update({symbol: _mark(bars) for symbol, bars in reply.items()})
        bars = join_bars(parts)
        for note in left_out.notes():
            log.warning("%s", note)
        return bars.assign(mark=bars["symbol"].map(marks).astype(object))

    def _rows(self, symbols: list[str], span: list[date], frequency: Frequency, left_out: LeftOut) -> pd.DataFrame:
        start, end = session_open(span[0]), session_close(span[-1])
        if frequency is Frequency.ONE_DAY:  # stamped with New York's midnight
            start, end = market_midnight(span[0]), market_midnight(span[-1])
        return _rows_of(self._reply(symbols, start=start, end=end, frequency=frequency), symbols, left_out)

    def _reply(self, symbols: list[str], *, start: datetime, end: datetime, frequency: Frequency) -> Any:
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest

        request = StockBarsRequest(
            symbol_or_symbols=symbols,
            timeframe=_timeframe(frequency),
            start=start,
            end=end,
            adjustment=Adjustment.RAW,
            feed=DataFeed(self.settings.feed),
        )
        return self._stocks.get_stock_bars(request)

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Splits and cash dividends of `symbols`, as `MarketData.fetch_actions` says.

        Alpaca selects by the date on which it processes an action, for a dividend the day of payment, weeks after the
        ex-date; so a longer range is requested (`AlpacaSettings.process_lag_days`) and the ex-date decides here.
        """
        unsure: dict[str, str] = {}
        refused: dict[str, str] = {}
        ask = partial(self._actions, first=first, last=last, unsure=unsure)
        actions: list[VendorAction] = []
        for group in _batches(list(dict.fromkeys(symbols)), self.settings.symbols_per_request):
            for answer in _answers(ask, group, refused):
                actions += answer
        return actions_reply(actions, {**unsure, **refused})

    def _actions(self, symbols: list[str], first: date, last: date, unsure: dict[str, str]) -> list[VendorAction]:
        from alpaca.data.enums import CorporateActionsType
        from alpaca.data.requests import CorporateActionsRequest

        request = CorporateActionsRequest(
            symbols=symbols,
            types=[
                CorporateActionsType.FORWARD_SPLIT,
                CorporateActionsType.REVERSE_SPLIT,
                CorporateActionsType.STOCK_DIVIDEND,
                CorporateActionsType.CASH_DIVIDEND,
            ],
            start=first - timedelta(days=7),
            end=last + timedelta(days=self.settings.process_lag_days),
            limit=None,  # the library's default of 1,000 bounds the whole answer, not a page
        )
        reply: Any = self._corporate_actions.get_corporate_actions(request)
        return _actions_of(reply, set(symbols), first, last, unsure)

    def universe(self) -> tuple[Listing, ...] | None:
        """None: Alpaca does not know sectors."""
        return None

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date] | None:
        """None: it depends on the account."""
        return None

    @cached_property
    def _stocks(self) -> "StockHistoricalDataClient":
        from alpaca.data.historical.stock import StockHistoricalDataClient

        return self._client(StockHistoricalDataClient)

    @cached_property
    def _corporate_actions(self) -> "CorporateActionsClient":
        from alpaca.data.historical.corporate_actions import CorporateActionsClient

        return self._client(CorporateActionsClient)

    def _client(self, kind: Any) -> Any:
        key_id, secret_key = present_keys(self._keys)
        client = kind(api_key=key_id, secret_key=secret_key, raw_data=True, url_override=self._base_url)
        # The library takes no session of ours (0.44). When it does, hand it over instead.
        client._session = self._http
        return client

    @cached_property
    def _http(self) -> "AlpacaHttp":
        from pairs_platform.adapters.alpaca.http import AlpacaHttp

        return AlpacaHttp(
            policy=RetryPolicy(
                self.settings.max_attempts, longest_wait_s=self.settings.longest_wait_s, sleep=self._sleep
            ),
            pacer=Pacer(self.settings.requests_per_minute, sleep=self._sleep),
            timeout_s=self.settings.timeout_s,
            now=self._now,
        )


def _answers(ask: Callable[[list[str]], T], symbols: list[str], refused: dict[str, str]) -> list[T]:
    """``ask(symbols)``, in parts where the server refuses a symbol: halving finds it, `refused` notes the reason."""
    if not symbols:
        return []
    try:
        return [ask(symbols)]
    except SymbolRefused as error:
        if len(symbols) == 1:
            refused[symbols[0]] = str(error)
            return []
    half = len(symbols) // 2
    return _answers(ask, symbols[:half], refused) + _answers(ask, symbols[half:], refused)


def _rows_of(reply: Mapping[str, list[Any]], symbols: Sequence[str], left_out: LeftOut) -> pd.DataFrame:
    """Rows with BAR_COLUMNS of what is a bar and says when."""
    parts = []
    for symbol in symbols:
        bars = []
        for bar in reply.get(symbol, ()):
            if not isinstance(bar, dict):
                left_out.add(symbol, "no bar", bar)
            elif not (isinstance(bar.get("t"), str) and _STAMP.fullmatch(bar["t"])):
                left_out.add(symbol, "no time with a zone", bar.get("t"))
            else:
                bars.append(bar)
        columns = {name: numbers([bar.get(field) for bar in bars]) for name, field in _NUMBERS.items()}
        parts.append(pd.DataFrame({"symbol": symbol, "ts_utc": [bar["t"] for bar in bars], **columns}))
    filled = [part for part in parts if len(part)]
    if not filled:
        return empty_bars()
    rows = pd.concat(filled, ignore_index=True)
    stamps = pd.to_datetime(rows["ts_utc"], utc=True, format="ISO8601", errors="coerce")
    for symbol, text in rows.loc[stamps.isna(), ["symbol", "ts_utc"]].itertuples(index=False, name=None):
        left_out.add(symbol, "no time with a zone", text)
    return rows.assign(ts_utc=stamps).loc[stamps.notna(), list(BAR_COLUMNS)].reset_index(drop=True)


def _mark(bars: list[Any]) -> str | None:
    """By which a replay says that a symbol's bars are a proxy's."""
    marks = (bar.get("x") for bar in bars if isinstance(bar, dict))
    return next((mark for mark in marks if isinstance(mark, str)), None)


@dataclass(frozen=True)
class _ActionKind:
    kind: str
    value: Callable[[Mapping[str, Any]], float]


def _ratio(item: Mapping[str, Any]) -> float:
    old = number(item["old_rate"])
    if old == 0.0:
        raise DataError("old_rate is zero")
    return number(item["new_rate"]) / old


_ACTION_KINDS = {
    "forward_splits": _ActionKind(SPLIT, _ratio),
    "reverse_splits": _ActionKind(SPLIT, _ratio),
    "stock_dividends": _ActionKind(SPLIT, lambda item: 1.0 + number(item["rate"])),
    "cash_dividends": _ActionKind(DIVIDEND, lambda item: number(item["rate"])),
}


def _actions_of(
    reply: Mapping[str, list[Any]], symbols: set[str], first: date, last: date, unsure: dict[str, str]
) -> list[VendorAction]:
    """Actions of a whole answer; one that is repeated (same id) counts once, `unsure` notes what cannot be read.

    Raises
    ------
    SymbolRefused
        An item names no symbol: it concerns one of those that were asked for.
    """
    actions: dict[object, VendorAction] = {}
    for name, how in _ACTION_KINDS.items():
        for item in reply.get(name, ()):
            symbol = item.get("symbol") if isinstance(item, dict) else None
            if not (isinstance(symbol, str) and symbol.strip()):
                raise SymbolRefused(f"an item of Alpaca's {name} names no symbol ({shortened(item)})")
            if symbol not in symbols:
                continue
            try:
                ex_date = date.fromisoformat(item["ex_date"])
                if not first <= ex_date <= last:
                    continue
                action = checked_action(symbol, ex_date, how.kind, how.value(item))
            except (DataError, KeyError, TypeError, ValueError) as error:
                what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                unsure.setdefault(symbol, f"an item of Alpaca's {name} cannot be read: {what}")
                continue
            key = action if item.get("id") is None else (symbol, repr(item["id"]))
            if actions.setdefault(key, action) != action:
                unsure.setdefault(symbol, f"Alpaca's {name} have two actions with the id {shortened(item['id'])}")
    return list(actions.values())


def _timeframe(frequency: Frequency) -> Any:
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

    if frequency is Frequency.ONE_DAY:
        return TimeFrame(1, TimeFrameUnit.Day)
    if frequency is Frequency.ONE_HOUR:
        return TimeFrame(1, TimeFrameUnit.Hour)
    return TimeFrame(frequency.minutes, TimeFrameUnit.Minute)


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
