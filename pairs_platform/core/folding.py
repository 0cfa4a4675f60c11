"""Long lists in one line: names, equal reasons of many names, and texts that are too long to be read.

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


def shortened(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """`text`, its middle left out where it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    head = max(1, longest - longest // 4 - 40)
    tail = longest // 4
    return f"{text[:head]} … ({len(text) - head - tail} characters left out) … {text[-tail:]}"


def folded(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each different reason: the reason, and the other names that have it.

    Two reasons are the same when they differ in nothing but their own name and in dates.

    Parameters
    ----------
    reasons : mapping of name to reason
        A name is a symbol, or a partition as Dagster writes it.

    Returns
    -------
    tuple of str
        In the order in which the reasons come first; a name that its reason does not hold stands before it.
    """
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(_cause(name, reason), []).append(name)
    lines = []
    for first, *others in groups.values():
        reason = reasons[first] if _holds(reasons[first], first) else f"{first}: {reasons[first]}"
        same = f" (the same for {listed(others)}: {len(others) + 1} in all)" if others else ""
        lines.append(shortened(reason, LONGEST_MESSAGE - len(same)) + same)
    return tuple(lines)


def _cause(name: str, reason: str) -> str:
    for part in name.split("|"):
        reason = re.sub(rf"(?<![\w.]){re.escape(part)}(?![\w])", "·", reason)
    return _DATE.sub("·", reason)


def _holds(reason: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w])", reason) is not None
