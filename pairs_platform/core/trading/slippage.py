"""What trades paid beyond the price at which their orders were made.

What does not belong here: how much is assumed and allowed (`core.risk.limits`), and where gains came from
(`attribution`).
"""

from collections.abc import Iterable

from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.core.trading.spread_order import SpreadOrder


def slippages(trades: Iterable[SpreadOrder]) -> list[float]:
    """Adverse move from the middle at the decision to the fill of each trade, basis points of what was traded.

    Trades without such a fill are left out.
    """
    found = []
    for trade in trades:
        paid = traded = 0.0
        for order in trade.orders:
            if order.arrival_price and order.average_price:
                shares = abs(order.executed)
                paid += order.sign * shares * (order.average_price - order.arrival_price)
                traded += shares * order.arrival_price
        if traded:
            found.append(paid / traded / BASIS_POINT)
    return found
