"""The assets `orders`, `fills`, `portfolio` and `performance_attribution`, and what their pages show.

What does not belong here: reading what the trader stored (`workflows.trading_results`), and trading
(`processes.trader`).
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import drawing, rows_table, table
from pairs_platform.defs.partitions import live_session_by_sector
from pairs_platform.defs.signals.assets import GROUP, signals
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.trading_results import SessionTrading

TRADING_RETRIES = dg.RetryPolicy(max_retries=2, delay=5)

ORDERS_SHOWN = (
    "pair", "symbol", "leg", "purpose", "attempt", "quantity", "limit_price", "status", "executed", "average_price",
    "reason", "intended_utc",
)  # fmt: skip
FILLS_SHOWN = ("pair", "symbol", "quantity", "price", "commission", "filled_utc", "purpose")
OUTCOMES_SHOWN = ("pair", "bar_utc", "action", "outcome", "code", "message")


@dg.asset(
    deps=[signals],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"sql"},
    code_version="1",
)
def orders(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the orders by status, and at what became of every signal that asks for a trade: filled, denied or late.

    The trader writes each order down before it is sent; a run shows what is stored, and changes nothing.
    """
    from pairs_platform.defs.outcomes import for_each_partition
    from pairs_platform.workflows.trading_results import session_trading

    def show(key: PartitionKey) -> dict[str, Any]:
        return _orders_page(platform, session_trading(platform, key))

    for_each_partition(context, show, retries=TRADING_RETRIES)


def _orders_page(platform: Platform, trading: "SessionTrading") -> dict[str, Any]:
    made = [(stored.trade.pair, order) for stored in trading.trades for order in stored.trade.orders]
    rows = [
        ([pair] + [getattr(order, name) for name in ORDERS_SHOWN[1:]])
        for pair, order in sorted(made, key=lambda each: each[1].intended_utc, reverse=True)
    ]
    denied = Counter(row["code"] for row in trading.outcomes if row["outcome"] == "denied")
    return {
        **_of_trading(platform, trading),
        "dagster/row_count": len(rows),
        "trades": len(trading.trades),
        "trades_by_state": dict(Counter(str(stored.trade.state) for stored in trading.trades)),
        "orders_by_status": dict(Counter(str(order.status) for _, order in made)),
        "signals_by_outcome": dict(Counter(row["outcome"] for row in trading.outcomes)),
        "denials_by_code": dict(denied),
        "newest_orders": rows_table(ORDERS_SHOWN, rows, rows=50),
        "outcomes": rows_table(
            OUTCOMES_SHOWN, ([row[name] for name in OUTCOMES_SHOWN] for row in reversed(trading.outcomes)), rows=50
        ),
    }


