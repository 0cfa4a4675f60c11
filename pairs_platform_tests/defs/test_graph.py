"""What the definitions say about themselves, and what the demo's runs left in the event log."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from pairs_platform.build import build_definitions
from pairs_platform.core.prices.calendar import session_offset, sessions_between, sessions_ending
from pairs_platform.defs.asset_metadata import DAILY_ASSETS
from pairs_platform.defs.partitions import lake_keys, live_session_by_sector, of_settings, session_by_sector
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.definitions_text import recorded
from pairs_platform_tests.support.demo_profile import PRICED, SECTOR, SESSION, SESSIONS, DemoRun, key

STAGES = dict(line.split() for line in recorded("assets"))
CHECKS = {
    tuple(line.removesuffix("blocking").strip().split(": ")): line.endswith("blocking") for line in recorded("checks")
}
"""Whether each check, by asset and name, blocks."""

ASK_THE_REGISTRY = {
    "gru_models", "model_performance", "model_rankings", "model_trends", "shadow_losses", "champion_model",
}  # fmt: skip
LIVE = ("streamed_bars", "signals", "orders", "fills", "portfolio", "performance_attribution")
OF_EVERYTHING = ("storage_report", "retention")
DAILY = [asset for asset in STAGES if asset not in ("gru_tuning", *OF_EVERYTHING, *LIVE)]
FILES = ("exports", "session_report")
OF_THE_DATABASE = {"model_performance", "model_rankings", "model_trends", "champion_model"}

OF_THE_MORNING_AFTER = {"matches_price_history", "session_streamed", "matches_batch"}
DAILY_CHECKS = {
    (asset, name)
    for asset, name in CHECKS
    if name not in ("up_to_date", "what_is_broken_now", "enough_room")
    and (asset not in LIVE or name in OF_THE_MORNING_AFTER)
}


@pytest.fixture(scope="module")
def graph():
    return build_definitions(load_settings()).resolve_asset_graph()


@pytest.fixture(scope="module")
def instance(demo: DemoRun) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that the demo left behind."""
    (home,) = demo.state.glob("*/dagster")
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(instance) -> list[dg.DagsterRun]:
    return [record.dagster_run for record in reversed(instance.get_run_records())]


class TestDefinitions:
    @pytest.mark.parametrize("name", STAGES)
    def test_an_asset_tells_a_person_what_it_is(self, graph, name):
        asset = graph.get(dg.AssetKey(name))
        assert len(asset.description) > 60
        assert asset.description.startswith("Look at the ") or name == "session_report"
        assert asset.kinds
        assert asset.code_version
        if name in OF_EVERYTHING:
            assert asset.partitions_def is None
            return
        whole = live_session_by_sector if name in LIVE else session_by_sector
        assert asset.partitions_def == of_settings(whole, load_settings())
        assert asset.backfill_policy == (None if name in LIVE else dg.BackfillPolicy.single_run())

    def test_only_what_asks_a_vendor_a_registry_or_a_stream_is_tried_again(self, graph):
        """An asset's body hands its policy, a constant `…_RETRIES` of its module, to what decides on a retry."""
        bodies = {k.to_user_string(): graph.get(k).assets_def.op.compute_fn for k in graph.get_all_asset_keys()}
        named = {name: body.decorated_fn.__code__.co_names for name, body in bodies.items()}
        trying = {name for name, names in named.items() if any(each.endswith("_RETRIES") for each in names)}
        assert trying == {"price_history", *ASK_THE_REGISTRY, *LIVE}

    def test_no_asset_has_a_policy_by_which_an_interrupt_is_tried_again(self, graph):
        assert not [k for k in graph.get_all_asset_keys() if graph.get(k).assets_def.op.retry_policy]

    def test_heavy_work_and_the_vendor_have_pools(self, graph):
        pools = {k.to_user_string(): graph.get(k).assets_def.op.pool for k in graph.get_all_asset_keys()}
        assert {name: pool for name, pool in pools.items() if pool} == {
            "price_history": "market_data",
            "cointegrated_pairs": "compute",
            "garch_fits": "compute",
            "pair_scores": "compute",
            "gru_models": "training",
            "gru_tuning": "training",
        }

    def test_automation_is_on_from_the_start(self):
        repository = build_definitions(load_settings()).get_repository_def()
        running = {s.name: s.default_status.value for s in (*repository.schedule_defs, *repository.sensor_defs)}
        on = (
            "daily_pair_identification", "freshness_watch", "failed_session_retry", "weekly_model_baseline",
            "mlflow_run_closer", "signal_sensor", "stream_health", "run_alerts", "alert_watch",
            "alert_delivery", "nightly_housekeeping", "trading_sensor",
        )  # fmt: skip
        assert running == {**dict.fromkeys(on, "RUNNING"), "weekly_network_tuning": "STOPPED"}

    def test_the_daily_job_holds_everything_but_what_judges_the_present_and_tuning(self):
        daily = build_definitions(load_settings()).get_repository_def().get_job("daily_pair_identification").asset_layer
        assert set(DAILY) == set(DAILY_ASSETS)
        assert {k.to_user_string() for k in daily.executable_asset_keys} == set(DAILY)
        assert {(k.asset_key.to_user_string(), k.name) for k in daily.asset_graph.asset_check_keys} == DAILY_CHECKS


