"""What the broker says while the desk is busy: kept by the thread that follows, taken by the desk.

What does not belong here: what follows from an update (`messages`), and the stream itself (`ports.broker`).
"""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime

from pairs_platform.core.errors import Unavailable
from pairs_platform.ports.broker import TradeUpdate


class Inbox:
    """An `UpdateReceiver`: one thread puts in, one takes out; an update stays until it has been stored.

    Parameters
    ----------
    wall : callable
        Time of this machine, aware.

    Attributes
    ----------
    wake : threading.Event
        Set when there is something to look at.
    """

    def __init__(self, wall: Callable[[], datetime]) -> None:
        self._wall = wall
        self._updates: deque[TradeUpdate] = deque()
        self._remarks: deque[str] = deque()
        self._lock = threading.Lock()
        self._compare = True
        self._lost_since: datetime | None = wall()
        self.wake = threading.Event()

    def connected(self) -> None:
        """Nothing is sent again of what happened before: the account is to be compared now."""
        with self._lock:
            self._compare, self._lost_since = True, None
        self.wake.set()

    def updated(self, update: TradeUpdate) -> None:
        """Keep an update."""
        self._updates.append(update)
        self.wake.set()

    def unreadable(self, reason: str) -> None:
        """Something may have happened that is not known: the account is to be compared."""
        self._remarks.append(reason)
        self.compare()

    def lost(self, reason: Unavailable) -> None:
        """There is no stream from now on."""
        with self._lock:
            self._lost_since = self._lost_since or self._wall()
        self._remarks.append(str(reason))
        self.wake.set()

    def compare(self) -> None:
        """Ask for a comparison of the account."""
        with self._lock:
            self._compare = True
        self.wake.set()

    def take_comparison(self) -> bool:
        """Whether the account is to be compared now; asked once."""
        with self._lock:
            asked, self._compare = self._compare, False
        return asked

    def first(self) -> TradeUpdate | None:
        """The oldest update, which stays until `done`."""
        return self._updates[0] if self._updates else None

    def done(self) -> None:
        """The oldest update has been stored."""
        self._updates.popleft()

    def remarks(self) -> list[str]:
        """What was said about the stream since this was asked."""
        said = []
        while self._remarks:
            said.append(self._remarks.popleft())
        return said

    def silent_seconds(self) -> float:
        """Since when there is no stream, in seconds until now; 0 while there is one."""
        since = self._lost_since
        return 0.0 if since is None else (self._wall() - since).total_seconds()
