"""Settings of streamed bars; light enough to be read while definitions load.

What does not belong here: the code that obeys them, and addresses that may hold a password
(`pairs_platform.settings.model`).
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.settings import Rules, rule

Feed = Literal["live", "replay"]
"""Where streamed bars, signals and orders come from; part of their keys."""

SymbolSet = Literal["universe", "pairs", "testing"]

Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.\-]{0,9}$")]


class ReplayRules(Rules):
    """What the replay server plays, and how fast."""

    host: str = rule("127.0.0.1", unit="address", description="Address that the replay server listens on.")
    port: int = rule(8765, unit="port", ge=1, le=65535, description="Port that the replay server listens on.")
    files: tuple[str, ...] = rule(
        (), unit="paths", description="Price files to play; without any, the bars of the lake are played."
    )
    mode: Literal["single_pass", "date_range", "loop"] = rule(
        "single_pass",
        unit="name",
        description="single_pass: one session; date_range: every session from first to last; loop: that again.",
    )
    first: date | None = rule(None, unit="date", description="First session played; the newest one if not given.")
    last: date | None = rule(None, unit="date", description="Last session played; the first one if not given.")
    loops: int = rule(0, unit="passes", ge=0, description="Passes of the mode loop; 0 is endless.")
    speed: float = rule(
        1.0,
        unit="seconds per second",
        ge=0,
        le=100_000,
        description="Market time by real time; 0 is as fast as can be.",
    )
    stamps: Literal["original", "present"] = rule(
        "original",
        unit="name",
        description="original: bars keep their time; present: sessions are moved to the current one, same time of day.",
    )
    start: str = rule(
        "", unit="HH:MM", pattern=r"^(\d\d:\d\d)?$", description="New York time in the session at which play starts."
    )
    buckets: int = rule(
        0, unit="buckets", ge=0, description="Buckets of a session that are played; 0 plays it to the close."
    )
    proxied: tuple[Symbol, ...] = rule(
        (), unit="symbols", description="Symbols served from the proxy symbol while they have no bars of their own."
    )
    proxy: Symbol = rule("AAPL", unit="symbol", description="Symbol whose bars stand in for proxied ones.")


class StreamRules(Rules):
    """How streamed bars are collected and when a bucket of them is complete."""

    mode: Literal["replay", "alpaca"] = rule(
        "replay", unit="name", description="Whether bars come from the replay server or from Alpaca."
    )
    bar: Literal["1min", "5min", "1h"] | None = rule(
        None,
        unit="name",
        description="Length of a streamed bar; 1min from Alpaca and the profile's frequency in replay if not given.",
    )
    symbols: SymbolSet = rule(
        "universe",
        unit="name",
        description="Which symbols are streamed at first: universe, pairs (legs of the configurations) or testing.",
    )
    testing: tuple[Symbol, ...] = rule(
        ("AAPL", "MSFT", "NVDA", "AMD", "INTC"), unit="symbols", min_length=1, description="The set `testing`."
    )
    grace_seconds: float = rule(
        5.0, unit="seconds", ge=0, le=240, description="Market time after its end at which a bucket is complete anyway."
    )
    silent_buckets: int = rule(
        2, unit="buckets", ge=1, le=100, description="A symbol without a bar for this long is not waited for."
    )
    data_timeout_seconds: float = rule(
        90.0,
        unit="seconds",
        gt=0,
        le=3600,
        description="Silence during the session after which the connection is made anew.",
    )
    flush_seconds: float = rule(
        0.05, unit="seconds", gt=0, le=5, description="Longest time that a received bar waits for company."
    )
    flush_bars: int = rule(2000, unit="bars", ge=1, le=100_000, description="Bars that are written at once at most.")
    max_bars: int = rule(
        1_000_000, unit="bars", ge=1000, le=100_000_000, description="Length to which a session's stream is trimmed."
    )
    keep_days: int = rule(10, unit="days", ge=1, le=365, description="How long Redis keeps a session's stream.")
    max_backoff_seconds: float = rule(
        60.0, unit="seconds", ge=1, le=900, description="Longest wait between two attempts to connect."
    )
    replay: ReplayRules = ReplayRules()

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        first, last = self.replay.first, self.replay.last
        if last is not None and (first is None or last < first):
            raise ValueError(f"replay.last {last} needs a replay.first that is not later; first is {first}")
        return self

    @property
    def feed(self) -> Feed:
        """What the mode's bars are stored as."""
        return "live" if self.mode == "alpaca" else "replay"

    def bar_frequency(self, profile: Frequency) -> Frequency:
        """Length of a streamed bar for a profile of bars of length `profile`."""
        if self.bar is not None:
            return Frequency(self.bar)
        return Frequency.ONE_MINUTE if self.mode == "alpaca" else profile
