"""The trader: a desk in a loop, the thread that follows the broker's updates, and what the process says of itself.

What does not belong here: what a look does (`desk`), and which account it is (`brokers`).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar

from filelock import FileLock, Timeout

from pairs_platform.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    PlatformError,
    Refused,
    StreamUnavailable,
    Unavailable,
)
from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.platform import Platform
from pairs_platform.processes.stopping import stopped_by_signals
from pairs_platform.processes.trader.brokers import OpenAccount, open_account, require_tradable
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.health import Health
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import StreamedMarket
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.settings.model import Settings
from pairs_platform.views.remedies import with_remedy

T = TypeVar("T")

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""Between two looks that found nothing to do: a stored signal waits for no longer."""

AWAY_SECONDS, REFUSED_SECONDS = 1.0, 20.0
"""Before looking again where something is away, and where a person has to change something."""

AFTER_CLOSE = timedelta(minutes=2)
"""After a session's close its last bars have arrived: what is not filled then expires in a paper account."""

_REPORT_SECONDS, _STOP_SECONDS = 1.0, 10.0


def run_trader(settings: Settings) -> None:
    """Trade until SIGTERM or SIGINT.

    Raises
    ------
    ConfigurationError
        Keys are missing, another trader of the profile runs, or the address of Redis is none.
    """
    Trader(Platform(settings)).run()


class Trader:
    """Everything that one trader process does.

    Parameters
    ----------
    platform : Platform
    open_ : callable
        Opens the account; that of the settings if not given.
    """

    def __init__(
        self,
        platform: Platform,
        open_: Callable[..., OpenAccount] = open_account,
    ) -> None:
        self._platform, self._open = platform, open_
        self._streams = platform.streams
        self._run_mode = platform.settings.stream.run_mode
        self._health = Health()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._inbox = Inbox(platform.clock)
        self._ended: date | None = None

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._stopping.set()
        self._inbox.wake.set()

    def run(self) -> None:
        """Trade until a signal or `stop`: no order is left half sent.

        Raises
        ------
        ConfigurationError
            Another trader of this profile and run mode runs, or the broker cannot trade what is streamed.
        """
        require_tradable(self._platform.settings)
        folder = self._platform.settings.profile_root
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"trader-{self._run_mode}.lock", timeout=0)
        try:
            with lock, stopped_by_signals(self.stop):
                reporter = threading.Thread(target=self._report, name="health", daemon=True)
                reporter.start()
                self._trade()
        except Timeout:
            raise ConfigurationError(
                f"another trader of the profile {self._platform.settings.profile.name} runs in the run mode "
                f"{self._run_mode}: one account has one trader"
            ) from None
        finally:
            self._stopping.set()
        with contextlib.suppress(StreamUnavailable, Refused):
            self._health.state, self._health.detail = "stopped", ""
            self._streams.trader.report(self._health.values(time.time_ns()))
        self._streams.close()
        if self._failure is not None:
            raise self._failure

    def clock(self) -> datetime:
        """Time of the market.

        Raises
        ------
        ClockUnknown, StreamUnavailable
        """
        return moment_utc(self._streams.clock.now_ns())

    def _trade(self) -> None:
        """Open the account, and look until the process ends; a replay that begins again is a new account's."""
        while not self._stopping.is_set():
            opened = self._attempt(self._desk)
            if opened is not None:
                self._trade_with(*opened)

    def _trade_with(self, desk: Desk, account: OpenAccount, generation: int) -> None:
        ending = threading.Event()
        follower = threading.Thread(target=self._follow, args=(account, ending), name="trade updates", daemon=True)
        follower.start()
        begins_again = False
        while not self._stopping.is_set() and not begins_again:
            begins_again = bool(self._attempt(lambda: self._look(desk, account, generation)))
        ending.set()
        follower.join(_STOP_SECONDS)

    def _desk(self) -> tuple[Desk, OpenAccount, int]:
        self._inbox = Inbox(self._platform.clock)
        generation = self._streams.replay.generation()
        market = StreamedMarket(self._platform)
        account = self._open(self._platform, self.clock, lambda session: market.facts(session).actions)
        market.receive = account.receive
        seat = Seat(
            settings=self._platform.settings,
            database=self._platform.database,
            broker=account.broker,
            account=account.account,
            run_mode=self._run_mode,
            clock=self.clock,
            wall=self._platform.clock,
        )
        self._health.broker, self._health.account = account.broker.label, account.account
        return Desk(seat, market, self._inbox), account, generation

    def _look(self, desk: Desk, account: OpenAccount, generation: int) -> bool:
        """One look, then wait until there is a reason for the next one; whether the replay has begun again instead."""
        if self._streams.replay.generation() != generation:
            return True
        began = time.monotonic()
        self._inbox.wake.clear()
        busy = desk.step()
        self._end_session(account)
        took = time.monotonic() - began
        health = self._health
        health.looks += 1
        health.longest_look_seconds = max(health.longest_look_seconds, took)
        health.state, health.detail = str(desk.standing.state), "; ".join(desk.standing.reasons)
        self._inbox.wake.wait(LOOK_SECONDS / 4 if busy else LOOK_SECONDS)
        return False

    def _end_session(self, account: OpenAccount) -> None:
        now = self.clock()
        session = newest_session(moment_ns(now))
        if session is not None and session != self._ended and now >= session_close(session) + AFTER_CLOSE:
            account.end_session(session)
            self._ended = session

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None after a failure that may pass, and a pause."""
        try:
            return work()
        except ConfigurationError:
            raise
        except PlatformError as error:
            away = isinstance(error, Unavailable | DatabaseUnavailable)
            self._health.failures += 1
            self._health.state = "access_refused" if isinstance(error, Refused) else "waiting"
            self._health.detail = with_remedy(error, stored=True)
            log.warning("the desk cannot look: %s", self._health.detail)
            self._stopping.wait(AWAY_SECONDS if away or not isinstance(error, Refused) else REFUSED_SECONDS)
            return None

    def _follow(self, account: OpenAccount, ending: threading.Event) -> None:
        """Hand the broker's updates on; a failure ends the process, so that its supervisor sees it."""
        try:
            account.broker.follow(self._inbox, ending)
        except BaseException as error:
            self._failure = error
            self.stop()
            raise

    def _report(self) -> None:
        while not self._stopping.wait(_REPORT_SECONDS):
            with contextlib.suppress(StreamUnavailable, Refused):
                self._streams.trader.report(self._health.values(time.time_ns()))