class TestLineage:
    def parents(self, settings, child: str, parent: str) -> list[str]:
        graph = build_definitions(settings).resolve_asset_graph()
        asset = graph.get(dg.AssetKey(child))
        subset = asset.partitions_def.subset_with_partition_keys([str(key())])
        mapping = graph.get_partition_mapping(asset.key, dg.AssetKey(parent))
        found = mapping.get_upstream_mapped_partitions_result_for_partitions(
            subset, asset.partitions_def, session_by_sector
        )
        return [str(k) for k in lake_keys(found.partitions_subset.get_partition_keys())]

    @pytest.mark.parametrize("child", ["correlation_matrix", "cointegrated_pairs", "garch_fits", "pair_scores"])
    @pytest.mark.parametrize(("frequency", "lookback"), [("5min", 60), ("1d", 252), ("1h", 33)])
    def test_windows_reach_back_exactly_the_lookback(self, child, frequency, lookback):
        settings = load_settings({"frequency": frequency, "lookback": {"intraday": 33 if frequency == "1h" else 60}})
        assert self.parents(settings, child, "price_history") == [
            str(key(d)) for d in sessions_ending(SESSION, lookback)
        ]

    def test_rankings_reach_back_over_scores(self):
        settings = load_settings({"selection": {"lookback_sessions": 7}})
        assert self.parents(settings, "composite_rankings", "pair_scores") == [
            str(key(d)) for d in sessions_ending(SESSION, 7)
        ]

    def test_the_rest_depends_on_its_own_session(self):
        assert self.parents(load_settings(), "trading_config", "composite_rankings") == [str(key())]
        assert self.parents(load_settings(), "pair_scores", "garch_fits") == [str(key())]


class TestPartitions:
    def test_sessions_are_those_of_the_exchange(self):
        days = session_by_sector.get_partitions_def_for_dimension("date").get_partition_keys()
        first, last = SESSIONS[0].replace(month=1, day=1), SESSIONS[0].replace(month=12, day=31)
        assert [d for d in days if d.startswith("2023")] == [str(d) for d in sessions_between(first, last)]
        assert days[0] == "2018-01-02"

    @pytest.mark.parametrize("partition", ["2023-07-04|technology", "2023-03-11|technology", "2023-03-08|tech"])
    def test_holidays_week_ends_and_unknown_sectors_have_none(self, partition):
        assert not session_by_sector.has_partition_key(partition)


