"""The part of a pair's trade that one leg holds and the other does not hedge: how much, since when, for how long.

What does not belong here: what is done about it (`legging`), and the book as a whole (`core.risk`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from pairs_platform.core.trading.orders import Leg
from pairs_platform.core.trading.quantities import naked_value
from pairs_platform.core.trading.spread_order import SpreadOrder


@dataclass(frozen=True)
class NakedEpisode:
    """A time in which more than the tolerance was naked.

    Attributes
    ----------
    begin_utc : datetime
    end_utc : datetime or None
        None while it lasts.
    dollar_seconds : float
        Naked value times time, until the end or the moment that was asked for.
    most_dollars : float
        The largest naked value in it.
    """

    begin_utc: datetime
    end_utc: datetime | None
    dollar_seconds: float
    most_dollars: float


def naked_tolerance(trade: SpreadOrder, fraction: float, *, price_y: float, price_x: float) -> float:
    """Dollars of a trade that may be naked: a fraction of its gross value, and never less than whole shares miss.

    What the targets themselves miss counts as hedged, and a share of either leg more.
    """
    gross = abs(trade.target_y) * price_y + abs(trade.target_x) * price_x
    at_target = naked_value(trade.target_y, trade.target_x, beta=trade.beta, price_y=price_y, price_x=price_x)
    beta = abs(trade.beta)
    share = max(price_y * max(1.0, beta), price_x * max(1.0, 1.0 / beta))
    return max(fraction * gross, at_target + share)


def naked_episodes(
    trade: SpreadOrder, *, price_y: float, price_x: float, tolerance: float, until: datetime
) -> tuple[NakedEpisode, ...]:
    """The times in which more than `tolerance` dollars of a trade were naked, at one price for each leg.

    A fill counts from the broker's time of it. Shares that are reported as filled and whose executions are not known
    count from when their order was intended: the earliest that they can have been filled.
    """
    episodes: list[NakedEpisode] = []
    begin: datetime | None = None
    amount, last, dollar_seconds, most = 0.0, until, 0.0, 0.0
    for moment, shares_y, shares_x in _held_over_time(trade):
        if begin is not None:
            dollar_seconds += amount * (moment - last).total_seconds()
        amount = naked_value(shares_y, shares_x, beta=trade.beta, price_y=price_y, price_x=price_x)
        last = moment
        if amount > tolerance and begin is None:
            begin = moment
        elif amount <= tolerance and begin is not None:
            episodes.append(NakedEpisode(begin, moment, dollar_seconds, most))
            begin, dollar_seconds, most = None, 0.0, 0.0
        most = max(most, amount) if begin is not None else 0.0
    if begin is not None:
        dollar_seconds += amount * max(0.0, (until - last).total_seconds())
        episodes.append(NakedEpisode(begin, None, dollar_seconds, most))
    return tuple(episodes)


def naked_since(trade: SpreadOrder, *, price_y: float, price_x: float, tolerance: float) -> datetime | None:
    """Since when more than `tolerance` dollars are naked without a break; None where they are not."""
    if trade.naked(price_y=price_y, price_x=price_x) <= tolerance:
        return None
    since = None
    for moment, shares_y, shares_x in _held_over_time(trade):
        amount = naked_value(shares_y, shares_x, beta=trade.beta, price_y=price_y, price_x=price_x)
        since = (since or moment) if amount > tolerance else None
    return since


def _held_over_time(trade: SpreadOrder) -> Iterator[tuple[datetime, int, int]]:
    """Shares of y and x after each moment in which some were filled; those that splits added are there from the start.

    The last are those that the trade holds now.
    """
    changes: list[tuple[datetime, Leg, int]] = []
    for order in trade.orders:
        changes += [(fill.filled_utc, order.leg, order.sign * fill.quantity) for fill in order.fills]
        if order.filled != order.executed:
            changes.append((order.intended_utc, order.leg, order.filled - order.executed))
    held: dict[Leg, int] = {"y": trade.adjusted_y, "x": trade.adjusted_x}
    for moment, together in groupby(sorted(changes, key=lambda change: change[0]), key=lambda change: change[0]):
        for _, leg, shares in together:
            held[leg] += shares
        yield moment, held["y"], held["x"]
