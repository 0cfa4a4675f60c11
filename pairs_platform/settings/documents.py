"""A YAML document of settings: bytes become names and texts, and what cannot be meant is refused with its line.

What a scalar means is decided by the setting that it is for: ``ON``, ``1E5``, ``10:00`` and ``2025-01-02`` stay texts,
and no setting of the platform is more than a text, a list or a group. Only what is empty or ``null`` is nothing. What
does not belong here: which files are read (`shipped`, `loading`), which settings there are (`model`).
"""

import codecs
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from pairs_platform.core.errors import SettingsError

LARGEST_DOCUMENT = 100_000
"""Values in a document, those of an alias counted at each place where it stands."""

DEEPEST = 20
"""Levels of a document; settings have fewer."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""By which a text in another encoding than UTF-8 is known."""

_NOTHING = {"", "~", "null", "Null", "NULL"}
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
_MERGE = "<<"


def read_document(path: Path) -> dict[str, Any]:
    """Content of a YAML file of settings: groups, lists, and scalars as text or None.

    Raises
    ------
    SettingsError
        The file cannot be read, is no YAML mapping, sets a name twice, or holds what no setting does; names the file,
        the line and the remedy.
    """
    return parse_document(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Text of a YAML file of settings, in the encoding that its first bytes name.

    Raises
    ------
    SettingsError
        The file cannot be read, or holds bytes that are no characters.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from None
    return _decoded(data, str(path))


def parse_document(text: str, name: str, *, is_shipped: bool = False) -> dict[str, Any]:
    """Content of the text of a YAML document, as `read_document`.

    Parameters
    ----------
    text : str
    name : str
        Of the document in messages.
    is_shipped : bool
        Whether it is the package's own: libyaml reads it faster, in every command, and explains mistakes less well.
    """
    loader = yaml.CBaseLoader if is_shipped and yaml.__with_libyaml__ else yaml.BaseLoader
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is not valid YAML{_explained(error)}") from None
    except (ValueError, OverflowError):  # an escape such as "\\UFFFFFFFF"
        raise SettingsError(f"{name}: an escape (\\u, \\U) or a directive (%) in it is beyond what YAML has") from None
    except RecursionError:
        raise SettingsError(f"{name}: more than {DEEPEST} groups within each other") from None
    if root is None or _is_nothing(root):
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{name} must hold a mapping of settings, not {_kind(root)}")
    _require_bounded(root, name)
    return _group(root, name, "")


def line_of(text: str, path: Sequence[str]) -> int:
    """The line in which a document that has been read sets a setting, or else the group nearest to it."""
    node, line = _composed(text), 1
    for name in path:
        below = _entry(node, name)
        if below is None:
            break
        line, node = below
    return line


@lru_cache(maxsize=4)
def _composed(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=yaml.BaseLoader)


def _entry(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """Line and value of an entry of a group or a list; a name of the group itself before those that ``<<`` brings."""
    if isinstance(node, yaml.SequenceNode):
        return next(((_line(item), item) for place, item in enumerate(node.value) if str(place) == name), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    own = {key.value: (_line(key), below) for key, below in node.value}
    merged = own[_MERGE][1] if _MERGE in own else None
    brought = (_entry(group, name) for group in (merged.value if isinstance(merged, yaml.SequenceNode) else [merged]))
    return own.get(name) or next((found for found in brought if found), None)


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-8"
    for mark, marked in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            encoding, data = marked, data.removeprefix(mark)
            break
    else:
        if b"\0" in data[:4]:
            raise SettingsError(
                f"{name} is UTF-16 or UTF-32 without a byte order mark, or no text: save the file as UTF-8"
            )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise SettingsError(
            f"{name}, line {line}: the bytes {data[error.start : error.end].hex(' ')} are no character of "
            f"{encoding.upper()}; save the file as UTF-8 (a code page such as Windows-1252 writes other bytes)"
        ) from None


def _require_bounded(root: yaml.Node, name: str) -> None:
    """Refuse a document whose aliases stand for too many values, or for what they are a part of."""
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node, depth: int = 1) -> int:
        if depth > DEEPEST:
            raise SettingsError(f"{name}, line {_line(node)}: more than {DEEPEST} groups within each other")
        if id(node) not in sizes:
            sizes[id(node)] = None
            sizes[id(node)] = 1 + sum(size(below, depth + 1) for below in _below(node))
        values = sizes[id(node)]
        if values is None:
            raise SettingsError(f"{name}, line {_line(node)}: an alias (*) stands within what it repeats")
        return values

    if size(root) > LARGEST_DOCUMENT:
        raise SettingsError(
            f"{name} holds more than {LARGEST_DOCUMENT:,} values, those of each alias (*) counted: write fewer"
        )


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from item if isinstance(item, tuple) else (item,)


def _value(node: yaml.Node, name: str, path: str) -> Any:
    if node.tag not in _TAGS:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise SettingsError(f"{name}, line {_line(node)}: the tag {tag:.60} means nothing in settings: remove it")
    if isinstance(node, yaml.MappingNode):
        return _group(node, name, f"{path}.")
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, name, f"{path}.{place}") for place, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    _require_characters(node, name)
    if _is_nothing(node):
        return None
    return str(node.value)


def _require_characters(node: yaml.ScalarNode, name: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise SettingsError(f"{name}, line {_line(node)}: an escape names half a character (\\uD800 to \\uDFFF)")


def _group(node: yaml.MappingNode, name: str, prefix: str) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, below in node.value:
        if not isinstance(key, yaml.ScalarNode) or _is_nothing(key):
            raise SettingsError(f"{name}, line {_line(key)}: the name of a setting is a word, not {_kind(key)}")
        _require_characters(key, name)
        if key.value in lines:
            raise SettingsError(
                f"{name}: {prefix + key.value:.100} is set twice, in line {lines[key.value]} and in line {_line(key)}: "
                "keep one of them"
            )
        lines[key.value] = _line(key)
        if key.value == _MERGE and key.style is None:
            merged = _merged(below, name, prefix)
        else:
            own[str(key.value)] = _value(below, name, prefix + key.value)
    return {**merged, **own}


def _merged(node: yaml.Node, name: str, prefix: str) -> dict[str, Any]:
    """The groups that ``<<`` names; of several the first one that has a name decides."""
    merged: dict[str, Any] = {}
    for group in reversed(node.value if isinstance(node, yaml.SequenceNode) else [node]):
        if not isinstance(group, yaml.MappingNode):
            raise SettingsError(f"{name}, line {_line(group)}: << takes a group of settings, not {_kind(group)}")
        merged.update(_group(group, name, prefix))
    return merged


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NOTHING


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.CollectionNode):
        return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
    return "nothing" if _is_nothing(node) else "a text"


def _explained(error: yaml.YAMLError) -> str:
    """Place and cause of an error of YAML's parser, for the middle of a sentence."""
    if isinstance(error, yaml.reader.ReaderError):
        return f": it holds the character {chr(error.character)!r} at place {error.position}, which no text has"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f": {str(error)[:300]}"
    line, problem = error.problem_mark.line + 1, str(error.problem)
    if "expected a single document" in str(error.context):
        return f", line {line}: a second document begins (---); a file holds one"
    if "'\\t'" in problem or "\t" in (error.problem_mark.get_snippet() or "").split("\n")[0]:
        return f", line {line}: a tab stands where blanks are needed; indent with blanks"
    remedy = (
        "; put a text that holds ': ', ' #' or begins with @ ` % & * ! into quotes" if "alias" not in problem else ""
    )
    return f", line {line}, column {error.problem_mark.column + 1}: {problem[:300]}{remedy}"
