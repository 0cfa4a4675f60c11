"""What the platform asks of a source of market data, and what such a source answers.

What does not belong here: any particular source (`adapters`), retries (each adapter that needs them has them),
validation of bars (`core.prices.validation`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

from pairs_platform.core.prices.bars import Frequency, PriceBasis

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Listing:
    """A symbol and the slug of its sector."""

    symbol: str
    sector: str


@dataclass(frozen=True)
class UnavailableSymbol:
    """A symbol for which the source has no bars in the range that was asked for, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, eq=False)
class BarsReply:
    """Answer to `MarketData.fetch_bars`.

    Attributes
    ----------
    bars : DataFrame with the columns of `BAR_COLUMNS`
        Sorted by symbol and time where the source allows it. Wrong rows (no price, duplicates) are in it as the source
        gave them: to judge them is the business of `core.prices.validation`.
    unavailable : tuple of UnavailableSymbol
        Every requested symbol without a single row in `bars`, exactly once.
    notes : tuple of str
        What the source left out or understood differently from what is written, in words, folded.
    """

    bars: "pd.DataFrame"
    unavailable: tuple[UnavailableSymbol, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ActionsReply:
    """Answer to `MarketData.fetch_actions`.

    Attributes
    ----------
    actions : DataFrame with the columns of `ACTION_COLUMNS`
        Perhaps empty.
    unsure : tuple of UnavailableSymbol
        Symbols of which the source reports an action that cannot be read, and why: their prices cannot be adjusted,
        and must not be used.
    """

    actions: "pd.DataFrame"
    unsure: tuple[UnavailableSymbol, ...] = ()


class MarketData(Protocol):
    """A source of bars and corporate actions.

    Attributes
    ----------
    label : str
        Name of the source as a person should read it beside every result.
    basis : PriceBasis
        Which corporate actions the prices already include.
    frequency : Frequency
        Frequency of the bars that `fetch_bars` returns.
    """

    @property
    def label(self) -> str: ...  # noqa: D102 - the class documents its attributes

    @property
    def basis(self) -> PriceBasis: ...  # noqa: D102

    @property
    def frequency(self) -> Frequency: ...  # noqa: D102

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols` in the sessions from `first` to `last`, both included.

        Raises
        ------
        Unavailable
            When retrying inside the adapter did not help, but later may.
        Refused, NotFound, DataError, ConfigurationError
            When the whole request cannot be served; a single symbol without data is an `UnavailableSymbol` instead.
        """
        ...

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        """Corporate actions with an ex-date from `first` to `last`.

        Raises
        ------
        Unavailable, Refused, NotFound, DataError, ConfigurationError
            As `fetch_bars`.
        """
        ...

    def universe(self) -> tuple[Listing, ...] | None:
        """Symbols and sectors that the source itself knows, sorted by sector and symbol; None when it cannot tell."""
        ...

    def sessions_available(self, symbols: Collection[str] = ()) -> tuple[date, date] | None:
        """First and last session for which the source can have bars of most of `symbols`, or of all that it has.

        None when it cannot tell.
        """
        ...


def empty_bars() -> "pd.DataFrame":
    """No bars, with the columns and types of bars."""
    from pairs_platform.core.prices.contracts import PRICE_HISTORY

    return PRICE_HISTORY.empty()


def empty_actions() -> "pd.DataFrame":
    """No corporate actions, with the columns and types of actions."""
    from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS

    return CORPORATE_ACTIONS.empty()
