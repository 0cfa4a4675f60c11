"""What the signal sensor asks for when bars are complete: a pure decision.

What does not belong here: waiting for them (`defs.signals.sensors`) and computing signals (`engine`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.streaming.intervals import BarClose
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.streaming.settings import RunMode
from pairs_platform.core.time import HOUR_NS, moment_ns


@dataclass(frozen=True)
class StreamRequest:
    """One run that is due: signals of a sector, or its streamed bars to be stored."""

    sector: str
    session: date
    start_ns: int
    run_key: str


@dataclass(frozen=True)
class StreamDecision:
    """What is due after a look at the bar_closes, and why where nothing is."""

    signals: tuple[StreamRequest, ...] = ()
    saves: tuple[StreamRequest, ...] = ()
    reason: str = ""


def decide_signal_requests(
    bar_closes: Sequence[BarClose], *, market_ns: int, sectors: Sequence[str], run_mode: RunMode
) -> StreamDecision:
    """The runs for bars that have become complete.

    Of several bars of a session the newest alone is requested, because its run fills the earlier ones. An earlier
    session than the one that the market clock is in is brought to its end; a later one requests nothing. Bars are
    stored with the bars that end an hour of the clock, and with the last one.

    Parameters
    ----------
    bar_closes
        New ones, oldest first.
    market_ns : int
        Market time now.

    Notes
    -----
    A run key names run mode, sector and bar, in replay the event too, so that a session can be played again.
    """
    if not bar_closes:
        return StreamDecision(reason="no bar has become complete")
    now = newest_session(market_ns)
    opened = [event for event in bar_closes if now is not None and event.interval.session <= now]
    if not opened:
        newest = bar_closes[-1].interval.session
        return StreamDecision(reason=f"bars of {newest}, while the market clock is in {now}")
    signals: list[StreamRequest] = []
    saves: list[StreamRequest] = []
    for session in sorted({event.interval.session for event in opened}):
        own = [event for event in opened if event.interval.session == session]
        signals += _requests("signals", own[-1], sectors, run_mode)
        stops = [event for event in own if _is_stop(event)]
        if stops:
            saves += _requests("save", stops[-1], sectors, run_mode)
    return StreamDecision(tuple(signals), tuple(saves))


def _is_stop(bar_close: BarClose) -> bool:
    interval = bar_close.interval
    return interval.end_ns % HOUR_NS == 0 or interval.end_ns >= moment_ns(session_close(interval.session))


def _requests(kind: str, bar_close: BarClose, sectors: Sequence[str], run_mode: RunMode) -> list[StreamRequest]:
    interval = bar_close.interval
    stem = run_mode if run_mode == "live" else f"{run_mode} {bar_close.id}"
    stamp = str(np.datetime64(interval.end_ns, "ns").astype("datetime64[s]"))
    return [
        StreamRequest(sector, interval.session, interval.start_ns, f"{kind}|{stem}|{sector}|{stamp}Z")
        for sector in sectors
    ]
