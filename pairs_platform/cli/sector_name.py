"""The types of options that take a sector: its slug, or a name of it as data vendors write it; or all of them.

What does not belong here: which sectors there are and their spellings (`core.prices.sectors`).
"""

import click

from pairs_platform.core.prices.sectors import sector_slug


class SectorName(click.ParamType):
    """A sector by its slug, such as ``technology``, or by a name such as ``"Information Technology"``."""

    name = "sector"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The slug.

        Raises
        ------
        NoSuchSector
            With the slug that was perhaps meant.
        """
        return sector_slug(value)


class SectorNameOrAll(SectorName):
    """A sector, or `ALL`."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The slug, or `ALL`; raises as for one sector."""
        return ALL if value.lower() == ALL else super().convert(value, param, ctx)


ALL = "all"
SECTOR, SECTOR_OR_ALL = SectorName(), SectorNameOrAll()
