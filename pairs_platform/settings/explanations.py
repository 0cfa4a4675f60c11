"""Settings that are refused, in words: one line for each cause, where it was set, and the name that was perhaps meant.

What does not belong here: reading them (`loading`) and the text of documents (`documents`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pairs_platform.core.masking import MASK
from pairs_platform.settings.model import SECRET_FIELDS
from pairs_platform.settings.names import nearest_name
from pairs_platform.settings.renamed import new_path
from pairs_platform.settings.variables import FROM_FILE, names_of_variables, variable

LONGEST_VALUE = 80
"""Characters of a value that are shown."""

_LONGEST_CAUSE, _LONGEST_MESSAGE, _MOST_LINES = 300, 1900, 12
_ORIGINS = 3

Layer = tuple[str, Mapping[str, Any]]
"""Name of a document, and its content."""


def explained(error: ValidationError, layers: Sequence[Layer]) -> str:
    """What is wrong with the settings: a line for each cause; equal ones of a list are one line with their number."""
    problems = error.errors(include_url=False)
    causes: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for problem in problems:
        place = problem["loc"]
        if problem["type"] == "too_short" and any(other["loc"][:-1] == place for other in problems):
            continue  # what is wrong in a list is left out of it
        path = tuple(str(part) for part in place)
        base = ".".join(path[:-1] if place and isinstance(place[-1], int) else path)
        cause = (base, _message(problem, path, with_near=len(causes) < _MOST_LINES), origin(path, layers))
        causes.setdefault(cause, []).append((".".join(path), _shown(problem, path)))
    lines = [_line(*cause, found) for cause, found in causes.items()]
    shown = lines[:_MOST_LINES]
    while len(shown) > 1 and sum(map(len, shown)) > _LONGEST_MESSAGE:
        shown.pop()
    more = [f"and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return "\n".join([*shown, *more])


def origin(path: Sequence[str], layers: Sequence[Layer]) -> str:
    """Where a setting was set: the variables or the document that hold it, or most of the groups that it is in."""
    variables = names_of_variables()
    depths = [(_depth(path, layer), name) for name, layer in layers]
    deepest = max(depth for depth, _ in depths)
    for n in range(len(path), 0, -1):
        name = variable(".".join(path[:n]))
        given = next((each for each in (name, name + FROM_FILE) if each in variables), None)
        if given:
            return f"variable {variables[given]}"
        below = sorted(written for other, written in variables.items() if other.startswith(f"{name}__"))
        if below and n >= deepest:
            return ", ".join(f"variable {written}" for written in below[:_ORIGINS])
    return next(name for depth, name in reversed(depths) if depth == deepest) if deepest else ""


def short_text(text: str, longest: int) -> str:
    """A text without user and password of a URL in it, cut where it is longer than `longest` characters."""
    text = re.sub(r"://.*@", f"://{MASK}@", text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _shown(problem: Any, path: Sequence[str]) -> str:
    """A value as it is shown; what is set under a wrong name may be a secret."""
    is_secret = problem["type"] == "extra_forbidden" or bool(path and path[0] in SECRET_FIELDS)
    if is_secret or not isinstance(problem["input"], str | int | float | bool):
        return ""
    return f"value {short_text(repr(problem['input']), LONGEST_VALUE)}"


def _message(problem: Any, path: Sequence[str], *, with_near: bool) -> str:
    dotted, kind, is_empty = ".".join(path), problem["type"], problem["input"] is None
    if new_path(dotted) != dotted:
        return f"is called {new_path(dotted)} now: rename it"
    if kind == "extra_forbidden":
        near = nearest_name(path) if with_near else ""
        return "is no setting" + (f"; {near} is perhaps meant" if near else "")
    if kind in ("model_type", "dict_type"):
        return "holds nothing: write a setting below it, or remove it" if is_empty else "must be a group of settings"
    if kind in ("tuple_type", "list_type"):
        return "must be a list, which is written as [A, B]"
    if is_empty and kind != "missing":
        return f"is empty or null: {_lower(problem['msg'])}; a text such as NULL or ~ is written in quotes"
    return str(problem["msg"]).removeprefix("Value error, ")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _line(base: str, message: str, place: str, found: Sequence[tuple[str, str]]) -> str:
    path, shown = found[0]
    if message.endswith("rename it"):
        return f"{path} {message} in {place}"
    message = short_text(message, _LONGEST_CAUSE)
    where = f", set in {place}" if place else ""
    if len(found) > 1:
        first = f", the first one {path.rsplit('.', 1)[-1]} with {shown}" if shown else ""
        return f"{short_text(base, LONGEST_VALUE)}: {message} ({len(found)} entries{first}){where}"
    text = f"{short_text(path, LONGEST_VALUE)}: {message}" if path else message
    return text + (f" ({shown})" if shown else "") + where


def _depth(path: Sequence[str], layer: Mapping[str, Any]) -> int:
    node: Any = layer
    for depth, part in enumerate(path):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            return depth
    return len(path)
