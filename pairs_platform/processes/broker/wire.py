"""How Alpaca's trading API writes orders, accounts, positions, activities and errors, as JSON.

Numbers are texts in answers; times have nanoseconds and end in Z; the calendar's hours are New York's, without a zone.
What does not belong here: which answer a request gets (`server`).

References
----------
Trading API: https://docs.alpaca.markets/reference
trade_updates: https://docs.alpaca.markets/docs/websocket-streaming
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pairs_platform.ports.broker import SessionHours
from pairs_platform.processes.broker.account import (
    Account,
    Event,
    Execution,
    PlacedOrder,
    RequestRefused,
    TradedAsset,
    plain,
)
from pairs_platform.processes.broker.market import CENT, NEW_YORK, MarketTime

TRADE_UPDATES = "trade_updates"


def money(number: Decimal) -> str:
    """Dollars and cents."""
    return format(number.quantize(CENT), "f")


def stamp(moment: datetime | None) -> str | None:
    """A time as answers have it."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def order_json(order: PlacedOrder) -> dict[str, Any]:
    """An order."""
    average = order.average
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.submitted_at),
        "updated_at": stamp(order.updated_at),
        "submitted_at": stamp(order.submitted_at),
        "filled_at": stamp(order.filled_at),
        "expired_at": stamp(order.expired_at),
        "expires_at": None,
        "canceled_at": stamp(order.canceled_at),
        "failed_at": stamp(order.failed_at),
        "replaced_at": stamp(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset_id,
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": plain(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": None if average is None else plain(average.quantize(Decimal("0.000001"))),
        "order_class": "",
        "order_type": order.kind,
        "type": order.kind,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": plain(order.limit_price),
        "stop_price": None,
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "position_intent": None,
        "cancel_requested_at": stamp(order.cancel_requested_at),
    }


def update_json(
    event: Event, order: PlacedOrder, execution: Execution | None, held: Decimal, event_id: str, now: datetime
) -> dict[str, Any]:
    """The data of a trade update; `held` is the position after it."""
    data: dict[str, Any] = {
        "event": event,
        "execution_id": execution.execution_id if execution else event_id,
        "timestamp": stamp(execution.at if execution else now),
        "order": order_json(order),
    }
    if execution is not None:
        data |= {"price": plain(execution.price), "qty": plain(execution.qty), "position_qty": plain(held)}
    return data


def frame(stream: str, data: Mapping[str, Any]) -> bytes:
    """A message of the stream: a binary frame that holds JSON."""
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


def account_json(account: Account) -> dict[str, Any]:
    """The account."""
    state, equity = account.state, account.equity
    long_value, short_value = account.market_value(sign=1), account.market_value(sign=-1)
    power = money(account.buying_power)
    return {
        "id": state.account_id,
        "account_number": "PA0SIMULATED",
        "status": "ACTIVE",
        "currency": "USD",
        "buying_power": power,
        "regt_buying_power": power,
        "daytrading_buying_power": power,
        "non_marginable_buying_power": money(max(state.cash, Decimal(0))),
        "cash": money(state.cash),
        "accrued_fees": "0",
        "portfolio_value": money(equity),
        "pattern_day_trader": False,
        "trading_blocked": state.trading_blocked,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "multiplier": plain(state.multiplier),
        "shorting_enabled": state.shorting_enabled,
        "equity": money(equity),
        "last_equity": money(state.last_equity),
        "long_market_value": money(long_value),
        "short_market_value": money(short_value),
        "initial_margin": money(account.gross / 2),
        "maintenance_margin": money(account.gross * Decimal("0.3")),
        "last_maintenance_margin": "0",
        "sma": "0",
        "daytrade_count": 0,
    }


def position_json(account: Account, symbol: str, price: Decimal) -> dict[str, Any]:
    """A position; short ones have a negative quantity."""
    held = account.positions[symbol]
    value, cost = held.qty * price, held.qty * held.average
    return {
        "asset_id": account.assets[symbol].asset_id,
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(held.qty),
        "qty_available": plain(account.available(symbol) * (1 if held.qty > 0 else -1)),
        "side": "long" if held.qty > 0 else "short",
        "avg_entry_price": plain(held.average.quantize(Decimal("0.000001"))),
        "market_value": money(value),
        "cost_basis": money(cost),
        "unrealized_pl": money(value - cost),
        "unrealized_plpc": plain(((value - cost) / abs(cost)).quantize(Decimal("0.000001"))) if cost else "0",
        "current_price": plain(price),
        "lastday_price": plain(price),
        "change_today": "0",
    }


def asset_json(asset: TradedAsset) -> dict[str, Any]:
    """An asset; whether it is easy to borrow stands there in the field of today and in the one before."""
    return {
        "id": asset.asset_id,
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": asset.symbol,
        "name": f"{asset.symbol}, simulated",
        "status": "active",
        "tradable": asset.tradable,
        "marginable": True,
        "shortable": asset.shortable,
        "easy_to_borrow": asset.borrow_status == "easy_to_borrow",
        "borrow_status": asset.borrow_status,
        "fractionable": True,
    }


def activity_json(execution: Execution) -> dict[str, Any]:
    """An execution as an account activity; stamped to the millisecond."""
    at = execution.at.astimezone(UTC)
    return {
        "id": f"{activity_prefix(at)}::{execution.execution_id}",
        "activity_type": "FILL",
        "transaction_time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "type": "fill" if execution.leaves == 0 else "partial_fill",
        "price": plain(execution.price),
        "qty": plain(execution.qty),
        "side": execution.order.side,
        "symbol": execution.order.symbol,
        "leaves_qty": plain(execution.leaves),
        "order_id": execution.order.order_id,
        "cum_qty": plain(execution.cumulative),
        "order_status": "filled" if execution.leaves == 0 else "partially_filled",
    }


def activity_prefix(at: datetime) -> str:
    """What the id of an activity begins with."""
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"


def clock_json(market: MarketTime, ahead_seconds: float) -> dict[str, Any]:
    """The clock, in New York's time with its offset; `ahead_seconds` is how wrong it is."""
    shown = market.now() + timedelta(seconds=ahead_seconds)
    return {
        "timestamp": shown.astimezone(NEW_YORK).isoformat(),
        "is_open": market.is_open(),
        "next_open": market.next_open().astimezone(NEW_YORK).isoformat(),
        "next_close": market.next_close().astimezone(NEW_YORK).isoformat(),
    }


def calendar_json(hours: SessionHours) -> dict[str, str]:
    """A session of the calendar: hours of New York without a zone."""
    opened, closed = hours.open_utc.astimezone(NEW_YORK), hours.close_utc.astimezone(NEW_YORK)
    return {
        "date": hours.session.isoformat(),
        "open": f"{opened:%H:%M}",
        "close": f"{closed:%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": hours.session.isoformat(),
    }


def error_json(error: RequestRefused) -> dict[str, Any]:
    """An error; some have no code."""
    code = {} if error.code is None else {"code": error.code}
    return {**code, "message": str(error), **error.fields}
