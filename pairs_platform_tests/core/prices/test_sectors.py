import pytest

from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.prices.sectors import GICS_SECTORS, SECTORS, UNCLASSIFIED, sector_of_labels, sector_slug


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
        ("Telecommunications Services", "communication_services"),
        ("Telecommunication Services", "communication_services"),
        ("TELECOM", "communication_services"),
        ("Communications", "communication_services"),
        ("Consumer Cyclicals", "consumer_discretionary"),
        ("Consumer, Discretionary", "consumer_discretionary"),
        ("Consumer Non-Cyclicals", "consumer_staples"),
        ("consumer\u2011staples", "consumer_staples"),
        ("Oil & Gas", "energy"),
        ("Oil and Gas", "energy"),
        ("Energy Sector", "energy"),
        ("Finance", "financial"),
        ("Health\u00a0Care", "healthcare"),
        ("HEALTH-CARE.", "healthcare"),
        ("Industrial Goods", "industrials"),
        ("Real\u2009Estate", "real_estate"),
        ("I.T.", "technology"),
        ("Ｔｅｃｈｎｏｌｏｇｙ", "technology"),
        ("Public Utilities", "utilities"),
    ],
)
def test_names_of_the_classifications_map_to_slugs(label: str, slug: str) -> None:
    assert sector_slug(label) == slug


def test_there_are_eleven_slugs_and_each_is_its_own_label() -> None:
    assert len(GICS_SECTORS) == 11
    assert set(SECTORS) - set(GICS_SECTORS) == {UNCLASSIFIED}
    assert list(SECTORS) == sorted(SECTORS)
    assert [sector_slug(slug) for slug in SECTORS] == list(SECTORS)


@pytest.mark.parametrize(
    "label", ["Crypto", "Information", "Technology Services", "Consumer Services", "Services", "Sector"]
)
def test_an_unknown_label_is_refused_with_the_valid_ones(label: str) -> None:
    with pytest.raises(NoSuchSector, match=f"unknown sector '{label}'.*healthcare.*technology"):
        sector_slug(label)


@pytest.mark.parametrize(
    ("labels", "slug", "reason"),
    [
        (["Energy", None, " ", "ENERGY"], "energy", ""),
        (["Information Technology", "technology", "Tech"], "technology", ""),
        (["Financials", "Unknown"], "financial", ""),
        ([None, "", "n/a", float("nan")], "unclassified", "it has no sector"),
        (["Unclassified"], "unclassified", "it has no sector"),
        (["Crypto"], "unclassified", "its sector 'Crypto' is not known"),
        (["Energy", "Utilities"], "unclassified", "it has several sectors: 'Energy', 'Utilities'"),
        (["Energy", "Crypto"], "unclassified", "it has several sectors: 'Energy', 'Crypto'"),
    ],
)
def test_the_sector_of_a_symbol_is_what_all_its_labels_say(labels: list[object], slug: str, reason: str) -> None:
    assert sector_of_labels(labels) == (slug, reason)
