"""The script of faults of the simulated broker: what goes wrong, when, and how often; the same seed fails the same way.

What does not belong here: what a fault does to an order or an answer (`server`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import ValidationError, model_validator

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.settings import SettingsGroup, setting


class Occasion(StrEnum):
    """When a fault is asked whether its time has come."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    REQUEST = "request"
    EVENT = "event"
    STREAM = "stream"
    OPENING = "opening"
    ALWAYS = "always"


SubmitFault = Literal[
    "accept_then_504",
    "accept_then_reset",
    "accept_then_garbage",
    "reject_later",
    "fill_before_answer",
    "one_share_then_silence",
    "partial_then_cancel",
    "never_filled",
    "borrow_refused",
    "wash_trade",
    "foreign_order",
    "liquidation",
    "restart",
]
CancelFault = Literal["fill_during_cancel", "fill_after_cancel", "cancel_refused", "cancel_ignored"]
RequestFault = Literal["rate_limit", "bad_gateway", "slow_answer"]
EventFault = Literal[
    "delay_event",
    "duplicate_event",
    "drop_event",
    "reorder_event",
    "unknown_event",
    "unknown_status",
    "unknown_field",
    "zero_quantity",
    "price_nan",
    "break_stream",
]
StreamFault = Literal["refuse_stream", "mute_stream"]
OpeningFault = Literal["split"]
StandingFault = Literal["orders_lag", "positions_lag", "missing_fields", "clock_skew", "half_day"]
FaultName = Literal[
    SubmitFault, CancelFault, RequestFault, EventFault, StreamFault, OpeningFault, StandingFault
]  # fmt: skip

_OCCASIONS = {
    name: occasion
    for occasion, names in (
        (Occasion.SUBMIT, SubmitFault),
        (Occasion.CANCEL, CancelFault),
        (Occasion.REQUEST, RequestFault),
        (Occasion.EVENT, EventFault),
        (Occasion.STREAM, StreamFault),
        (Occasion.OPENING, OpeningFault),
        (Occasion.ALWAYS, StandingFault),
    )
    for name in get_args(names)
}
FAULT_NAMES: tuple[str, ...] = tuple(_OCCASIONS)

DEPRECATED_FIELDS = (
    "easy_to_borrow",
    "pattern_day_trader",
    "daytrade_count",
    "daytrading_buying_power",
    "last_daytrade_count",
    "dtbp_check",
    "pdt_check",
)
"""Fields that Alpaca left out of its answers in 2026; the simulated broker has them unless `missing_fields` says so."""


class Fault(SettingsGroup):
    """One fault: what it does, to what, and how often."""

    do: FaultName = setting(..., unit="name", description="What goes wrong.")
    symbol: str | None = setting(None, unit="symbol", description="Orders and events of this symbol alone.")
    side: Literal["buy", "sell"] | None = setting(None, unit="name", description="Orders of this side alone.")
    event: str | None = setting(None, unit="name", description="Events of this name alone, as `fill`.")
    request: str | None = setting(
        None, unit="name", description="Requests of this name alone: submit, cancel, orders, positions, account, …"
    )
    skip: int = setting(0, unit="occasions", ge=0, description="Occasions that pass first.")
    times: int = setting(1, unit="occasions", ge=0, description="How often; 0 is every time.")
    probability: float = setting(1.0, unit="1", gt=0, le=1, description="Of each occasion.")
    seconds: float = setting(
        1.0, unit="seconds", ge=0, le=3600, description="Of a delay or a lag; of skew how far the clock is ahead."
    )
    shares: int = setting(1, unit="shares", ge=1, description="Of a foreign order or a first partial fill.")
    ratio: float = setting(2.0, unit="1", gt=0, le=100, description="New shares for an old one, of a split.")
    session: date | None = setting(None, unit="date", description="Of a half day; that of the clock if not given.")
    fields: tuple[str, ...] = setting(
        DEPRECATED_FIELDS, unit="names", description="Fields that answers lack, of missing_fields."
    )

    @model_validator(mode="after")
    def _split_has_a_symbol(self) -> Self:
        if self.do == "split" and self.symbol is None:
            raise ValueError("a split needs its symbol")
        return self

    @property
    def occasion(self) -> Occasion:
        """When it is asked for."""
        return _OCCASIONS[self.do]


class FaultScript(SettingsGroup):
    """Faults in the order in which they are asked, and the seed of all chance."""

    seed: int = setting(1, unit="number", ge=0, description="Of ids, prices, partial fills and probabilities.")
    faults: tuple[Fault, ...] = setting((), unit="faults", description="Asked in this order; the first that fits acts.")


def _each(probability: float, *names: FaultName, **more: Any) -> Iterator[Fault]:
    return (Fault(do=name, probability=probability, times=0, **more) for name in names)


