"""Settings of streamed bars; light enough to be read while definitions load.

What does not belong here: the code that obeys them, and addresses that may hold a password
(`pairs_platform.settings.model`).
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, field_validator, model_validator

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.symbols import NoSymbol, normal_symbol
from pairs_platform.core.settings import Day, SettingsGroup, setting, usable_path

RunMode = Literal["live", "replay"]
"""Whether the session under way is the market's or a replay; part of the keys of streamed bars, signals and orders."""

RUN_MODES: tuple[RunMode, ...] = get_args(RunMode)

SymbolSet = Literal["universe", "pairs", "testing"]


def _normal(value: object) -> object:
    try:
        return normal_symbol(value) if isinstance(value, str) else value
    except NoSymbol as error:
        raise ValueError(f"no symbol, {error.reason}") from None


Symbol = Annotated[str, BeforeValidator(_normal)]
"""A symbol in a setting, in any spelling; the value is the platform's."""


class ReplaySettings(SettingsGroup):
    """What the replay server plays, and how fast."""

    host: str = setting("127.0.0.1", unit="address", description="Address that the replay server listens on.")
    port: int = setting(8765, unit="port", ge=1, le=65535, description="Port that the replay server listens on.")
    files: tuple[str, ...] = setting(
        (), unit="paths", description="Price files to play; without any, the bars of the lake are played."
    )
    mode: Literal["single_pass", "date_range", "loop"] = setting(
        "single_pass",
        unit="name",
        description="single_pass: one session; date_range: every session from first to last; loop: that again.",
    )
    first: Day | None = setting(
        None, unit="date", description="First session played; the newest one if not given.", not_above="last"
    )
    last: Day | None = setting(None, unit="date", description="Last session played; the first one if not given.")
    loops: int = setting(0, unit="passes", ge=0, description="Passes of the mode loop; 0 is endless.")
    speed: float = setting(
        1.0,
        unit="seconds per second",
        ge=0,
        le=100_000,
        description="Market time by real time; 0 is as fast as can be.",
    )
    stamps: Literal["original", "present"] = setting(
        "original",
        unit="name",
        description="original: bars keep their time; present: sessions are moved to the current one, same time of day.",
    )
    start: str = setting(
        "",
        unit="HH:MM",
        form="a time of day from 00:00 to 23:59 written HH:MM, or an empty text",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="New York time in the session at which play starts.",
    )
    bars: int = setting(0, unit="bars", ge=0, description="Bars of a session that are played; 0 plays it to the close.")
    proxied: tuple[Symbol, ...] = setting(
        (), unit="symbols", description="Symbols served from the proxy symbol while they have no bars of their own."
    )
    proxy: Symbol = setting("AAPL", unit="symbol", description="Symbol whose bars stand in for proxied ones.")

    @field_validator("files")
    @classmethod
    def _paths_are_usable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(usable_path(path) for path in value)

    @model_validator(mode="after")
    def _last_has_a_first(self) -> Self:
        if self.last is not None and self.first is None:
            raise ValueError(f"last {self.last} needs a first: set it too, or leave out last")
        return self


class StreamSettings(SettingsGroup):
    """How streamed bars are collected and when a bar of the profile's frequency is complete."""

    mode: Literal["replay", "alpaca"] = setting(
        "replay", unit="name", description="Whether bars come from the replay server or from Alpaca."
    )
    bar: Literal["1min", "5min", "1h"] | None = setting(
        None,
        unit="name",
        description="Length of a streamed bar; 1min from Alpaca and the profile's frequency in replay if not given.",
    )
    symbols: SymbolSet = setting(
        "universe",
        unit="name",
        description="Which symbols are streamed at first: universe, pairs (legs of the configurations) or testing.",
    )
    testing: tuple[Symbol, ...] = setting(
        ("AAPL", "MSFT", "NVDA", "AMD", "INTC"), unit="symbols", min_length=1, description="The set `testing`."
    )
    grace_seconds: float = setting(
        5.0, unit="seconds", ge=0, le=240, description="Market time after its end at which a bar is complete anyway."
    )
    silent_bars: int = setting(
        2, unit="bars", ge=1, le=100, description="A symbol without a bar for this long is not waited for."
    )
    data_timeout_seconds: float = setting(
        90.0,
        unit="seconds",
        gt=0,
        le=3600,
        description="Silence during the session after which the connection is made again.",
    )
    flush_seconds: float = setting(
        0.05, unit="seconds", gt=0, le=5, description="Longest time that a received bar waits for company."
    )
    flush_bars: int = setting(2000, unit="bars", ge=1, le=100_000, description="Bars that are written at once at most.")
    max_bars: int = setting(
        1_000_000, unit="bars", ge=1000, le=100_000_000, description="Length to which a session's stream is trimmed."
    )
    keep_days: int = setting(10, unit="days", ge=1, le=365, description="How long Redis keeps a session's stream.")
    max_backoff_seconds: float = setting(
        60.0, unit="seconds", ge=1, le=900, description="Longest wait between two attempts to connect."
    )
    replay: ReplaySettings = ReplaySettings()

    @property
    def run_mode(self) -> RunMode:
        """`live` for Alpaca, `replay` for the replay server."""
        return "live" if self.mode == "alpaca" else "replay"

    def bar_frequency(self, profile: Frequency) -> Frequency:
        """Length of a streamed bar for a profile of bars of length `profile`."""
        if self.bar is not None:
            return Frequency(self.bar)
        return Frequency.ONE_MINUTE if self.mode == "alpaca" else profile
