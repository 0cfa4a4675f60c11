"""The backtest: nothing but a loop over the trading rule of `rule`, compiled.

What does not belong here: the rule, the money of its trades (`ledger`), how a Sharpe ratio is judged (`sharpe`), and
how a backtest becomes a score (`core.selection.scores`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.trading.ledger import PairLedger, Trade
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.core.trading.rule import (
    Limits,
    TradeAction,
    after_fill_step,
    at_close_step,
    limits_of,
    max_hold_bars,
    stop_band,
)
from pairs_platform.core.trading.settings import SESSIONS_PER_YEAR, CostSettings, TradingSettings

_at_close, _after_fill = njit(cache=True)(at_close_step), njit(cache=True)(after_fill_step)


@dataclass(frozen=True, kw_only=True, eq=False)
class BacktestReport:
    """Outcome of one pair's backtest; returns are shares of the gross value at entry, added up, not compounded.

    Attributes
    ----------
    bars : DataFrame, one row per bar from `first_bar`
        ts_utc, spread, z, band, action (decided at this close), position (at this close), gross_return, fill_cost,
        borrow_cost, closing_cost (only in the last row), net_return. Row t is a function of data up to t alone,
        apart from `closing_cost`, which belongs to the window's end.
    trades : tuple of Trade
    net_return, gross_return, fill_cost, borrow_cost : float
        Sums over the window; fill_cost holds the closing cost.
    turnover : float
        Value traded, both legs and both directions, in multiples of the gross value at entry.
    max_drawdown : float
        Largest fall of the cumulative net return from its running maximum (0 at the start), ≥ 0.
    sharpe_ann : float or None
        mean / standard deviation (ddof 1) of the per-bar net returns, flat bars included, times √bars_per_year; None
        where the returns do not vary.
    calmar : float or None
        Annual net return over max_drawdown; None without a drawdown.
    win_rate, mean_holding_bars : float or None
        Over trades, by net return; None without a trade.
    profit_factor : float or None
        Net gains over net losses of trades; None without a losing trade.
    break_even_cost_multiple : float or None
        Factor on all costs at which the net return is zero: gross / costs; None without costs.
    bars_per_year : float
        252 × mean bars per session of the window.
    """

    bars: pd.DataFrame
    trades: tuple[Trade, ...]
    net_return: float
    gross_return: float
    fill_cost: float
    borrow_cost: float
    turnover: float
    max_drawdown: float
    sharpe_ann: float | None
    calmar: float | None
    win_rate: float | None
    mean_holding_bars: float | None
    profit_factor: float | None
    break_even_cost_multiple: float | None
    bars_per_year: float

    @property
    def n_entries(self) -> int:
        """Number of entries that were filled."""
        return len(self.trades)

    @property
    def net_returns(self) -> np.ndarray:
        """Per-bar net returns, flat bars included, shape (bars,)."""
        return self.bars["net_return"].to_numpy()


@njit(cache=True)
def _run(
    deviation: np.ndarray,
    z: np.ndarray,
    band: np.ndarray,
    may_enter: np.ndarray,
    executable: np.ndarray,
    fillable: np.ndarray,
    limits: Limits,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loop of `_at_close` and `_after_fill`. Returns (T,) each: action decided, action filled, position at close."""
    n = len(z)
    action, filled, held = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    position, bars_held, blocked = 0, 0, False
    for t in range(n):
        if t > 0 and executable[t - 1] and fillable[t]:
            filled[t] = action[t - 1]
            position, bars_held, blocked = _after_fill(position, bars_held, blocked, filled[t])
        action[t], bars_held, blocked = _at_close(
            position, bars_held, blocked, deviation[t], z[t], band[t], may_enter[t], limits
        )
        held[t] = position
    return action, filled, held


def _bars_since(seen: np.ndarray) -> np.ndarray:
    """Bars since `seen` was last True, shape (T,); T + 1 before the first time."""
    position = np.arange(len(seen))
    newest = np.maximum.accumulate(np.where(seen, position, -1))
    return np.where(newest >= 0, position - newest, len(seen) + 1)


