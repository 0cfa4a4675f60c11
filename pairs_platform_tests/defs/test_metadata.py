"""What every asset says about itself, and how the values of a page are formatted."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from pairs_platform.build import build_definitions
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.defs.asset_metadata import IN_DAGSTER, IN_FOLDERS, IN_THE_DATABASE, IN_THE_LAKE, columns
from pairs_platform.defs.metadata import formatted
from pairs_platform.lake.tables import TABLES
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.definitions_text import recorded

ASSETS = [line.split()[0] for line in recorded("assets")]


@pytest.fixture(scope="module")
def graph():
    return build_definitions(load_settings()).resolve_asset_graph()


def test_every_asset_has_one_place():
    assert sorted([*IN_THE_LAKE, *IN_THE_DATABASE, *IN_FOLDERS, *IN_DAGSTER]) == sorted(ASSETS)
    assert set(IN_THE_LAKE) == {contract.written_by for contract in TABLES}


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_says_where_it_is_and_links_to_its_code(graph, name):
    asset = graph.get(dg.AssetKey(name))
    uri = asset.metadata["dagster/uri"]
    assert re.match("(file|sqlite):///", uri)
    assert ("dagster/table_name" in asset.metadata) == (name in {*IN_THE_LAKE, *IN_THE_DATABASE})
    assert {"domain", "storage", "profile"} <= set(asset.tags)
    (code,) = asset.metadata["dagster/code_references"].code_references
    assert code.file_path.endswith(".py")


def test_code_is_linked_where_the_settings_say():
    settings = load_settings({"code_url": "https://github.com/somebody/pairs", "code_branch": "main"})
    graph = build_definitions(settings).resolve_asset_graph()
    (code,) = graph.get(dg.AssetKey("garch_fits")).metadata["dagster/code_references"].code_references
    at = r"https://github.com/somebody/pairs/tree/main/pairs_platform/defs/volatility/assets.py#L\d+"
    assert re.fullmatch(at, code.url)


def test_places_are_those_of_the_databases_in_use_without_their_passwords():
    def places(name: str, urls: dict[str, str]) -> list[str]:
        described = build_definitions(load_settings(urls)).resolve_asset_graph().get(dg.AssetKey(name)).metadata
        return [described[f"dagster/{field}"] for field in ("uri", "table_name") if f"dagster/{field}" in described]

    url = "postgresql+psycopg2://me:s3cret@host:5432/{}?sslmode=require"
    urls = {"database_url": url.format("pairs"), "dagster_url": url.format("runs")}
    assert places("signals", urls) == ["postgresql://host:5432/pairs#signals", "pairs.public.signals"]
    assert places("retention", urls) == ["postgresql://host:5432/runs"]
    (embedded,) = places("retention", {})
    assert embedded == (load_settings().profile_root.absolute() / "dagster").as_uri()


def test_what_is_in_the_lake_is_where_the_lake_is():
    settings = load_settings({"lake_url": "s3://bucket/lakes"})
    graph = build_definitions(settings).resolve_asset_graph()
    root = f"s3://bucket/lakes/{settings.profile.name}"
    for name in ("garch_fits", "gru_tuning"):
        assert graph.get(dg.AssetKey(name)).metadata["dagster/uri"] == f"{root}/{name}"
    assert graph.get(dg.AssetKey("exports")).metadata["dagster/uri"].startswith("file:///")


@pytest.mark.parametrize("name", [*IN_THE_LAKE, *IN_THE_DATABASE])
def test_every_column_is_described_with_the_unit_of_a_number(name):
    schema = columns(name)["dagster/column_schema"].value
    assert len(schema.columns) > 3
    for column in schema.columns:
        assert column.description, column.name
        assert column.description.endswith("."), column.name
        if re.match("float|int|biginteger", column.type.lower()):
            assert re.search(r"\[[^\[\]]+\]\.$", column.description), column


class TestFreshness:
    @pytest.mark.parametrize("name", ASSETS)
    def test_what_is_made_without_partitions_has_a_policy(self, graph, name):
        asset = graph.get(dg.AssetKey(name))
        assert (asset.freshness_policy is None) == (asset.partitions_def is not None)

    @pytest.mark.parametrize("evening", ["2025-01-17", "2024-03-28", "2026-12-24", "2025-07-03"])
    def test_no_pause_of_the_exchange_makes_an_asset_late(self, graph, evening):
        """The run of the last evening before a long week-end counts until that of the first one after it."""
        zone = ZoneInfo("America/New_York")
        last = datetime.fromisoformat(f"{evening} 20:05").replace(tzinfo=zone)
        next_run = datetime.combine(session_offset(last.date(), 1), last.time(), zone)
        policy = graph.get(dg.AssetKey("storage_report")).freshness_policy
        assert next_run - last >= timedelta(days=3)
        assert next_run - last < policy.fail_window.to_timedelta() <= timedelta(days=5)


def test_values_are_for_people():
    shown = formatted(
        {
            "seconds": 16.202787053000065,
            "unknown": None,
            "empty": {},
            "nothing": [],
            "inner": {"p": 0.0392156862745098, "moments": [datetime(2026, 11, 27, 15, 25, tzinfo=ZoneInfo("UTC"))]},
            "count": 3,
            "run": dg.MetadataValue.dagster_run("abc"),
        },
    )
    assert shown == {
        "seconds": 16.2028,
        "empty": "none",
        "nothing": "none",
        "inner": {"p": 0.0392157, "moments": ["2026-11-27 15:25:00 UTC"]},
        "count": 3,
        "run": dg.MetadataValue.dagster_run("abc"),
    }
