"""What the pages of scores and configuration show of backtests: summary, equity and trades of a few pairs.

What does not belong here: computing them and their tables (`views.backtests`).
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.defs.metadata import markdown_table, picture, table
from pairs_platform.platform import Platform

PAIRS_SHOWN = 5
TRADES_SHOWN = 15
"""Newest trades of each pair; the report of the session has more."""


def backtest_page(
    platform: Platform, key: PartitionKey, pairs: Iterable[str], settings: PairSettings, label: str
) -> dict[str, Any]:
    """Metadata of the backtests of the first `PAIRS_SHOWN` pairs; empty where none of them has one."""
    from pairs_platform.views.backtests import (
        BACKTEST_NOTE,
        equity_drawing,
        held_out_backtests,
        summary_frame,
        trades_frame,
    )
    from pairs_platform.views.drawing.plots import png

    backtests = held_out_backtests(platform, key, list(islice(pairs, PAIRS_SHOWN)), settings)
    if not backtests:
        return {}
    trades = []
    for pair, (legs, report) in backtests.items():
        newest = trades_frame(legs, report).iloc[::-1]
        trades.append(f"**{pair}**, {len(newest)} trades, the newest first")
        trades.append(markdown_table(newest, rows=TRADES_SHOWN))
    return {
        "backtests": table(summary_frame(backtests)),
        "backtests_are": BACKTEST_NOTE,
        "plot_backtests": picture(png(equity_drawing(backtests, label)), "net profit of each backtest"),
        "backtest_trades": dg.MetadataValue.md("\n\n".join(trades)),
    }
