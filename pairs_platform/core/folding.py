"""Long lists in one line: names and the one that was meant, equal reasons of many names, and texts that are too long.

What does not belong here: what the reasons are.
"""

import re
from collections.abc import Iterable, Mapping

LONGEST_MESSAGE = 2000
"""Characters of a message that a person can read and every store of messages takes."""

_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def listed(names: Iterable[object], shown: int = 5) -> str:
    """The first names, and how many more there are."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - shown} more" if len(texts) > shown else ""
    return ", ".join(texts[:shown]) + more


def perhaps(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that leads nowhere: which of `names` was perhaps meant; empty where none was.

    Case makes no difference.
    """
    from difflib import get_close_matches

    by_key = {each.casefold(): each for each in names}
    near = get_close_matches(name.casefold(), by_key, n=1)
    return f"; {by_key[near[0]]} is perhaps meant" if near else ""


def shortened(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """`text`, its middle left out where it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    head = max(1, longest - longest // 4 - 40)
    tail = longest // 4
    return f"{text[:head]} … ({len(text) - head - tail} characters left out) … {text[-tail:]}"


def cut_at_word(text: str, longest: int) -> str:
    """`text`, ended after its last whole word and marked where it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    kept = re.sub(r"\s+\S*$", "", head)
    return f"{kept or head}…"


def folded(reasons: Iterable[tuple[str, str]], most: int = 20) -> tuple[str, ...]:
    """One line for each different reason, with the names that have it.

    Two reasons are the same when they differ in nothing but their own name and in dates.

    Parameters
    ----------
    reasons : iterable of (name, reason)
        A name is a symbol, a file, or a partition as Dagster writes it.
    most : int
        Lines at most; one more says how many there are.

    Returns
    -------
    tuple of str
        In the order in which the reasons come first.
    """
    groups: dict[str, dict[str, str]] = {}
    for name, reason in reasons:
        groups.setdefault(_cause(name, reason), {}).setdefault(name, reason)
    lines = [_line(group) for group in groups.values()]
    return tuple(lines[:most]) + ((f"and {len(lines) - most} other reasons",) if len(lines) > most else ())


def _line(group: Mapping[str, str]) -> str:
    [first, *others], reason = group, next(iter(group.values()))
    if not re.search(_word(first), reason):
        names = f"{listed(group)}{f' ({len(group)} in all)' if len(group) > 5 else ''}: "
        return names + shortened(reason, LONGEST_MESSAGE - len(names))
    same = f" (the same for {listed(others)}: {len(group)} in all)" if others else ""
    return shortened(reason, LONGEST_MESSAGE - len(same)) + same


def _cause(name: str, reason: str) -> str:
    for part in name.split("|"):
        reason = re.sub(_word(part), "·", reason)
    return _DATE.sub("·", reason)


def _word(text: str) -> str:
    return rf"(?<![\w.]){re.escape(text)}(?!\w)"
