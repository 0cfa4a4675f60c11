"""Names that settings can have: whether a dotted path is one, what stands at it, and the nearest one that exists.

What does not belong here: reading the environment (`variables`, `loading`), and what is refused (`loading`).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from pairs_platform.settings.model import Settings

_SAME_LEAF = 3
"""Settings of one name in other groups that are worth naming."""


def kind_at(path: Sequence[str]) -> Any:
    """The type of the setting or group at a path; None where there is none."""
    kind: Any = Settings
    for name in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(name)
            kind = None if field is None else _given(field.annotation)
        elif get_origin(kind) is dict:
            kind = _given(get_args(kind)[1])
        else:
            return None
    return kind


def is_json(kind: Any) -> bool:
    """Whether a variable holds a setting of this type as JSON: a list or a group."""
    return get_origin(kind) in (dict, tuple, list) or (isinstance(kind, type) and issubclass(kind, BaseModel))


def nearest_name(path: Sequence[str]) -> str:
    """The dotted path that was perhaps meant; empty where nothing is near, and a path itself that is one already."""
    from difflib import get_close_matches

    known = next((n for n in range(len(path)) if kind_at(path[: n + 1]) is None), None)
    if known is None:
        return ".".join(path)
    group = kind_at(path[:known])
    here = list(group.model_fields) if isinstance(group, type) and issubclass(group, BaseModel) else []
    for name in get_close_matches(path[known], here, n=3):
        for rest in (path[known + 1 :], ()):
            if kind_at([*path[:known], name, *rest]) is not None:
                return ".".join([*path[:known], name, *rest])
    elsewhere = [name for name in all_names() if name.rsplit(".", 1)[-1] == path[-1]]
    if 0 < len(elsewhere) <= _SAME_LEAF:
        return " or ".join(elsewhere)
    near = get_close_matches(".".join(path), all_names(), n=1, cutoff=0.75)
    return near[0] if near else ""


@cache
def all_names() -> tuple[str, ...]:
    """The dotted path of every setting and group; what a mapping such as the universe holds is left out."""
    return tuple(_names(Settings, ""))


def _names(group: Any, prefix: str) -> Iterator[str]:
    fields: Mapping[str, Any] = group.model_fields
    for name, field in fields.items():
        yield prefix + name
        kind = _given(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{prefix}{name}.")


def _given(annotation: Any) -> Any:
    """The type of a value that is given: without the None of an optional one."""
    if get_origin(annotation) in (Union, UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation
