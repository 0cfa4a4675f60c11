"""Trades of the trader against those of the trading rule on the same bars, and every dollar of the account.

What does not belong here: playing a session (the tests), and the rule itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.core.signals.batch import pair_backtest
from pairs_platform.core.trading.ledger import Trade
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.core.trading.orders import Leg, Order
from pairs_platform.core.trading.positions import Book, booked
from pairs_platform.core.trading.rule import max_hold_bars
from pairs_platform.core.trading.settings import TradingSettings
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder, SpreadState
from pairs_platform.database.bookings import account_bookings
from pairs_platform.database.equity import AccountKey, newest_equity
from pairs_platform.database.spread_orders import StoredTrade, trades_of_account
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import Platform

TOLERANCE = 1e-9
ACCOUNT = AccountKey("paper-replay", "replay")
CASH = 100_000.0

LENIENT = {
    "risk.limits.min_history_days": "20",
    "risk.limits.max_beta_net": "10",
    "risk.limits.max_net": "10",
    "risk.limits.max_volatility": "5",
    "risk.limits.max_stress_loss": "1",
    "risk.limits.max_value_at_risk": "1",
    "risk.limits.max_expected_shortfall": "1",
    "risk.limits.max_name": "1",
    "risk.limits.max_sector_gross": "10",
    "risk.limits.max_open_pairs": "100",
    "risk.limits.max_pairs_of_symbol": "50",
    "risk.limits.stops_to_lock": "100",
    "risk.limits.cool_down_half_lives": "0",
    "risk.limits.pair_loss": "1",
    "risk.entries.min_move_to_cost": "0",
    "risk.entries.min_minutes_to_close": "0",
    "risk.entries.max_hedge_error": "1",
    "risk.entries.max_volume_share": "1",
}
"""Settings by which risk lets the rule have its way: what is compared is how it is carried out."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Largest absolute differences between trades of the trader and of the rule.

    Attributes
    ----------
    trades, closed : int
        Compared, and of these ended by the rule within its bars.
    entry, exit : float
        Dollars a share, of both legs.
    gross, cost : float
        Shares of the gross value at entry, with the rule's weights.
    """

    trades: int
    closed: int
    entry: float = 0.0
    exit: float = 0.0
    gross: float = 0.0
    cost: float = 0.0

    @property
    def largest(self) -> float:
        """The largest of them."""
        return max(self.entry, self.exit, self.gross, self.cost)


def busy_config(platform: Platform, config: TradingConfig, *, leave_out: Sequence[str] = (), **trading: float) -> None:
    """Store a configuration of which every fitted pair is traded, at narrower bands."""
    document = config.model_dump(mode="json")
    changed = TradingSettings.model_validate({**document["trading"], **trading})
    pairs = []
    for pair in document["pairs"]:
        if pair["garch"] and pair["garch"]["half_life_bars"] and pair["pair"] not in leave_out:
            hold = max_hold_bars(pair["garch"]["half_life_bars"], changed)
            pairs.append({**pair, "role": "selected", "size": 1.0, "garch": {**pair["garch"], "max_hold_bars": hold}})
    made = TradingConfig.model_validate(
        {**document, "content_hash": "", "pairs": pairs, "trading": changed.model_dump(mode="json")}
    )
    path = platform.lake.document_path("trading_config", PartitionKey(config.session, config.sector))
    replace_file(path, json.dumps(made.document()).encode())


def nested_risk() -> str:
    """`LENIENT` as the value of `risk` in a settings file."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in LENIENT.items():
        _, group, last = name.split(".")
        groups.setdefault(group, {})[last] = json.loads(value)
    return json.dumps(groups)


def backtested(config: TradingConfig, window: PriceWindow) -> dict[str, tuple[Trade, ...]]:
    """Trades of the backtest in the configuration's session, by pair; without a model."""
    return {pair.pair: pair_backtest(config, pair, window, None).trades for pair in config.pairs}


