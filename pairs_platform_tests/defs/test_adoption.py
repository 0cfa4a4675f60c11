"""An instance that has made nothing learns what the lake holds, once."""

import dagster as dg

from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.selection.contracts import TRADING_CONFIG
from pairs_platform.database.signals import signals_by_session
from pairs_platform.defs.adoption import report_materializations
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key


def known_of(instance: dg.DagsterInstance, name: str) -> set[str]:
    return instance.get_materialized_partitions(dg.AssetKey(name))


def test_every_stored_partition_is_reported_once_and_no_check(demo, copied):
    lake = copied.lake
    with dg.DagsterInstance.ephemeral() as instance:
        first = report_materializations(instance, copied)
        known = {
            name: instance.get_materialized_partitions(dg.AssetKey(name))
            for name in ("price_history", "trading_config", "model_performance", "price_flags")
        }
        assert len(known["price_history"]) == len(lake.sessions(PRICE_HISTORY.table, SECTOR)) > 20
        stored = {str(key(session)) for session in lake.sessions(TRADING_CONFIG.table, SECTOR)}
        assert known["trading_config"] == known["model_performance"] == stored
        assert known["price_flags"] == set(), "it belongs to price_history"
        event = instance.get_latest_materialization_event(dg.AssetKey("trading_config"))
        assert event.asset_materialization.partition == str(key(SESSION))
        n_rows = len(lake.read(TRADING_CONFIG, key(SESSION)))
        assert event.asset_materialization.metadata["dagster/row_count"].value == n_rows
        assert first > len(stored) * 10
        assert instance.get_materialized_partitions(dg.AssetKey("signals")) == {str(key(SESSION))}
        (signals,) = signals_by_session(copied.database, SECTOR).values()
        event = instance.get_latest_materialization_event(dg.AssetKey("signals"))
        assert event.asset_materialization.metadata["dagster/row_count"].value == signals > 0
        assert report_materializations(instance, copied) == 0
        assert known_of(instance, "champion_model") == set(), "no table shows it"
        home = demo.state / copied.settings.profile.name / "dagster"
        assert report_materializations(instance, copied, home) == 3 * len(stored)
        for name in ("champion_model", "exports", "session_report"):
            assert known_of(instance, name) == stored
        assert not instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(dg.AssetKey("trading_config"), "schema_and_uniqueness")]
        )