PRESETS: dict[str, tuple[Fault, ...]] = {
    "none": (),
    "paper": (
        *_each(0.002, "rate_limit", "bad_gateway"),
        *_each(0.01, "duplicate_event"),
        Fault(do="positions_lag", seconds=2.0),
        Fault(do="orders_lag", seconds=0.5),
        Fault(do="missing_fields"),
    ),
    "chaos": (
        *_each(0.03, "accept_then_504", "accept_then_reset", "reject_later", "fill_before_answer"),
        *_each(0.03, "one_share_then_silence", "partial_then_cancel", "never_filled", "borrow_refused", "wash_trade"),
        *_each(0.01, "accept_then_garbage"),
        *_each(0.15, "fill_during_cancel", "fill_after_cancel", "cancel_refused"),
        *_each(0.01, "rate_limit", "bad_gateway"),
        *_each(0.02, "slow_answer", seconds=0.2),
        *_each(0.02, "duplicate_event", "drop_event", "reorder_event"),
        *_each(0.02, "delay_event", seconds=0.5),
        *_each(0.002, "break_stream", "unknown_event", "unknown_field"),
        Fault(do="positions_lag", seconds=1.0),
        Fault(do="orders_lag", seconds=0.3),
        Fault(do="missing_fields"),
    ),
}
"""Scripts by name: nothing, what people report of the paper account, and everything that orders must survive."""


def fault_script(words: Sequence[str], *, seed: int) -> FaultScript:
    """The script that words mean: the path of a file, or names of presets and of single faults, once each.

    Raises
    ------
    NotFound
        A word that is neither; the message names what there is.
    ConfigurationError
        A file that cannot be read or used.
    """
    if len(words) == 1 and Path(words[0]).suffix in (".yaml", ".yml", ".json"):
        return read_script(Path(words[0]))
    faults: list[Fault] = []
    for word in words:
        if word in PRESETS:
            faults += PRESETS[word]
        elif word in FAULT_NAMES and word != "split":
            faults.append(Fault.model_validate({"do": word}))
        else:
            raise NotFound(
                f"there is no fault {word}; presets: {', '.join(PRESETS)}; faults: {', '.join(FAULT_NAMES)}; or give a "
                "file of them, .yaml or .json (a split needs one, with its symbol)"
            )
    return FaultScript(seed=seed, faults=tuple(faults))


def read_script(path: Path) -> FaultScript:
    """A script as a file has it: `seed`, and `faults` with the fields of `Fault`.

    Raises
    ------
    ConfigurationError
        It cannot be read, or is none.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return FaultScript.model_validate(content)
    except OSError as error:
        raise ConfigurationError(f"the script of faults {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the script of faults {path} is no YAML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"the script of faults {path}: {place or 'content'}: {first['msg']}") from error


@dataclass
class _Counted:
    fault: Fault
    chance: random.Random
    seen: int = 0
    acted: int = 0


def _is_possible(name: FaultName, what: Mapping[str, str | None]) -> bool:
    """Whether a fault can act at all: only short sales are refused the borrow, only executions have shares."""
    if name == "borrow_refused":
        return what["side"] == "sell"
    return name not in ("zero_quantity", "price_nan") or what["event"] in ("fill", "partial_fill")


class Faults:
    """A script under way: says what goes wrong now. Each fault has its own chance, so that none moves another."""

    def __init__(self, script: FaultScript) -> None:
        self._seed = script.seed
        self._counted: list[_Counted] = []
        self.acted: list[str] = []
        for fault in script.faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault to the end of the script."""
        self._counted.append(_Counted(fault, random.Random(f"{self._seed}/{len(self._counted)}")))

    def clear(self) -> None:
        """End the script."""
        self._counted.clear()

    def drawn(self, occasion: Occasion, **what: str | None) -> Fault | None:
        """The fault that acts on this occasion, if one does.

        Parameters
        ----------
        occasion
        what
            symbol, side, event, request of the occasion, where it has them.
        """
        for counted in self._counted:
            fault = counted.fault
            wanted = {name: getattr(fault, name) for name in what}
            if fault.occasion is not occasion or (fault.times and counted.acted >= fault.times):
                continue
            if any(value is not None and value != what[name] for name, value in wanted.items()):
                continue
            if not _is_possible(fault.do, what):
                continue
            counted.seen += 1
            if counted.seen <= fault.skip or counted.chance.random() >= fault.probability:
                continue
            counted.acted += 1
            self.acted.append(fault.do)
            return fault
        return None

    def standing(self, name: StandingFault) -> Fault | None:
        """A fault that holds all the time."""
        return next((each.fault for each in self._counted if each.fault.do == name), None)
