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

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.errors import SymbolRefused
from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES, AlpacaSettings
from pairs_platform.adapters.vendors.retry import Pacer, RetryPolicy
from pairs_platform.adapters.vendors.rows import VendorAction, actions_frame, bars_reply, join_bars, tidy_bars
from pairs_platform.core.errors import ConfigurationError, DataError
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import session_close, session_open, sessions_between
from pairs_platform.core.time import market_midnight, utc_now
from pairs_platform.ports.market_data import BarsReply, Listing, empty_bars

if TYPE_CHECKING:
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient

    from pairs_platform.adapters.alpaca.http import AlpacaHttp

T = TypeVar("T")

_FIELDS = {"t": "ts_utc", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


class AlpacaMarketData:
    """`MarketData` from Alpaca: raw prices, and the corporate actions to adjust them with.

    Bars outside the regular session are dropped. Hourly bars are built from five-minute bars, because Alpaca's own are
    aligned to the clock hour, so that the one of 09:00 mixes pre-market and regular trades. With ``feed="iex"`` prices
    are those of one exchange: closes differ from the official ones and thinly traded symbols have gaps.

    Cash dividends, splits and stock dividends are actions; a spin-off is not (its value is not in the reply) and shows
    up as a jump that validation flags.

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
        if not (key_id and secret_key and key_id.get_secret_value() and secret_key.get_secret_value()):
            raise ConfigurationError(f"Alpaca needs two keys: set the variables {' and '.join(KEY_VARIABLES)}")
        self._keys = (key_id, secret_key)
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
        parts = []
        for group in _batches(unique_symbols, self.settings.symbols_per_request):
            for span in _batches(sessions, self.settings.sessions_per_request):
                ask = partial(self._rows, span=span, frequency=fetched)
                answers = _answers(ask, [symbol for symbol in group if symbol not in refused], refused)
                parts += [tidy_bars(rows, span, fetched) for rows in answers]
        bars = join_bars(parts)
        if fetched is not self.frequency and not bars.empty:
            from pairs_platform.core.prices.aggregation import aggregate_bars

            bars = aggregate_bars(bars, source=fetched, target=self.frequency)
        return bars_reply(
            bars, unique_symbols, refused, f"no bars from {first} to {last} on the {self.settings.feed} feed"
        )

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
        parts, marks = [], {}
        for group in _batches(list(dict.fromkeys(symbols)), self.settings.symbols_per_request):
            ask = partial(self._reply, start=first, end=session_close(session), frequency=self.frequency)
            for reply in _answers(ask, group, {}):
                parts.append(tidy_bars(_rows_of(reply, group), [session], self.frequency))
                marks.update({symbol: bars[0].get("x") for symbol, bars in reply.items() if bars})
        bars = join_bars(parts)
        return bars.assign(mark=bars["symbol"].map(marks).astype(object))

    def _rows(self, symbols: list[str], span: list[date], frequency: Frequency) -> pd.DataFrame:
        start, end = session_open(span[0]), session_close(span[-1])
        if frequency is Frequency.ONE_DAY:  # stamped with New York's midnight
            start, end = market_midnight(span[0]), market_midnight(span[-1])
        return _rows_of(self._reply(symbols, start=start, end=end, frequency=frequency), symbols)

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

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> pd.DataFrame:
        """Splits and cash dividends of `symbols`, as `MarketData.fetch_actions` says.

        Alpaca selects by the date on which it processes an action, for a dividend the day of payment, weeks after the
        ex-date; so a longer range is requested (`AlpacaSettings.process_lag_days`) and the ex-date decides here.
        """
        ask = partial(self._actions, first=first, last=last)
        actions: list[VendorAction] = []
        for group in _batches(list(dict.fromkeys(symbols)), self.settings.symbols_per_request):
            for answer in _answers(ask, group, {}):
                actions += answer
        return actions_frame(actions, first, last)

    def _actions(self, symbols: list[str], first: date, last: date) -> list[VendorAction]:
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
        return _actions_of(self._corporate_actions.get_corporate_actions(request), set(symbols))

    def universe(self) -> tuple[Listing, ...] | None:
        """None: Alpaca does not know sectors."""
        return None

    def sessions_available(self) -> tuple[date, date] | None:
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
        key_id, secret_key = (key.get_secret_value() for key in self._keys)
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


def _rows_of(reply: Any, symbols: Sequence[str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame.from_records(bars).reindex(columns=list(_FIELDS)).assign(symbol=symbol)
        for symbol, bars in ((symbol, reply.get(symbol)) for symbol in symbols)
        if bars
    ]
    if not parts:
        return empty_bars()
    rows = pd.concat(parts, ignore_index=True).rename(columns=_FIELDS)
    try:
        rows["ts_utc"] = pd.to_datetime(rows["ts_utc"], utc=True, format="ISO8601")
    except ValueError as error:
        raise DataError(f"Alpaca's bars carry a time stamp that is none: {error}") from error
    return rows[list(BAR_COLUMNS)]


@dataclass(frozen=True)
class _ActionKind:
    kind: str
    value: Callable[[Mapping[str, Any]], float]


_ACTION_KINDS = {
    "forward_splits": _ActionKind("split", lambda item: float(item["new_rate"]) / float(item["old_rate"])),
    "reverse_splits": _ActionKind("split", lambda item: float(item["new_rate"]) / float(item["old_rate"])),
    "stock_dividends": _ActionKind("split", lambda item: 1.0 + float(item["rate"])),
    "cash_dividends": _ActionKind("dividend", lambda item: float(item["rate"])),
}


def _actions_of(reply: Any, symbols: set[str]) -> list[VendorAction]:
    """Actions of a whole answer; one that is repeated (same id) counts once."""
    by_id: dict[object, VendorAction] = {}
    for name, how in _ACTION_KINDS.items():
        for item in reply.get(name) or ():
            try:
                action = VendorAction(item["symbol"], date.fromisoformat(item["ex_date"]), how.kind, how.value(item))
            except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
                raise DataError(f"Alpaca's {name} are not as documented: {error!r}") from error
            if action.symbol in symbols:
                by_id[item.get("id", action)] = action
    return list(by_id.values())


def _timeframe(frequency: Frequency) -> Any:
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

    if frequency is Frequency.ONE_DAY:
        return TimeFrame(1, TimeFrameUnit.Day)
    if frequency is Frequency.ONE_HOUR:
        return TimeFrame(1, TimeFrameUnit.Hour)
    return TimeFrame(frequency.minutes, TimeFrameUnit.Minute)


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
