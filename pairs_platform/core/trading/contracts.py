"""Contracts of what trading leaves in the lake: an account's worth and exposure, and where its change came from.

What does not belong here: tables of the database (`database.tables`), from which both are made.
"""

from typing import Any

import pandera.pandas as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.trading.attribution import COMPONENTS

LEG, ACCOUNT_ROW = "leg", "account"

COMPONENT_WORDS = {
    "gross_spread": "What the rule earned on its own opens, without what the market gave it [US dollars].",
    "residual_beta": "What the market gave the pair's net beta [US dollars].",
    "rounding": "Whole shares instead of exact ones [US dollars].",
    "missed": "Shares that the rule held and the account did not, or the reverse [US dollars].",
    "late": "The account decided at another bar than the rule [US dollars].",
    "delay": "From the decision to the arrival of the order, beyond the rule's own way [US dollars].",
    "legging": "Orders that came later than the first of their step [US dollars].",
    "half_spread": "Half of the quoted spread [US dollars].",
    "impact": "From arrival to the fill, beyond half of the spread [US dollars].",
    "commission": "Commissions and fees [US dollars].",
    "borrow": "Fees for borrowed shares [US dollars].",
    "dividends": "Dividends received, and paid on short shares [US dollars].",
    "interest": "Interest of the account [US dollars].",
    "foreign": "What no trade of the platform held [US dollars].",
    "transfers": "Money that was paid in or out [US dollars].",
    "unexplained": "What is left [US dollars].",
}


def _number(description: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    return pa.Column("float64", list(checks), nullable=nullable, description=description)


def _text(description: str, values: tuple[str, ...] = (), **given: Any) -> pa.Column:
    return pa.Column(str, [pa.Check.isin(values)] if values else [], description=description, **given)


_OF_ACCOUNT = {
    "run_mode": _text("live or replay.", ("live", "replay")),
    "account": _text("Account with the broker."),
}
_UTC = "datetime64[ns, UTC]"

PORTFOLIO = Contract(
    table="portfolio",
    version=1,
    schema=pa.DataFrameSchema(
        {
            **_OF_ACCOUNT,
            "at_utc": pa.Column(_UTC, description="Moment of the snapshot by the market's clock, UTC."),
            "equity": _number("Cash and positions [US dollars]."),
            "cash": _number("Cash, with the proceeds of shorts [US dollars]."),
            "change": _number("Change of equity since the close before, or the first snapshot [US dollars]."),
            "drawdown": _number("Fall from the largest equity so far [share of it].", pa.Check.ge(0.0)),
            "gross": _number("Long and short positions [share of equity].", pa.Check.ge(0.0)),
            "net": _number("Long less short positions [share of equity]."),
            "largest_name": _number("Largest symbol after netting [share of equity].", pa.Check.ge(0.0)),
            "sector_gross": _number(
                "Symbols of the sector's trades after netting [share of equity].", pa.Check.ge(0.0)
            ),
            "open_pairs": pa.Column("int64", pa.Check.ge(0), description="Trades that hold shares [trades]."),
            "volatility": _number("Ex-ante; of the newest snapshot [share of equity a year].", nullable=True),
            "value_at_risk": _number("One day at 99 %; of the newest snapshot [share of equity].", nullable=True),
            "expected_shortfall": _number("One day at 97.5 %; of the newest one [share of equity].", nullable=True),
        },
        unique=["run_mode", "account", "at_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Each account at every snapshot of a session; all but the sector's gross value are the whole account's."""

PERFORMANCE_ATTRIBUTION = Contract(
    table="performance_attribution",
    version=1,
    schema=pa.DataFrameSchema(
        {
            **_OF_ACCOUNT,
            "scope": _text(
                "leg: of a trade of the sector; account: of no trade, the same in each sector.", (LEG, ACCOUNT_ROW)
            ),
            "spread_order_id": _text("The pair's trade; empty for the account."),
            "pair": _text("Both symbols in alphabetical order, joined by an underscore; empty for the account."),
            "symbol": _text("Symbol of the leg; empty for the account."),
            "leg": _text("y or x; empty for the account.", ("y", "x", "")),
            "side": _text("long or short; empty for the account.", ("long", "short", "")),
            "entry_reason": _text("What the signal asked for; none where it is not known."),
            "exit_reason": _text("Why the trade was left; none while it is held."),
            "hour": _text("Hour of the decision in New York."),
            "model_version": _text("Champion of the signal; none without one."),
            "confidence": _text("Quarter of the signal's confidence; none where it is not known."),
            **{name: _number(COMPONENT_WORDS[name]) for name in COMPONENTS},
            "total": _number("Sum of the components [US dollars]."),
            "from_utc": pa.Column(_UTC, description="Begin of the period by the market's clock, UTC."),
            "to_utc": pa.Column(_UTC, description="End of the period by the market's clock, UTC."),
            "equity_change": _number("Change of the account's equity in the period [US dollars]."),
        },
        unique=["run_mode", "account", "spread_order_id", "leg"],
        strict=True,
        ordered=True,
    ),
)
"""Where the change of an account's equity came from in a session: the sector's trades by leg, and the account's own.

The rows of all sectors, with one of the account's rows, sum to the change of equity.
"""
