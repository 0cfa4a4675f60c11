"""The name of a pair, and which pair a person means.

What does not belong here: the spelling of a symbol (`core.prices.symbols`), the spread of a pair (`spread`).
"""

import re
from collections.abc import Collection

from pairs_platform.core.errors import ConfigurationError, DataError, NotFound
from pairs_platform.core.folding import listed, perhaps
from pairs_platform.core.prices.symbols import normal_symbol

Pair = tuple[str, str]
"""Two different symbols in alphabetical order."""


def pair_name(symbol_1: str, symbol_2: str) -> str:
    """Name of an unordered pair: both symbols in alphabetical order, joined by an underscore.

    By two where a symbol has an underscore of its own. No symbol begins or ends with one or has two together: no two
    pairs have one name.
    """
    first, second = sorted((symbol_1, symbol_2))
    return f"{first}__{second}" if "_" in first or "_" in second else f"{first}_{second}"


def pair_of(text: str) -> Pair:
    """The pair that a text means: a name, or two symbols in any spelling and order with an underscore between them.

    Raises
    ------
    ConfigurationError
        When the text holds no two different symbols, or could mean several pairs.
    """
    pairs = _cut(text, "__" if "__" in text else "_")
    if not pairs:
        raise ConfigurationError(f"{text!r} is not a pair: write two different symbols as in PDFS_ROG")
    if len(pairs) > 1:
        raise ConfigurationError(f"{text!r} could mean {_named(pairs)}: write two underscores between the two")
    return pairs[0]


def named_pairs(pairs: object) -> object:
    """A setting's list of pairs as their names: each a text for `pair_of`, or a list of two symbols.

    Anything but a list is given back as it is.

    Raises
    ------
    ConfigurationError, NoSymbol
        When an entry is no pair.
    """
    if not isinstance(pairs, list | tuple):
        return pairs
    names = []
    for pair in pairs:
        match pair:
            case str():
                names.append(pair_name(*pair_of(pair)))
            case [str(first), str(second)] if normal_symbol(first) != normal_symbol(second):
                names.append(pair_name(normal_symbol(first), normal_symbol(second)))
            case _:
                raise ConfigurationError(f"{pair!r} is not a pair: write two different symbols as in PDFS_ROG")
    return tuple(dict.fromkeys(names))


def find_pair(text: str, names: Collection[str]) -> str:
    """The name among `names` that a person means by `text`: two symbols in any spelling, order and separation.

    Raises
    ------
    ConfigurationError
        When several of the pairs could be meant, or the text holds no two different symbols.
    NotFound
        When the pair is not among them.
    """
    if text in names:
        return text
    pairs = _cut(text, r"[_\-/.,:;|\s]+")
    if not pairs:
        raise ConfigurationError(f"{text!r} is not a pair: write two different symbols as in PDFS_ROG")
    present = [pair for pair in pairs if pair_name(*pair) in names]
    if len(present) > 1:
        written = " or ".join(pair_name(*pair) for pair in present)
        raise ConfigurationError(f"{text!r} could mean {_named(present)}: write {written}")
    if not present:
        written = " or ".join(pair_name(*pair) for pair in pairs[:3])
        near = perhaps(pair_name(*pairs[0]), names)
        raise NotFound(f"{written} is not among the {len(names)} pairs, which are {listed(sorted(names), 10)}{near}")
    return pair_name(*present[0])


def _cut(text: str, separator: str) -> list[Pair]:
    """Every pair that `text` can be cut into at one place where `separator`, a regular expression, matches."""
    pairs = set()
    for match in re.finditer(separator, text):
        try:
            first, second = sorted((normal_symbol(text[: match.start()]), normal_symbol(text[match.end() :])))
        except DataError:
            continue
        if first != second:
            pairs.add((first, second))
    return sorted(pairs)


def _named(pairs: list[Pair]) -> str:
    return " or ".join(" and ".join(pair) for pair in pairs[:4])
