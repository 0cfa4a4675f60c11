"""What the signal sensor asks for when buckets are complete: a pure decision.

What does not belong here: waiting for them (`defs.signals.sensors`) and computing signals (`engine`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.streaming.buckets import Announcement
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.streaming.settings import Feed
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
    """What is due after a look at the announcements, and why where nothing is."""

    signals: tuple[StreamRequest, ...] = ()
    saves: tuple[StreamRequest, ...] = ()
    reason: str = ""


def decide(
    announcements: Sequence[Announcement], *, market_ns: int, sectors: Sequence[str], feed: Feed
) -> StreamDecision:
    """The runs for buckets that have become complete.

    Of several buckets of a session the newest alone is requested, because its run fills the earlier ones. An earlier
    session than the one that the market clock is in is brought to its end; a later one requests nothing. Bars are
    stored with the buckets that end an hour of the clock, and with the last one.

    Parameters
    ----------
    announcements
        New ones, oldest first.
    market_ns : int
        Market time now.

    Notes
    -----
    A run key names feed, sector and bucket, in replay the announcement too, so that a session can be played again.
    """
    if not announcements:
        return StreamDecision(reason="no bucket has become complete")
    now = newest_session(market_ns)
    opened = [one for one in announcements if now is not None and one.bucket.session <= now]
    if not opened:
        newest = announcements[-1].bucket.session
        return StreamDecision(reason=f"buckets of {newest}, while the market clock is in {now}")
    signals: list[StreamRequest] = []
    saves: list[StreamRequest] = []
    for session in sorted({one.bucket.session for one in opened}):
        own = [one for one in opened if one.bucket.session == session]
        signals += _requests("signals", own[-1], sectors, feed)
        stops = [one for one in own if _is_stop(one)]
        if stops:
            saves += _requests("save", stops[-1], sectors, feed)
    return StreamDecision(tuple(signals), tuple(saves))


def _is_stop(announcement: Announcement) -> bool:
    bucket = announcement.bucket
    return bucket.end_ns % HOUR_NS == 0 or bucket.end_ns >= moment_ns(session_close(bucket.session))


def _requests(kind: str, announcement: Announcement, sectors: Sequence[str], feed: Feed) -> list[StreamRequest]:
    bucket = announcement.bucket
    stem = feed if feed == "live" else f"{feed} {announcement.id}"
    stamp = str(np.datetime64(bucket.end_ns, "ns").astype("datetime64[s]"))
    return [
        StreamRequest(sector, bucket.session, bucket.start_ns, f"{kind}|{stem}|{sector}|{stamp}Z") for sector in sectors
    ]
