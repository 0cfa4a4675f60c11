"""What positions in a pair earned, bar by bar: those of the trading rule on its stored signals, or any others.

It agrees with the backtest on the same bars. What does not belong here: reading signals and prices
(`views.rule_pnl`), and the money of a single trade (`ledger`).
"""

from dataclasses import dataclass

import numpy as np

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.trading.ledger import PairLedger, Trade
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.core.trading.settings import CostSettings


@dataclass(frozen=True, kw_only=True)
class PositionPnl:
    """What one pair earned from a bar on; returns are shares of the gross value at entry.

    Attributes
    ----------
    entries, exits : int
        Fills from that bar on.
    gross_return, fill_cost, borrow_cost : float
        Sums from that bar on; NaN where a leg has no price. An open position is marked at the last close, and its exit
        costs nothing yet.
    position : int
        At the last close: +1 long the spread of the pair's newest legs, −1 short, 0 flat.
    trades : tuple of Trade
        All that were open at that bar or later, the open one with "window_end".
    """

    entries: int
    exits: int
    gross_return: float
    fill_cost: float
    borrow_cost: float
    position: int
    trades: tuple[Trade, ...]

    @property
    def net_return(self) -> float:
        """Gross less costs."""
        return self.gross_return - self.fill_cost - self.borrow_cost


def position_pnl(
    window: PriceWindow,
    legs: tuple[str, str],
    *,
    position: np.ndarray,
    beta: np.ndarray,
    y_is_first: np.ndarray,
    costs: CostSettings,
    first_bar: int = 0,
) -> PositionPnl:
    """What the positions in one pair earned from `first_bar` on.

    A change of position is a fill at the open of the bar at whose close it is first seen. Shares follow from β at the
    entry and do not change until the exit, also over nights in which the pair is fitted again. A position that the
    first bar of the window already has counts as entered there.

    Parameters
    ----------
    window : PriceWindow
        T bars, from the entry of every position that is open at `first_bar`.
    legs : (str, str)
        Both symbols, in any order.
    position : ndarray of int, shape (T,)
        At each close: +1 long y and short β x, −1 short y and long β x, 0 flat.
    beta : ndarray, shape (T,)
        Hedge ratio in force at each bar; read where a position is entered.
    y_is_first : ndarray of bool, shape (T,)
        Whether y is the first of `legs`; the other one where a new fit has exchanged them.
    costs : CostSettings
    first_bar : int
        Bars before it show only where positions come from.
    """
    ledger = PairLedger(window, [window.column(leg) for leg in legs], costs)
    # The sign by the first leg: a new fit that exchanges the legs turns the sign of `position`, and trades nothing.
    held = np.where(y_is_first, position, -position)
    before = np.concatenate([[0], held[:-1]])
    entries = np.flatnonzero((held != before) & (held != 0))
    left = np.flatnonzero((held != before) & (before != 0))
    trades = []
    for entry in entries.tolist():
        values = np.array(leg_values(float(beta[entry]), int(position[entry])))
        later = left[left > entry]
        trades.append(
            ledger.book(
                int(position[entry]),
                values if y_is_first[entry] else values[::-1],
                entry,
                int(later[0]) if len(later) else None,
                "exit" if len(later) else "window_end",
            )
        )
    part = slice(first_bar, window.n_bars)
    return PositionPnl(
        entries=int((entries >= first_bar).sum()),
        exits=int((left >= first_bar).sum()),
        gross_return=float(ledger.gross[part].sum()),
        fill_cost=float(ledger.fill_cost[part].sum()),
        borrow_cost=float(ledger.borrow_cost[part].sum()),
        position=int(position[-1]),
        trades=tuple(trade for trade in trades if trade.exit_bar >= first_bar),
    )