def compared(
    trades: Sequence[StoredTrade], expected: Mapping[str, Sequence[Trade]], window: PriceWindow
) -> Differences:
    """Hold each trade that was filled against the rule's trade that begins at the same bar; it has to be there."""
    found = Differences(trades=0, closed=0)
    for stored in trades:
        trade = stored.trade
        entries = {leg: order_of(trade, leg, "open") for leg in LEGS}
        if not all(order.fills for order in entries.values()):
            continue
        starts = {pd.Timestamp(order.fills[0].filled_utc) for order in entries.values()}
        assert len(starts) == 1, f"{trade.id}: legs were filled in different bars"
        theirs = next((each for each in expected[trade.pair] if each.entry_ts_utc == min(starts)), None)
        assert theirs is not None, f"{trade.id}: the rule entered at {expected[trade.pair]}"
        assert theirs.side == trade.position, trade.id
        found = larger(found, of_trade(trade, theirs, window))
    return found


def of_trade(trade: SpreadOrder, theirs: Trade, window: PriceWindow) -> Differences:
    """One trade against the rule's; one that is open at the end of the bars is marked at their last close."""
    weights = dict(zip(LEGS, leg_values(trade.beta, trade.position), strict=True))
    is_open = theirs.exit_reason == "window_end"
    entry_bar, exit_bar = (window.ts_utc.get_loc(moment) for moment in (theirs.entry_ts_utc, theirs.exit_ts_utc))
    assert trade.state is (SpreadState.OPEN if is_open else SpreadState.CLOSED), (trade.id, trade.state, trade.reason)
    entry = exit_ = gross = cost = traded = 0.0
    for leg in LEGS:
        first = order_of(trade, leg, "open")
        bought = first.fills[0]
        column = window.column(trade.symbol(leg))
        entry = max(entry, abs(bought.price - float(np.exp(window.log_open[entry_bar, column]))))
        value = abs(first.quantity) * bought.price
        weight = weights[leg] / bought.price
        cost += abs(weights[leg]) * bought.commission / value
        if is_open:
            last = float(np.exp(window.log_close[exit_bar, column]))
            cost += abs(weight) * last * (bought.commission / value)
        else:
            sold = order_of(trade, leg, "close").fills[0]
            assert pd.Timestamp(sold.filled_utc) == theirs.exit_ts_utc, trade.id
            last = sold.price
            exit_ = max(exit_, abs(last - float(np.exp(window.log_open[exit_bar, column]))))
            cost += abs(weights[leg]) * sold.commission / value
        gross += weight * (last - bought.price)
        traded += abs(weight) * last
    return Differences(
        trades=1,
        closed=int(not is_open),
        entry=entry,
        exit=exit_,
        gross=abs(gross - theirs.gross_return),
        cost=abs(cost - theirs.fill_cost),
    )


def order_of(trade: SpreadOrder, leg: Leg, purpose: str) -> Order:
    """The one order of a leg for a purpose: the paper broker fills whole orders."""
    (order,) = [order for order in trade.orders if order.leg == leg and order.purpose == purpose]
    return order


def larger(one: Differences, other: Differences) -> Differences:
    """Both together."""
    return replace(
        one,
        trades=one.trades + other.trades,
        closed=one.closed + other.closed,
        **{name: max(getattr(one, name), getattr(other, name)) for name in ("entry", "exit", "gross", "cost")},
    )


def stored_trades(platform: Platform) -> list[StoredTrade]:
    return trades_of_account(platform.database, ACCOUNT.account, ACCOUNT.run_mode)


def books(platform: Platform) -> Book:
    """The trader's own books."""
    return booked(account_bookings(platform.database, ACCOUNT), cash=CASH)


def unexplained_dollars(platform: Platform, prices: Mapping[str, float]) -> float:
    """What the broker's account is worth at its newest snapshot beyond the trader's own books."""
    row = newest_equity(platform.database, ACCOUNT)
    assert row is not None
    return row.equity - books(platform).equity(prices)


def window_closes(window: PriceWindow, session: date | None = None) -> dict[str, float]:
    """The last close of each symbol, up to a session's end if one is given."""
    last = -1 if session is None else int((window.session <= np.datetime64(session)).sum()) - 1
    return {symbol: float(np.exp(window.log_close[last, j])) for j, symbol in enumerate(window.symbols)}
