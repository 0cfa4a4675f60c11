"""What the account of the settings is worth, as far as it is known without asking the broker.

What does not belong here: asking the broker (`portfolio`), and the curve of an account (`database.equity`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pairs_platform.core.errors import PlatformError

if TYPE_CHECKING:
    from pairs_platform.platform import Platform


@dataclass(frozen=True)
class AccountWorth:
    """Dollars of equity, None where they are not known, and whose they are or why not."""

    equity: float | None
    words: str


def account_worth(platform: "Platform") -> AccountWorth:
    """The newest stored worth of the account of the settings; a paper account begins with the cash of its settings."""
    from pairs_platform.database.equity import newest_equity_rows

    settings = platform.settings
    mode, is_paper = settings.stream.run_mode, settings.broker.kind == "paper"
    try:
        rows = newest_equity_rows(platform.database, [mode])
    except PlatformError as error:
        return AccountWorth(None, f"the worth of the account is not known: {error}")
    mine = [row for row in rows if (row["account"] == f"paper-{mode}") == is_paper]
    if mine:
        row = max(mine, key=lambda each: each["at_utc"])
        return AccountWorth(
            row["equity"],
            f"${row['equity']:,.0f}, the worth of the account {row['account']} at {row['at_utc']:%Y-%m-%d %H:%M} UTC",
        )
    if is_paper:
        cash = settings.broker.paper.cash
        return AccountWorth(cash, f"${cash:,.0f}, with which the paper account of the run mode {mode} begins")
    return AccountWorth(None, "the worth of the account at Alpaca is known from the trader's first look on")
