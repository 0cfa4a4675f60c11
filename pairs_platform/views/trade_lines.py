"""What happens to trades, in lines for a person who watches: each entry and exit with its money, and a session's sum.

It asks no broker. What does not belong here: what a leg holds (`views.open_trades`), and how lines are shown (`cli`).
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal

from pairs_platform.core.folding import listed
from pairs_platform.core.time import market_day, market_time, moment_ns
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder, SpreadState
from pairs_platform.database.risk_events import state_changes
from pairs_platform.database.signal_outcomes import denials_of_session
from pairs_platform.database.spread_orders import StoredTrade, changed_trades, trades_of_run
from pairs_platform.database.store import Database
from pairs_platform.views.open_trades import held_legs

Step = Literal["entered", "ended", "broken"]

_ENTERED = (SpreadState.OPEN, SpreadState.CLOSING, SpreadState.CLOSED)
_OVERLAP = timedelta(seconds=5)
"""Changes are asked for so much earlier: one may be stored later than another that has a later time."""


class TradeWatch:
    """Says what happened to the trades of a run mode since it was asked before; each step of a trade once.

    Parameters
    ----------
    database : Database
    run_mode : str
    since : datetime
        By the clock of this machine: what happened before is not told.
    """

    def __init__(self, database: Database, run_mode: str, since: datetime) -> None:
        self._database, self._run_mode, self._since = database, run_mode, since
        self._asked_at = since
        self._told: set[tuple[str, Step]] = set()
        self._newest_event = 0
        before = trades_of_run(database, run_mode, recorded_before=since)
        self._told |= {(each.trade.id, step) for each in before for step in _steps(each.trade)}

    def lines(self, now: datetime) -> list[str]:
        """What is new at a moment of this machine's clock, oldest trade first.

        Raises
        ------
        DatabaseUnavailable
        """
        lines = []
        for each in changed_trades(self._database, self._run_mode, self._asked_at - _OVERLAP):
            for step in _steps(each.trade):
                if (each.trade.id, step) not in self._told:
                    self._told.add((each.trade.id, step))
                    lines.append(_line(each.trade, step))
        for number, message, moment in state_changes(self._database, self._run_mode, self._since, self._newest_event):
            if self._newest_event or not message.startswith("trading is active"):
                lines.append(f"{market_time(moment)}  {message}")
            self._newest_event = number
        self._asked_at = now
        return lines


def session_line(database: Database, run_mode: str, session: date) -> str:
    """Trades, their result and what was denied in a session, in a line.

    The result is that of the trades that the session began or filled, since they began: after commissions, with what
    they hold at the newest snapshot's prices.
    """
    trades = [each for each in trades_of_run(database, run_mode) if session in _sessions(each)]
    ended = [each.trade for each in trades if each.trade.state.ended]
    open_ids = {each.trade.pair for each in trades if not each.trade.state.ended}
    gains = [leg.gain for leg in held_legs(database, (run_mode,)) if leg.pair in open_ids]
    result = sum(trade.proceeds for trade in ended) + sum(gain for gain in gains if gain is not None)
    traded = [trade for trade in ended if any(order.fills for order in trade.orders)]
    counts = f"{_counted(len(traded) + len(open_ids), 'trade')}, {len(traded)} ended and {len(open_ids)} open"
    unknown = ", without what has no price yet" if None in gains else ""
    denials = Counter(denials_of_session(database, run_mode, session))
    names = [f"{code} {count}" for code, count in denials.most_common()]
    denied = f"; denied: {listed(names)}" if names else ""
    return f"session {session}: {counts}, result {_dollars(result)}{unknown}{denied}"


def _steps(trade: SpreadOrder) -> list[Step]:
    """What has happened to a trade so far; what was filled at prices that are not known yet has not."""
    steps: list[Step] = ["broken"] if trade.broken else []
    if any(order.lacks_executions for order in trade.orders):
        return steps
    if trade.state in _ENTERED and all(trade.traded(leg, 1)[0] for leg in LEGS):
        steps.append("entered")
    if trade.state.ended:
        steps.append("ended")
    return steps


def _line(trade: SpreadOrder, step: Step) -> str:
    filled = [fill.filled_utc for order in trade.orders for fill in order.fills]
    moment = max(filled, default=trade.decided_utc)
    if step == "broken":
        return f"{market_time(moment)}  {trade.pair} needs a person: {trade.broken}"
    if step == "entered":
        entered = [f.filled_utc for order in trade.orders if order.purpose in ("open", "hedge") for f in order.fills]
        return f"{market_time(max(entered, default=moment))}  {_deals(trade, 1)}: {trade.pair} is entered"
    reason = f" ({trade.reason})" if trade.reason else ""
    if not filled:
        return f"{market_time(moment)}  {trade.pair}: nothing was filled{reason}"
    minutes = (moment - min(filled)).total_seconds() / 60.0
    return (
        f"{market_time(moment)}  {_deals(trade, -1)}: {trade.pair} is left after {minutes:.0f} min{reason}, "
        + _dollars(trade.proceeds)
    )


def _deals(trade: SpreadOrder, direction: int) -> str:
    """What was traded of each leg in the direction of its target (+1), or against it (−1), in words."""
    parts = []
    for leg in LEGS:
        shares, price = trade.traded(leg, direction)
        if price is not None:
            parts.append(f"{'bought' if shares > 0 else 'sold'} {abs(shares)} {trade.symbol(leg)} at {price:,.2f}")
    return ", ".join(parts)


def _sessions(each: StoredTrade) -> set[date]:
    filled: Iterable[datetime] = (fill.filled_utc for order in each.trade.orders for fill in order.fills)
    return {each.origin.session, *(market_day(moment_ns(moment)) for moment in filled)}


def _dollars(value: float) -> str:
    return f"{'-' if value < 0 else '+'}${abs(value):,.2f}"


def _counted(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"
