"""`pairs-platform broker`: the simulated broker.

What does not belong here: how it behaves and what can go wrong with it (`processes.broker`).
"""

from datetime import datetime

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.settings.model import Settings


@click.group("broker", cls=CommandGroup)
def command() -> None:
    """Serve a simulated broker that fails on request, to trade against."""


@command.command("simulate")
@profile_options
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one; broker.simulated.port if not given.")
@click.option(
    "--faults", help="Presets or faults with commas between, or a file; broker.simulated.faults if not given."
)
@click.option("--seed", type=click.IntRange(min=0), help="The same one fails the same; that of the settings.")
@click.option("--cash", type=click.FloatRange(min=0), help="Dollars at the start; those of the settings.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d %H:%M"]), help="Time in New York at the start; now if not given.")
@click.option(
    "--noise", type=click.FloatRange(0, 1000), default=5.0, show_default=True, help="Of prices, basis points a second."
)
@click.option("--streamed", is_flag=True, help="Take prices and time from the bars that the profile streams.")
def simulate(
    settings: Settings,
    port: int | None,
    faults: str | None,
    seed: int | None,
    cash: float | None,
    at: datetime | None,
    noise: float,
    streamed: bool,
) -> None:
    """Serve a simulated broker on this machine, over Alpaca's protocol, until Ctrl-C.

    It trades the symbols of the universe from their newest stored closes, or from 100 dollars, and takes any keys.
    Point Alpaca's own client at its address; /simulator shows what really happened. Presets of faults are none, paper
    and chaos; a wrong name lists the faults that there are.
    """
    from pairs_platform.processes.broker.simulation import run_simulation

    if streamed and at is not None:
        raise click.UsageError("give --streamed or --at: the time of the bars is theirs")
    say_profile()
    own = settings.broker.simulated
    run_simulation(
        settings,
        port=own.port if port is None else port,
        faults=(own.faults if faults is None else faults).split(","),
        seed=own.seed if seed is None else seed,
        cash=own.cash if cash is None else cash,
        at=at,
        noise_bp=noise,
        is_streamed=streamed,
        say=click.echo,
    )
