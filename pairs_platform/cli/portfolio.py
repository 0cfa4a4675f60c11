"""`pairs-platform portfolio`: what the account is worth and holds, as its broker says.

What does not belong here: what the platform believes of it (`positions`), and asking (`views.portfolio`).
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.show import frame_table, more_rows, narrowed, output_width, page, rows_option, sentences
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pairs_platform.ports.broker import BrokerPosition
    from pairs_platform.views.portfolio import PortfolioManager, PortfolioSummary, Reading

GOES_FIRST = ("price $", "mean $", "free")
"""Columns that a narrow terminal goes without, in this order."""


POLL_SECONDS = 1.0


@click.command("portfolio")
@profile_options
@click.option("--follow", is_flag=True, help="Go on, after each trade and every 30 s at most, until Ctrl-C.")
@rows_option()
def command(settings: Settings, follow: bool, rows: int) -> None:
    """Show what the account is worth and holds, as its broker says.

    It asks the broker now, whether a trader runs or not; `positions` shows what the trades of the platform hold. With
    `live`, the broker is the one that it trades with.
    """
    manager = _manager(settings)
    say_profile()
    shown: tuple[object, ...] = ()
    with page(follow) as show:
        while True:
            worth, held = manager.summary(), manager.positions()
            if (worth.asked_utc, worth.failure) != shown:
                show(partial(_portfolio, manager.label, worth, held, rows))
            if not follow:
                return
            shown = (worth.asked_utc, worth.failure)
            time.sleep(POLL_SECONDS)


def _manager(settings: Settings) -> "PortfolioManager":
    """The manager of the account that the settings name, or of that which the running `live` trades."""
    from pairs_platform.database.spread_orders import newest_change
    from pairs_platform.platform import Platform
    from pairs_platform.processes.runtime.topology import as_it_runs
    from pairs_platform.processes.trader.brokers import open_account
    from pairs_platform.views.portfolio import PortfolioManager, portfolio_of

    platform = Platform(as_it_runs(settings))
    run_mode = platform.settings.stream.run_mode

    def opened() -> PortfolioManager:
        broker = open_account(platform, platform.clock, lambda _: ()).broker
        return PortfolioManager(broker, newest_update=lambda: newest_change(platform.database, run_mode))

    return portfolio_of((platform.settings.profile.name, run_mode, platform.settings.broker.kind), opened)


def _portfolio(
    label: str,
    worth: "Reading[PortfolioSummary]",
    held: "Reading[Sequence[BrokerPosition]]",
    rows: int,
    most: int | None,
) -> "RenderableType":
    import pandas as pd
    from rich.console import Group

    lines = sentences(*_worth(label, worth))
    if not held.value:
        return Group(*lines, *sentences("no position is held"))
    frame = pd.DataFrame([_line(position) for position in held.value])
    kept = frame.iloc[: rows if most is None else min(rows, most)]
    table = frame_table(narrowed(kept, GOES_FIRST, output_width()), f"Portfolio · {label}")
    more = [more_rows(len(frame), len(kept))] if len(frame) > len(kept) else []
    return Group(*lines, table, *more)


def _worth(label: str, reading: "Reading[PortfolioSummary]") -> tuple[str, ...]:
    """What the account is worth, how old that is, and that it is not the newest where the broker does not answer."""
    summary = reading.value
    day = "" if summary.result_of_day is None else f", {summary.result_of_day:+,.2f} since the session before"
    orders = "no order is open" if not summary.open_orders else f"{summary.open_orders} orders are open"
    age = f"asked at {reading.asked_utc:%H:%M:%S} UTC, {reading.age_seconds:.0f} s ago"
    stale = (f"not current, the broker does not answer: {reading.failure}",) if reading.is_stale else ()
    return (
        f"{label}: ${summary.equity:,.2f}{day}",
        f"cash ${summary.cash:,.2f}, long ${summary.long_value:,.2f}, short ${-summary.short_value:,.2f}, buying power "
        f"${summary.buying_power:,.2f}",
        f"{orders}; {age}",
        *stale,
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
