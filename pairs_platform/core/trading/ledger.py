"""Money of a pair's trades, bar by bar: moves of both legs, costs of fills, fees for the short leg.

What does not belong here: when the rule trades (`rule`), and where positions come from (`backtest`, `rule_pnl`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.trading.settings import BASIS_POINT, DAYS_PER_YEAR, CostSettings


@dataclass(frozen=True, kw_only=True)
class Trade:
    """One round trip. Returns are shares of the gross value at entry.

    Attributes
    ----------
    side : int
        +1 long the spread, −1 short.
    entry_bar, exit_bar : int
        Bars of the window in which the fills happened (the exit's at its open, or at the close for "window_end").
    entry_ts_utc, exit_ts_utc : Timestamp
        Starts of those bars.
    exit_reason : str
        "exit", "stop", "time_stop" or "window_end".
    holding_bars : int
        exit_bar − entry_bar for a fill at the open; one more for a close at the window's end.
    gross_return, fill_cost, borrow_cost, net_return : float
        net = gross − fill_cost − borrow_cost.
    """

    side: int
    entry_bar: int
    exit_bar: int
    entry_ts_utc: pd.Timestamp
    exit_ts_utc: pd.Timestamp
    exit_reason: str
    holding_bars: int
    gross_return: float
    fill_cost: float
    borrow_cost: float
    net_return: float


class PairLedger:
    """Money of a pair's trades, bar by bar; every amount is a share of the gross value at entry.

    A fill is at the bar's open, at its close where there is none, else at the newest close before.

    Parameters
    ----------
    window : PriceWindow
    columns : sequence of int, length 2
        Columns of both legs.
    costs : CostSettings
    first_bar : int
        First bar of the window that is booked; T are left from it on. Trades name bars of the window.

    Attributes
    ----------
    nights : ndarray of int, shape (T,)
        Calendar nights between a bar and the one before; 0 at the first.
    gross, fill_cost, borrow_cost, closing_cost : ndarray, shape (T,)
        By bar; `closing_cost` is that of positions that were still open at the end.
    traded : float
        Value traded.
    """

    def __init__(self, window: PriceWindow, columns: Sequence[int], costs: CostSettings, *, first_bar: int = 0) -> None:
        self._ts_utc, self._first_bar, self._costs = window.ts_utc[first_bar:], first_bar, costs
        session = window.session[first_bar:].astype("datetime64[D]")
        self.nights = np.diff(session, prepend=session[:1]).astype(np.int64)
        log_close, log_open, ex_action = (
            values[first_bar:, columns] for values in (window.log_close, window.log_open, window.ex_action)
        )
        n, close = len(log_close), np.exp(log_close)
        newest = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(n)[:, None], 0), axis=0)
        self._mark = np.take_along_axis(close, newest, axis=0)
        self._fill_price = np.where(np.isfinite(log_open), np.exp(log_open), self._mark)
        before = np.vstack([self._mark[:1], self._mark[:-1]])
        self._start = np.where(ex_action & np.isfinite(self._fill_price), self._fill_price, before)
        self._before = before
        self.gross, self.fill_cost, self.borrow_cost, self.closing_cost = (np.zeros(n) for _ in range(4))
        self.traded = 0.0

    def book(self, side: int, weights: np.ndarray, entry: int, exit_: int | None, reason: str) -> Trade:
        """Book one round trip that is filled at bars `entry` and `exit_` (None: closed at the last bar's close).

        `weights`, shape (2,), are the signed values of the legs at entry, for a gross value of 1.
        """
        last = len(self.gross) - 1 if exit_ is None else exit_
        rows = slice(entry, last + 1)
        shares = weights / self._fill_price[entry]
        start, end = self._start[rows].copy(), self._mark[rows].copy()
        start[0] = self._fill_price[entry]
        if exit_ is not None:
            end[-1] = self._fill_price[exit_]
        gross = ((end - start) * shares).sum(axis=1)
        short = np.minimum(shares, 0.0)
        nights = self.nights[rows].copy()
        nights[0] = 0
        borrowed = -(self._before[rows] * short).sum(axis=1)
        borrow = borrowed * nights * self._costs.borrow_bps_per_year * BASIS_POINT / DAYS_PER_YEAR
        value_out = float(np.abs(shares) @ end[-1])
        rate = self._costs.fill_bps * BASIS_POINT
        self.gross[rows] += gross
        self.borrow_cost[rows] += borrow
        self.fill_cost[entry] += rate
        (self.closing_cost if exit_ is None else self.fill_cost)[last] += rate * value_out
        self.traded += 1.0 + value_out
        fill_cost = rate * (1.0 + value_out)
        gross_return, borrow_cost = float(gross.sum()), float(borrow.sum())
        return Trade(
            side=side,
            entry_bar=self._first_bar + entry,
            exit_bar=self._first_bar + last,
            entry_ts_utc=self._ts_utc[entry],
            exit_ts_utc=self._ts_utc[last],
            exit_reason=reason,
            holding_bars=last - entry + (1 if exit_ is None else 0),
            gross_return=gross_return,
            fill_cost=fill_cost,
            borrow_cost=borrow_cost,
            net_return=gross_return - fill_cost - borrow_cost,
        )
