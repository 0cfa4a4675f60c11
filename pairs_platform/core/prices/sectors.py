"""The eleven GICS sectors: their slugs, and the slug behind each spelling that data files use.

What does not belong here: which sectors are active and which symbols they hold (the configuration says so).
"""

import re

from pairs_platform.core.errors import NoSuchSector

SECTORS = (
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
}


def _key(label: str) -> str:
    return re.sub(r"[\s_\-]+", "", label).casefold()


_BY_KEY = {_key(spelling): slug for slug in SECTORS for spelling in (slug, *_SPELLINGS[slug])}


def sector_slug(label: str) -> str:
    """Slug of a sector label such as "Information Technology", "Health Care" or "financial".

    Case, spaces, hyphens and underscores do not matter; the names of GICS and of Yahoo Finance are known.

    Raises
    ------
    NoSuchSector
        With the label and the valid slugs.
    """
    try:
        return _BY_KEY[_key(label)]
    except KeyError:
        raise NoSuchSector(f"unknown sector {label!r}; valid: {', '.join(SECTORS)} or GICS names") from None
