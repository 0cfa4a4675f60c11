"""What an account holds and is worth, for people: asked of the broker once for all who look at the same time.

Values are some seconds old, and say so; after a trade update they are asked again. No decision about an order rests on
them. What does not belong here: what the platform believes of the account (`views.open_trades`), and comparing both
(`core.trading.reconciliation`).
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pairs_platform.core.errors import PlatformError
from pairs_platform.core.time import utc_now
from pairs_platform.ports.broker import Account, Broker, BrokerOrder, BrokerPosition

T = TypeVar("T")

ORDERS_SECONDS, OTHER_SECONDS = 10.0, 30.0
"""How old orders, and everything else, may be before it is asked again."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """A value and how old it is.

    Attributes
    ----------
    value
    asked_utc : datetime
        When the broker was asked.
    age_seconds : float
    failure : str
        Why the newest question was not answered, so that an older value stands here; empty where it was.
    """

    value: T
    asked_utc: datetime
    age_seconds: float
    failure: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether a newer value could not be had."""
        return bool(self.failure)


@dataclass(frozen=True, kw_only=True)
class PortfolioSummary:
    """An account in a few numbers, dollars.

    Attributes
    ----------
    equity, cash, buying_power : float
    result_of_day : float or None
        Since the close of the session before; None where the broker does not say its equity.
    long_value, short_value : float
        ≥ 0 and ≤ 0.
    positions, open_orders : int
    """

    equity: float
    cash: float
    buying_power: float
    result_of_day: float | None
    long_value: float
    short_value: float
    positions: int
    open_orders: int

    @property
    def gross(self) -> float:
        """Long and short value together."""
        return self.long_value - self.short_value

    @property
    def net(self) -> float:
        """Long value less short value."""
        return self.long_value + self.short_value


