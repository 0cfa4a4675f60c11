"""Names of the keys in Redis: the only code that knows them.

What does not belong here: what is stored under a key, and for how long.
"""

from dataclasses import dataclass
from datetime import date

from pairs_platform.core.streaming.settings import RunMode


@dataclass(frozen=True)
class StreamKeys:
    """Keys of one profile and run mode.

    Attributes
    ----------
    profile : str
        Name of the profile.
    run_mode : "live" or "replay"
    """

    profile: str
    run_mode: RunMode

    @property
    def of_profile(self) -> str:
        """How every key of the profile begins, of both run modes."""
        return f"pairs:{self.profile}:"

    @property
    def of_run_mode(self) -> str:
        """How every key of the profile and run mode begins."""
        return f"{self.of_profile}{self.run_mode}:"

    @property
    def symbol_set(self) -> str:
        """Text: the symbol set of the profile, for both run modes."""
        return f"{self.of_profile}symbols"

    @property
    def newest_bars(self) -> str:
        """Hash: start of the newest bar of each symbol."""
        return f"{self.of_run_mode}last"

    @property
    def bar_closes(self) -> str:
        """Stream: bar-close events."""
        return f"{self.of_run_mode}buckets"

    @property
    def clock(self) -> str:
        """Hash: market time of the replay."""
        return f"{self.of_run_mode}clock"

    @property
    def health(self) -> str:
        """Hash: what the collector reports about itself."""
        return f"{self.of_run_mode}health"

    @property
    def trader(self) -> str:
        """Hash: what the trader reports about itself."""
        return f"{self.of_run_mode}trader"

    @property
    def generation(self) -> str:
        """Number: how often the replay was reset."""
        return f"{self.of_run_mode}generation"

    def bars(self, session: date) -> str:
        """Stream: every bar of a session as it arrived."""
        return self._of_session("bars", session)

    def quarantine(self, session: date) -> str:
        """Stream: refused rows of a session with their reasons."""
        return self._of_session("quarantine", session)

    def published(self, session: date) -> str:
        """Hash: id of the bar-close event of each bar of a session, by its start."""
        return self._of_session("announced", session)

    def actions(self, session: date) -> str:
        """List: corporate actions that fall ex in a session."""
        return self._of_session("actions", session)

    def _of_session(self, name: str, session: date) -> str:
        return f"{self.of_run_mode}{name}:{session.isoformat()}"
