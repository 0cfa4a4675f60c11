"""Schedules and the retry sensor, evaluated by Dagster itself at chosen moments, and the runs that they ask for."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.schedules import schedule_execution_time_iterator

from pairs_platform.build import build_definitions
from pairs_platform.core.operations.run_tags import RETRY_OF_TAG
from pairs_platform.core.operations.scheduling import as_of_session
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset, sessions_between, sessions_ending
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.database.audit import entries
from pairs_platform.defs.automation import daily_job
from pairs_platform.platform import Platform
from pairs_platform.ports.market_data import empty_actions
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.demo_profile import LOOKBACK, PRICED, SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.runs import QUIET, materialized

NEW_YORK = ZoneInfo("America/New_York")
THURSDAY, FRIDAY = date(2023, 3, 9), date(2023, 3, 10)
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def at(day: date, hour: int = 6, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


@pytest.fixture
def platform() -> Platform:
    return Platform(load_settings({"frequency": "1h", "lookback": {"intraday": LOOKBACK}}))


def mark(platform: Platform, table: str, sessions: Iterable[date], sector: str = SECTOR) -> None:
    """Let the lake hold partitions of which only the existence matters."""
    for session in sessions:
        path = platform.lake.path(table, PartitionKey(session, sector))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def tick(platform: Platform, instance: dg.DagsterInstance, day: date):
    """Requests of the daily schedule at its time of `day`, with the tags that Dagster adds, or the reason to skip."""
    repository = build_definitions(platform.settings, {"platform": platform}).get_repository_def()
    schedule = repository.get_schedule_def(daily_job.name)
    context = dg.build_schedule_context(instance, at(day), resources={"platform": platform}, repository_def=repository)
    data = schedule.evaluate_tick(context)
    return data.run_requests or data.skip_message


def named(requests) -> list[str]:
    """Requests in short: the stretch of a price run, the partition of a session run."""
    return [request.partition_key or f"{request.tags[START]}...{request.tags[END]}" for request in requests]


def under_way(instance: dg.DagsterInstance, tags: Mapping[str, str], status: str) -> None:
    """Let the instance hold a run of the daily job."""
    module = LoadableTargetOrigin(module_name="pairs_platform.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(module), "__repository__")
    create_run_for_test(
        instance,
        daily_job.name,
        tags=dict(tags),
        status=dg.DagsterRunStatus[status],
        remote_job_origin=RemoteJobOrigin(repository, daily_job.name),
    )


def sensed(platform: Platform, instance: dg.DagsterInstance):
    repository = build_definitions(platform.settings, {"platform": platform}).get_repository_def()
    context = dg.build_sensor_context(instance, resources={"platform": platform}, repository_def=repository)
    data = repository.get_sensor_def("failed_session_retry").evaluate_tick(context)
    return data.run_requests or data.skip_message


def launch(platform: Platform, request: dg.RunRequest, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Execute a request as the run queue would: its job, its selection, its tags."""
    job = build_definitions(platform.settings, {"platform": platform}).resolve_job_def(daily_job.name)
    if request.asset_selection:
        job = job.get_subset(asset_selection=set(request.asset_selection))
    return job.execute_in_process(tags=dict(request.tags), instance=instance, run_config=QUIET, raise_on_error=False)