class PortfolioManager:
    """Reads of one account, for any number of threads; `portfolio_of` has the one of each account of this process.

    Parameters
    ----------
    broker : Broker
    newest_update : callable
        Something that is another one after each trade update; whatever was read before is asked again then. Where it
        is not known at the moment, as with a database that is away, it counts as none.
    monotonic : callable
        Seconds that never go back.
    now : callable
        Time of this machine, aware.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        newest_update: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.label = broker.label
        self._newest_update = newest_update
        self._known_update: object = None
        self._noticing = threading.Lock()
        self._orders = _Cached(broker.open_orders, ORDERS_SECONDS, monotonic=monotonic, now=now)
        self._account = _Cached(broker.account, OTHER_SECONDS, monotonic=monotonic, now=now)
        self._positions = _Cached(broker.positions, OTHER_SECONDS, monotonic=monotonic, now=now)

    def orders(self, *, refresh: bool = False) -> Reading[Sequence[BrokerOrder]]:
        """The account's open orders, 10 seconds old at most unless the broker does not answer.

        Parameters
        ----------
        refresh : bool
            Whether the broker is asked in any case.

        Raises
        ------
        PlatformError
            The broker does not answer, and never has.
        """
        self._notice_update()
        return self._orders.read(refresh=refresh)

    def account(self, *, refresh: bool = False) -> Reading[Account]:
        """Money and permissions, 30 seconds old at most; as `orders`."""
        self._notice_update()
        return self._account.read(refresh=refresh)

    def positions(self, *, refresh: bool = False) -> Reading[Sequence[BrokerPosition]]:
        """What the account holds, 30 seconds old at most; as `orders`."""
        self._notice_update()
        return self._positions.read(refresh=refresh)

    def summary(self, *, refresh: bool = False) -> Reading[PortfolioSummary]:
        """The account in a few numbers, as old as the oldest of what they come from."""
        account, positions, orders = (
            self.account(refresh=refresh),
            self.positions(refresh=refresh),
            self.orders(refresh=refresh),
        )
        parts: tuple[Reading[Any], ...] = (account, positions, orders)
        oldest = max(parts, key=lambda each: each.age_seconds)
        failures = dict.fromkeys(each.failure for each in parts if each.failure)
        return Reading(
            _summary(account.value, positions.value, orders.value),
            oldest.asked_utc,
            oldest.age_seconds,
            "; ".join(failures),
        )

    def invalidate(self) -> None:
        """Something happened: whoever asks from now on has what the broker says after this moment."""
        for cached in (self._orders, self._account, self._positions):
            cached.invalidate()

    def _notice_update(self) -> None:
        """Invalidate what is known where there was a trade update since this was asked before."""
        try:
            newest = self._newest_update()
        except PlatformError:
            return
        with self._noticing:
            is_new, self._known_update = newest != self._known_update, newest
            if is_new:
                self.invalidate()


_managers: dict[Hashable, PortfolioManager] = {}
_opening = threading.Lock()


def portfolio_of(account: Hashable, open_manager: Callable[[], PortfolioManager]) -> PortfolioManager:
    """The manager of an account in this process: whoever looks at the account shares what is known of it.

    Parameters
    ----------
    account : hashable
        Whatever tells it from others: profile, run mode, broker.
    open_manager : callable
        Makes it where nobody has looked yet.
    """
    with _opening:
        if account not in _managers:
            _managers[account] = open_manager()
        return _managers[account]


class _Cached(Generic[T]):
    """A value that one thread asks for while all others wait for its answer."""

    def __init__(
        self, ask: Callable[[], T], seconds: float, *, monotonic: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._ask, self._seconds, self._monotonic, self._now = ask, seconds, monotonic, now
        self._changed = threading.Condition()
        self._begun = self._ended = 0
        self._least = 0
        self._value: tuple[T, float, int] | None = None
        self._failure: PlatformError | None = None

    def read(self, *, refresh: bool) -> Reading[T]:
        with self._changed:
            # A question that was under way before may have been answered before what this caller knows of.
            least = self._begun + 1 if refresh else self._least
            while not self._is_good(least, refresh=refresh):
                if self._begun == self._ended:
                    self._begun += 1
                    break
                joined = self._begun
                self._changed.wait_for(lambda joined=joined: self._ended >= joined)  # type: ignore[misc]
                if self._failure is not None and joined >= least:
                    return self._reading(self._failure)
            else:
                return self._reading(None)
            number = self._begun
        return self._asked(number)

    def invalidate(self) -> None:
        with self._changed:
            self._least = self._begun + 1

    def _is_good(self, least: int, *, refresh: bool) -> bool:
        if self._value is None or self._value[2] < least:
            return False
        return refresh or self._monotonic() - self._value[1] < self._seconds

    def _asked(self, number: int) -> Reading[T]:
        began, failure, value = self._monotonic(), None, None
        try:
            value = self._ask()
        except PlatformError as error:
            failure = error
        except BaseException:
            self._end(number, None)
            raise
        with self._changed:
            if failure is None:
                self._value = (value, began, number)  # type: ignore[assignment]
            self._ended, self._failure = number, failure
            self._changed.notify_all()
            return self._reading(failure)

    def _end(self, number: int, failure: PlatformError | None) -> None:
        with self._changed:
            self._ended, self._failure = number, failure
            self._changed.notify_all()

    def _reading(self, failure: PlatformError | None) -> Reading[T]:
        """The newest value, with its age; called with the lock held."""
        if self._value is None:
            assert failure is not None
            raise failure
        value, asked, _ = self._value
        age = max(0.0, self._monotonic() - asked)
        return Reading(value, self._now() - timedelta(seconds=age), age, "" if failure is None else str(failure))


def _summary(account: Account, positions: Sequence[BrokerPosition], orders: Sequence[BrokerOrder]) -> PortfolioSummary:
    values = [position.market_value or 0.0 for position in positions]
    return PortfolioSummary(
        equity=account.equity,
        cash=account.cash,
        buying_power=account.buying_power,
        result_of_day=None if account.last_equity is None else account.equity - account.last_equity,
        long_value=sum(value for value in values if value > 0),
        short_value=sum(value for value in values if value < 0),
        positions=sum(position.quantity != 0 for position in positions),
        open_orders=sum(not order.status.ended for order in orders),
    )
