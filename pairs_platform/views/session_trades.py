"""What an account did in a session, for people: a line for each trade, and why entries were not made.

What does not belong here: where the money came from (`workflows.attribution`), and tables of a terminal (`cli`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder
from pairs_platform.database.spread_orders import StoredTrade


@dataclass(frozen=True, kw_only=True)
class TradeLine:
    """A trade of which shares were filled.

    Attributes
    ----------
    trade_id, pair : str
    words : str
        What was bought and sold, as "buy 45 SWKS at 101.25, sell 31 TER at 88.10".
    entered_utc : datetime
        Its first fill.
    left_utc : datetime or None
        Its last fill where it holds nothing any more.
    """

    trade_id: str
    pair: str
    words: str
    entered_utc: datetime
    left_utc: datetime | None


def trade_lines(trades: Iterable[StoredTrade]) -> list[TradeLine]:
    """Trades of which shares were filled, the oldest first."""
    return [_line(stored.trade) for stored in trades if any(order.fills for order in stored.trade.orders)]


def _line(trade: SpreadOrder) -> TradeLine:
    moments = [fill.filled_utc for order in trade.orders for fill in order.fills]
    return TradeLine(
        trade_id=trade.id,
        pair=trade.pair,
        words=", ".join(_legs_in_words(trade)),
        entered_utc=min(moments),
        left_utc=max(moments) if trade.state.ended else None,
    )


def _legs_in_words(trade: SpreadOrder) -> list[str]:
    """How each leg was opened, at its mean price."""
    words = []
    for leg in LEGS:
        shares, price = trade.traded(leg, 1)
        if price is not None:
            words.append(f"{'buy' if shares > 0 else 'sell'} {abs(shares)} {trade.symbol(leg)} at {price:.2f}")
    return words


def refusals_in_words(outcomes: Iterable[Mapping[str, Any]]) -> str:
    """Why entries were not made, as "move_below_cost 3, late 1"; empty where none was missed.

    Parameters
    ----------
    outcomes : iterable of mapping
        As `signal_outcomes.outcome_rows`; those of pairs that are followed and not traded are left out.
    """
    missed = Counter(
        row["code"] or row["outcome"]
        for row in outcomes
        if row["action"].startswith("enter") and row["outcome"] != "filled" and row["code"] != "followed"
    )
    return ", ".join(f"{code} {count}" for code, count in missed.most_common())
