"""The base of every group of settings, and types of values that several groups have.

What does not belong here: any particular setting, and how settings are read (`pairs_platform.settings.loading`).
"""

import os
import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class SettingsGroup(BaseModel):
    """A frozen group of settings; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(default: Any, *, unit: str, description: str, form: str = "", **bounds: Any) -> Any:
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
    bounds
        Pydantic's constraints (``ge``, ``gt``, ``le``, ``lt``, ``min_length``, …).
    """
    return Field(default, description=description, json_schema_extra={"unit": unit, "form": form}, **bounds)


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
