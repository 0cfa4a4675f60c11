"""Positions and cash of an account, booked from fills, commissions, borrow, dividends, splits and other cash.

A booking has an id, and counts once however often it is booked; positions and cash are the sum of all bookings, in the
order of their time, and so the same in whatever order they became known. What does not belong here: what an account is
worth to risk (`core.risk`), where its gains come from (`attribution`), and whether it is the broker's
(`reconciliation`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction

from pairs_platform.core.errors import DataError
from pairs_platform.core.trading.orders import Fill, Order
from pairs_platform.core.trading.settings import BASIS_POINT, DAYS_PER_YEAR


class BookingKind(StrEnum):
    """What a booking is about."""

    FILL = "fill"
    BORROW = "borrow"
    DIVIDEND = "dividend"
    SPLIT = "split"
    CASH = "cash"


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One change of shares, of cash, or of both.

    Attributes
    ----------
    id : str
        The same event has the same one, however it became known.
    kind : BookingKind
    booked_utc : datetime
        Aware.
    spread_order_id, symbol : str
        Whose shares, or the money of whose shares; empty for cash of the account.
    shares : int
        Signed change.
    cash : float
        Dollars that come in (> 0) or go out, without the commission.
    commission : float
        Dollars, ≥ 0, that go out beside.
    """

    id: str
    kind: BookingKind
    booked_utc: datetime
    spread_order_id: str = ""
    symbol: str = ""
    shares: int = 0
    cash: float = 0.0
    commission: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cash) and math.isfinite(self.commission) and self.commission >= 0):
            raise ValueError(f"{self.id}: {self.cash} dollars and a commission of {self.commission} are none")
        if self.booked_utc.tzinfo is None:
            raise ValueError(f"{self.id}: {self.booked_utc} has no time zone")


@dataclass(frozen=True, kw_only=True)
class Position:
    """Shares of a symbol that a trade holds, and what they earned.

    Attributes
    ----------
    shares : int
        Signed.
    cost : float
        Dollars that the shares cost at their average price, signed as they are; 0 without shares.
    realized : float
        Dollars earned by shares that were sold or bought back, without commissions, borrow and dividends.
    """

    shares: int = 0
    cost: float = 0.0
    realized: float = 0.0

    @property
    def average_price(self) -> float | None:
        """Dollars a share; None without shares."""
        return self.cost / self.shares if self.shares else None

    def unrealized(self, price: float) -> float:
        """Dollars that the shares have gained since they were bought or sold short."""
        return self.shares * price - self.cost


@dataclass(frozen=True, kw_only=True)
class Book:
    """An account as its bookings add up.

    Attributes
    ----------
    cash : float
        Dollars.
    positions : mapping of (spread_order_id, symbol) to Position
        Also those without shares any more, for what they earned.
    totals : mapping of BookingKind to float
        Dollars by kind, without commissions.
    commissions : float
        Dollars, ≥ 0.
    contradictions : tuple of str
        Bookings that came a second time with other numbers; the first ones count.
    """

    cash: float
    positions: Mapping[tuple[str, str], Position]
    totals: Mapping[BookingKind, float]
    commissions: float
    contradictions: tuple[str, ...] = ()

    def shares(self) -> dict[str, int]:
        """Signed shares by symbol, of all trades together, where they are not 0."""
        shares: Counter[str] = Counter()
        for (_, symbol), position in self.positions.items():
            shares[symbol] += position.shares
        return {symbol: count for symbol, count in shares.items() if count}

    def equity(self, prices: Mapping[str, float]) -> float:
        """Cash and the value of all shares, dollars.

        Raises
        ------
        DataError
            A symbol that is held has no price.
        """
        value = self.cash
        for symbol, shares in self.shares().items():
            price = prices.get(symbol, math.nan)
            if not (math.isfinite(price) and price > 0):
                raise DataError(f"{shares} {symbol} are held, and their price is {price}: equity cannot be said")
            value += shares * price
        return value


def booked(bookings: Iterable[Booking], *, cash: float) -> Book:
    """The account that bookings make of a sum of cash.

    Parameters
    ----------
    bookings : iterable of Booking
        In any order, repetitions included.
    cash : float
        Dollars before the first.
    """
    first: dict[str, Booking] = {}
    contradictions: list[str] = []
    for booking in bookings:
        before = first.setdefault(booking.id, booking)
        if replace(before, booked_utc=booking.booked_utc) != booking:
            contradictions.append(
                f"{booking.id} was booked with {before.shares} shares and {before.cash:.2f} dollars and comes again "
                f"with {booking.shares} and {booking.cash:.2f}"
            )
    positions: dict[tuple[str, str], Position] = {}
    totals = dict.fromkeys(BookingKind, 0.0)
    commissions = 0.0
    for booking in sorted(first.values(), key=lambda each: (each.booked_utc, each.id)):
        totals[booking.kind] += booking.cash
        commissions += booking.commission
        if booking.kind in (BookingKind.FILL, BookingKind.SPLIT):
            key = (booking.spread_order_id, booking.symbol)
            change = _traded if booking.kind is BookingKind.FILL else _split
            positions[key] = change(positions.get(key, Position()), booking)
    return Book(
        cash=cash + math.fsum(totals.values()) - commissions,
        positions=positions,
        totals=totals,
        commissions=commissions,
        contradictions=tuple(contradictions),
    )


