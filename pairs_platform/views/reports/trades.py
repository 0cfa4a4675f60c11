"""The section of trading in the report of a session: what became of signals, the trades, what they earned and risked.

What does not belong here: what the rule would have earned (`views.rule_pnl`), and making what is shown
(`workflows.trading_results`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.streaming.settings import RUN_MODES
from pairs_platform.core.trading.contracts import PERFORMANCE_ATTRIBUTION, PORTFOLIO
from pairs_platform.core.trading.spread_order import LEGS
from pairs_platform.database.risk_events import event_rows
from pairs_platform.database.signal_outcomes import outcome_rows, signals_without_outcome
from pairs_platform.database.signals import SignalKey
from pairs_platform.database.spread_orders import StoredTrade, trades_of_session
from pairs_platform.database.store import Database
from pairs_platform.views.attribution_tables import component_totals, gains_by_pair
from pairs_platform.views.portfolio_limits import exposure_limits, newest_exposure
from pairs_platform.views.reports.document import Block, Paragraph, rows_of, table_of

if TYPE_CHECKING:
    import pandas as pd

    from pairs_platform.platform import Platform

TRADES_SHOWN, EVENTS_SHOWN = 40, 40
GAIN = "gains of ended ones, after commissions, without borrowing fees and dividends"


def trading_blocks(database: Database, sector: str, session: date) -> Iterator[Block]:
    """Outcomes and trades of a sector in a session, by run mode."""
    is_empty = True
    for run_mode in RUN_MODES:
        key = SignalKey(run_mode=run_mode, sector=sector, session=session)
        trades = trades_of_session(database, run_mode, sector, session)
        outcomes = outcome_rows(database, key)
        if not trades and not outcomes:
            continue
        is_empty = False
        yield Paragraph(_summary(run_mode, trades, outcomes, len(signals_without_outcome(database, key))))
        denials = Counter(row["code"] for row in outcomes if row["outcome"] == "denied")
        if denials:
            lines = [(code.replace("_", " "), n) for code, n in denials.most_common()]
            yield rows_of(("denied because of", "signals"), lines, f"Denied signals · {run_mode}")
        if trades:
            shown = trades[-TRADES_SHOWN:]
            caption = f"Trades, the last {len(shown)} of {len(trades)} · {GAIN} · {run_mode}"
            yield rows_of(_HEADINGS, [_line(stored) for stored in shown], caption)
    if is_empty:
        yield Paragraph("Nothing was traded.")


def result_blocks(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    """Where the change of equity came from, exposure beside its limits, and what risk said."""
    lake = platform.lake
    if lake.exists(PERFORMANCE_ATTRIBUTION.table, key):
        attribution = lake.read(PERFORMANCE_ATTRIBUTION, key)
        until = f"{attribution['to_utc'].max():%Y-%m-%d %H:%M} UTC"
        caption = f"What each pair earned · US dollars, until {until}"
        gains = gains_by_pair(attribution)
        if len(gains):
            yield table_of(_in_dollars(gains), caption)
        caption = "Where it came from: the sector's trades, and what belongs to no trade · US dollars"
        yield table_of(_in_dollars(component_totals(attribution)), caption)
    elif any(trades_of_session(platform.database, mode, key.sector, key.session) for mode in RUN_MODES):
        yield Paragraph("Where gains came from is not stored: the job session_trading of this partition stores it.")
    if lake.exists(PORTFOLIO.table, key):
        limits = exposure_limits(platform.settings.risk.limits)
        shown = newest_exposure(lake.read(PORTFOLIO, key), limits)
        caption = "Exposure of the account beside its limits · shares of equity; open pairs are counted"
        yield table_of(shown, caption)
    events = event_rows(platform.database, RUN_MODES, kinds=["drift", "limit", "state", "reject"], session=key.session)
    told = [event for event in events if event["sector"] in (None, key.sector)][:EVENTS_SHOWN]
    if told:
        lines = [(f"{event['market_utc']:%H:%M}", event["kind"], event["message"]) for event in reversed(told)]
        yield rows_of(("market time (UTC)", "what", "message"), lines, "Drift, limits, trading states, rejected orders")


def _in_dollars(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Amounts with cents and sign, as text."""
    shown = frame.copy()
    for name in shown.select_dtypes("number").columns:
        shown[name] = [f"{value:+,.2f}" for value in shown[name]]
    return shown


_HEADINGS = (
    "decided (UTC)", "pair", "shares to hold", "filled", "state", "left because of", "commission ($)", "gain ($)",
)  # fmt: skip


def _summary(run_mode: str, trades: Sequence[StoredTrade], outcomes: Sequence[dict[str, Any]], waiting: int) -> str:
    counted = Counter(row["outcome"] for row in outcomes)
    still = sum(stored.ended_utc is None for stored in trades)
    said = [f"{n} {outcome}" for outcome, n in sorted(counted.items())]
    if waiting:
        said.append(f"{waiting} without an outcome")
    of_signals = f"Of the signals that ask for a trade {', '.join(said)}. " if said else ""
    n_trades = "1 trade" if len(trades) == 1 else f"{len(trades)} trades"
    return f"Run mode {run_mode}: {of_signals}{n_trades}, of which {still} still open."


def _line(stored: StoredTrade) -> list[Any]:
    trade = stored.trade
    fills = [fill for order in trade.orders for fill in order.fills]
    commission = sum(fill.commission for fill in fills)
    bought = {leg: sum(abs(order.executed) for order in trade.orders if order.leg == leg) for leg in LEGS}
    return [
        f"{trade.decided_utc:%m-%d %H:%M}",
        trade.pair,
        ", ".join(f"{trade.target(leg):+,d} {trade.symbol(leg)}" for leg in LEGS),
        ", ".join(f"{bought[leg]:,d} {trade.symbol(leg)}" for leg in LEGS),
        trade.state.value,
        trade.broken or trade.reason,
        f"{commission:,.2f}",
        f"{trade.proceeds:+,.2f}" if stored.ended_utc is not None and fills else None,
    ]
