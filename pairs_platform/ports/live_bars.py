"""What the collector asks of a vendor of live bars: a connection that hands on messages, and the bars that one missed.

What does not belong here: a particular vendor (`adapters`), when to connect again (`processes.collector`), and what a
message says (`processes.collector.incoming`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pairs_platform.core.errors import Unavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.ports.market_data import ActionsReply

if TYPE_CHECKING:
    import pandas as pd

StreamMessage = Mapping[str, Any]
"""A bar ("T" is "b") or a corrected bar ("u") in Alpaca's fields, as msgpack unpacks it."""

Receive = Callable[[StreamMessage], Awaitable[None]]
"""Takes a message; while it waits nothing more is read."""


RefusedState = Literal["auth_failed", "rate_limited", "wrong_address"]


class ConnectionLost(Unavailable):
    """The vendor cannot be reached, or the connection ended."""


class ConnectionRefused(ConnectionLost):
    """The vendor says no, and asking again soon would not help.

    Attributes
    ----------
    state : "auth_failed", "rate_limited" or "wrong_address"
    """

    def __init__(self, state: RefusedState, message: str) -> None:
        super().__init__(message)
        self.state: RefusedState = state


class LiveBars(Protocol):
    """One connection to a stream of bars."""

    async def open(self, symbols: Iterable[str]) -> None:
        """Connect, authenticate and subscribe.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        ...

    async def read(self) -> None:
        """Hand on messages until the connection ends.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        ...

    async def resubscribe(self, symbols: Iterable[str]) -> None:
        """Stream bars and corrected bars of exactly these symbols from now on.

        Raises
        ------
        ConnectionLost
        """
        ...

    async def shut(self) -> None:
        """Close the connection, whatever state it is in."""
        ...


class MissedBars(Protocol):
    """The vendor's historical bars and corporate actions of the session under way.

    Attributes
    ----------
    frequency : Frequency
        Of the bars.
    """

    @property
    def frequency(self) -> Frequency: ...  # noqa: D102 - the class documents its attributes

    def fetch_since(self, symbols: Sequence[str], session: date, since: datetime) -> "pd.DataFrame":
        """Bars of one session that start at `since` or later: `BAR_COLUMNS`, then `mark`, a proxy's mark or null.

        Raises
        ------
        PlatformError
        """
        ...

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Corporate actions with an ex-date from `first` to `last`.

        Raises
        ------
        PlatformError
        """
        ...


class LiveSource(Protocol):
    """A vendor of live bars; what it opens has the keys of the moment, so that new ones need no restart.

    Attributes
    ----------
    frequency : Frequency
        Of the bars that it streams.
    """

    @property
    def frequency(self) -> Frequency: ...  # noqa: D102 - the class documents its attributes

    def connect(self, receive: Receive) -> LiveBars:
        """A connection, not open yet.

        Raises
        ------
        ConnectionRefused
            There are no keys at the moment.
        """
        ...

    def history(self) -> MissedBars:
        """The historical bars.

        Raises
        ------
        ConfigurationError
            There are no keys at the moment.
        """
        ...
