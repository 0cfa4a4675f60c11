"""Settings that are refused, in words: a line for each cause, with the value as written, what is valid, and where it
was set.

What does not belong here: reading them (`loading`), the text of documents (`documents`), and what is valid
(`valid_values`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from pairs_platform.core.folding import perhaps
from pairs_platform.core.masking import MASK
from pairs_platform.settings.documents import line_of
from pairs_platform.settings.model import SECRET_FIELDS
from pairs_platform.settings.names import all_names, given_type, nearest_name, setting_at
from pairs_platform.settings.renamed import new_path
from pairs_platform.settings.valid_values import choices_of, valid_values
from pairs_platform.settings.variables import FROM_FILE, names_of_variables, variable

LONGEST_VALUE = 80
"""Characters of a value that are shown."""

_LONGEST_CAUSE, _LONGEST_MESSAGE, _MOST_LINES = 300, 1900, 12
_ORIGINS = 3
_SHIPPED = "package "
_KEY = "[key]"
"""What pydantic adds to the place of a name in a mapping."""


class Layer(NamedTuple):
    """A source of settings.

    Attributes
    ----------
    name : str
        For messages; empty where the calling code gives them.
    content : mapping
    text : str
        Of the file that a person wrote; empty where it is none.
    """

    name: str
    content: Mapping[str, Any]
    text: str = ""


def explained(error: ValidationError, layers: Sequence[Layer], below: str = "") -> str:
    """What is wrong with the settings: a line for each cause; equal ones of a list are one line with their number.

    Parameters
    ----------
    error : ValidationError
        Of `Settings`, or of one of its groups.
    layers : sequence of Layer
        Where settings were set, those that override others last.
    below : str
        The dotted path of the group; empty for the settings as a whole.
    """
    problems = error.errors(include_url=False)
    causes: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for problem in problems:
        place = problem["loc"]
        if problem["type"] == "too_short" and any(other["loc"][:-1] == place for other in problems):
            continue  # what is wrong in a list is left out of it
        path = (*filter(None, below.split(".")), *(str(part) for part in place if part != _KEY))
        base = ".".join(path[:-1] if place and isinstance(place[-1], int) else path)
        message = _message(problem, path, with_near=len(causes) < _MOST_LINES)
        cause = (base, message, _places(path, message, layers))
        causes.setdefault(cause, []).append((".".join(path), _shown(problem, path)))
    lines = [_line(*cause, found) for cause, found in causes.items()]
    shown = lines[:_MOST_LINES]
    while len(shown) > 1 and sum(map(len, shown)) > _LONGEST_MESSAGE:
        shown.pop()
    more = [f"and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return "\n".join([*shown, *more])


def origin(path: Sequence[str], layers: Sequence[Layer]) -> str:
    """Where a setting was set: the variables or the line that hold it, or most of the groups that it is in."""
    variables = names_of_variables()
    depths = [(_depth(path, layer.content), layer) for layer in layers]
    deepest = max((depth for depth, _ in depths), default=0)
    for n in range(len(path), 0, -1):
        name = variable(".".join(path[:n]))
        given = next((each for each in (name, name + FROM_FILE) if each in variables), None)
        if given:
            return f"variable {variables[given]}"
        below = sorted(written for other, written in variables.items() if other.startswith(f"{name}__"))
        if below and n >= deepest:
            return ", ".join(f"variable {written}" for written in below[:_ORIGINS])
    if not deepest:
        return ""
    layer = next(layer for depth, layer in reversed(depths) if depth == deepest)
    return f"{layer.name}, line {line_of(layer.text, path[:deepest])}" if layer.text else layer.name


def set_in(place: str) -> str:
    """The end of a message about a setting: where it was set, if a place is known."""
    return f", set in {place}" if place else ""


def short_text(text: str, longest: int) -> str:
    """A text without user and password of a URL in it, cut where it is longer than `longest` characters."""
    text = re.sub(r"://.*@", f"://{MASK}@", text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown_value(text: str) -> str:
    """A value as it was written, not too long; in quotation marks where it would be misread."""
    is_plain = text.isprintable() and text == text.strip() != ""
    return short_text(text if is_plain else repr(text), LONGEST_VALUE)


def _places(path: Sequence[str], message: str, layers: Sequence[Layer]) -> str:
    """Where a setting was set; of settings that do not fit together, where those were that a person set."""
    start = "".join(f"{part}." for part in path)
    words = {word.strip(".") for word in re.findall(r"[\w.]+", message)}
    named = [name for name in all_names() if name.startswith(start) and name.removeprefix(start) in words]
    places = dict.fromkeys(origin(name.split("."), layers) for name in named if setting_at(name.split(".")))
    own = [place for place in places if place and not place.startswith(_SHIPPED)]
    return ", ".join(own[:_ORIGINS]) or origin(path, layers)


def _shown(problem: Any, path: Sequence[str]) -> str:
    """A value as it was written; what is set under a wrong name may be a secret."""
    value, kind = problem["input"], problem["type"]
    if kind in ("extra_forbidden", "missing") or new_path(".".join(path)) != ".".join(path):
        return ""
    if path and path[0] in SECRET_FIELDS:
        return "" if kind == "value_error" else "its value"
    if value is None:
        return "nothing (empty or null)"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, str | int | float):
        return shown_value(str(value))
    return "a group of settings" if isinstance(value, Mapping) and setting_at(path) else ""


def _message(problem: Any, path: Sequence[str], *, with_near: bool) -> str:
    """What is valid, or why settings do not fit together."""
    dotted, kind, value = ".".join(path), problem["type"], problem["input"]
    if new_path(dotted) != dotted:
        return f"is called {new_path(dotted)} now: rename it"
    if kind == "extra_forbidden":
        near = nearest_name(path) if with_near else ""
        return "is no setting" + (f"; {near} is perhaps meant" if near else "")
    if kind == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    valid = valid_values(path)
    if kind == "missing":
        return f"is missing: {valid}"
    setting = setting_at(path)
    choices = choices_of(given_type(setting.annotation)) if setting else []
    if isinstance(value, str):
        return valid + ("" if re.search(r"\d", value) else perhaps(value, choices))  # 1min is no slip for 5min
    return valid + ("; a text such as NULL or ~ is written in quotes" if value is None and setting else "")


def _line(base: str, message: str, place: str, found: Sequence[tuple[str, str]]) -> str:
    path, shown = found[0]
    if message.endswith("rename it"):
        return f"{path} {message}" + (f" in {place}" if place else "")
    if base not in SECRET_FIELDS:  # those are refused in words that show no part of them, but how a URL is written
        message = short_text(message, _LONGEST_CAUSE)
    where = set_in(place)
    if len(found) > 1:
        name = path.rsplit(".", 1)[-1]
        first = (
            f"{len(found)} entries are not allowed, the first one {name} with {shown}"
            if shown
            else f"{len(found)} entries"
        )
        return f"{short_text(base, LONGEST_VALUE)}: {first}: {message}{where}"
    refused = f"{shown} is not allowed: " if shown else ""
    text = f"{refused}{message}{where}"
    return f"{short_text(path, LONGEST_VALUE)}: {text}" if path else text


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