class TestEventLog:
    """The demo uses the schedule's job: prices as one range run, then a run per session."""

    def test_runs(self, runs):
        assert [(run.job_name, run.status) for run in runs[:4]] == 4 * [
            ("daily_pair_identification", dg.DagsterRunStatus.SUCCESS)
        ]
        prices, *sessions = (run.tags for run in runs[:4])
        assert prices["dagster/asset_partition_range_start"] == str(key(PRICED[0]))
        assert prices["dagster/asset_partition_range_end"] == str(key())
        assert [tags["dagster/partition"] for tags in sessions] == [str(key(day)) for day in SESSIONS]
        assert {tags["pairs_platform/sector"] for tags in (prices, *sessions)} == {SECTOR}

    def test_the_replayed_session_has_a_run_for_every_bar(self, runs, instance):
        of_bars = runs[4:]
        assert {(run.job_name, run.status) for run in of_bars} == {("five_minute_signals", dg.DagsterRunStatus.SUCCESS)}
        assert 1 <= len(of_bars) <= 7
        assert {run.tags["dagster/partition"] for run in of_bars} == {str(key())}
        metadata = instance.get_latest_materialization_event(dg.AssetKey("signals")).asset_materialization.metadata
        assert "SIMULATED" in metadata["source"].value
        assert "data:image/svg+xml;base64" in metadata["plot_session_so_far"].value

    @pytest.mark.parametrize("asset", DAILY)
    def test_every_asset_was_materialized(self, instance, asset):
        expected = PRICED if asset == "price_history" else SESSIONS
        assert instance.get_materialized_partitions(dg.AssetKey(asset)) == {str(key(day)) for day in expected}

    @pytest.mark.parametrize("asset", DAILY)
    def test_metadata_of_a_partition(self, instance, asset, stored):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[str(key())]), limit=1
        ).records
        metadata = records[0].asset_materialization.metadata
        assert metadata["source"].value == stored.market_data.label
        assert "SIMULATED" in metadata["source"].value
        if asset not in OF_THE_DATABASE and asset not in FILES:
            assert metadata["dagster/row_count"].value == len(stored.lake.read(_contract(asset), key()))

    def test_pages_have_tables_and_pictures(self, instance):
        shown: dict[str, str] = {}
        for asset in DAILY:
            event = instance.get_latest_materialization_event(dg.AssetKey(asset))
            for name, value in event.asset_materialization.metadata.items():
                if isinstance(value, dg.TableMetadataValue) or value.value == "*none*":
                    shown[f"{asset}.{name}"] = "table"
                elif isinstance(value, dg.MarkdownMetadataValue) and "data:image/" in value.value:
                    shown[f"{asset}.{name}"] = "picture"
        assert {name for name, kind in shown.items() if kind == "picture"} == {
            "correlation_matrix.plot_correlation",
            "garch_fits.plot_spread_z",
            "garch_fits.plot_volatility",
            "pair_scores.plot_backtests",
            "pair_scores.plot_score_components",
            "trading_config.plot_backtests",
            "gru_models.plot_reliability",
            "gru_models.plot_lift",
            "gru_models.plot_learning_curves",
            "price_history.plot_coverage",
        }
        assert {name.split(".")[0] for name, kind in shown.items() if kind == "table"} == set(DAILY)

    def test_the_screen_shows_what_chance_finds(self, instance):
        event = instance.get_latest_materialization_event(dg.AssetKey("cointegrated_pairs"))
        metadata = event.asset_materialization.metadata
        placebo = metadata["placebo"].value
        assert set(placebo) == {"joint", "independent"}
        assert placebo["joint"]["n_draws"] == 50
        assert metadata["found_by_chance_joint"].value == placebo["joint"]["mean"]
        assert 0 <= metadata["smallest_q_value"].value <= 1

    def test_every_check_was_evaluated_in_every_run(self, instance, runs):
        evaluated = [
            {
                (data.asset_key.to_user_string(), data.check_name, data.passed, data.severity.value)
                for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
                for data in [entry.dagster_event.asset_check_evaluation_data]
            }
            for run in runs[:4]
        ]
        prices = {(asset, name) for asset, name in DAILY_CHECKS if asset == "price_history"}
        assert {row[:2] for row in evaluated[0]} == prices
        for of_run in evaluated[1:]:
            assert {row[:2] for row in of_run} == DAILY_CHECKS
        errors = {row for of_run in evaluated for row in of_run if row[3] == "ERROR"}
        assert all(passed for _, _, passed, _ in errors)
        assert {row[:2] for row in errors} == {(a, name) for (a, name), b in CHECKS.items() if b and a not in LIVE}

    def test_what_fails_in_a_fresh_demo_is_no_fault_of_the_platform(self, instance, runs):
        """175 hourly bars of 8 symbols are no evidence, and trainings of two epochs are not calibrated."""
        allowed = {("cointegrated_pairs", "found_against_chance"), ("gru_models", "calibration")}
        failed = {
            (data.asset_key.to_user_string(), data.check_name): data.description
            for run in runs
            for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
            for data in [entry.dagster_event.asset_check_evaluation_data]
            if not data.passed
        }
        assert {name: words for name, words in failed.items() if name not in allowed} == {}

    def test_the_configuration_is_valid_for_the_next_session(self, stored):
        document = json.loads(stored.lake.document_path("trading_config", key()).read_text())
        assert document["valid_for"] == str(session_offset(SESSION, 1))
        assert "SIMULATED" in document["source_label"]


def _contract(asset: str):
    from pairs_platform.lake.tables import TABLES

    return next(contract for contract in TABLES if contract.table == asset)
