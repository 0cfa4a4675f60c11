import pytest

from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.prices.sectors import SECTORS, sector_slug


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("Communication Services", "communication_services"),
        ("Consumer Discretionary", "consumer_discretionary"),
        ("Consumer Staples", "consumer_staples"),
        ("Energy", "energy"),
        ("Financials", "financial"),
        ("Financial Services", "financial"),
        ("Health Care", "healthcare"),
        ("Healthcare", "healthcare"),
        ("Industrials", "industrials"),
        ("Materials", "materials"),
        ("Basic Materials", "materials"),
        ("Real Estate", "real_estate"),
        ("Information Technology", "technology"),
        (" information   TECHNOLOGY ", "technology"),
        ("Technology", "technology"),
        ("Utilities", "utilities"),
    ],
)
def test_names_of_gics_and_yahoo_map_to_slugs(label: str, slug: str) -> None:
    assert sector_slug(label) == slug


def test_there_are_eleven_slugs_and_each_is_its_own_label() -> None:
    assert len(SECTORS) == 11
    assert list(SECTORS) == sorted(SECTORS)
    assert [sector_slug(slug) for slug in SECTORS] == list(SECTORS)


@pytest.mark.parametrize("label", ["", "Crypto", "Information", "Tech nologies"])
def test_an_unknown_label_is_refused_with_the_valid_ones(label: str) -> None:
    with pytest.raises(NoSuchSector, match=f"unknown sector '{label}'.*healthcare.*technology"):
        sector_slug(label)
