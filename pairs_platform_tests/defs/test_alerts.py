"""From a broken run to a message at the receiver: the real sensors over a real instance, ledger and web receiver."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import pytest
from dagster_shared.record import copy

from pairs_platform.adapters.redis_bus import StreamBus
from pairs_platform.build import build_definitions
from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.streaming.rules import StreamRules
from pairs_platform.defs.alerts.find import NOT_ALERTS, late_sessions, run_key, silent_stream
from pairs_platform.defs.alerts.sensors import CHECK, alert_delivery, check_alerts, run_failure_alerts
from pairs_platform.defs.automation import daily_job
from pairs_platform.defs.resources import Platform
from pairs_platform.ledger.alerts import failed_deliveries, open_alerts, raise_alert
from pairs_platform.ledger.audit import entries
from pairs_platform.settings import load_settings, variable
from pairs_platform_tests.defs.demo_profile import LOOK_BACK, SECTOR
from pairs_platform_tests.defs.test_automation import FRIDAY, THURSDAY, at, mark, under_way
from pairs_platform_tests.receivers import WebReceiver, web_receiver

partitions = dg.MultiPartitionsDefinition(
    {
        "date": dg.StaticPartitionsDefinition([str(THURSDAY), str(FRIDAY)]),
        "sector": dg.StaticPartitionsDefinition([SECTOR]),
    }
)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = at(FRIDAY, 7)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    with web_receiver() as found:
        yield found


@pytest.fixture
def platform(web, monkeypatch) -> Platform:
    monkeypatch.setenv(variable("alert_urls"), f"json://127.0.0.1:{web.port}/T0ken-In-Path")
    return Platform(load_settings({"frequency": "1h", "look_back": {"intraday": LOOK_BACK}}), clock=Clock())


def run(
    instance: dg.DagsterInstance, *, raises: str = "", verdict: bool = True, severity: str = "ERROR", day: date = FRIDAY
) -> dg.DagsterRun:
    """A finished run of an asset with a check, judged by the sensor of its status."""

    @dg.asset(partitions_def=partitions)
    def an_asset() -> None:
        if raises:
            raise ValueError(raises)

    @dg.asset_check(asset=an_asset)
    def a_check() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=verdict, severity=dg.AssetCheckSeverity[severity], description="0.3 is below 0.5"
        )

    job = dg.Definitions([an_asset], asset_checks=[a_check], jobs=[dg.define_asset_job("a_job", "*")]).resolve_job_def(
        "a_job"
    )
    key = dg.MultiPartitionKey({"date": str(day), "sector": SECTOR})
    found = job.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
    return instance.get_run_by_id(found.run_id)


def judge(platform: Platform, instance: dg.DagsterInstance, found: dg.DagsterRun) -> None:
    kind = dg.DagsterEventType.RUN_SUCCESS if found.is_success else dg.DagsterEventType.RUN_FAILURE
    (event,) = instance.all_logs(found.run_id, of_type=kind)
    sensor = check_alerts if found.is_success else run_failure_alerts
    context = dg.build_run_status_sensor_context(
        sensor.name, event.dagster_event, instance, found, resources={"platform": platform}
    )
    sensor(context if found.is_success else context.for_run_failure())


def delivered(
    platform: Platform, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    repository = build_definitions(platform.settings, {"platform": platform}).get_repository_def()
    context = dg.build_sensor_context(
        instance, cursor=cursor, resources={"platform": platform}, repository_def=repository
    )
    return alert_delivery(context)


def messages(web: WebReceiver) -> list[dict]:
    return [json.loads(text) for text in web.texts]


class TestRuns:
    def test_a_failed_run_is_told_with_cause_partition_remedy_and_link(self, platform, instance, web):
        failed = run(instance, raises="the vendor said no")
        judge(platform, instance, failed)
        delivered(platform, instance)
        (message,) = messages(web)
        assert message["title"] == "pairs platform: 1 × run failed"
        assert "the vendor said no" in message["message"]
        assert f"{FRIDAY}|{SECTOR}" in message["message"]
        assert f"see: http://127.0.0.1:3000/runs/{failed.run_id}" in message["message"]
        assert "do: " in message["message"]

    def test_the_same_failure_again_is_not_told_again_and_success_closes_it(self, platform, instance, web):
        for _ in range(3):
            judge(platform, instance, run(instance, raises="no"))
            delivered(platform, instance)
        assert len(messages(web)) == 1
        assert [one.times for one in open_alerts(platform.ledger)] == [3]
        judge(platform, instance, run(instance))
        delivered(platform, instance)
        assert messages(web)[-1]["title"] == "pairs platform: 1 over"
        assert open_alerts(platform.ledger) == []

    def test_a_daily_run_of_what_was_missing_alone_closes_the_failure_of_the_whole(self):
        daily = {"job_name": daily_job.name, "tags": {"dagster/partition": f"{FRIDAY}|{SECTOR}"}}
        models = dg.DagsterRun(asset_selection=frozenset({dg.AssetKey("gru_models")}), **daily)
        assert run_key(dg.DagsterRun(**daily)) == run_key(models)
        assert run_key(models) != run_key(dg.DagsterRun(**{**daily, "job_name": "another"}))

    def test_two_partitions_are_two_alerts_in_one_message(self, platform, instance, web):
        for day in (THURSDAY, FRIDAY):
            judge(platform, instance, run(instance, raises="no", day=day))
        delivered(platform, instance)
        (message,) = messages(web)
        assert message["title"] == "pairs platform: 2 × run failed"

    def test_a_run_that_was_run_again_is_in_the_audit(self, platform, instance):
        again = run(instance)
        judge(platform, instance, copy(again, parent_run_id="first", root_run_id="first"))
        (entry,) = entries(platform.ledger)
        assert (entry.action, entry.run_id, entry.reason) == ("run_retried", again.run_id, "run first again")


class TestChecks:
    @pytest.mark.parametrize("severity", ["ERROR", "WARN"])
    def test_a_failed_check_is_told_whatever_became_of_the_run(self, platform, instance, web, severity):
        judge(platform, instance, run(instance, verdict=False, severity=severity))
        delivered(platform, instance)
        (message,) = messages(web)
        assert "an_asset: a_check: 0.3 is below 0.5" in message["message"]
        assert message["message"].startswith("ERROR" if severity == "ERROR" else "WARNING")

    def test_warnings_are_not_alerts_where_the_setting_says_so(self, platform, instance, web, monkeypatch):
        monkeypatch.setenv(variable("alerts.warnings"), "false")
        quiet = Platform(load_settings({"frequency": "1h"}), clock=platform.clock)
        judge(quiet, instance, run(instance, verdict=False, severity="WARN"))
        delivered(quiet, instance)
        assert messages(web) == []

    def test_a_check_that_passes_again_closes_its_alert(self, platform, instance):
        judge(platform, instance, run(instance, verdict=False))
        assert [one.kind for one in open_alerts(platform.ledger)] == ["check_failed"]
        judge(platform, instance, run(instance, verdict=True, day=THURSDAY))
        assert len(open_alerts(platform.ledger)) == 1
        judge(platform, instance, run(instance, verdict=True))
        assert open_alerts(platform.ledger) == []

    def test_checks_that_are_no_alerts_exist(self, platform):
        repository = build_definitions(platform.settings, {"platform": platform}).get_repository_def()
        assert set(NOT_ALERTS) <= {one.name for one in repository.asset_graph.asset_check_keys}


class TestDelivery:
    def test_a_failed_delivery_is_seen_tried_again_and_made_once(self, platform, instance, web):
        web.statuses = [500, 503]
        judge(platform, instance, run(instance, raises="no"))
        result = delivered(platform, instance)
        (evaluation,) = result.asset_events
        assert not evaluation.passed
        assert "1 messages not delivered" in evaluation.description
        assert "T0ken" not in evaluation.description
        assert [one.attempts for one in failed_deliveries(platform.ledger)] == [1]
        delivered(platform, instance)
        assert web.statuses == [503]  # not due yet
        for _ in range(4):
            platform.clock.now += timedelta(minutes=5)
            delivered(platform, instance)
        assert len(messages(web)) == 1
        assert failed_deliveries(platform.ledger) == []

    def test_the_standing_check_says_what_is_broken_and_that_nothing_is(self, platform, instance):
        judge(platform, instance, run(instance, raises="the vendor said no"))
        first = delivered(platform, instance)
        (evaluation,) = first.asset_events
        assert (evaluation.check_name, evaluation.passed, evaluation.severity.value) == (CHECK, False, "ERROR")
        assert "the vendor said no" in evaluation.metadata["alerts"].value
        assert isinstance(delivered(platform, instance, first.cursor), dg.SkipReason)
        judge(platform, instance, run(instance))
        (evaluation,) = delivered(platform, instance, first.cursor).asset_events
        assert evaluation.passed


class TestWhatIsDue:
    def judged(self, platform: Platform, instance: dg.DagsterInstance, moment: datetime) -> list[str]:
        return sorted(alert.key for alert in late_sessions(instance, platform, moment)[0])

    LATE, MISSED = f"late|{SECTOR}|{THURSDAY}", f"missed|{SECTOR}|{THURSDAY}"

    def test_a_run_that_nobody_asked_for_is_missed_and_later_the_configuration_late(self, platform, instance):
        assert self.judged(platform, instance, at(FRIDAY, 6, 29)) == []
        assert self.judged(platform, instance, at(FRIDAY, 6, 31)) == [self.MISSED]
        assert self.judged(platform, instance, at(FRIDAY, 7, 59)) == [self.MISSED]
        assert self.judged(platform, instance, at(FRIDAY, 8, 0)) == [self.LATE, self.MISSED]

    @pytest.mark.parametrize("status", ["QUEUED", "STARTED", "FAILURE"])
    def test_a_run_that_takes_long_or_failed_is_not_missed_but_may_be_late(self, platform, instance, status):
        tags = {"dagster/partition": f"{THURSDAY}|{SECTOR}", "dagster/partition/sector": SECTOR}
        under_way(instance, tags, status)
        assert self.judged(platform, instance, at(FRIDAY, 8, 1)) == [self.LATE]

    def test_stored_it_is_well(self, platform, instance):
        mark(platform, "trading_config", [THURSDAY])
        assert late_sessions(instance, platform, at(FRIDAY, 8, 1)) == ([], [self.LATE, self.MISSED])

    @pytest.mark.parametrize("stored", [THURSDAY, FRIDAY])
    def test_an_alert_of_an_earlier_session_is_over_once_it_or_a_later_one_is_stored(self, platform, instance, stored):
        for alert in late_sessions(instance, platform, at(FRIDAY, 8, 1))[0]:
            raise_alert(platform.ledger, alert, platform.clock())
        sunday = at(date(2023, 3, 12), 12)
        assert late_sessions(instance, platform, sunday) == ([], [])
        mark(platform, "trading_config", [stored])
        assert late_sessions(instance, platform, sunday) == ([], [self.LATE, self.MISSED])

    def test_a_missed_run_is_over_once_it_is_asked_for_and_the_configuration_still_late(self, platform, instance):
        for alert in late_sessions(instance, platform, at(FRIDAY, 8, 1))[0]:
            raise_alert(platform.ledger, alert, platform.clock())
        tags = {"dagster/partition": f"{THURSDAY}|{SECTOR}", "dagster/partition/sector": SECTOR}
        under_way(instance, tags, "STARTED")
        assert late_sessions(instance, platform, at(date(2023, 3, 12), 12)) == ([], [self.MISSED])

    @pytest.mark.parametrize("day", [date(2023, 3, 11), date(2023, 4, 7), date(2023, 11, 23), date(2023, 9, 4)])
    def test_week_ends_and_holidays_are_quiet(self, platform, instance, day):
        assert self.judged(platform, instance, at(day, 12)) == []

    def test_the_day_after_a_holiday_asks_for_the_session_before_it(self, platform, instance):
        assert self.judged(platform, instance, at(date(2023, 4, 10), 9)) == [
            f"late|{SECTOR}|2023-04-06", f"missed|{SECTOR}|2023-04-06",
        ]  # fmt: skip


class TestStream:
    """A live feed whose wall clock is the test's."""

    @pytest.fixture
    def bus(self, tmp_path):
        from pairs_platform.adapters.redis_bus import connect
        from pairs_platform.stream.embedded_redis import embedded_redis

        self.ns = int(session_open(FRIDAY).timestamp() * 1e9)
        with embedded_redis(tmp_path / "redis"):
            client = connect(None, tmp_path / "redis")
            yield StreamBus(client, profile="p", feed="live", rules=StreamRules(), wall=lambda: self.ns)
            client.close()

    def beat(self, bus: StreamBus) -> None:
        bus.set_health({"heartbeat_wall_ns": str(self.ns), "state": "streaming"})

    def test_without_a_collector_or_before_the_open_it_is_quiet(self, bus):
        assert silent_stream(bus, 10) == ([], [])
        self.beat(bus)
        self.ns -= 60 * 10**9
        assert silent_stream(bus, 10) == ([], [])

    def test_no_bar_and_then_no_word(self, bus):
        self.beat(bus)
        self.ns += 9 * 60 * 10**9
        assert silent_stream(bus, 10) == ([], ["silent|live"])
        self.ns += 2 * 60 * 10**9
        self.beat(bus)
        ((alert,), heard) = silent_stream(bus, 10)
        assert (alert.key, heard) == ("silent|live", [])
        assert "no bar for 11 minutes of an open session; the collector is streaming" in alert.what
        self.ns += 30 * 60 * 10**9
        assert "the collector has said nothing for 30 minutes" in silent_stream(bus, 10)[0][0].what

    def test_the_close_does_not_end_a_silence(self, bus):
        self.beat(bus)
        self.ns += 10 * 3600 * 10**9
        assert silent_stream(bus, 10) == ([], [])