def _traded(position: Position, booking: Booking) -> Position:
    """A position after a fill: shares of the other direction realize what they earned at the average price."""
    price = -booking.cash / booking.shares
    opposite = position.shares * booking.shares < 0
    closing = min(abs(booking.shares), abs(position.shares)) * (1 if booking.shares > 0 else -1) if opposite else 0
    opening = booking.shares - closing
    released = position.cost * closing / position.shares if closing else 0.0
    shares = position.shares + booking.shares
    return Position(
        shares=shares,
        cost=position.cost + released + opening * price if shares else 0.0,
        realized=position.realized + released - closing * price,
    )


def _split(position: Position, booking: Booking) -> Position:
    """A position after a split: it cost what it cost, less what was paid out for parts of a share."""
    shares = position.shares + booking.shares
    if shares:
        return replace(position, shares=shares, cost=position.cost - booking.cash)
    return Position(realized=position.realized + booking.cash - position.cost)


def fill_booking(order: Order, fill: Fill) -> Booking:
    """The booking of an execution."""
    return Booking(
        id=f"fill {fill.execution_id}",
        kind=BookingKind.FILL,
        booked_utc=fill.filled_utc,
        spread_order_id=order.spread_order_id,
        symbol=order.symbol,
        shares=order.sign * fill.quantity,
        cash=-order.sign * fill.quantity * fill.price,
        commission=fill.commission,
    )


def borrow_booking(
    spread_order_id: str,
    symbol: str,
    *,
    shares: int,
    price: float,
    nights: int,
    bps_per_year: float,
    session: date,
    booked_utc: datetime,
) -> Booking:
    """The fee for shares that were short over some nights, as the backtest charges it.

    Parameters
    ----------
    shares : int
        Signed; those that are long cost nothing.
    price : float
        Close before the nights, dollars a share.
    nights : int
        Calendar nights.
    bps_per_year : float
        Basis points per 365 days.
    session : date
        After the nights: part of the id.
    """
    value = -min(shares, 0) * price
    return Booking(
        id=f"borrow {spread_order_id} {symbol} {session}",
        kind=BookingKind.BORROW,
        booked_utc=booked_utc,
        spread_order_id=spread_order_id,
        symbol=symbol,
        cash=-value * nights * bps_per_year * BASIS_POINT / DAYS_PER_YEAR,
    )


def dividend_booking(
    spread_order_id: str, symbol: str, *, shares: int, dollars_per_share: float, ex_date: date, booked_utc: datetime
) -> Booking:
    """A dividend on shares that were held into its ex-date: received when long, paid when short."""
    return Booking(
        id=f"dividend {spread_order_id} {symbol} {ex_date}",
        kind=BookingKind.DIVIDEND,
        booked_utc=booked_utc,
        spread_order_id=spread_order_id,
        symbol=symbol,
        cash=shares * dollars_per_share,
    )


def split_booking(
    spread_order_id: str,
    symbol: str,
    *,
    shares: int,
    ratio: Fraction,
    price: float,
    ex_date: date,
    booked_utc: datetime,
) -> Booking:
    """A split of shares that are held; parts of a share are paid out at the price after it.

    Parameters
    ----------
    shares : int
        Signed, before the split.
    ratio : Fraction
        Shares after it for each share before.
    price : float
        After the split, dollars a share.

    Raises
    ------
    ValueError
        The ratio is none.
    """
    if ratio <= 0:
        raise ValueError(f"a split of {symbol} by {ratio} is none")
    after = int(shares * ratio)
    return Booking(
        id=f"split {spread_order_id} {symbol} {ex_date}",
        kind=BookingKind.SPLIT,
        booked_utc=booked_utc,
        spread_order_id=spread_order_id,
        symbol=symbol,
        shares=after - shares,
        cash=float(shares * ratio - after) * price,
    )


def shared_out(kind: BookingKind, dollars: float, shares: Mapping[str, float]) -> dict[str, float]:
    """Money that was booked for the shares of a symbol, by who held them; the parts sum to it.

    Parameters
    ----------
    kind : BookingKind
        A fee for borrowing is that of those who were short; everything else goes by signed shares, so that a dividend
        is received by some and paid by others.
    shares : mapping of str to float
        Signed, by who held them.

    Returns
    -------
    dict of str to float
        Those that have a part; empty where nobody held shares that it can be for.
    """
    counted = {who: min(count, 0.0) if kind is BookingKind.BORROW else count for who, count in shares.items()}
    total = math.fsum(counted.values())
    if not total:
        return {}
    return {who: dollars * count / total for who, count in counted.items() if count}


def cash_booking(booking_id: str, dollars: float, booked_utc: datetime) -> Booking:
    """Cash of the account alone: interest, a fee, a deposit; the id is the broker's."""
    return Booking(id=f"cash {booking_id}", kind=BookingKind.CASH, booked_utc=booked_utc, cash=dollars)


def split_contradiction(symbol: str, ratio: Fraction, *, close_before: float, price_after: float) -> str:
    """Why prices do not show a split as it was published; empty where they do.

    A forward split that is published as a reverse one makes of 100 shares one where there are 10,000. Prices tell which
    it is: they fall by the ratio. Of the ratio, its inverse and no split at all the one nearest to them is believed.

    Parameters
    ----------
    close_before, price_after : float
        Dollars a share, unadjusted, of the last close before and the first price after.
    """
    if not (math.isfinite(close_before) and math.isfinite(price_after) and close_before > 0 and price_after > 0):
        return f"a split of {symbol} by {ratio} cannot be compared with the prices {close_before} and {price_after}"
    moved, published = math.log(close_before / price_after), math.log(float(ratio))
    if abs(moved - published) < min(abs(moved + published), abs(moved)):
        return ""
    return (
        f"a split of {symbol} by {ratio} was published, and its price went from {close_before:.2f} to "
        f"{price_after:.2f}: {close_before / float(ratio):.2f} was to be expected"
    )
