"""Which column of a file means what, by the spelling of its name.

What does not belong here: the cells (`tables`), and which spellings there are (`price_file`, `actions`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pairs_platform.core.errors import DataError
from pairs_platform.core.folding import listed


def match_columns(
    names: Sequence[str], path: Path, required: Mapping[str, tuple[str, ...]], optional: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Name in the file of each column that is needed, and of each optional one that is there.

    Raises
    ------
    DataError
        When a required column is missing (names it, its spellings, and what the file has), or two columns have the
        name of one that is read.
    """
    matched = {}
    for meaning, spellings in {**required, **optional}.items():
        found = spelled(names, spellings)
        if len(found) > 1:
            raise DataError(
                f"{path}: {len(found)} columns are named {meaning} ({few(found)}), and nothing says which one counts; "
                "keep one of them, or rename the others"
            )
        if found:
            matched[meaning] = found[0]
        elif meaning in required:
            raise DataError(
                f"{path}: no {meaning} column; name it {' or '.join(spellings[:3])} (the file has {few(names)})"
            )
    return matched


def spelled(names: Iterable[str], spellings: tuple[str, ...]) -> list[str]:
    """The names that are written as the first of `spellings` that any of them has."""
    keyed = [(column_key(name), name) for name in names]
    for spelling in spellings:
        found = [name for key, name in keyed if key == column_key(spelling)]
        if found:
            return found
    return []


def column_key(name: str) -> str:
    """A name without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def few(names: Sequence[str], shown: int = 15) -> str:
    """Names for a message: the first ones, and how many follow."""
    return listed((name[:40] or "''" for name in names), shown)
