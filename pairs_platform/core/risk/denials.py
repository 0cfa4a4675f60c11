"""The words of risk: why an entry is not made, or not now, or made smaller; and what is said of a number that is none.

What does not belong here: when that is so (`checks`, `limits`, `sizing`, `trading_state`).
"""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pairs_platform.core.errors import DataError

Value = TypeVar("Value")


class DenialCode(StrEnum):
    """Why an entry is denied, beside the limits of `limits.Limit`; stored as the outcome of its signal."""

    UNUSABLE_INPUT = "unusable_input"
    TRADING_STATE = "trading_state"
    MARKET_CLOSED = "market_closed"
    CLOSE_NEAR = "close_near"
    PAIR_LOCKED = "pair_locked"
    PAIR_HELD = "pair_held"
    DRIFT = "drift"
    DUPLICATE_INTENT = "duplicate_intent"
    DATA_OLD = "data_old"
    SIGNAL_OLD = "signal_old"
    CONFIGURATION_DAY = "configuration_day"
    CONFIGURATION_CHANGED = "configuration_changed"
    MODEL_CHANGED = "model_changed"
    EX_DATE = "ex_date"
    MOVE_BELOW_COST = "move_below_cost"
    BEYOND_STOP = "beyond_stop"
    ACCOUNT_BLOCKED = "account_blocked"
    NOT_TRADABLE = "not_tradable"
    SHORTING_DISABLED = "shorting_disabled"
    NOT_EASY_TO_BORROW = "not_easy_to_borrow"
    FRACTIONAL_SHARES = "fractional_shares"
    NO_HEDGE = "no_hedge"
    PRICE_FROM_LAST = "price_from_last"
    PRICE_FROM_QUOTE = "price_from_quote"
    OPPOSING_ORDER = "opposing_order"
    ACCOUNT_ORDER_RATE = "account_order_rate"
    SYMBOL_ORDER_RATE = "symbol_order_rate"
    ORDER_NOTIONAL = "order_notional"
    ORDER_SHARES = "order_shares"
    ORDER_VOLUME = "order_volume"
    HEDGE_ERROR = "hedge_error"
    BUYING_POWER = "buying_power"


class Effect(StrEnum):
    """What becomes of an entry: none of it is sent, none of it is sent now, or less of it is sent."""

    DENY = "deny"
    WAIT = "wait"
    CUT = "cut"


@dataclass(frozen=True, kw_only=True)
class Denial:
    """One reason why an entry is not made as it was asked for.

    Attributes
    ----------
    code : str
        A `DenialCode`, or the `limits.Limit` that would be broken.
    effect : Effect
    message : str
        Names the thing, its value and the limit.
    not_before_utc : datetime or None
        With WAIT: when asking again makes sense, where that is known.
    """

    code: StrEnum
    effect: Effect
    message: str
    not_before_utc: datetime | None = None


def deny(code: StrEnum, message: str) -> Denial:
    """The reason for which none of an entry is sent."""
    return Denial(code=code, effect=Effect.DENY, message=message)


class UnusableInput(DataError):
    """A number, a time or a price that a decision about money needs and that is none."""


def number(name: str, value: float | None, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """`value`, where it is a finite number of at least `least` and greater than `above`.

    Raises
    ------
    UnusableInput
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise UnusableInput(f"{name} is {value}: no number")
    if value < least or value <= above:
        bound = f"at least {least:g}" if value < least else f"above {above:g}"
        raise UnusableInput(f"{name} is {value:g}: it must be {bound}")
    return float(value)


def hedge_ratio(beta: float | None) -> float:
    """`beta`, where the legs of a pair hedge each other with it.

    Raises
    ------
    UnusableInput
    """
    value = number("β", beta)
    if value == 0:
        raise UnusableInput("β is 0: the pair has no hedge")
    return value


def entry_of(name: str, values: Mapping[str, Value], key: str) -> Value:
    """The value of a symbol or pair in a table that must have it.

    Raises
    ------
    UnusableInput
    """
    if key not in values:
        raise UnusableInput(f"{name} of {key} is missing")
    return values[key]


def moment(name: str, value: datetime | None) -> datetime:
    """`value`, where it is a moment with a time zone.

    Raises
    ------
    UnusableInput
    """
    if value is None or value.tzinfo is None:
        raise UnusableInput(f"{name} is {value}: no moment with a time zone")
    return value