@dg.asset(
    deps=[orders],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"sql"},
    code_version="1",
)
def fills(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the executions with their prices and commissions, and at what they paid beyond the price at the decision.

    The trader stores each execution once; a run shows what is stored, and changes nothing.
    """
    from pairs_platform.defs.outcomes import for_each_partition
    from pairs_platform.workflows.trading_results import session_trading

    def show(key: PartitionKey) -> dict[str, Any]:
        return _fills_page(platform, session_trading(platform, key))

    for_each_partition(context, show, retries=TRADING_RETRIES)


def _fills_page(platform: Platform, trading: "SessionTrading") -> dict[str, Any]:
    from pairs_platform.core.trading.slippage import slippages
    from pairs_platform.workflows.trading_results import naked_times

    made: list[tuple[Any, ...]] = [
        (stored.trade.pair, order.symbol, order.sign * fill.quantity, fill.price, fill.commission, fill.filled_utc,
         order.purpose)
        for stored in trading.trades
        for order in stored.trade.orders
        for fill in order.fills
    ]  # fmt: skip
    newest: list[tuple[Any, ...]] = sorted(made, key=_filled, reverse=True)
    paid, naked = slippages(stored.trade for stored in trading.trades), naked_times(platform, trading)
    return {
        **_of_trading(platform, trading),
        "dagster/row_count": len(made),
        "shares_traded": sum(abs(row[2]) for row in made),
        "value_traded_usd": sum(abs(row[2]) * row[3] for row in made),
        "commission_usd": sum(row[4] for row in made),
        "mean_slippage_bps": sum(paid) / len(paid) if paid else None,
        "naked_dollar_seconds": sum(each.seconds * each.dollars for each in naked),
        "newest_fills": rows_table(FILLS_SHOWN, newest, rows=50),
    }


@dg.asset(
    deps=[fills],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"sql", "parquet"},
    code_version="1",
)
def portfolio(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the equity over the session, and at the exposure beside its limits; a row for each snapshot.

    All but the sector's gross value are the whole account's, so that each sector shows the same account.
    """
    from pairs_platform.defs.outcomes import for_each_partition

    for_each_partition(context, lambda key: _portfolio_page(platform, key), retries=TRADING_RETRIES)


def _portfolio_page(platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.views.drawing.equity_curve import equity_curve
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.portfolio_limits import exposure_limits, newest_exposure
    from pairs_platform.workflows.trading_results import portfolio_partition

    frame = portfolio_partition(platform, key)
    source = platform.market_data.label
    curves = {
        f"{account} ({mode})": list(zip(own["at_utc"], own["change"], strict=True))
        for (mode, account), own in frame.groupby(["run_mode", "account"])
    }
    newest = frame.groupby(["run_mode", "account"], as_index=False).last()
    return {
        "source": source,
        "dagster/row_count": len(frame),
        "until": frame["at_utc"].max().to_pydatetime(),
        "equity_usd": float(newest["equity"].sum()),
        "change_usd": float(newest["change"].sum()),
        "exposure_beside_limits": table(newest_exposure(frame, exposure_limits(platform.settings.risk.limits))),
        "newest_snapshots": table(newest),
        "plot_equity": drawing(
            equity_curve(curves, label=drawing_label(platform, key, source)), "equity over the session"
        ),
    }


@dg.asset(
    deps=[fills, portfolio],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"sql", "parquet"},
    code_version="1",
)
def performance_attribution(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the components of the change of equity: what the rule earned, then what each step to the account took.

    The legs of the sector's trades, and a row of the account that is the same in each sector; all sum to one cent.
    """
    from pairs_platform.defs.outcomes import for_each_partition

    for_each_partition(context, lambda key: _attribution_page(platform, key), retries=TRADING_RETRIES)


def _attribution_page(platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.core.trading.attribution import Cut
    from pairs_platform.views.attribution_tables import component_totals
    from pairs_platform.views.drawing.components import component_bars
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.workflows.trading_results import attribution_partition

    frame, found = attribution_partition(platform, key)
    totals = component_totals(frame)
    source = platform.market_data.label
    bars = totals.groupby("component", sort=False)["US$"].sum()
    cuts = {
        f"by_{cut.name.lower()}": rows_table(
            (cut.name.lower(), "US$"),
            [(value, parts.total) for each in found.values() for value, parts in each.by(cut).items()],
        )
        for cut in (Cut.PAIR, Cut.SECTOR, Cut.SIDE, Cut.ENTRY_REASON, Cut.EXIT_REASON, Cut.HOUR, Cut.MODEL_VERSION)
    }
    return {
        "source": source,
        "dagster/row_count": len(frame),
        "until": frame["to_utc"].max().to_pydatetime() if len(frame) else None,
        "equity_change_usd": sum(each.period.change for each in found.values()),
        "unexplained_usd": sum(each.account.unexplained for each in found.values()),
        "components": table(totals, rows=50),
        **cuts,
        "plot_components": drawing(
            component_bars(
                {str(name): float(value) for name, value in bars.items()}, label=drawing_label(platform, key, source)
            ),
            "components of the change of equity",
        ),
    }


def _filled(row: tuple[Any, ...]) -> Any:
    return row[FILLS_SHOWN.index("filled_utc")]


def _of_trading(platform: Platform, trading: "SessionTrading") -> dict[str, Any]:
    return {
        "source": platform.market_data.label,
        "run_modes": sorted(trading.until_utc),
        "until": max(trading.until_utc.values()),
    }
