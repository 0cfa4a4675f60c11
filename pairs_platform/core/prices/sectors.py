"""The eleven GICS sectors and the one of symbols without: their slugs, and the slug behind each spelling of data files.

What does not belong here: which sectors are active and which symbols they hold (the configuration says so).
"""

import re
from collections.abc import Iterable

from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.folding import listed, shortened

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
    "communication_services": ("communications", "communication", "telecommunication services", "telecommunications"),
    "consumer_discretionary": ("consumer cyclical",),
    "consumer_staples": ("consumer defensive",),
    "energy": (),
    "financial": ("financials", "financial services"),
    "healthcare": ("health care",),
    "industrials": ("industrial",),
    "materials": ("material", "basic materials"),
    "real_estate": (),
    "technology": ("information technology", "tech", "it"),
    "utilities": ("utility",),
    UNCLASSIFIED: ("", "unknown", "none", "n/a", "nan", "null", "other", "not classified"),
}


def _key(label: str) -> str:
    return re.sub(r"[\s_\-]+", "", label).casefold()


_BY_KEY = {_key(spelling): slug for slug in SECTORS for spelling in (slug, *_SPELLINGS[slug])}


def sector_slug(label: str) -> str:
    """Slug of a sector label such as "Information Technology", "Health Care" or "financial".

    Case, spaces, hyphens and underscores do not matter; the names of GICS and of Yahoo Finance are known. One that is
    blank is `UNCLASSIFIED`.

    Raises
    ------
    NoSuchSector
        With the label and the valid slugs.
    """
    try:
        return _BY_KEY[_key(label)]
    except KeyError:
        raise NoSuchSector(f"unknown sector {label!r}; valid: {', '.join(SECTORS)} or GICS names") from None


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
