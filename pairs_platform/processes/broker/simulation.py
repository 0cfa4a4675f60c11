"""The simulated broker as a process: which symbols and prices it begins with, and the line that says where it is.

What does not belong here: what it answers (`server`).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from pairs_platform.core.errors import ClockUnknown, ConfigurationError
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.time import moment_utc
from pairs_platform.platform import open_lake, open_streams
from pairs_platform.processes.broker.faults import FaultScript, fault_script
from pairs_platform.processes.broker.market import NEW_YORK, MarketTime, Prices
from pairs_platform.processes.broker.server import BrokerOptions, BrokerServer
from pairs_platform.processes.web import end_quietly, listen
from pairs_platform.settings.model import Settings

FIRST_PRICE = Decimal(100)
"""Dollars of a symbol of which no close is stored."""

HOST = "127.0.0.1"

REQUESTS_PER_MINUTE = 200
"""Alpaca's limit for a key."""

_OPTIONS = BrokerOptions(partial_share=0.1, spread_bp=2.0, requests_per_minute=REQUESTS_PER_MINUTE)
"""As people report of the paper account."""


def run_simulation(
    settings: Settings,
    *,
    port: int,
    faults: Sequence[str],
    seed: int,
    cash: float,
    at: datetime | None,
    noise_bp: float,
    is_streamed: bool,
    say: Callable[[str], None],
) -> None:
    """Serve a simulated broker until SIGTERM or SIGINT.

    Parameters
    ----------
    settings
    port : int
        0 takes a free one.
    faults : sequence of str
        See `fault_script`.
    seed : int
    cash : float
        Dollars.
    at : datetime or None
        Time of New York at the start, without a zone; now if not given.
    noise_bp : float
        Of prices, basis points a second.
    is_streamed : bool
        Whether prices and time are those of the bars that the profile streams; `at` and `noise_bp` say nothing then.
    say : callable
        Shows the line that says where it is.

    Raises
    ------
    NotFound, ConfigurationError
        The faults, the time or the port cannot be used; nothing was served.
    StreamUnavailable
        Prices are to be those of the stream, and Redis does not answer.
    """
    script = fault_script(faults, seed=seed)
    prices = Prices(first_prices(settings), noise_bp=0.0 if is_streamed else noise_bp, seed=seed)
    market = MarketTime(None if at is None else at.replace(tzinfo=NEW_YORK))
    options = replace(_OPTIONS, cash=Decimal(str(cash)))
    with listen(HOST, port, server="the simulated broker", choice="--port") as listener:
        end_quietly()
        course = "prices and time are those of the streamed bars" if is_streamed else _hours(market)
        say(
            f"simulated broker at http://{HOST}:{listener.getsockname()[1]}: {len(prices.all())} symbols, "
            f"${options.cash:,.0f}, faults: {', '.join(faults)}; {course}; Ctrl-C ends it"
        )
        if is_streamed:
            _streamed(settings, prices, market, options, script).serve(listener)
        else:
            BrokerServer(prices, market, options=options, script=script).serve(listener)


def _streamed(
    settings: Settings, prices: Prices, market: MarketTime, options: BrokerOptions, script: FaultScript
) -> BrokerServer:
    """The server that the streamed bars move: it goes on with what it kept of the same replay, or of live bars."""
    from pairs_platform.processes.broker.books import BooksFile
    from pairs_platform.processes.broker.streamed import StreamedMarket

    streams = open_streams(settings)
    path = settings.profile_root / f"simulated-broker-{streams.run_mode}.json"
    books = BooksFile(path, streams.replay.generation(), script.seed)
    with suppress(ClockUnknown):  # no replay has begun
        now_ns, rate = streams.clock.read()
        market.set(moment_utc(now_ns), rate)
    server = BrokerServer(prices, market, options=options, script=script, books=books.read(), keep=books.keep)

    def begin_again(generation: int) -> None:
        books.generation = generation
        server.begin_again(script)

    server.work_beside(StreamedMarket(streams, server, begin_again, generation=books.generation).run)
    return server


def first_prices(settings: Settings) -> dict[str, Decimal]:
    """The newest stored close of each symbol of the universe, in cents; `FIRST_PRICE` where none is stored.

    Raises
    ------
    ConfigurationError
        No sector of the universe is active.
    """
    if not settings.active_sectors:
        raise ConfigurationError("no sector of the universe is active, so there is nothing to trade")
    lake = open_lake(settings)
    prices: dict[str, Decimal] = {}
    for sector in settings.active_sectors:
        prices |= {listing.symbol: FIRST_PRICE for listing in settings.listings(sector)}
        sessions = lake.sessions(PRICE_HISTORY.table, sector)
        if sessions:
            bars = lake.read(PRICE_HISTORY, PartitionKey(sessions[-1], sector))
            closes = bars.sort_values("ts_utc").groupby("symbol")["close"].last()
            prices |= {str(symbol): Decimal(f"{close:.2f}") for symbol, close in closes.items() if close >= 0.01}
    return prices


def _hours(market: MarketTime) -> str:
    is_open = market.is_open()
    moment = (market.next_close() if is_open else market.next_open()).astimezone(NEW_YORK)
    return f"the market is {'open until' if is_open else 'closed until'} {moment:%a %d %b %H:%M} New York"
