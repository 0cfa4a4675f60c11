"""The base of every group of settings, and types of values that several groups have.

What does not belong here: any particular setting, and how settings are read (`pairs_platform.settings.loading`).
"""

import os
import re
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError


class Order(NamedTuple):
    """That a setting must not exceed another one of its group.

    Attributes
    ----------
    above : str
        Name of the other one.
    strict : bool
        Whether they must not be equal either.
    because : str
        What would happen otherwise; empty where the names say it.
    """

    above: str
    strict: bool
    because: str


class SettingsGroup(BaseModel):
    """A frozen group of settings; unknown names are refused, and so are settings in the wrong order."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        wrong = []
        for name, info in type(self).model_fields.items():
            order = order_of(info)
            low, high = getattr(self, name), getattr(self, order.above) if order else None
            if order is None or low is None or high is None or low < high or (low == high and not order.strict):
                continue
            must = "be below" if order.strict else "not be above"
            because = f" ({order.because})" if order.because else ""
            wrong.append(
                f"{name} {_written(low)} must {must} {order.above} {_written(high)}{because}: lower {name} or raise "
                f"{order.above}"
            )
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def setting(
    default: Any,
    *,
    unit: str,
    description: str,
    form: str = "",
    below: str = "",
    not_above: str = "",
    because: str = "",
    **bounds: Any,
) -> Any:
    """Declare one setting with its default, its unit, what it means and what is valid.

    Parameters
    ----------
    default
        Value where the user gives none; `...` where the user must give one.
    unit
        Unit of the value, for example ``"bars"``, ``"basis points"``, ``"1"`` for a pure number.
    description
        One sentence for the reader of ``pairs-platform config show``.
    form
        What a text must look like, in words; goes with the constraint ``pattern``.
    below, not_above
        Name of the setting of the same group that this one must be below, or must not exceed.
    because
        What would happen otherwise, where the two names do not say it.
    bounds
        Pydantic's constraints (``ge``, ``gt``, ``le``, ``lt``, ``min_length``, …).
    """
    extra: dict[str, Any] = {"unit": unit, "form": form}
    if below or not_above:
        extra["order"] = [below or not_above, bool(below), because]
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def order_of(info: FieldInfo) -> Order | None:
    """Which setting of its group one must not exceed; None where there is none."""
    extra: Any = info.json_schema_extra
    given = extra.get("order") if isinstance(extra, dict) else None
    return Order(*given) if given else None


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def usable_path(text: str) -> str:
    """A path as a person typed it, with the home folder in the place of ``~``.

    Raises
    ------
    ValueError
        It is empty, holds a character that no path has, or names the home of a user who has none.
    """
    if not text.strip():
        raise ValueError("a path is empty")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a path holds a byte that is no character: NUL, or one that is not UTF-8")
    path = os.path.expanduser(text)
    if path.startswith("~"):
        user = path.split(os.sep, 1)[0]
        raise ValueError(f"no home folder of {user} is known; a folder of that name is written ./{user}")
    return path


def _written_day(value: object) -> object:
    """A day as `YYYY-MM-DD`; digits alone would be taken for seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        raise PydanticCustomError("written_day", "a day is written YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_written_day)]
"""A date of the settings, as `YYYY-MM-DD`."""
