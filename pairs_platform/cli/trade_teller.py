"""Lines about trades between those of a command that runs the trader: `live`.

What does not belong here: what the lines say (`views.trade_lines`).
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta

from pairs_platform.core.errors import ClockUnknown, DatabaseUnavailable, Refused, StreamUnavailable
from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns, utc_now
from pairs_platform.platform import Platform
from pairs_platform.views.trade_lines import TradeWatch, session_line

LOOK_SECONDS = 1.0

AFTER_CLOSE = timedelta(minutes=3)
"""What is not filled has ended by then."""


class TradeTeller:
    """Says each entry and exit as it is stored, and a session's trades and result at its end.

    Parameters
    ----------
    platform : Platform
    say : callable
    """

    def __init__(self, platform: Platform, say: Callable[[str], None]) -> None:
        self._platform, self._say = platform, say
        self._run_mode = platform.settings.stream.run_mode
        self._since = utc_now()
        self._watch: TradeWatch | None = None
        self._summed: date | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trades", daemon=True)

    def begin(self) -> None:
        """Say from now on what has happened since this was made."""
        self._thread.start()

    def end(self) -> None:
        """Say the rest, and what became of the session under way."""
        if not self._thread.is_alive():
            return
        self._stopping.set()
        self._thread.join(LOOK_SECONDS * 10)
        self._look(is_last=True)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._look()

    def _look(self, *, is_last: bool = False) -> None:
        """Say what is new; while the database is away, it is said later."""
        with suppress(DatabaseUnavailable, StreamUnavailable, ClockUnknown, Refused):
            if self._watch is None:
                self._watch = TradeWatch(self._platform.database, self._run_mode, self._since)
            for line in self._watch.lines(utc_now()):
                self._say(line)
            session = self._session(is_last=is_last)
            if session is not None and session != self._summed:
                self._summed = session
                self._say(session_line(self._platform.database, self._run_mode, session))

    def _session(self, *, is_last: bool) -> date | None:
        """The session whose sum is due."""
        now_ns = self._platform.streams.clock.now_ns()
        session = newest_session(now_ns)
        if session is None or is_last:
            return session
        return session if now_ns >= moment_ns(session_close(session) + AFTER_CLOSE) else None
