"""Names that settings can have: whether a dotted path is one, what stands at it, and the nearest one that exists.

What does not belong here: reading the environment (`variables`, `loading`), and what is refused (`loading`).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pairs_platform.settings.model import Settings

_SAME_LEAF = 3
"""Settings of one name in other groups that are worth naming."""


def kind_at(path: Sequence[str]) -> Any:
    """The type of the setting or group at a path; None where there is none."""
    return _at(path)[0]


def setting_at(path: Sequence[str]) -> FieldInfo | None:
    """The setting at a path, or the one whose list has its entry there; None where a group or nothing is there."""
    kind, setting = _at(path)
    return None if is_group(kind) else setting


def is_group(kind: Any) -> bool:
    """Whether a type is that of a group of settings."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def is_json(kind: Any) -> bool:
    """Whether a variable holds a setting of this type as JSON: a list or a group."""
    return get_origin(kind) in (dict, tuple, list) or is_group(kind)


def nearest_name(path: Sequence[str]) -> str:
    """The dotted path that was perhaps meant; empty where nothing is near, and a path itself that is one already."""
    from difflib import get_close_matches

    known = next((n for n in range(len(path)) if kind_at(path[: n + 1]) is None), None)
    if known is None:
        return ".".join(path)
    group = kind_at(path[:known])
    here = list(group.model_fields) if is_group(group) else []
    for name in get_close_matches(path[known], here, n=3):
        for rest in (path[known + 1 :], ()):
            if kind_at([*path[:known], name, *rest]) is not None:
                return ".".join([*path[:known], name, *rest])
    elsewhere = [name for name in all_names() if name.rsplit(".", 1)[-1] == path[-1]]
    if 0 < len(elsewhere) <= _SAME_LEAF:
        return " or ".join(elsewhere)
    near = get_close_matches(".".join(path), all_names(), n=1, cutoff=0.75)
    return near[0] if near else ""


def _at(path: Sequence[str]) -> tuple[Any, FieldInfo | None]:
    kind: Any = Settings
    setting: FieldInfo | None = None
    for name in path:
        if is_group(kind):
            setting = kind.model_fields.get(name)
            kind = None if setting is None else given_type(setting.annotation)
        elif get_origin(kind) is dict:
            setting, kind = None, given_type(get_args(kind)[1])
        else:
            kind = None
    return kind, setting


@cache
def all_names() -> tuple[str, ...]:
    """The dotted path of every setting and group; what a mapping such as the universe holds is left out."""
    return tuple(_names(Settings, ""))


def _names(group: Any, prefix: str) -> Iterator[str]:
    fields: Mapping[str, Any] = group.model_fields
    for name, field in fields.items():
        yield prefix + name
        kind = given_type(field.annotation)
        if is_group(kind):
            yield from _names(kind, f"{prefix}{name}.")


def given_type(annotation: Any) -> Any:
    """The type of a value that is given: without the None of an optional one."""
    if get_origin(annotation) in (Union, UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation
