"""The type of every option that takes a sector: its slug, or a name of it as data vendors write it.

What does not belong here: which sectors there are and their spellings (`core.prices.sectors`).
"""

import click

from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.prices.sectors import sector_slug


class SectorName(click.ParamType):
    """A sector by its slug, such as ``technology``, or by a name such as ``"Information Technology"``."""

    name = "sector"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The slug; a word that is none ends the command with the one that was perhaps meant."""
        try:
            return sector_slug(value)
        except NoSuchSector as error:
            self.fail(str(error), param, ctx)


SECTOR = SectorName()
