"""Takes over what the broker booked beside fills: fees for borrowed shares, dividends, parts of a share, other cash.

The broker says how much; whose it is follows from who held the shares before the session. What does not belong here:
the shares that a split changes (`splits`), and what an account is worth (`accounts`).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from pairs_platform.core.trading.positions import Booking, shared_out
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.bookings import booking_ids, store_bookings
from pairs_platform.database.spread_orders import trades_of_account
from pairs_platform.ports.broker import BrokerBooking
from pairs_platform.processes.trader.accounts import Accounts, session_begin
from pairs_platform.processes.trader.seat import Seat

LATE = timedelta(days=10)
"""A broker may list a booking so long after its day."""


class Bookings:
    """The trader's books beside fills.

    Parameters
    ----------
    seat : Seat
    accounts : Accounts
    """

    def __init__(self, seat: Seat, accounts: Accounts) -> None:
        self._seat, self._accounts = seat, accounts
        self._taken: set[str] = set()

    def take(self) -> None:
        """Store what the broker booked and nobody has stored yet, each part of it with the trade that it is for.

        Raises
        ------
        Unavailable, Refused, DataError
            The broker does not say it, or says it so that it cannot be read.
        """
        since = session_begin(self._seat.clock()) - LATE
        found = [each for each in self._seat.broker.bookings(since) if each.id not in self._taken]
        if not found:
            return
        stored = booking_ids(self._seat.database, self._seat.key, since)
        new = [each for each in found if not any(name == each.id or name.startswith(f"{each.id} ") for name in stored)]
        if new:
            stored_trades = trades_of_account(self._seat.database, self._seat.account, self._seat.run_mode)
            trades = [each.trade for each in stored_trades]
            parts = [part for each in new for part in self._parts(each, trades)]
            store_bookings(self._seat.database, self._seat.key, parts, self._seat.now())
        self._taken |= {each.id for each in found}

    def _parts(self, booking: BrokerBooking, trades: Sequence[SpreadOrder]) -> list[Booking]:
        shares: dict[str, float] = defaultdict(float)
        shares[""] = self._accounts.foreign_shares.get(booking.symbol, 0.0)
        for trade in trades:
            for leg in LEGS:
                if trade.symbol(leg) == booking.symbol:
                    shares[trade.id] += _held_before(trade, booking.symbol, booking.booked_utc)
        return [
            Booking(
                id=f"{booking.id} {trade}".rstrip(),
                kind=booking.kind,
                booked_utc=booking.booked_utc,
                spread_order_id=trade,
                symbol=booking.symbol,
                cash=dollars,
            )
            for trade, dollars in (shared_out(booking.kind, booking.cash, shares) or {"": booking.cash}).items()
        ]


def _held_before(trade: SpreadOrder, symbol: str, moment: datetime) -> int:
    """Signed shares of a symbol that a trade held when a session began, in shares as they are after its splits."""
    filled = sum(
        order.sign * fill.quantity
        for order in trade.orders
        if order.symbol == symbol
        for fill in order.fills
        if fill.filled_utc < moment
    )
    adjusted = trade.adjusted_y if trade.y == symbol else trade.adjusted_x
    return filled + adjusted if filled else 0
