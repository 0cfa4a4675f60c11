"""What the signal sensor asks for when buckets are complete: a pure decision.

What does not belong here: waiting for them (`defs.signals.sensors`) and computing signals (`engine`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pairs_platform.core.prices.calendar import session_close, session_table
from pairs_platform.core.streaming.buckets import Announcement
from pairs_platform.core.streaming.rules import Feed

HOUR_NS = 3600 * 10**9


@dataclass(frozen=True)
class StreamRequest:
    """One run that is due: signals of a sector, or its streamed bars to be stored."""

    sector: str
    session: date
    start_ns: int
    run_key: str


@dataclass(frozen=True)
class StreamDecision:
    """What is due after a look at the announcements, and why where nothing is."""

    signals: tuple[StreamRequest, ...] = ()
    saves: tuple[StreamRequest, ...] = ()
    reason: str = ""


def decide(
    announcements: Sequence[Announcement], *, market_ns: int, sectors: Sequence[str], feed: Feed, generation: int
) -> StreamDecision:
    """The runs for buckets that have become complete.

    Of several buckets the newest alone is requested, because its run fills the earlier ones of the session. A bucket of
    another session than the one that the market clock is in, or was in last, requests nothing. Bars are stored with the
    buckets that end an hour of the clock, and with the last one.

    Parameters
    ----------
    announcements
        New ones, oldest first.
    market_ns : int
        Market time now.
    generation : int
        Of the replay; part of its run keys, so that a session can be played again.
    """
    if not announcements:
        return StreamDecision(reason="no bucket has become complete")
    session = session_at(market_ns)
    current = [one.bucket for one in announcements if one.bucket.session == session]
    if not current:
        newest = announcements[-1].bucket.session
        return StreamDecision(reason=f"buckets of {newest}, while the market clock is in {session}")
    stem = feed if feed == "live" else f"{feed} {generation}"
    closed = int(session_close(current[-1].session).timestamp()) * 10**9

    def requests(kind: str, start_ns: int, end_ns: int) -> tuple[StreamRequest, ...]:
        stamp = str(np.datetime64(end_ns, "ns").astype("datetime64[s]"))
        return tuple(
            StreamRequest(sector, current[-1].session, start_ns, f"{kind}|{stem}|{sector}|{stamp}Z")
            for sector in sectors
        )

    last = current[-1]
    stops = [bucket for bucket in current if bucket.end_ns % HOUR_NS == 0 or bucket.end_ns >= closed]
    return StreamDecision(
        signals=requests("signals", last.start_ns, last.end_ns),
        saves=requests("save", stops[-1].start_ns, stops[-1].end_ns) if stops else (),
    )


def session_at(market_ns: int) -> date | None:
    """The newest session that has opened."""
    table = session_table()
    at = int(np.searchsorted(table.open_ns, market_ns, side="right")) - 1
    return None if at < 0 else table.day[at].astype(object)