class TestDailySchedule:
    @pytest.mark.parametrize(
        ("day", "as_of"),
        [
            (FRIDAY, THURSDAY),
            (date(2023, 3, 13), FRIDAY),  # Monday, the day after the clocks went forward
            (date(2023, 11, 6), date(2023, 11, 3)),  # Monday, the day after they went back
            (date(2023, 9, 5), date(2023, 9, 1)),  # the day after Labor Day
            (date(2024, 7, 5), date(2024, 7, 3)),  # the day after Independence Day; an early close before it
        ],
    )
    def test_it_asks_for_the_session_before(self, platform, instance, day, as_of):
        prices, session = tick(platform, instance, day)
        assert session.partition_key == session.run_key == f"{as_of}|{SECTOR}"
        assert session.tags["dagster/partition"] == session.partition_key
        assert session.tags["dagster/partition/sector"] == session.tags["pairs_platform/sector"] == SECTOR
        needed = sessions_ending(as_of, LOOKBACK)
        assert (prices.tags[START], prices.tags[END]) == (f"{needed[0]}|{SECTOR}", f"{needed[-2]}|{SECTOR}")
        assert prices.asset_selection == [dg.AssetKey("price_history")]
        assert prices.partition_key is None
        assert prices.run_key == f"prices|{needed[0]}|{needed[-2]}|{SECTOR}"

    @pytest.mark.parametrize("day", [date(2023, 9, 4), date(2023, 4, 7), date(2023, 11, 23)])
    def test_it_skips_holidays(self, platform, instance, day):
        assert f"{day} is not an XNYS session" in tick(platform, instance, day)

    @pytest.mark.parametrize(
        ("days", "hours"),
        [
            ((date(2023, 3, 10), date(2023, 3, 13)), (11, 10)),
            ((date(2023, 11, 3), date(2023, 11, 6)), (10, 11)),
        ],
    )
    def test_it_ticks_at_six_in_new_york_on_both_sides_of_a_clock_change(self, platform, days, hours):
        schedule = (
            build_definitions(platform.settings).get_repository_def().get_schedule_def("daily_pair_identification")
        )
        assert schedule.execution_timezone == "America/New_York"
        start = at(days[0], 0).timestamp()
        times = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
        assert [next(times).astimezone(UTC) for _ in days] == [
            datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day, hour in zip(days, hours, strict=True)
        ]

    def test_only_active_sectors_each_with_its_own_prices(self, monkeypatch, instance):
        monkeypatch.setenv("PAIRS_PLATFORM__UNIVERSE", '{"energy": {"active": true, "symbols": ["XOM", "CVX"]}}')
        platform = Platform(load_settings())
        assert platform.settings.active_sectors == ("energy", "technology")
        requests = tick(platform, instance, FRIDAY)
        assert [request.tags["pairs_platform/sector"] for request in requests] == 2 * ["energy"] + 2 * ["technology"]
        assert [bool(request.asset_selection) for request in requests] == [True, False, True, False]

    def test_prices_are_not_asked_for_when_they_are_there(self, platform, instance):
        mark(platform, "price_history", sessions_ending(THURSDAY, LOOKBACK)[:-1])
        assert named(tick(platform, instance, FRIDAY)) == [f"{THURSDAY}|{SECTOR}"]

    def test_only_the_missing_stretch_is_asked_for(self, platform, instance):
        needed = sessions_ending(THURSDAY, LOOKBACK)
        mark(platform, "price_history", [day for day in needed if day not in (needed[4], needed[9])])
        assert named(tick(platform, instance, FRIDAY)) == [
            f"{needed[4]}|{SECTOR}...{needed[9]}|{SECTOR}",
            f"{THURSDAY}|{SECTOR}",
        ]

    def test_nothing_is_asked_for_twice_when_the_configuration_is_stored(self, platform, instance):
        mark(platform, "trading_config", [THURSDAY])
        assert f"every active sector has its configuration of {THURSDAY}" in tick(platform, instance, FRIDAY)

    @pytest.mark.parametrize("status", ["QUEUED", "STARTING", "STARTED"])
    def test_nothing_is_asked_for_twice_while_a_run_is_in_flight(self, platform, instance, status):
        (request,) = (r for r in tick(platform, instance, FRIDAY) if r.partition_key)
        under_way(instance, request.tags, status)
        assert "or a run for it under way" in tick(platform, instance, FRIDAY)

    def test_a_run_of_another_sector_or_session_does_not_count(self, platform, instance):
        (request,) = (r for r in tick(platform, instance, FRIDAY) if r.partition_key)
        other = {"dagster/partition": f"{THURSDAY}|energy", "dagster/partition/sector": "energy"}
        under_way(instance, {**request.tags, **other}, "STARTED")
        under_way(instance, {**request.tags, "dagster/partition": str(key())}, "STARTED")
        assert named(tick(platform, instance, FRIDAY))[-1] == f"{THURSDAY}|{SECTOR}"

    def test_a_cancelled_run_is_asked_for_again(self, platform, instance):
        (request,) = (r for r in tick(platform, instance, FRIDAY) if r.partition_key)
        under_way(instance, request.tags, "CANCELED")
        assert named(tick(platform, instance, FRIDAY))[-1] == f"{THURSDAY}|{SECTOR}"

    def test_missed_sessions_are_caught_up_in_order_after_one_price_run(self, platform, instance):
        configured = sessions_between(date(2023, 2, 1), date(2023, 3, 6))
        mark(platform, "trading_config", configured)
        mark(platform, "price_history", sessions_between(date(2023, 1, 3), date(2023, 3, 6)))
        missed = sessions_between(date(2023, 3, 7), THURSDAY)
        requests = tick(platform, instance, FRIDAY)
        assert named(requests) == [
            f"{missed[0]}|{SECTOR}...{missed[1]}|{SECTOR}",
            *(f"{day}|{SECTOR}" for day in missed),
        ]
        assert len({request.run_key for request in requests}) == len(requests)

    def test_prices_that_the_source_has_restated_are_fetched_again(self, instance, monkeypatch):
        """After a split, a source that adjusts its own history has other prices for the sessions before."""
        monkeypatch.setenv("PAIRS_PLATFORM__SOURCE__KIND", "yahoo")
        platform = Platform(load_settings({"frequency": "1h", "lookback": {"intraday": LOOKBACK}}))
        days = sessions_ending(THURSDAY, LOOKBACK)
        ex_date = days[-2]
        split = pd.DataFrame(
            {
                "symbol": "AAPL",
                "ex_date": [pd.Timestamp(ex_date)],
                "kind": "split",
                "value": 4.0,
                "known_ts_utc": [pd.Timestamp(days[3], tz="UTC")],
            }
        )
        fetched = at(days[-4], 18).astimezone(UTC)
        for day in days[:-1]:
            facts = {
                "fetched_utc": (fetched if day < days[-3] else at(day, 18)).isoformat(),
                "price_basis": platform.settings.price_basis.value,
            }
            actions = split if day == ex_date else CORPORATE_ACTIONS.empty()
            platform.lake.write(
                CORPORATE_ACTIONS, PartitionKey(day, SECTOR), actions.astype(empty_actions().dtypes), facts
            )
            platform.lake.write(PRICE_HISTORY, PartitionKey(day, SECTOR), PRICE_HISTORY.empty(), facts)
        assert named(tick(platform, instance, FRIDAY)) == [
            f"{days[0]}|{SECTOR}...{days[-3]}|{SECTOR}",
            f"{THURSDAY}|{SECTOR}",
        ]


