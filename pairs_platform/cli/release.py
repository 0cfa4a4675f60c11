"""`pairs-platform release`: a person releases the kill switch, or a broken trade.

What does not belong here: keeping the switch (`database.kill_switch`), setting it (`kill`), and what a trade is held
against before it goes on (`processes.trader.releasing`).
"""

from typing import TYPE_CHECKING

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, run_mode_option
from pairs_platform.cli.show import say
from pairs_platform.core.time import utc_now
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.processes.trader.releasing import Truth


@click.command("release")
@profile_options
@click.option("--reason", required=True, help="Why trading may go on; kept with it and in the audit.")
@run_mode_option
@click.option("--trade", help="Release this broken trade, by its id, instead of the kill switch.")
@click.option("--never-sent", is_flag=True, help="With --trade: the broker has none of the orders it does not list.")
@click.option("--despite-broker", is_flag=True, help="With --trade: although the broker holds other shares.")
@click.option("--leave", is_flag=True, help="With --trade: what it holds is left at once.")
def command(
    settings: Settings,
    reason: str,
    run_modes: tuple[str, ...],
    trade: str | None,
    never_sent: bool,
    despite_broker: bool,
    leave: bool,
) -> None:
    """Release the kill switch, or a broken trade: trading may go on.

    A broken trade goes on from its orders and fills, once the broker was asked about them and holds what they say.
    """
    from pairs_platform.database.audit import person
    from pairs_platform.database.kill_switch import release_kill_switch
    from pairs_platform.platform import open_database
    from pairs_platform.views.open_trades import what_is_open

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why trading may go on")
    if trade is not None:
        from pairs_platform.processes.trader.releasing import Truth

        said = {"never_sent": never_sent, "despite_broker": despite_broker, "leave": leave}
        _release_trade(settings, trade, Truth(reason=reason, actor=person(), **said))
        return
    if never_sent or despite_broker or leave:
        raise click.UsageError("--never-sent, --despite-broker and --leave say something of a --trade")
    database = open_database(settings)
    released = release_kill_switch(database, run_modes, reason=reason, actor=person(), now=utc_now())
    if not released:
        raise click.ClickException(f"no kill switch is set in the run mode {in_words(run_modes)}")
    say_profile()
    for switch in released:
        say(f"released · {switch.run_mode}: {switch.level}, set by {switch.actor}: {switch.reason}")
    still = what_is_open(database, run_modes)
    if still:
        say(f"still open: {still}")


def _release_trade(settings: Settings, trade_id: str, truth: "Truth") -> None:
    from pairs_platform.database.equity import AccountKey
    from pairs_platform.platform import Platform
    from pairs_platform.processes.trader.brokers import open_account
    from pairs_platform.processes.trader.releasing import release_trade

    platform = Platform(settings)
    opened = open_account(platform, platform.clock, lambda _: ())
    key = AccountKey(opened.account, settings.stream.run_mode)
    trade = release_trade(platform.database, opened.broker, key, trade_id, truth, utc_now())
    say_profile()
    say(f"released · {trade.pair} is {trade.state}" + (f": {trade.reason}" if trade.reason else ""))
