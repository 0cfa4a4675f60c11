"""`pairs-platform portfolio`: what the account is worth and holds, as its broker says.

What does not belong here: what the platform believes of it (`positions`), and asking (`views.portfolio`).
"""

from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.show import narrowed, output_width, print_frame, rows_option, say
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.ports.broker import BrokerPosition
    from pairs_platform.views.portfolio import PortfolioManager

GOES_FIRST = ("price $", "mean $", "free")
"""Columns that a narrow terminal goes without, in this order."""


@click.command("portfolio")
@profile_options
@rows_option()
def command(settings: Settings, rows: int) -> None:
    """Show what the account is worth and holds, as its broker says.

    It asks the broker now, whether a trader runs or not; `positions` shows what the trades of the platform hold.
    """
    import pandas as pd

    from pairs_platform.platform import Platform
    from pairs_platform.processes.runtime.topology import as_it_runs
    from pairs_platform.processes.trader.brokers import open_account
    from pairs_platform.views.portfolio import PortfolioManager

    platform = Platform(as_it_runs(settings))
    manager = PortfolioManager(open_account(platform, platform.clock, lambda _: ()).broker)
    say_profile()
    _say_worth(manager)
    positions = manager.positions().value
    if not positions:
        click.echo("no position is held")
        return
    frame = pd.DataFrame([_line(position) for position in positions])
    print_frame(narrowed(frame, GOES_FIRST, output_width()), f"Portfolio · {manager.label}", rows=rows)


def _say_worth(manager: "PortfolioManager") -> None:
    summary = manager.summary().value
    day = "" if summary.result_of_day is None else f", {summary.result_of_day:+,.2f} since the session before"
    say(f"{manager.label}: ${summary.equity:,.2f}{day}")
    orders = "no order is open" if not summary.open_orders else f"{summary.open_orders} orders are open"
    say(
        f"cash ${summary.cash:,.2f}, long ${summary.long_value:,.2f}, short ${-summary.short_value:,.2f}, buying power "
        f"${summary.buying_power:,.2f}; {orders}"
    )


def _line(position: "BrokerPosition") -> dict[str, Any]:
    def dollars(value: float | None) -> str | None:
        return None if value is None else f"{value:,.2f}"

    return {
        "symbol": position.symbol,
        "shares": f"{position.quantity:+,g}",
        "free": None if position.available is None else f"{position.available:,g}",
        "mean $": dollars(position.average_price),
        "price $": dollars(position.current_price),
        "value $": dollars(position.market_value),
    }
