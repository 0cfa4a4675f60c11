"""The eleven GICS sectors and the one of symbols without: their slugs, and the slug behind each spelling of data files.

What does not belong here: which sectors are active and which symbols they hold (the configuration says so).
"""

import re
import unicodedata
from collections.abc import Iterable

from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.folding import listed, perhaps, shortened

GICS_SECTORS = (
    "communication_services",
    "consumer_discretionary",
    "consumer_staples",
    "energy",
    "financial",
    "healthcare",
    "industrials",
    "materials",
    "real_estate",
    "technology",
    "utilities",
)
"""Slugs in alphabetical order."""

UNCLASSIFIED = "unclassified"
"""Slug of the symbols whose sector nobody names, or names clearly."""

SECTORS = tuple(sorted((*GICS_SECTORS, UNCLASSIFIED)))
"""Slugs in alphabetical order; partition definitions are made of them."""

_SPELLINGS = {
    "communication_services": (
        "communication",
        "communications",
        "communication service",
        "communications services",
        "telecom",
        "telecoms",
        "telecommunication",
        "telecommunications",
        "telecommunication service",
        "telecommunication services",
        "telecommunications service",
        "telecommunications services",
    ),
    "consumer_discretionary": ("consumer cyclical", "consumer cyclicals"),
    "consumer_staples": (
        "consumer staple",
        "consumer defensive",
        "consumer defensives",
        "consumer non-cyclical",
        "consumer non-cyclicals",
    ),
    "energy": ("oil & gas",),
    "financial": ("financials", "finance", "financial service", "financial services"),
    "healthcare": ("health care",),
    "industrials": ("industrial", "industrial goods"),
    "materials": ("material", "basic material", "basic materials", "raw materials"),
    "real_estate": (),
    "technology": ("technologies", "information technology", "information technologies", "info tech", "tech", "it"),
    "utilities": ("utility", "public utility", "public utilities"),
    UNCLASSIFIED: ("", "unknown", "none", "n/a", "nan", "null", "other", "not classified"),
}
"""Names of GICS today and before 2018, ICB, TRBC, Bloomberg, Nasdaq and Yahoo Finance that mean one GICS sector; those
that could be two ("Consumer Goods", "Consumer Services", "Services", "Basic Industries") are left out."""


def _key(label: str) -> str:
    """Letters and digits of a label, "&" being "and", without the word "sector" at its end."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", label).casefold().replace("&", " and ").replace("_", " "))
    return "".join(words[:-1] if len(words) > 1 and words[-1] == "sector" else words)


_BY_KEY = {_key(spelling): slug for slug in SECTORS for spelling in (slug, *_SPELLINGS[slug])}


def sector_slug(label: str) -> str:
    """Slug of a sector label such as "Information Technology", "Health Care" or "financial".

    Case, kinds of blanks and punctuation do not matter, and "&" is "and"; the names of GICS, ICB, TRBC, Bloomberg,
    Nasdaq and Yahoo Finance are known where they mean one GICS sector. One that is blank is `UNCLASSIFIED`.

    Raises
    ------
    NoSuchSector
        With the label and the valid slugs.
    """
    try:
        return _BY_KEY[_key(label)]
    except KeyError:
        near = perhaps(label, SECTORS)
        raise NoSuchSector(f"unknown sector {label!r}; valid: {', '.join(SECTORS)} or GICS names{near}") from None


def sector_of_labels(labels: Iterable[object]) -> tuple[str, str]:
    """Slug of a symbol with these labels, and why it is `UNCLASSIFIED` where they say no sector clearly.

    Parameters
    ----------
    labels : iterable
        As files write them, in any number; what is no text says nothing.

    Returns
    -------
    slug, reason : str
        The reason is empty where the labels are clear.
    """
    written = dict.fromkeys(label for label in labels if isinstance(label, str))
    slugs: dict[str, str] = {}
    for label in written:
        try:
            slugs.setdefault(sector_slug(label), label)
        except NoSuchSector:
            slugs.setdefault(label, label)
    slugs.pop(UNCLASSIFIED, None)
    if not slugs:
        return UNCLASSIFIED, "it has no sector"
    if len(slugs) > 1:
        return UNCLASSIFIED, f"it has several sectors: {listed(map(repr, slugs.values()), 3)}"
    [(slug, label)] = slugs.items()
    return (slug, "") if slug in SECTORS else (UNCLASSIFIED, f"its sector {shortened(label, 60)!r} is not known")
