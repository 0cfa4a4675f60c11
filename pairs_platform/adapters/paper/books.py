"""What a fill, a night and a corporate action do to a paper account, as the backtest has it.

What does not belong here: which orders there are, and storing them (`broker`, `database.paper`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Literal

from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.trading.settings import BASIS_POINT, DAYS_PER_YEAR, CostSettings
from pairs_platform.database.paper import PaperAccount, PaperBooking, PaperPosition


@dataclass(frozen=True)
class PaperAction:
    """A corporate action on its ex-date, of prices that are not adjusted for it.

    Attributes
    ----------
    symbol : str
    kind : str
        "split" or "dividend".
    value : float
        New shares for one old share, or dollars a share; > 0.
    """

    symbol: str
    kind: Literal["split", "dividend"]
    value: float


def fill_price(quantity: int, limit_price: float | None, bar: StreamBar) -> float | None:
    """Price at which an order fills in a bar; None where it does not.

    At the open, and where a limit is worse than that, at the limit once the bar has reached it.
    """
    if limit_price is None:
        return bar.open
    if quantity > 0:
        return bar.open if bar.open <= limit_price else (limit_price if bar.low <= limit_price else None)
    return bar.open if bar.open >= limit_price else (limit_price if bar.high >= limit_price else None)


def after_fill(account: PaperAccount, symbol: str, quantity: int, price: float, commission: float) -> PaperAccount:
    """An account after an execution of signed shares."""
    before = account.positions.get(symbol, PaperPosition(0, 0.0, price))
    shares = before.shares + quantity
    average = before.average_price
    if before.shares * shares <= 0:
        average = price  # begun, ended, or turned to the other side
    elif abs(shares) > abs(before.shares):
        average = (before.shares * before.average_price + quantity * price) / shares
    return replace(
        account,
        cash=account.cash - quantity * price - commission,
        positions=_with(account.positions, symbol, PaperPosition(shares, average, price)),
    )


def after_bars(account: PaperAccount, bars: Iterable[StreamBar]) -> PaperAccount:
    """An account whose positions are valued by the closes of bars."""
    positions = dict(account.positions)
    for bar in bars:
        if bar.symbol in positions:
            positions[bar.symbol] = replace(positions[bar.symbol], price=bar.close)
    return replace(account, positions=positions)


def after_night(
    account: PaperAccount, session: date, costs: CostSettings, actions: Sequence[PaperAction]
) -> tuple[PaperAccount, tuple[PaperBooking, ...]]:
    """An account on the morning of a session, and what was booked: fees for the shares that were short, then actions.

    Fees are for the calendar nights since the session before, on the value at its last price. Splits come before
    dividends; parts of a share are paid out at the last price. An account that has seen no session pays nothing.
    """
    bookings: list[PaperBooking] = []
    nights = (session - account.booked_session).days if account.booked_session is not None else 0
    fee_a_dollar = nights * costs.borrow_bps_per_year * BASIS_POINT / DAYS_PER_YEAR
    for symbol, held in sorted(account.positions.items()):
        if held.shares < 0 and fee_a_dollar:
            amount = held.shares * held.price * fee_a_dollar
            bookings.append(_booking(session, "borrow", symbol, held.shares, amount))
    positions = dict(account.positions)
    for action in sorted(actions, key=lambda each: (each.kind != "split", each.symbol)):
        held_ = positions.get(action.symbol)
        if held_ is None:
            continue
        if action.kind == "dividend":
            bookings.append(_booking(session, "dividend", action.symbol, held_.shares, held_.shares * action.value))
            continue
        after, paid = _split(held_, action.value)
        bookings.append(_booking(session, "split", action.symbol, after.shares - held_.shares, 0.0))
        if paid:
            bookings.append(_booking(session, "cash_in_lieu", action.symbol, held_.shares, paid))
        positions = _with(positions, action.symbol, after)
    booked = _summed(bookings)
    cash = account.cash + math.fsum(booking.amount for booking in booked)
    return replace(account, cash=cash, positions=positions, booked_session=session), booked


def _split(held: PaperPosition, value: float) -> tuple[PaperPosition, float]:
    """A position after a split, and the dollars for parts of a share."""
    ratio = Fraction(value).limit_denominator(10_000)
    exact = held.shares * ratio
    shares, price = int(exact), held.price / float(ratio)
    return PaperPosition(shares, held.average_price / float(ratio), price), float(exact - shares) * price


def _booking(session: date, kind: str, symbol: str, quantity: float, amount: float) -> PaperBooking:
    return PaperBooking(session=session, kind=kind, symbol=symbol, quantity=float(quantity), amount=amount)


def _summed(bookings: Iterable[PaperBooking]) -> tuple[PaperBooking, ...]:
    """One booking of each kind and symbol: two dividends of one day add up."""
    summed: dict[tuple[str, str], PaperBooking] = {}
    for booking in bookings:
        key = (booking.kind, booking.symbol)
        before = summed.get(key)
        summed[key] = booking if before is None else replace(before, amount=before.amount + booking.amount)
    return tuple(summed.values())


def _with(positions: Mapping[str, PaperPosition], symbol: str, position: PaperPosition) -> dict[str, PaperPosition]:
    others = {name: each for name, each in positions.items() if name != symbol}
    return {**others, symbol: position} if position.shares else others
