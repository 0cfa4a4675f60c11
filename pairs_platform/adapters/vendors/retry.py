"""How what is outside is asked again: which failures, how often, how long in between, and how many requests a minute.

What does not belong here: telling which failure is which; each adapter translates its vendor's answers into
`Unavailable` (asked again) and other errors of `core.errors` (never asked again).
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from pairs_platform.core.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")


class AskedToWait(Unavailable):
    """The source refused for now and said how long to stay away.

    Attributes
    ----------
    wait_s : float or None
        Seconds that the source asked for; None when it gave no number.
    """

    def __init__(self, message: str, wait_s: float | None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def backoff_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """Seconds until the attempt after so many failures, ≥ 1, in a row.

    `first_s` after the first one, doubled after each further one up to `longest_s`; shortened at random by up to a
    half, so that processes that failed together do not come back together.
    """
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 50)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class RetryPolicy:
    """Bounded retry with exponential, jittered back-off; a wait that the source asks for is honoured.

    Attributes
    ----------
    max_attempts : int
        Requests in all, the first included.
    first_wait_s : float
        Back-off after the first failure; see `backoff_s`.
    longest_wait_s : float
        Upper bound of one back-off. A source that asks for a longer wait is not asked again at all: the caller learns
        the reason at once and its scheduler can come back later.
    sleep : callable
        Takes seconds.
    """

    max_attempts: int
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, request: Callable[[], T]) -> T:
        """Return ``request()``, asked again after each `Unavailable` until it answers or patience ends.

        Raises
        ------
        Unavailable
            The last one, as it was.
        Exception
            Whatever else `request` raises, at once.
        """
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unavailable),
            stop=self._ends,
            wait=self._wait_s,
            sleep=self.sleep,
            before_sleep=self._say,
            reraise=True,
        )
        return attempts(request)

    def _ends(self, state: tenacity.RetryCallState) -> bool:
        asked_too_long = (_wait_asked_for(state) or 0.0) > self.longest_wait_s
        return asked_too_long or state.attempt_number >= self.max_attempts

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        asked = _wait_asked_for(state)
        if asked is not None:
            return asked + self.first_wait_s * random.uniform(0.0, 0.5)
        return backoff_s(state.attempt_number, first_s=self.first_wait_s, longest_s=self.longest_wait_s)

    def _say(self, state: tenacity.RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action else 0.0
        attempt, error = state.attempt_number, _error(state)
        log.warning("attempt %d of %d failed, next in %.1f s: %s", attempt, self.max_attempts, wait_s, error)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _wait_asked_for(state: tenacity.RetryCallState) -> float | None:
    error = _error(state)
    return error.wait_s if isinstance(error, AskedToWait) else None


def wait_asked_for_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait according to ``Retry-After`` (seconds or a date), else ``X-RateLimit-Reset`` (epoch seconds).

    Parameters
    ----------
    headers
        Of the reply; the mapping must ignore case.
    now
        Aware.

    Returns
    -------
    float or None
        Never negative; None when neither header is there and readable.
    """
    after, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    try:
        if after and not after.strip().isdigit():
            return max(0.0, (parsedate_to_datetime(after) - now).total_seconds())
        if after:
            return float(after)
        return max(0.0, float(reset) - now.timestamp()) if reset else None
    except (ValueError, TypeError):
        return None


@dataclass
class Pacer:
    """Holds requests back so that no 60 seconds see more than `requests_per_minute` of them.

    Attributes
    ----------
    requests_per_minute : int
    clock, sleep : callable
        Monotonic seconds; takes seconds.
    """

    requests_per_minute: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _sent: deque[float] = field(default_factory=deque, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def wait(self) -> None:
        """Return when the next request may go out; counts it."""
        with self._lock:
            now = self.clock()
            if len(self._sent) >= self.requests_per_minute:
                free_at = self._sent.popleft() + 60.0
                if free_at > now:
                    self.sleep(free_at - now)
                    now = free_at
            self._sent.append(now)
