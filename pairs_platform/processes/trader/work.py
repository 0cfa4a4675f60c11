"""One look at every open trade: what legging asks for and the gate of each symbol lets through, written down and sent.

What does not belong here: which trades there are (`signals`), and the decisions (`core.trading`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pairs_platform.core.errors import DataError, Refused, Unavailable
from pairs_platform.core.prices.calendar import is_session, session_offset, session_open
from pairs_platform.core.risk.trading_state import Standing, denied_by_state
from pairs_platform.core.streaming.sessions import is_open, newest_session
from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.core.trading.legging import (
    Action,
    Ask,
    Break,
    Cancel,
    GoFlat,
    Quote,
    Resize,
    Send,
    next_actions,
    recorded,
)
from pairs_platform.core.trading.netting import Crossing, Gate, crossed, gate
from pairs_platform.core.trading.orders import Leg, Order
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.spread_orders import StoredTrade, change_trade, change_trades
from pairs_platform.processes.trader.accounts import Accounts
from pairs_platform.processes.trader.market import Market, quote_of
from pairs_platform.processes.trader.messages import Messenger
from pairs_platform.processes.trader.seat import Seat

_TURNS = 6
"""Times that a trade is asked about at one look: leaving it or resizing it is followed by another question."""

Permitted = Callable[[SpreadOrder], bool]


class Work:
    """Works on open trades.

    Parameters
    ----------
    seat : Seat
    market : Market
    messenger : Messenger
    accounts : Accounts
    """

    def __init__(self, seat: Seat, market: Market, messenger: Messenger, accounts: Accounts) -> None:
        self._seat, self._market, self._messenger, self._accounts = seat, market, messenger, accounts

    def step(
        self, trades: Sequence[StoredTrade], standing: Standing, read_standing: Callable[[], Standing],
        permitted: Permitted = lambda _: True,
    ) -> None:  # fmt: skip
        """Do for every open trade what is due now.

        Parameters
        ----------
        trades : sequence of StoredTrade
        standing : Standing
            By which orders are intended at all.
        read_standing : callable
            Reads the kill switch: asked last, before each order is sent.
        permitted : callable
            Whether a trade may send orders at this look.
        """
        now = self._seat.clock()
        for order in self._messenger.not_taken(trades):
            self._messenger.send(order, read_standing)
        intended: dict[str, tuple[SpreadOrder, tuple[Action, ...], list[Order]]] = {}
        for each in trades:
            if not each.trade.state.ended:
                trade, actions = self._decided(each.trade, now)
                sends = [action.order for action in actions if isinstance(action, Send)]
                allowed = [order for order in sends if denied_by_state(standing, order.purpose) is None]
                intended[trade.id] = (trade, actions, allowed if permitted(trade) else [])
        gates = self._gates(
            [order for _, _, orders in intended.values() for order in orders],
            [trade for trade, _, _ in intended.values()],
        )
        going = {order.client_order_id: order for found in gates for order in found.send}
        for found in gates:
            for crossing in found.cross:
                self._cross(crossing, now)
        for trade, actions, orders in intended.values():
            mine = [going[order.client_order_id] for order in orders if order.client_order_id in going]
            self._take(trade, actions, mine, now, read_standing)

    def _decided(self, trade: SpreadOrder, now: datetime) -> tuple[SpreadOrder, tuple[Action, ...]]:
        """What is due, once a trade has been left, resized or broken where that was due."""
        actions: tuple[Action, ...] = ()
        for _ in range(_TURNS):
            actions = next_actions(
                trade, self._quotes(trade), now, self._seat.settings.execution_settings,
                profile=self._seat.settings.profile.name, account=self._seat.account, opens_utc=opens(now),
            )  # fmt: skip
            turn = next((action for action in actions if isinstance(action, GoFlat | Resize | Break)), None)
            if turn is None:
                return trade, actions
            trade = change_trade(
                self._seat.database, trade.id, partial(recorded, actions=actions, now=now),
                self._seat.now(),
            )  # fmt: skip
            self._note(trade, turn)
            for action in actions:
                if isinstance(action, Cancel):
                    self._messenger.cancel(trade.order(action.client_order_id))
        return trade, tuple(action for action in actions if not isinstance(action, Send))

    def _quotes(self, trade: SpreadOrder) -> Mapping[Leg, Quote]:
        costs = self._seat.settings.costs
        quotes: dict[Leg, Quote] = {}
        for leg in LEGS:
            quote = quote_of(self._market.price(trade.symbol(leg)), costs.half_spread_bps)
            if quote is not None:
                quotes[leg] = quote
        return quotes

    def _gates(self, orders: Sequence[Order], trades: Sequence[SpreadOrder]) -> list[Gate]:
        """What each symbol lets through; a broker that takes both directions lets everything through."""
        if not orders:
            return []
        if self._seat.settings.broker.takes_opposite_orders:
            return [Gate(send=tuple(orders), cross=(), wait=())]
        by_symbol: dict[str, list[Order]] = defaultdict(list)
        for order in orders:
            by_symbol[order.symbol].append(order)
        at_broker = self._positions()
        disputed = {symbol: int(shares) for symbol, shares in self._accounts.disputed.items()}
        return [
            gate(
                symbol,
                intended,
                pending=[each for trade in trades for leg in LEGS for each in trade.pending(leg)
                         if each.symbol == symbol],
                held={trade.id: trade.held(leg) for trade in trades for leg in LEGS if trade.symbol(leg) == symbol},
                broker_quantity=at_broker.get(symbol, 0) if at_broker is not None else disputed.get(symbol),
                foreign_quantity=int(self._accounts.foreign_shares.get(symbol, 0)),
                foreign_pending=self._accounts.foreign_pending.get(symbol, ()),
            )
            for symbol, intended in by_symbol.items()
        ]  # fmt: skip

    def _positions(self) -> dict[str, int] | None:
        """What the broker holds at this moment; None where it does not say it."""
        try:
            return {each.symbol: int(each.quantity) for each in self._seat.broker.positions()}
        except (Unavailable, Refused, DataError):
            return None

    def _cross(self, crossing: Crossing, now: datetime) -> None:
        """Fill the orders of two pairs by each other, both in one transaction."""
        price = self._market.price(crossing.buy.symbol)
        quote = quote_of(price, self._seat.settings.costs.half_spread_bps)
        if quote is None or not quote.usable(now, self._seat.settings.execution_settings.max_quote_age_seconds):
            return
        orders = crossed(crossing, price=quote.mid, now=now)
        change_trades(
            self._seat.database,
            {order.spread_order_id: partial(SpreadOrder.with_order, order=order) for order in orders},
            self._seat.now(),
        )

    def _take(
        self, trade: SpreadOrder, actions: Iterable[Action], orders: Sequence[Order], now: datetime,
        read_standing: Callable[[], Standing],
    ) -> None:  # fmt: skip
        """Write everything down that is sent or canceled, then send and cancel it."""
        cancels = [action for action in actions if isinstance(action, Cancel)]
        written: list[Action] = [*cancels, *(Send(order) for order in orders)]
        if written:
            trade = change_trade(
                self._seat.database, trade.id, partial(recorded, actions=written, now=now), self._seat.now()
            )
        self._messenger.expect(orders)
        for cancel in cancels:
            self._messenger.cancel(trade.order(cancel.client_order_id))
        for order in orders:
            self._messenger.send(order, read_standing)
        for action in actions:
            if isinstance(action, Ask):
                self._messenger.ask(trade.order(action.client_order_id))

    def _note(self, trade: SpreadOrder, turn: GoFlat | Resize | Break) -> None:
        codes = {GoFlat: "go_flat", Resize: "resize", Break: "broken"}
        self._seat.note(
            RiskEvent(
                kind="trade",
                code=codes[type(turn)],
                severity="error" if isinstance(turn, Break) else "warning",
                message=f"{trade.pair}: {turn.reason}",
                pair=trade.pair,
                spread_order_id=trade.id,
            )
        )


def opens(now: datetime) -> datetime | None:
    """When the market opens, where it is closed now."""
    ns = moment_ns(now)
    if is_open(ns):
        return None
    day = market_day(ns)
    if is_session(day) and now < session_open(day):
        return session_open(day)
    newest = newest_session(ns)
    assert newest is not None, "the calendar begins long before any trade"
    return session_open(session_offset(newest, 1))
