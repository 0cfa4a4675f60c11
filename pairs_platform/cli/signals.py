"""`pairs-platform signals`: the newest signals of a sector, or all of them as they are stored.

What does not belong here: reading the table (`database.signals`) and computing signals (`workflows.signals`).
"""

import time
from datetime import datetime
from typing import TYPE_CHECKING

import click
import pandas as pd

from pairs_platform.cli.profile_options import profile_options
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.database.signals import SignalKey

COLUMNS = (
    "pair", "role", "action", "z", "volatility", "probability_champion", "probability_challenger", "confidence", "size",
    "position", "late", "reason",
)  # fmt: skip
TITLES = {
    "volatility": "vol.", "probability_champion": "P champ.", "probability_challenger": "P chall.",
    "confidence": "conf.", "position": "pos.",
}  # fmt: skip
POLL_SECONDS = 1.0


@click.command("signals")
@profile_options
@click.option("--sector", type=SECTOR, help="Sector slug; the first active one if not given.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session; the newest one with signals.")
@click.option("--run-mode", type=click.Choice(["live", "replay"]), help="Run mode; the configured one if not given.")
@click.option("--pair", help="Only this pair, as SYMBOL_SYMBOL in any order, at every bar of the session.")
@click.option("--follow", is_flag=True, help="Go on with every bar that is stored, until Ctrl-C.")
def command(
    settings: Settings,
    sector: str | None,
    session: datetime | None,
    run_mode: str | None,
    pair: str | None,
    follow: bool,
) -> None:
    """Show the signals of the newest bar: action, z, probabilities, size, and why a pair is skipped."""
    from pairs_platform.database.signals import SignalKey, sessions_with_signals, signal_frame
    from pairs_platform.platform import open_database

    database = open_database(settings)
    slug = sector or next(iter(settings.active_sectors), None)
    if slug is None:
        raise click.ClickException("no sector is active: give --sector")
    mode = run_mode or settings.stream.run_mode
    newest: pd.Timestamp | None = None
    while True:
        sessions = sessions_with_signals(database, mode, slug)
        day = session.date() if session else (sessions[-1] if sessions else None)
        if day is None and not follow:
            raise click.ClickException(f"{slug} has no signals in the run mode {mode} yet: start `{hint('live')}`")
        if day is not None:
            key = SignalKey(run_mode=mode, sector=slug, session=day)
            frame = signal_frame(database, key, after=newest.to_pydatetime() if newest is not None else None)
            if len(frame):
                newest = pd.Timestamp(frame["bar_utc"].max())
                _show(frame, key, pair)
            elif not follow:
                raise click.ClickException(f"{slug} has no signals in the run mode {mode} in {day}")
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def _show(frame: pd.DataFrame, key: "SignalKey", pair: str | None) -> None:
    from pairs_platform.cli.show import frame_table, print_renderable
    from pairs_platform.core.screening.pair_names import find_pair
    from pairs_platform.core.time import MARKET_TIMEZONE

    rows = frame[frame["bar_utc"] == frame["bar_utc"].max()]
    if pair is not None:
        pair = find_pair(pair, set(frame["pair"]))
        rows = frame[frame["pair"] == pair]
        starts = pd.to_datetime(rows["bar_utc"]).dt.tz_convert(MARKET_TIMEZONE)
        shown = rows.assign(bar=starts.dt.strftime("%H:%M"))
        print_renderable(
            frame_table(
                shown[["bar", *COLUMNS[2:]]].rename(columns=TITLES), title=f"{pair} · start of the bar, New York time"
            )
        )
        return
    bar = pd.Timestamp(rows["bar_utc"].iloc[0]).tz_convert(MARKET_TIMEZONE)
    order = rows["role"].map({"selected": 0, "closing": 1, "pinned": 2, "watchlist": 3})
    shown = rows.assign(order=order).sort_values(["order", "pair"])[list(COLUMNS)]
    title = f"Signals · {key.sector} · bar {bar:%Y-%m-%d %H:%M} New York · {key.run_mode}"
    print_renderable(frame_table(shown.rename(columns=TITLES), title=title))
