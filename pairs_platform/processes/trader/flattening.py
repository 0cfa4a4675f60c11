"""Carries out what flattening the account demands, one demand at a look: cancel, wait, close pair by pair, look again.

What does not belong here: what is demanded (`core.risk.trading_state`), and how a pair is closed (`work`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pairs_platform.core.errors import AnswerLost, DataError, NotFound, PlatformError, Refused, Unavailable
from pairs_platform.core.risk.exposure import Holding
from pairs_platform.core.risk.trading_state import (
    AccountView,
    CancelOrders,
    ClosePair,
    CrossInternally,
    Demand,
    Flat,
    NeedsPerson,
    OpenOrder,
    next_demand,
)
from pairs_platform.core.streaming.sessions import is_open
from pairs_platform.core.time import moment_ns
from pairs_platform.core.trading.orders import Order, OrderStatus, cancel_requested
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder
from pairs_platform.database.kill_switch import note_flat
from pairs_platform.database.risk_events import RiskEvent
from pairs_platform.database.spread_orders import StoredTrade, change_trade
from pairs_platform.ports.broker import BrokerOrder, NotCancelable
from pairs_platform.processes.trader.messages import Messenger
from pairs_platform.processes.trader.seat import Seat

LOOK_SECONDS, FLAT_SECONDS = 1.0, 60.0
"""Pauses between two looks at the account: while it is flattened, and once it is flat."""


@dataclass(frozen=True)
class Permission:
    """Trades that may send orders to close themselves at this look."""

    pairs: frozenset[str] = frozenset()


class Flattening:
    """The way of the account to flat; remembers only what it asked the broker for.

    Parameters
    ----------
    seat : Seat
    messenger : Messenger
    """

    def __init__(self, seat: Seat, messenger: Messenger) -> None:
        self._seat, self._messenger = seat, messenger
        self._canceled: dict[str, datetime] = {}
        self._last_order_end: datetime | None = None
        self._had_orders = False
        self._next_look: datetime | None = None
        self._said = ""

    def step(self, trades: Sequence[StoredTrade], reason: str) -> Permission:
        """Leave every trade, do the next thing, and say which pairs may close now."""
        for each in trades:
            if each.trade.goal is not Goal.UNWIND and not each.trade.state.ended:
                change_trade(
                    self._seat.database, each.trade.id, lambda trade: trade.to_leave(Goal.UNWIND, reason),
                    self._seat.now(),
                )  # fmt: skip
        now = self._seat.wall()
        if self._next_look is not None and now < self._next_look:
            return Permission()
        self._last_order_end = self._last_order_end or now
        demand = next_demand(self._view([each.trade for each in trades]), self._seat.settings.risk.limits)
        self._next_look = now + timedelta(seconds=FLAT_SECONDS if isinstance(demand, Flat) else LOOK_SECONDS)
        match demand:
            case CancelOrders(ids):
                self._cancel(ids, trades)
            case ClosePair(pair):
                return Permission(frozenset({pair}))
            case CrossInternally(_, shares):
                return Permission(frozenset(shares))
            case Flat():
                note_flat(self._seat.database, self._seat.run_mode, self._seat.wall())
            case _:
                pass
        self._say(demand)
        return Permission()

    def _view(self, trades: Sequence[SpreadOrder]) -> AccountView:
        """What is known of the account now, by the clock of this machine."""
        own = {order.client_order_id: order for trade in trades for order in trade.orders}
        taken, orders, positions = self._seat.wall(), None, None
        try:
            listed = self._seat.broker.open_orders()
            orders = tuple(self._seen(order, own.get(order.client_order_id)) for order in listed)
            positions = {each.symbol: float(each.quantity) for each in self._seat.broker.positions()}
        except (Unavailable, Refused, DataError):
            listed = []
        if self._had_orders and orders == ():
            self._last_order_end = taken
        self._had_orders = bool(orders) if orders is not None else self._had_orders
        there = {order.client_order_id for order in listed}
        return AccountView(
            taken_utc=taken,
            session_open=is_open(moment_ns(self._seat.clock())),
            orders=orders,
            positions=positions,
            unsettled=tuple(
                order.client_order_id
                for trade in trades
                for leg in LEGS
                for order in trade.pending(leg)
                if order.client_order_id not in there
            ),
            holdings=tuple(_held(trade) for trade in trades if any(trade.held(leg) for leg in LEGS)),
            last_order_end_utc=self._last_order_end,
        )

    def _seen(self, order: BrokerOrder, own: Order | None) -> OpenOrder:
        pause = timedelta(seconds=self._seat.settings.execution.cancel_timeout_seconds)
        asked = self._canceled.get(order.broker_order_id)
        return OpenOrder(
            id=order.broker_order_id,
            symbol=order.symbol,
            canceling=asked is not None and self._seat.wall() - asked < pause,
            flattening=own is not None and own.purpose == "flatten" and own.status is not OrderStatus.CANCELING,
        )

    def _cancel(self, ids: Sequence[str], trades: Sequence[StoredTrade]) -> None:
        """Cancel orders, those of the platform with what is known of them; foreign ones too."""
        own = {order.broker_order_id: order for each in trades for order in each.trade.orders}
        for broker_id in ids:
            self._canceled[broker_id] = self._seat.wall()
            order = own.get(broker_id)
            if order is not None:
                self._cancel_own(order)
                continue
            try:
                self._seat.broker.cancel(broker_id)
            except (NotCancelable, NotFound, Unavailable, AnswerLost, Refused) as error:
                self._say_error(broker_id, error)

    def _cancel_own(self, order: Order) -> None:
        now = self._seat.clock()

        def change(trade: SpreadOrder) -> SpreadOrder:
            return trade.with_state_of(cancel_requested(trade.order(order.client_order_id), now))

        if order.status is OrderStatus.WORKING:
            change_trade(self._seat.database, order.spread_order_id, change, self._seat.now())
        self._messenger.cancel(order)

    def _say(self, demand: Demand) -> None:
        """Store what needs a person, and that the account is flat, once."""
        if isinstance(demand, NeedsPerson):
            message, severity = demand.reason, "error"
        elif isinstance(demand, Flat):
            message, severity = "the account is flat: no order and no position", "info"
        else:
            return
        if message != self._said:
            self._said = message
            self._seat.note(RiskEvent(kind="state", code="flatten", severity=severity, message=message))  # type: ignore[arg-type]

    def _say_error(self, broker_id: str, error: PlatformError) -> None:
        message = f"order {broker_id} could not be canceled: {error}"
        self._seat.note(RiskEvent(kind="order", code="not_canceled", severity="warning", message=message))


def _held(trade: SpreadOrder) -> Holding:
    return Holding(pair=trade.pair, sector="", y=trade.y, x=trade.x, shares_y=trade.held("y"), shares_x=trade.held("x"))