def backtest(
    window: PriceWindow,
    parameters: SpreadParameters,
    *,
    variance: np.ndarray,
    reference_variance: float,
    half_life_bars: float,
    trading: TradingSettings,
    costs: CostSettings,
    first_bar: int = 0,
    may_enter: np.ndarray | None = None,
) -> BacktestReport:
    """Trade one pair over `window` from `first_bar` on, flat at the start.

    Decisions fall on the close of bar t and are filled at the open of t + 1 (its close where the source has no opens),
    if both legs have that bar. A decision on a session's last bar is not executed; with daily bars, where every bar is
    its session's last, it is filled at the next session's open instead. An unfilled decision lapses. The position is
    ±1/(1+|β|) in y against ∓β/(1+|β|) in x by value at entry, and its shares do not change until the exit. A bar
    without a price leaves the value unchanged; the next known one takes up the whole move. Over an unadjusted ex-date
    the move from the last close to the open is left out, because the dividend paid or owed is not in the prices.

    Parameters
    ----------
    window : PriceWindow
        T bars.
    parameters : SpreadParameters
        One parameter set: α, β, μ, σ all from the same sample.
    variance : ndarray, shape (T + 1,)
        Conditional variance from `core.volatility.garch.conditional_variance`; variance[t] is known at the close of
        t − 1.
    reference_variance : float
        h̄ of `stop_band`.
    half_life_bars : float
        Half-life for the time stop; infinite where there is none.
    first_bar : int
        First bar traded; earlier ones only show how old a leg's newest bar is.
    may_enter : ndarray of bool, shape (T,), optional
        Where a model allows an entry decided at that bar's close; everywhere if not given.

    Raises
    ------
    ValueError
        For a variance of another length, a σ or h̄ that is not positive and finite, or a half-life that is not positive.

    References
    ----------
    Gatev, Goetzmann & Rouwenhorst (2006) for the band rule; the dynamic stop scales the band with GARCH variance.
    """
    for name, value, top in (
        ("sigma", parameters.sigma, "finite"),
        ("reference_variance", reference_variance, "finite"),
        ("half_life_bars", half_life_bars, "infinite at most"),
    ):
        if not (value > 0 and (np.isfinite(value) or top != "finite")):
            raise ValueError(
                f"backtest of {parameters.y} on {parameters.x}: {name} is {value}, must be positive and {top}"
            )
    if len(variance) != window.n_bars + 1:
        raise ValueError(
            f"variance has {len(variance)} values, {window.n_bars + 1} are needed for {window.n_bars} bars"
        )
    legs = [window.column(parameters.y), window.column(parameters.x)]
    part = slice(first_bar, window.n_bars)
    log_close = window.log_close[:, legs]
    spread = parameters.spread(log_close[:, 0], log_close[:, 1])[part]
    observed = window.observed[:, legs]
    stale = np.maximum(_bars_since(observed[:, 0]), _bars_since(observed[:, 1])) > trading.max_stale_bars
    z = np.where(stale[part], np.nan, parameters.z(spread))
    band = stop_band(parameters.sigma, variance[1:][part], reference_variance)
    ledger = PairLedger(window, legs, costs, first_bar=first_bar)
    executable = np.full(len(z), window.frequency is Frequency.ONE_DAY)
    executable[:-1] |= ledger.nights[1:] == 0
    entry_allowed = np.ones(window.n_bars, np.bool_) if may_enter is None else np.asarray(may_enter, np.bool_)
    action, filled, held = _run(
        spread - parameters.mu,
        z,
        band,
        entry_allowed[part],
        executable,
        observed[part][:, 0] & observed[part][:, 1],
        limits_of(trading, max_hold_bars(half_life_bars, trading)),
    )
    entries = np.flatnonzero((filled == TradeAction.ENTER_LONG) | (filled == TradeAction.ENTER_SHORT))
    exits = np.flatnonzero(filled >= TradeAction.EXIT)
    sides = [1 if filled[entry] == TradeAction.ENTER_LONG else -1 for entry in entries]
    trades = tuple(
        ledger.book(
            sides[i],
            np.array(leg_values(parameters.beta, sides[i])),
            int(entry),
            int(exits[i]) if i < len(exits) else None,
            _EXIT_REASONS[TradeAction(filled[exits[i]])] if i < len(exits) else "window_end",
        )
        for i, entry in enumerate(entries)
    )
    bars = pd.DataFrame(
        {
            "ts_utc": window.ts_utc[part],
            "spread": spread,
            "z": z,
            "band": band,
            "action": action,
            "position": held,
            "gross_return": ledger.gross,
            "fill_cost": ledger.fill_cost,
            "borrow_cost": ledger.borrow_cost,
            "closing_cost": ledger.closing_cost,
            "net_return": ledger.gross - ledger.fill_cost - ledger.borrow_cost - ledger.closing_cost,
        }
    )
    return _report(bars, trades, ledger.traded, SESSIONS_PER_YEAR * window.mean_bars_per_session)


_EXIT_REASONS = {TradeAction.EXIT: "exit", TradeAction.STOP: "stop", TradeAction.TIME_STOP: "time_stop"}


def _report(bars: pd.DataFrame, trades: tuple[Trade, ...], turnover: float, bars_per_year: float) -> BacktestReport:
    net = bars["net_return"].to_numpy()
    gross_return = float(bars["gross_return"].sum())
    fill_cost = float(bars["fill_cost"].sum() + bars["closing_cost"].sum())
    borrow_cost = float(bars["borrow_cost"].sum())
    equity = np.concatenate([[0.0], np.cumsum(net)])
    drawdown = float(np.max(np.maximum.accumulate(equity) - equity))
    deviation = float(net.std(ddof=1)) if len(net) > 1 else 0.0
    gains = sum(trade.net_return for trade in trades if trade.net_return > 0)
    losses = -sum(trade.net_return for trade in trades if trade.net_return < 0)
    costs = fill_cost + borrow_cost
    return BacktestReport(
        bars=bars,
        trades=trades,
        net_return=gross_return - costs,
        gross_return=gross_return,
        fill_cost=fill_cost,
        borrow_cost=borrow_cost,
        turnover=turnover,
        max_drawdown=drawdown,
        sharpe_ann=float(net.mean()) / deviation * float(np.sqrt(bars_per_year)) if deviation > 0 else None,
        calmar=float(net.mean()) * bars_per_year / drawdown if drawdown > 0 else None,
        win_rate=sum(trade.net_return > 0 for trade in trades) / len(trades) if trades else None,
        mean_holding_bars=sum(trade.holding_bars for trade in trades) / len(trades) if trades else None,
        profit_factor=gains / losses if losses > 0 else None,
        break_even_cost_multiple=gross_return / costs if costs > 0 else None,
        bars_per_year=bars_per_year,
    )
