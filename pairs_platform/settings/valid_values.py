"""What a setting may be, in words: its type, both bounds and the unit.

What does not belong here: which settings there are (`model`), and what is said of a value that is refused
(`explanations`).
"""

from collections.abc import Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from pairs_platform.core.settings import order_of
from pairs_platform.settings.names import given_type, is_group, kind_at, setting_at

_NAMED = 3
"""Settings of a group that are named in the place of all."""


def valid_values(path: Sequence[str]) -> str:
    """What is valid at a dotted path, for example ``a number above 0 and up to 10 standard deviations``."""
    info = setting_at(path)
    if info is None:
        return _group(kind_at(path))
    kind = given_type(info.annotation)
    if kind_at(path) is None:  # an entry of a list
        return _scalar(get_args(kind)[0], info)
    if get_origin(kind) is dict:
        return "a group of settings"
    return _list(get_args(kind)[0], info) if get_origin(kind) is tuple else _scalar(kind, info)


def unit_of(info: FieldInfo) -> str:
    """Unit of a setting; ``1`` for a pure number."""
    extra: Any = info.json_schema_extra
    return str(extra["unit"])


def choices_of(kind: Any) -> list[str]:
    """The words that a setting of this type can be; none where it is no choice."""
    if get_origin(kind) is Literal:
        return [str(each.value if isinstance(each, Enum) else each) for each in get_args(kind)]
    return [str(each.value) for each in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _group(kind: Any) -> str:
    return f"a group of settings such as {', '.join(list(kind.model_fields)[:_NAMED])}" if is_group(kind) else ""


def _scalar(kind: Any, info: FieldInfo) -> str:
    form, choices = _form(info), choices_of(kind)
    if choices:
        return f"one of {', '.join(choices)}"
    if form:
        return form
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        words = _with_unit(f"a {'whole ' if kind is int else ''}number{_range(info)}", unit_of(info))
        order = order_of(info)
        return f"{words}, {'below' if order.strict else 'not above'} {order.above}" if order else words
    if get_origin(kind) is not None:  # an annotated type
        kind = get_args(kind)[0]
    if kind is date:
        return f"a day written YYYY-MM-DD{_range(info)}"
    if kind is Path or unit_of(info) == "path":
        return "a path"
    return "a text" if unit_of(info) == "secret" else f"a text ({unit_of(info)})"


def _list(kind: Any, info: FieldInfo) -> str:
    least, most = _bound(info, "min_length"), _bound(info, "max_length")
    choices, unit = choices_of(kind), unit_of(info)
    several = f"{least} to {most} " if most is not None else f"{least} or more " if least is not None else ""
    of = f"{several}of {', '.join(choices)}" if choices else f"{several}{unit}"
    example = ", ".join(f'"{each}"' for each in choices[:2] or ("A", "B"))
    return f"a list of {of}, written as [{example}]"


def _range(info: FieldInfo) -> str:
    """The bounds of a number or a day: both, one or none."""
    least, above, most, below = (_bound(info, name) for name in ("ge", "gt", "le", "lt"))
    if least is not None and most is not None:
        return f" from {_plain(least)} to {_plain(most)}"
    low = (
        f" above {_plain(above)}" if above is not None else f" of {_plain(least)} or more" if least is not None else ""
    )
    high = f" up to {_plain(most)}" if most is not None else f" below {_plain(below)}" if below is not None else ""
    return f"{low} and{high}" if low and high else low + high


def _with_unit(words: str, unit: str) -> str:
    """A number with its unit; a unit that is no plural stands in brackets."""
    if unit == "1":
        return words
    return f"{words} {unit}" if unit.split(" per ")[0].endswith("s") else f"{words} ({unit})"


def _form(info: FieldInfo) -> str:
    extra: Any = info.json_schema_extra
    return str(extra.get("form", ""))


def _bound(info: FieldInfo, name: str) -> Any:
    return next((getattr(each, name) for each in info.metadata if hasattr(each, name)), None)


def _plain(bound: object) -> str:
    return str(int(bound)) if isinstance(bound, float) and bound.is_integer() else str(bound)
