"""The end of `pairs-platform demo`: what the paper account did in the replayed hour, and where its money came from.

What does not belong here: replaying the hour (`demo_live`), and the numbers (`views.session_trades`,
`workflows.attribution`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pairs_platform.core.time import market_time

if TYPE_CHECKING:
    from pairs_platform.core.trading.attribution import Attribution
    from pairs_platform.platform import Platform
    from pairs_platform.views.session_trades import TradeLine

COMPONENT_WORDS = {
    "gross_spread": "the rule, at the next opens",
    "residual_beta": "the rule, market",
    "half_spread": "half spread",
}
"""Components in words, where their name says too little."""


@dataclass(frozen=True, kw_only=True)
class TradedHour:
    """What the paper account did.

    Attributes
    ----------
    lines : sequence of TradeLine
    missed : str
        Why entries were not made.
    attribution : Attribution or None
        None where nothing was written down of the account.
    """

    lines: "Sequence[TradeLine]"
    missed: str
    attribution: "Attribution | None"


def traded_hour(platform: "Platform", sectors: Iterable[str], session: date) -> TradedHour:
    """Gather what the account of the replay did in a session."""
    from pairs_platform.database.equity import AccountKey
    from pairs_platform.database.signal_outcomes import outcome_rows
    from pairs_platform.database.signals import SignalKey
    from pairs_platform.database.spread_orders import trades_of_account
    from pairs_platform.processes.trader.brokers import paper_account_name
    from pairs_platform.views.session_trades import refusals_in_words, trade_lines
    from pairs_platform.workflows.attribution import account_attribution

    account = AccountKey(paper_account_name("replay"), "replay")
    keys = [SignalKey(run_mode="replay", sector=sector, session=session) for sector in sectors]
    return TradedHour(
        lines=trade_lines(trades_of_account(platform.database, account.account, account.run_mode)),
        missed=refusals_in_words(row for key in keys for row in outcome_rows(platform.database, key)),
        attribution=account_attribution(platform, account, session),
    )


def print_trades(hour: TradedHour, source: str) -> None:
    """Print a line for each trade, and the change of equity by where it came from."""
    from pairs_platform.cli.show import print_renderable, rows_table, say
    from pairs_platform.core.trading.attribution import Cut

    say("")
    if not hour.lines:
        say(f"PAPER account: no trade in these bars{f', entries not made: {hour.missed}' if hour.missed else ''}.")
        return
    assert hour.attribution is not None, "an account that has traded was written down"
    earned = hour.attribution.by(Cut.TRADE)
    rows = [
        {
            "pair": line.pair,
            "trade": line.words,
            "in": market_time(line.entered_utc),
            "out": "open" if line.left_utc is None else market_time(line.left_utc),
            "P&L $": f"{earned[line.trade_id].total:+,.2f}",
        }
        for line in hour.lines
    ]
    print_renderable(rows_table(rows, f"Trades of the PAPER account · {source} · New York time"))
    print_renderable(rows_table(_components(hour.attribution), "Where the P&L came from"))
    if hour.missed:
        say(f"Entries not made: {hour.missed}.")
    say("P&L is after costs. An open trade is marked at the last close; its exit is not paid yet.")


def _components(attribution: "Attribution") -> list[dict[str, str]]:
    """A row for each component that is a cent or more, the rest, and their sum: each rounded so that they add up."""
    from pairs_platform.core.trading.attribution import COMPONENTS

    period, total = attribution.period, attribution.total
    cents = {name: round(100 * getattr(total, name)) for name in COMPONENTS}
    change = round(100 * period.equity_end) - round(100 * period.equity_start)
    rest = change - sum(cents.values())
    rows = [(COMPONENT_WORDS.get(name, name.replace("_", " ")), count) for name, count in cents.items() if count]
    rows += [("rounding of these lines", rest)] if rest else []
    rows.append((f"equity ${period.equity_start:,.2f} → ${period.equity_end:,.2f}", change))
    return [{"component": words, "$": f"{count / 100:+,.2f}"} for words, count in rows]