class TestRetrySensor:
    """Failures are read from the instance, whose clock is the real one."""

    @pytest.fixture
    def failed(self, platform, instance) -> dg.DagsterRun:
        session = as_of_session(datetime.now(UTC))
        mark(platform, "price_history", sessions_ending(session, LOOKBACK)[:-1])
        return self.fail(instance, session)

    def fail(self, instance, session: date) -> dg.DagsterRun:
        tags = {
            "dagster/partition": f"{session}|{SECTOR}",
            "dagster/partition/date": str(session),
            "dagster/partition/sector": SECTOR,
        }
        run = create_run_for_test(instance, daily_job.name, tags=tags, status=dg.DagsterRunStatus.STARTED)
        instance.report_run_failed(run)
        return instance.get_run_by_id(run.run_id)

    def after(self, platform: Platform, instance, minutes: float) -> Platform:
        ended = max(record.end_time or 0.0 for record in instance.get_run_records())
        moment = datetime.fromtimestamp(ended, UTC) + timedelta(minutes=minutes)
        return Platform(platform.settings, clock=lambda: moment)

    def test_nothing_failed(self, platform, instance):
        assert sensed(platform, instance) == "no failed session is due for a new run"

    def test_a_new_run_after_the_wait_and_not_before(self, platform, instance, failed):
        assert "no failed session" in sensed(self.after(platform, instance, 4.9), instance)
        (request,) = sensed(self.after(platform, instance, 5.1), instance)
        assert request.partition_key == failed.tags["dagster/partition"]
        assert request.run_key == f"{request.partition_key}|retry of {failed.run_id}"
        assert request.tags[RETRY_OF_TAG] == failed.run_id
        assert request.tags["pairs_platform/sector"] == SECTOR

    def test_the_second_waits_twice_as_long_and_has_a_key_of_its_own(self, platform, instance, failed):
        second = self.fail(instance, date.fromisoformat(failed.tags["dagster/partition/date"]))
        assert "no failed session" in sensed(self.after(platform, instance, 9.9), instance)
        (request,) = sensed(self.after(platform, instance, 10.1), instance)
        assert request.run_key.endswith(f"|retry of {second.run_id}")

    def test_a_failure_behind_a_success_has_a_key_of_its_own(self, platform, instance, failed):
        under_way(instance, failed.tags, "SUCCESS")
        later = self.fail(instance, date.fromisoformat(failed.tags["dagster/partition/date"]))
        (request,) = sensed(self.after(platform, instance, 6), instance)
        assert request.run_key.endswith(f"|retry of {later.run_id}")

    def test_not_after_a_person_cancelled_the_new_run(self, platform, instance, failed):
        later = self.after(platform, instance, 6)
        under_way(instance, failed.tags, "CANCELED")
        assert "no failed session" in sensed(later, instance)
        assert entries(platform.database) == []

    def test_it_ends_with_the_last_retry(self, platform, instance, failed):
        for _ in range(platform.settings.automation.run_retries):
            self.fail(instance, date.fromisoformat(failed.tags["dagster/partition/date"]))
        assert "no failed session" in sensed(self.after(platform, instance, 600), instance)

    def test_not_while_the_new_run_is_under_way(self, platform, instance, failed):
        later = self.after(platform, instance, 6)
        under_way(instance, failed.tags, "QUEUED")
        assert "no failed session" in sensed(later, instance)

    def test_a_stored_configuration_stays_and_only_the_models_are_made_again(self, platform, instance, failed):
        mark(platform, "trading_config", [date.fromisoformat(failed.tags["dagster/partition/date"])])
        (again,) = sensed(self.after(platform, instance, 6), instance)
        assert again.partition_key == failed.tags["dagster/partition"]
        assert {one.to_user_string() for one in again.asset_selection} == {
            "pair_features", "gru_models", "model_performance", "model_rankings", "model_trends", "shadow_losses",
            "champion_model",
        }  # fmt: skip

    def test_not_after_a_later_run_succeeded(self, platform, instance, failed):
        later = self.after(platform, instance, 6)
        under_way(instance, failed.tags, "SUCCESS")
        assert "no failed session" in sensed(later, instance)

    def test_prices_that_are_missing_are_fetched_before_it(self, platform, instance, failed):
        session = date.fromisoformat(failed.tags["dagster/partition/date"])
        lost = session_offset(session, -3)
        platform.lake.path("price_history", PartitionKey(lost, SECTOR)).unlink()
        prices, again = sensed(self.after(platform, instance, 6), instance)
        assert (prices.tags[START], prices.tags[END]) == (f"{lost}|{SECTOR}", f"{lost}|{SECTOR}")
        assert prices.run_key.endswith(f"|retry of {failed.run_id}")
        assert again.partition_key == f"{session}|{SECTOR}"


