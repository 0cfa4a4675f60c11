"""The backtests of selected pairs, as their scores rest on them, computed again: summary, trades, equity.

What does not belong here: the backtest (`core.trading.backtest`), and what a score takes from it
(`core.selection.scores`).
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.core.trading.legs import Legs
from pairs_platform.core.trading.settings import BASIS_POINT, PairSettings
from pairs_platform.views.drawing.plots import Drawing, equity_curves

if TYPE_CHECKING:
    from pairs_platform.core.prices.window import PriceWindow
    from pairs_platform.core.selection.trading_config import TradingConfig
    from pairs_platform.core.trading.backtest import BacktestReport
    from pairs_platform.platform import Platform

BACKTEST_NOTE = (
    "Decided at a bar's close, filled at the next open, net of fills and borrowing; parameters of the first part of "
    "the window, bars of the rest. Basis points of the pair's gross capital at entry, added up."
)


def configured_settings(platform: "Platform", config: "TradingConfig") -> PairSettings:
    """Thresholds and costs of a stored configuration, which those of the settings may have left since."""
    return PairSettings(garch=platform.settings.garch, trading=config.trading, costs=config.costs)


def held_out_backtests(
    platform: "Platform",
    key: PartitionKey,
    pairs: Sequence[str],
    settings: PairSettings,
    window: "PriceWindow | None" = None,
) -> "dict[str, tuple[Legs, BacktestReport]]":
    """Legs and backtest of each of some scored pairs.

    Parameters
    ----------
    platform : Platform
    key : PartitionKey
    pairs : sequence of str
    settings : PairSettings
    window : PriceWindow or None
        Of the partition, where it was read already; it is read for the pairs' symbols if not given.

    Raises
    ------
    PartitionMissing
        The fits or prices of the window are not stored.
    """
    from pairs_platform.core.selection.scores import held_out_backtest
    from pairs_platform.core.volatility.contracts import GARCH_FITS, IN_SAMPLE
    from pairs_platform.views.windows import load_window

    if not pairs:
        return {}
    fits = platform.lake.read(GARCH_FITS, key)
    fits = fits[(fits["parameter_set"] == IN_SAMPLE) & (fits["status"] == "ok")].set_index("pair", drop=False)
    fits = fits.loc[list(pairs)]
    if window is None:
        window = load_window(platform, key, sorted({*fits["y"], *fits["x"]}))
    found = {}
    for pair, row in fits.iterrows():
        report = held_out_backtest(window, row, settings)
        if report is not None:
            found[str(pair)] = (Legs(row["y"], row["x"], float(row["beta"])), report)
    return found


def summary_frame(backtests: "dict[str, tuple[Legs, BacktestReport]]") -> pd.DataFrame:
    """A row for each backtest."""
    return pd.DataFrame(
        [
            {
                "pair": pair,
                "trades": len(report.trades),
                "gross bp": _bp(report.gross_return),
                "costs bp": f"{(report.fill_cost + report.borrow_cost) / BASIS_POINT:.1f}",
                "net bp": _bp(report.net_return),
                "deepest fall bp": f"{report.max_drawdown / BASIS_POINT:.1f}",
                "Sharpe ratio a year": None if report.sharpe_ann is None else f"{report.sharpe_ann:.2f}",
                "won %": None if report.win_rate is None else f"{100 * report.win_rate:.0f}",
                "mean holding bars": None if report.mean_holding_bars is None else f"{report.mean_holding_bars:.1f}",
            }
            for pair, (_, report) in backtests.items()
        ]
    )


def trades_frame(legs: Legs, report: "BacktestReport") -> pd.DataFrame:
    """A row for each trade of a backtest, moments in New York time."""
    total, rows = 0.0, []
    for trade in report.trades:
        total += trade.net_return
        rows.append(
            {
                "entry, New York": f"{trade.entry_ts_utc.tz_convert(MARKET_TIMEZONE):%Y-%m-%d %H:%M}",
                "exit, New York": f"{trade.exit_ts_utc.tz_convert(MARKET_TIMEZONE):%Y-%m-%d %H:%M}",
                "order": legs.entry(trade.side),
                "bars": trade.holding_bars,
                "left by": trade.exit_reason.replace("_", " "),
                "gross bp": _bp(trade.gross_return),
                "costs bp": f"{(trade.fill_cost + trade.borrow_cost) / BASIS_POINT:.1f}",
                "net bp": _bp(trade.net_return),
                "all so far bp": _bp(total),
            }
        )
    return pd.DataFrame(rows)


def equity_drawing(backtests: "dict[str, tuple[Legs, BacktestReport]]", label: str) -> Drawing:
    """Net profit of each backtest over the held-out bars."""
    curves = {
        pair: (report.bars["ts_utc"], report.net_returns.cumsum() / BASIS_POINT)
        for pair, (_, report) in backtests.items()
    }
    return partial(equity_curves, curves=curves, label=label)


def _bp(value: float) -> str:
    return f"{value / BASIS_POINT:+.1f}"
