"""`pairs-platform signals`: a board of the newest signals, or of all as they are stored; what the rule did with them.

What does not belong here: reading the table (`database.signals`), computing signals (`workflows.signals`), what a
board says (`views.drawing.signal_board`), and the money of positions (`core.trading.rule_pnl`).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click
import pandas as pd

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.cli.show import (
    frame_table,
    more_rows,
    narrowed,
    output_width,
    page,
    print_frame,
    print_renderable,
    rows_option,
    with_content,
)
from pairs_platform.core.streaming.settings import RUN_MODES
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pairs_platform.database.signals import SignalKey
    from pairs_platform.platform import Platform

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class _Shown:
    """What is asked for: the pair if one is, and the rows of a table."""

    platform: "Platform"
    pair: str | None
    rows: int


@click.command("signals")
@reading_options
@click.option("--sector", type=SECTOR, help="Sector; the first active one if not given.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session; the newest one with signals.")
@click.option("--run-mode", type=click.Choice(RUN_MODES), help="Run mode; the configured one if not given.")
@click.option("--pair", help="Only this pair, as SYMBOL_SYMBOL in any order, at every bar of the session.")
@click.option("--follow", is_flag=True, help="Go on with every bar that is stored, in place, until Ctrl-C.")
@click.option("--pnl", is_flag=True, help="What the rule did in the session: entries, exits, and their money.")
@rows_option()
def command(
    settings: Settings,
    sector: str | None,
    session: datetime | None,
    run_mode: str | None,
    pair: str | None,
    follow: bool,
    pnl: bool,
    rows: int,
) -> None:
    """Show the signals of the newest bar, or follow them.

    Each has its order in words, z, the distance to entry or exit, and why a pair is skipped.
    """
    from pairs_platform.database.signals import SignalKey, sessions_with_signals, signal_frame
    from pairs_platform.platform import Platform

    if pnl and follow:
        raise click.UsageError("--pnl shows a session once: leave out --follow")
    platform = Platform(settings)
    slug = sector or next(iter(settings.active_sectors), None)
    if slug is None:
        raise click.ClickException("no sector is active: give --sector")
    mode = run_mode or settings.stream.run_mode
    asked = _Shown(platform, pair, rows)
    newest: pd.Timestamp | None = None
    with page(follow) as show:
        while True:
            sessions = sessions_with_signals(platform.database, mode, slug)
            day = session.date() if session else (sessions[-1] if sessions else None)
            if day is None and not follow:
                raise click.ClickException(f"{slug} has no signals in the run mode {mode} yet: start `{hint('live')}`")
            if day is not None:
                key = SignalKey(run_mode=mode, sector=slug, session=day)
                after = newest.to_pydatetime() if newest is not None else None
                frame = signal_frame(platform.database, key, after=after)
                if frame.empty and not follow:
                    raise click.ClickException(f"{slug} has no signals in the run mode {mode} in {day}")
                if pnl:
                    _print_pnl(asked, key, frame)
                    return
                for bars in _pages(frame, first=newest is None, whole=pair is not None):
                    show(partial(_board, asked, bars, key))
                newest = pd.Timestamp(frame["bar_utc"].max()) if len(frame) else newest
            if not follow:
                return
            time.sleep(POLL_SECONDS)


def _pages(frame: pd.DataFrame, *, first: bool, whole: bool) -> Iterator[pd.DataFrame]:
    """The signals that are shown together: a bar, at first the newest alone; for one pair all that are new."""
    if whole:
        yield from [frame] if len(frame) else []
        return
    bars = [rows for _, rows in frame.groupby("bar_utc")]
    yield from bars[-1:] if first else bars


def _board(asked: _Shown, bars: pd.DataFrame, key: "SignalKey", most: int | None) -> "RenderableType":
    from rich.console import Group

    from pairs_platform.core.screening.pair_names import find_pair
    from pairs_platform.core.time import MARKET_TIMEZONE
    from pairs_platform.core.trading.legs import ORDER_UNIT
    from pairs_platform.views.drawing.signal_board import DISTANCE_NOTE, GOES_FIRST, signal_board

    if asked.pair is not None:
        bars = bars[bars["pair"] == find_pair(asked.pair, set(bars["pair"]))]
    trading = _trading(asked.platform, key, bars)
    board, styles = signal_board(
        bars,
        entry_z=trading["entry_z"],
        exit_z=trading["exit_z"],
        stop_multiple=trading["stop_multiple"],
        sigmas=_sigmas(asked.platform, key),
    )
    starts = pd.to_datetime(bars["bar_utc"]).dt.tz_convert(MARKET_TIMEZONE)
    levels = f"entry at |z| {trading['entry_z']:g}, exit at {trading['exit_z']:g}"
    notes = f"{levels} · {DISTANCE_NOTE} · amounts in {ORDER_UNIT}"
    if asked.pair is not None:
        title = f"{board['pair'].iloc[0]} · {key.sector} · {key.session} · {key.run_mode} · start of the bar, New York"
        board = board.drop(columns=["pair", "role"])
        board.insert(0, "bar", list(starts.dt.strftime("%H:%M")))
    else:
        title = f"Signals · {key.sector} · bar {starts.iloc[0]:%Y-%m-%d %H:%M} New York · {key.run_mode}"
    rows = asked.rows if most is None else min(asked.rows, most)
    kept = slice(max(0, len(board) - rows), None) if asked.pair is not None else slice(rows)
    shown = with_content(board.iloc[kept])
    table = frame_table(narrowed(shown, GOES_FIRST, output_width()), title=title, whole=("order",), styles=styles[kept])
    more = [more_rows(len(board), len(shown))] if len(board) > len(shown) else []
    return Group(table, notes, *more)


def _sigmas(platform: "Platform", key: "SignalKey") -> dict[str, float]:
    """σ of each pair's spread, from what the session's signals rest on where that is still kept."""
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.workflows.session_state import kept_session_state

    state = kept_session_state(platform, PartitionKey(key.session, key.sector))
    if state is None:
        return {}
    return {pair.pair: float(sigma) for pair, sigma in zip(state.pairs, state.traded.sigma, strict=True)}


def _trading(platform: "Platform", key: "SignalKey", bars: pd.DataFrame) -> dict[str, float]:
    """Thresholds of the configuration that signals rest on; those of the settings where it is not stored any more."""
    from pairs_platform.core.errors import PartitionMissing
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.views.trading_config import trading_document

    try:
        document = trading_document(platform, PartitionKey(bars["config_session"].iloc[-1], key.sector))
    except PartitionMissing:
        return dict(platform.settings.trading.model_dump())
    return dict(document["trading"])


def _print_pnl(asked: _Shown, key: "SignalKey", signals: pd.DataFrame) -> None:
    from pairs_platform.core.screening.pair_names import find_pair
    from pairs_platform.core.time import MARKET_TIMEZONE
    from pairs_platform.views.rule_pnl import PNL_NOTE, pnl_frame, session_pnl

    pairs = session_pnl(asked.platform, key)
    if asked.pair is not None:
        name = find_pair(asked.pair, {one.pair for one in pairs})
        pairs = [one for one in pairs if one.pair == name]
    if not pairs:
        say_profile()
        click.echo(f"No pair of {key.sector} was traded in {key.session}: all are followed only.")
        return
    newest = pd.Timestamp(signals["bar_utc"].max()).tz_convert(MARKET_TIMEZONE)
    title = f"What the rule did · {key.sector} · {key.session} up to the bar {newest:%H:%M} New York · {key.run_mode}"
    print_frame(pnl_frame(pairs), title, rows=asked.rows + 1)
    print_renderable(PNL_NOTE)
