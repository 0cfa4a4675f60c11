"""Splits of shares that trades hold over night: theirs are changed once the broker shows its own changed.

What does not belong here: what a split does to a trade (`core.trading.spread_order`), and which splits there are
(`workflows.trading_inputs`).
"""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from functools import partial

from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.trading.positions import Booking, BookingKind, split_contradiction
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.bookings import store_bookings
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.spread_orders import StoredTrade, change_trade
from pairs_platform.processes.trader.accounts import Accounts
from pairs_platform.processes.trader.market import Market
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.workflows.trading_inputs import MorningFacts


class Splits:
    """Watches the splits of a session.

    Parameters
    ----------
    seat : Seat
    market : Market
    accounts : Accounts
    """

    def __init__(self, seat: Seat, market: Market, accounts: Accounts) -> None:
        self._seat, self._market, self._accounts = seat, market, accounts

    def waiting(self, trades: Iterable[StoredTrade], facts: MorningFacts) -> dict[str, Fraction]:
        """Splits that prices show, and that trades which were held before do not have yet: shares by symbol."""
        held = [each.trade for each in trades if not each.trade.state.ended]
        return {
            symbol: ratio
            for symbol, ratio in facts.splits.items()
            if self._of(held, symbol, facts) and self._is_shown(symbol, ratio, facts)
        }

    def apply(self, trades: Iterable[StoredTrade], facts: MorningFacts) -> None:
        """Change the shares of trades whose symbol the broker shows split."""
        waiting = self.waiting(trades, facts)
        if not waiting:
            return
        held = [each.trade for each in trades if not each.trade.state.ended]
        positions = {each.symbol: each.quantity for each in self._seat.broker.positions()}
        for symbol, ratio in waiting.items():
            mine = self._of(held, symbol, facts)
            shares = sum(trade.held(leg) for trade in mine for leg in LEGS if trade.symbol(leg) == symbol)
            there = positions.get(symbol, 0.0) - self._accounts.foreign_shares.get(symbol, 0.0)
            if shares and there != shares and abs(there - shares * float(ratio)) <= len(mine):
                for trade in mine:
                    self._split(trade, symbol, ratio, facts.session)

    def _of(self, trades: Iterable[SpreadOrder], symbol: str, facts: MorningFacts) -> list[SpreadOrder]:
        """Trades that held a symbol before the session's open, and that no split has changed yet."""
        opened = session_open(facts.session)
        return [
            trade
            for trade in trades
            for leg in LEGS
            if trade.symbol(leg) == symbol
            and trade.held(leg)
            and not trade.pending(leg)
            and not (trade.adjusted_y if leg == "y" else trade.adjusted_x)
            and all(order.intended_utc < opened for order in trade.orders if order.leg == leg)
        ]

    def _is_shown(self, symbol: str, ratio: Fraction, facts: MorningFacts) -> bool:
        """Whether the first price after the open is what the split makes of the close before it."""
        price = self._market.price(symbol)
        before = facts.closes.get(symbol)
        if price is None or before is None:
            return False
        return split_contradiction(symbol, ratio, close_before=before, price_after=price.close) == ""

    def _split(self, trade: SpreadOrder, symbol: str, ratio: Fraction, session: date) -> None:
        """Book the shares, which counts once, then change the trade: one that is killed between does both again."""
        change = partial(SpreadOrder.after_split, symbol=symbol, ratio=ratio)
        added = sum(change(trade).held(leg) - trade.held(leg) for leg in LEGS)
        booking = Booking(
            id=f"split {trade.id} {symbol} {session}",
            kind=BookingKind.SPLIT,
            booked_utc=session_open(session),
            spread_order_id=trade.id,
            symbol=symbol,
            shares=added,
        )
        store_bookings(self._seat.database, self._seat.key, [booking], self._seat.now())
        change_trade(self._seat.database, trade.id, change, self._seat.now())
        message = f"{trade.pair}: a split of {symbol} made {ratio} shares of each"
        self._seat.note(
            RiskEvent(
                kind="trade", code="split", severity="info", message=message, pair=trade.pair, symbol=symbol,
                spread_order_id=trade.id,
            )
        )  # fmt: skip
