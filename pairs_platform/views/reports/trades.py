"""The section of trading in the report of a session: what became of signals, and the trades of the sector.

What does not belong here: what the rule would have earned (`views.rule_pnl`), and attribution (`core.trading`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from pairs_platform.core.streaming.settings import RUN_MODES
from pairs_platform.core.trading.spread_order import LEGS
from pairs_platform.database.signal_outcomes import outcome_rows, signals_without_outcome
from pairs_platform.database.signals import SignalKey
from pairs_platform.database.spread_orders import StoredTrade, trades_of_session
from pairs_platform.database.store import Database
from pairs_platform.views.reports.document import Block, Paragraph, rows_of

TRADES_SHOWN = 40
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
    fills = [(order.sign * fill.quantity, fill) for order in trade.orders for fill in order.fills]
    commission = sum(fill.commission for _, fill in fills)
    gain = -sum(shares * fill.price for shares, fill in fills) - commission
    bought = {leg: sum(abs(order.executed) for order in trade.orders if order.leg == leg) for leg in LEGS}
    return [
        f"{trade.decided_utc:%m-%d %H:%M}",
        trade.pair,
        ", ".join(f"{trade.target(leg):+,d} {trade.symbol(leg)}" for leg in LEGS),
        ", ".join(f"{bought[leg]:,d} {trade.symbol(leg)}" for leg in LEGS),
        trade.state.value,
        trade.broken or trade.reason,
        f"{commission:,.2f}",
        f"{gain:+,.2f}" if stored.ended_utc is not None and fills else None,
    ]
