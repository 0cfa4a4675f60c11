"""The check `up_to_date` of every daily asset, and the sensor that keeps it true."""

import json
from collections.abc import Iterable
from datetime import date

import dagster as dg
import pytest

from pairs_platform.build import build_definitions
from pairs_platform.core.operations.alert_causes import NOT_ALERTS
from pairs_platform.defs.asset_metadata import DAILY_ASSETS
from pairs_platform.defs.freshness.checks import CHECK, newest_sessions
from pairs_platform.defs.freshness.sensors import freshness_watch
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.defs.test_alerts import Clock
from pairs_platform_tests.defs.test_automation import FRIDAY, THURSDAY, at
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key

OTHER = "financial"
UNIVERSE = {sector: {"active": True, "symbols": ["AAPL", "AMD"]} for sector in (SECTOR, OTHER)}


@pytest.fixture
def platform() -> Platform:
    return Platform(load_settings({"universe": UNIVERSE}), clock=Clock())


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def make(instance: dg.DagsterInstance, session: date, sector: str = SECTOR, assets: Iterable[str] = DAILY_ASSETS):
    for asset in assets:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=str(key(session, sector))))


class Watch:
    """The sensor with its cursor, and what it has stored."""

    def __init__(self, platform: Platform, instance: dg.DagsterInstance) -> None:
        self.platform, self.instance, self.cursor = platform, instance, None

    def tick(self) -> dict[str, dg.AssetCheckEvaluation]:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"platform": self.platform})
        found = freshness_watch(context)
        if isinstance(found, dg.SkipReason):
            return {}
        self.cursor = found.cursor
        for evaluation in found.asset_events:
            self.instance.report_runless_asset_event(evaluation)
        return {evaluation.asset_key.to_user_string(): evaluation for evaluation in found.asset_events}


@pytest.fixture
def watch(platform, instance) -> Watch:
    return Watch(platform, instance)


def test_every_daily_asset_has_it_and_no_other(platform):
    graph = build_definitions(platform.settings).resolve_asset_graph()
    assert {k.asset_key.to_user_string() for k in graph.asset_check_keys if k.name == CHECK} == set(DAILY_ASSETS)
    assert not any(graph.get(dg.AssetKey(asset)).freshness_policy for asset in DAILY_ASSETS)
    assert CHECK in NOT_ALERTS


def test_it_is_judged_when_a_session_becomes_due_and_when_one_is_there(watch):
    make(watch.instance, date(2023, 3, 8))
    found = watch.tick()
    assert set(found) == set(DAILY_ASSETS)
    assert all(evaluation.passed for evaluation in found.values())
    watch.platform.clock.now = at(FRIDAY, 7, 59)
    assert watch.tick() == {}
    watch.platform.clock.now = at(FRIDAY, 8)
    found = watch.tick()
    assert set(found) == set(DAILY_ASSETS)
    assert not any(evaluation.passed for evaluation in found.values())
    assert {evaluation.severity for evaluation in found.values()} == {dg.AssetCheckSeverity.WARN}
    assert watch.tick() == {}
    make(watch.instance, THURSDAY, assets=["price_history"])
    (evaluation,) = watch.tick().values()
    assert evaluation.asset_key == dg.AssetKey("price_history")
    assert evaluation.passed
    assert evaluation.description.startswith(f"{SECTOR} ends with {THURSDAY}; session {THURSDAY} is due since {FRIDAY}")


def test_a_backfill_of_old_sessions_makes_nothing_fresh(watch):
    watch.platform.clock.now = at(FRIDAY, 9)
    make(watch.instance, date(2023, 3, 8))
    assert not watch.tick()["garch_fits"].passed
    make(watch.instance, date(2023, 3, 1), assets=["garch_fits"])
    found = watch.tick()
    assert set(found) == {"garch_fits"}, "the UI shows no result that is older than the newest materialization"
    assert not found["garch_fits"].passed


def test_a_sector_counts_from_its_first_partition_on(watch):
    watch.platform.clock.now = at(FRIDAY, 9)
    assert all(evaluation.passed for evaluation in watch.tick().values())
    make(watch.instance, THURSDAY)
    assert all(evaluation.passed for evaluation in watch.tick().values())
    make(watch.instance, THURSDAY, OTHER, ["price_history"])
    found = watch.tick()
    assert found["price_history"].passed
    assert f"{OTHER} has no session" in found["trading_config"].description
    assert found["trading_config"].metadata["sectors_behind"].value == 1


def test_the_cursor_is_small(watch):
    make(watch.instance, THURSDAY)
    watch.tick()
    assert len(watch.cursor) < 10_000
    assert set(json.loads(watch.cursor)["made"]) == set(DAILY_ASSETS)


def test_a_person_can_judge_one_asset_in_the_ui(platform, instance):
    make(instance, SESSION)
    platform.clock.now = at(FRIDAY, 9)
    job = build_definitions(platform.settings, {"platform": platform}).resolve_implicit_global_asset_job_def()
    one = dg.AssetCheckKey(dg.AssetKey("pair_scores"), CHECK)
    (found,) = (
        job.get_subset(asset_check_selection={one}).execute_in_process(instance=instance).get_asset_check_evaluations()
    )
    assert not found.passed
    assert f"{SECTOR} ends with {SESSION}, 1 session behind" in found.description


def test_the_newest_session_of_each_sector_is_read(instance):
    for session, sector in ((SESSION, SECTOR), (THURSDAY, SECTOR), (SESSION, OTHER)):
        make(instance, session, sector, ["gru_models"])
    newest = newest_sessions(instance)
    assert newest["gru_models"] == {SECTOR: THURSDAY, OTHER: SESSION}
    assert newest["trading_config"] == {}
