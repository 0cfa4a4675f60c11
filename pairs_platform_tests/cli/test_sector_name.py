import click
import pytest

from pairs_platform.cli import cli
from pairs_platform.cli.commands import PURPOSES
from pairs_platform.cli.sector_name import ALL, SECTOR, SECTOR_OR_ALL, SectorName
from pairs_platform.core.errors import NoSuchSector


@pytest.mark.parametrize("text", ["technology", "Information Technology", "information technology"])
def test_a_sector_is_meant_by_its_slug_and_by_its_name(text):
    assert SECTOR.convert(text, None, None) == "technology"


def test_all_sectors_are_meant_where_a_command_takes_them():
    assert [SECTOR_OR_ALL.convert(text, None, None) for text in ("All", "financial")] == [ALL, "financial"]
    with pytest.raises(NoSuchSector):
        SECTOR.convert("all", None, None)


def test_every_option_that_takes_a_sector_takes_its_name():
    found = 0
    for name in [name for commands in PURPOSES.values() for name in commands]:
        command = cli.get_command(None, name)
        for each in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            for option in each.params:
                if "--sector" in option.opts:
                    found += 1
                    assert isinstance(option.type, SectorName), each.name
    assert found