def test_the_requested_runs_work_through_the_job(copied, instance):
    """Thursday morning: Tuesday's and Wednesday's configurations are missing, and some prices."""
    expected = {day: copied.lake.read(PRICE_HISTORY, key(day)) for day in PRICED}
    gone = [(table, day) for table in ("price_history", "trading_config") for day in SESSIONS[1:]]
    for table, day in [*gone, ("price_history", PRICED[24])]:
        copied.lake.path(table, key(day)).unlink()
    requests = tick(copied, instance, THURSDAY)
    assert named(requests) == [f"{key(PRICED[24])}...{key(SESSIONS[1])}", str(key(SESSIONS[1])), str(key())]
    results = [launch(copied, request, instance) for request in (requests[0], requests[2])]
    assert [result.success for result in results] == [True, True]
    fetched = [str(key(day)) for day in PRICED if PRICED[24] <= day <= SESSIONS[1]]
    assert materialized(results[0], instance) == {"price_history": fetched}
    assert {name for partitions in materialized(results[1], instance).values() for name in partitions} == {str(key())}
    assert set(materialized(results[1], instance)) == {asset.to_user_string() for asset in copied_assets(copied)}
    for day, frame in expected.items():
        pd.testing.assert_frame_equal(copied.lake.read(PRICE_HISTORY, key(day)), frame)
    assert named(tick(copied, instance, THURSDAY)) == [str(key(SESSIONS[1]))]
    assert SESSION in copied.lake.sessions("trading_config", SECTOR)


NOT_DAILY = (
    "gru_tuning", "signals", "streamed_bars", "storage_report", "retention", "orders", "fills", "portfolio",
    "performance_attribution",
)  # fmt: skip


def copied_assets(platform: Platform) -> set[dg.AssetKey]:
    every = set(build_definitions(platform.settings).resolve_asset_graph().get_all_asset_keys())
    return every - {dg.AssetKey(name) for name in NOT_DAILY}
