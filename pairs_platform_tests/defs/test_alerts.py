"""From a broken run to a message at the receiver: the real sensors over a real instance, database and web receiver."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from pairs_platform.adapters.notify.apprise_notifier import receivers as receivers_of
from pairs_platform.adapters.redis.connection import connect
from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.build import build_definitions
from pairs_platform.core.errors import DatabaseUnavailable
from pairs_platform.core.operations.alert_causes import NOT_ALERTS, STANDING_CHECK
from pairs_platform.core.operations.alerts import Alert, AlertSettings
from pairs_platform.core.operations.run_tags import RETRY_OF_TAG
from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.streaming.settings import StreamSettings
from pairs_platform.database.alerts import (
    CLAIM,
    Delivery,
    claim_delivery,
    due_deliveries,
    failed_deliveries,
    make_message,
    open_alerts,
    raise_alert,
)
from pairs_platform.database.audit import entries
from pairs_platform.database.tables import ALERTS
from pairs_platform.defs.alerts.runs import failed_run, judged_checks, subject_of
from pairs_platform.defs.alerts.sensors import alert_delivery, alert_watch, run_alerts
from pairs_platform.defs.automation import daily_job, price_run, sector_state
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.alerts import AlertChanges, deliver, late_sessions
from pairs_platform_tests.defs.test_automation import FRIDAY, THURSDAY, at, mark, under_way
from pairs_platform_tests.support.demo_profile import LOOKBACK, SECTOR
from pairs_platform_tests.support.receivers import WebReceiver, web_receiver

partitions = dg.MultiPartitionsDefinition(
    {
        "date": dg.StaticPartitionsDefinition([str(THURSDAY), str(FRIDAY)]),
        "sector": dg.StaticPartitionsDefinition([SECTOR]),
    }
)


START = "0|0.0"


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
    monkeypatch.setenv(variable("services.ui_port"), "3210")
    return Platform(load_settings({"frequency": "1h", "lookback": {"intraday": LOOKBACK}}), clock=Clock())


def run(
    instance: dg.DagsterInstance,
    *,
    raises: str = "",
    verdict: bool = True,
    severity: str = "ERROR",
    day: date = FRIDAY,
    beside: str = "",
) -> dg.DagsterRun:
    """A finished run of an asset with a check."""

    @dg.asset(partitions_def=partitions)
    def an_asset() -> None:
        if raises:
            raise ValueError(raises)

    @dg.asset_check(asset=an_asset)
    def a_check() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=verdict, severity=dg.AssetCheckSeverity[severity], description="0.3 is below 0.5"
        )

    @dg.asset(partitions_def=partitions)
    def another_asset() -> None:
        if beside:
            raise ValueError(beside)

    job = dg.Definitions(
        [an_asset, another_asset], asset_checks=[a_check], jobs=[dg.define_asset_job("a_job", "*")]
    ).resolve_job_def("a_job")
    key = dg.MultiPartitionKey({"date": str(day), "sector": SECTOR})
    found = job.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
    return instance.get_run_by_id(found.run_id)


def judged(platform: Platform, instance: dg.DagsterInstance, cursor: str | None = START) -> str:
    """The cursor behind a tick of the sensor of runs; by default it sees every run."""
    context = dg.build_sensor_context(instance, cursor=cursor, resources={"platform": platform})
    run_alerts(context)
    return context.cursor


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    """Events are taken as soon as they are there."""
    monkeypatch.setattr("pairs_platform.defs.alerts.sensors._SETTLED_SECONDS", -60.0)


class Judge:
    """The sensor of runs with its cursor."""

    def __init__(self) -> None:
        self.cursor = START

    def __call__(self, platform: Platform, instance: dg.DagsterInstance, _: dg.DagsterRun | None = None) -> None:
        self.cursor = judged(platform, instance, self.cursor)


@pytest.fixture
def judge() -> Judge:
    return Judge()


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
    def test_a_failed_run_is_told_with_cause_partition_remedy_and_link(self, platform, instance, web, judge):
        failed = run(instance, raises="the vendor said no")
        judge(platform, instance, failed)
        delivered(platform, instance)
        (message,) = messages(web)
        assert message["title"] == "pairs platform: 1 × run failed"
        assert "the vendor said no" in message["message"]
        assert f"{FRIDAY}|{SECTOR}" in message["message"]
        assert f"see: http://127.0.0.1:3210/runs/{failed.run_id}" in message["message"]
        assert "do: " in message["message"]

    def test_the_same_failure_again_is_not_told_again_and_success_closes_it(self, platform, instance, web, judge):
        for _ in range(3):
            judge(platform, instance, run(instance, raises="no"))
            delivered(platform, instance)
        assert len(messages(web)) == 1
        assert [one.times for one in open_alerts(platform.database)] == [3]
        judge(platform, instance, run(instance))
        delivered(platform, instance)
        assert messages(web)[-1]["title"] == "pairs platform: 1 over"
        assert open_alerts(platform.database) == []

    def test_a_daily_run_of_what_was_missing_alone_closes_the_failure_of_the_whole(self):
        daily = {"job_name": daily_job.name, "tags": {"dagster/partition": f"{FRIDAY}|{SECTOR}"}}
        models = dg.DagsterRun(asset_selection=frozenset({dg.AssetKey("gru_models")}), **daily)
        assert subject_of(dg.DagsterRun(**daily)) == subject_of(models)
        assert subject_of(models) != subject_of(dg.DagsterRun(**{**daily, "job_name": "another"}))

    def test_runs_of_prices_have_a_subject_for_each_sector_and_stretch(self):
        requests = [price_run(sector, THURSDAY, FRIDAY) for sector in ("technology", "healthcare")]
        found = [subject_of(dg.DagsterRun(job_name=daily_job.name, tags=one.tags)) for one in requests]
        assert [one.partition.sector for one in found] == ["technology", "healthcare"]
        assert found[0].partition.session == FRIDAY
        assert len({one.key for one in found}) == 2

    def test_keys_of_long_selections_fit_the_database_and_differ(self):
        tags = {"dagster/partition": "p" * 200}
        runs = [
            dg.DagsterRun(
                job_name="j",
                tags=tags,
                asset_selection=frozenset(dg.AssetKey(f"{n}_{'x' * 40}") for n in range(last)),
            )
            for last in (20, 21)
        ]
        keys = {subject_of(one).key for one in runs}
        assert len(keys) == 2
        assert max(map(len, keys)) <= ALERTS.c.key.type.length

    def test_nothing_is_lost_while_the_database_is_away(self, platform, instance, judge, monkeypatch):
        failed, fine = run(instance, raises="no"), run(instance, day=THURSDAY, verdict=False)

        def away(*_: object) -> None:
            raise DatabaseUnavailable("the database does not answer")

        with monkeypatch.context() as patch:
            patch.setattr("pairs_platform.workflows.alerts.raise_alert", away)
            with pytest.raises(DatabaseUnavailable):
                judge(platform, instance)
            assert judge.cursor == START
        with monkeypatch.context() as patch:
            patch.setattr(
                "pairs_platform.workflows.alerts.raise_alert",
                lambda *given: away() if given[1].kind == "check_failed" else raise_alert(*given),
            )
            judge(platform, instance)
        (first,) = open_alerts(platform.database)
        assert first.path == f"/runs/{failed.run_id}"
        judge(platform, instance)
        assert [one.times for one in open_alerts(platform.database) if one.kind == "run_failed"] == [1]
        assert {one.kind for one in open_alerts(platform.database)} == {"run_failed", "check_failed"}
        assert fine.is_success

    def test_the_event_counts_and_not_the_status_that_follows_it(self, platform, instance, judge, monkeypatch):
        found = create_run_for_test(instance, "a_job", status=dg.DagsterRunStatus.STARTED)
        storage = type(instance.run_storage)
        real = storage.handle_run_event

        def between(*given: object, **more: object) -> None:
            judge(platform, instance)
            assert instance.get_run_by_id(found.run_id).status is dg.DagsterRunStatus.STARTED
            real(*given, **more)

        monkeypatch.setattr(storage, "handle_run_event", between)
        instance.report_run_failed(found, "boom")
        assert [one.kind for one in open_alerts(platform.database)] == ["run_failed"]

    def test_a_young_event_waits_for_those_before_it(self, platform, instance, judge, monkeypatch):
        run(instance, raises="no")
        monkeypatch.setattr("pairs_platform.defs.alerts.sensors._SETTLED_SECONDS", 3600.0)
        judge(platform, instance)
        assert (judge.cursor, open_alerts(platform.database)) == (START, [])

    def test_numbers_of_deleted_events_may_be_given_again(self, platform, instance, judge):
        for _ in range(3):
            run(instance, raises="old")
        judge(platform, instance)
        for old in instance.get_runs():
            instance.delete_run(old.run_id)
        run(instance, raises="new", day=THURSDAY)
        judge(platform, instance)
        assert "new" in open_alerts(platform.database)[-1].what

    @pytest.mark.parametrize("message", ["a \x00 byte", "a half \udcff"])
    def test_a_text_that_no_database_takes_hides_nothing(self, platform, instance, judge, message):
        assert failed_run(dg.DagsterRun(job_name="j"), message).what.startswith("j: a ")
        raise_alert(platform.database, failed_run(dg.DagsterRun(job_name="j"), message), platform.clock())
        assert len(open_alerts(platform.database)) == 1

    def test_a_run_that_cannot_be_judged_is_an_alert_and_the_others_go_on(self, platform, instance, judge, monkeypatch):
        first, _ = run(instance), run(instance, raises="the one behind it", day=THURSDAY)
        real = judged_checks

        def fails(found: dg.DagsterInstance, one: dg.DagsterRun, *, warnings: bool) -> list:
            if one.run_id == first.run_id:
                raise KeyError("of another version")
            return real(found, one, warnings=warnings)

        monkeypatch.setattr("pairs_platform.defs.alerts.sensors.judged_checks", fails)
        judge(platform, instance)
        told = [one.what for one in open_alerts(platform.database)]
        assert "its end could not be judged, KeyError" in told[0]
        assert "the one behind it" in told[1]

    def test_a_run_of_prices_alone_does_not_close_the_failure_of_a_session(self):
        prices = subject_of(dg.DagsterRun(job_name=daily_job.name, tags=price_run(SECTOR, FRIDAY, FRIDAY).tags))
        session = subject_of(dg.DagsterRun(job_name=daily_job.name, tags={"dagster/partition": f"{FRIDAY}|{SECTOR}"}))
        assert prices.family == session.family
        assert (prices.earlier, session.earlier[1].session) == (None, FRIDAY)

    def test_a_run_that_a_person_made_again_is_the_persons(self, platform, instance, judge):
        first = run(instance)
        tags = {RETRY_OF_TAG: "before", "user": "ann"}
        again = create_run_for_test(
            instance,
            "a_job",
            tags=tags,
            parent_run_id=first.run_id,
            root_run_id=first.run_id,
            status=dg.DagsterRunStatus.STARTED,
        )
        instance.report_run_failed(again)
        judge(platform, instance)
        (entry,) = entries(platform.database)
        assert (entry.actor, entry.reason) == ("ann", f"run {first.run_id} again")

    def test_the_first_tick_looks_at_no_old_run_and_the_next_one_at_new_ones(self, platform, instance):
        run(instance, raises="old")
        cursor = judged(platform, instance, None)
        judged(platform, instance, cursor)
        assert open_alerts(platform.database) == []
        run(instance, raises="new")
        judged(platform, instance, cursor)
        assert "new" in open_alerts(platform.database)[0].what

    def test_a_later_session_that_succeeds_closes_the_failure_of_an_earlier_one(self, platform, instance, judge):
        for day in (THURSDAY, FRIDAY):
            run(instance, raises="no", day=day)
        judge(platform, instance)
        assert len(open_alerts(platform.database)) == 2
        run(instance, day=THURSDAY)
        judge(platform, instance)
        assert [one.session for one in open_alerts(platform.database)] == [FRIDAY]
        run(instance, raises="no", day=THURSDAY)
        judge(platform, instance)
        run(instance, day=FRIDAY)
        judge(platform, instance)
        assert open_alerts(platform.database) == []

    def test_two_partitions_are_two_alerts_in_one_message(self, platform, instance, web, judge):
        for day in (THURSDAY, FRIDAY):
            judge(platform, instance, run(instance, raises="no", day=day))
        delivered(platform, instance)
        (message,) = messages(web)
        assert message["title"] == "pairs platform: 2 × run failed"

    @pytest.mark.parametrize(
        ("tags", "actor"),
        [
            ({RETRY_OF_TAG: "first"}, "failed_session_retry"),
            ({RETRY_OF_TAG: "first", "user": "a"}, "failed_session_retry"),
        ],
    )
    def test_a_run_that_was_run_again_is_in_the_audit(self, platform, instance, judge, tags, actor):
        again = run(instance)
        instance.add_run_tags(again.run_id, tags)
        for _ in range(2):  # the second time as after a tick whose place was not stored
            judged(platform, instance)
        (entry,) = entries(platform.database)
        assert (entry.action, entry.run_id, entry.reason) == ("run_retried", again.run_id, "run first again")
        assert entry.actor == actor


class TestChecks:
    @pytest.mark.parametrize("severity", ["ERROR", "WARN"])
    def test_a_failed_check_is_told_whatever_became_of_the_run(self, platform, instance, web, severity, judge):
        judge(platform, instance, run(instance, verdict=False, severity=severity))
        delivered(platform, instance)
        (message,) = messages(web)
        assert "an_asset: a_check: 0.3 is below 0.5" in message["message"]
        assert message["message"].startswith("ERROR" if severity == "ERROR" else "WARNING")

    def test_a_failed_check_of_a_failed_run_is_told_beside_it(self, platform, instance, judge):
        found = run(instance, verdict=False, beside="another failed")
        assert not found.is_success
        judge(platform, instance)
        assert {one.kind for one in open_alerts(platform.database)} == {"check_failed", "run_failed"}

    def test_checks_of_stretches_are_told_apart_by_sector(self, platform, instance, judge):
        @dg.asset
        def prices() -> None: ...

        @dg.asset_check(asset=prices)
        def complete() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=False)

        jobs = [dg.define_asset_job("prices_job", "*")]
        job = dg.Definitions([prices], asset_checks=[complete], jobs=jobs).resolve_job_def("prices_job")
        for sector in ("technology", "healthcare"):
            tags = price_run(sector, THURSDAY, FRIDAY).tags
            assert job.execute_in_process(instance=instance, tags=dict(tags), raise_on_error=False).success
        judge(platform, instance)
        assert [(one.sector, one.session) for one in open_alerts(platform.database)] == [
            ("technology", FRIDAY), ("healthcare", FRIDAY),
        ]  # fmt: skip

    def test_warnings_are_not_alerts_where_the_setting_says_so(self, platform, instance, web, monkeypatch, judge):
        monkeypatch.setenv(variable("alerts.warnings"), "false")
        quiet = Platform(load_settings({"frequency": "1h"}), clock=platform.clock)
        judge(quiet, instance, run(instance, verdict=False, severity="WARN"))
        delivered(quiet, instance)
        assert messages(web) == []

    def test_a_check_that_passes_again_closes_its_alert(self, platform, instance, judge):
        judge(platform, instance, run(instance, verdict=False))
        assert [one.kind for one in open_alerts(platform.database)] == ["check_failed"]
        judge(platform, instance, run(instance, verdict=True, day=THURSDAY))
        assert len(open_alerts(platform.database)) == 1
        judge(platform, instance, run(instance, verdict=True))
        assert open_alerts(platform.database) == []

    @pytest.mark.parametrize("verdict", [True, False])
    def test_a_later_session_says_how_it_is_now(self, platform, instance, web, judge, verdict):
        for day, found in ((THURSDAY, False), (FRIDAY, verdict)):
            run(instance, verdict=found, day=day)
            judge(platform, instance)
            delivered(platform, instance)
        assert [one.session for one in open_alerts(platform.database)] == ([] if verdict else [FRIDAY])
        assert messages(web)[-1]["title"] == "pairs platform: 1 " + ("over" if verdict else "× asset check failed")

    def test_an_earlier_session_says_nothing_about_a_later_one(self, platform, instance, judge):
        run(instance, verdict=False, day=FRIDAY)
        run(instance, verdict=True, day=THURSDAY)
        judge(platform, instance)
        assert [one.session for one in open_alerts(platform.database)] == [FRIDAY]

    def test_checks_that_are_no_alerts_exist(self, platform):
        repository = build_definitions(platform.settings, {"platform": platform}).get_repository_def()
        assert set(NOT_ALERTS) <= {one.name for one in repository.asset_graph.asset_check_keys}


class TestDelivery:
    def test_a_failed_delivery_is_seen_tried_again_and_made_once(self, platform, instance, web, judge):
        web.statuses = [500, 503]
        judge(platform, instance, run(instance, raises="no"))
        result = delivered(platform, instance)
        (evaluation,) = result.asset_events
        assert not evaluation.passed
        assert "1 messages not delivered" in evaluation.description
        assert "T0ken" not in evaluation.description
        assert [
            one.attempts
            for one in failed_deliveries(platform.database, list(receivers_of(platform.settings.alert_urls)))
        ] == [1]
        delivered(platform, instance)
        assert web.statuses == [503]  # not due yet
        for _ in range(4):
            platform.clock.now += timedelta(minutes=5)
            delivered(platform, instance)
        assert len(messages(web)) == 1
        assert failed_deliveries(platform.database, list(receivers_of(platform.settings.alert_urls))) == []

    def test_a_message_that_another_process_sends_is_left_to_it(self, platform, instance, web, judge, monkeypatch):
        judge(platform, instance, run(instance, raises="no"))

        def taken_meanwhile(*given: object) -> list[Delivery]:
            found = due_deliveries(*given)
            assert all(claim_delivery(platform.database, one, platform.clock()) for one in found)
            return found

        with monkeypatch.context() as patch:
            patch.setattr("pairs_platform.workflows.alerts.due_deliveries", taken_meanwhile)
            delivered(platform, instance)
        delivered(platform, instance)
        assert messages(web) == []
        platform.clock.now += CLAIM
        delivered(platform, instance)
        assert len(messages(web)) == 1

    def test_a_slow_receiver_ends_the_tick_and_not_the_next_one(self, platform, instance, web, judge):
        for day in (THURSDAY, FRIDAY):
            judge(platform, instance, run(instance, raises="no", day=day))
            receivers = list(receivers_of(platform.settings.alert_urls))
            make_message(platform.database, receivers, platform.clock(), AlertSettings(), list_command="a command")
        assert "0 sent" in deliver(platform, seconds=-1.0)
        assert "2 sent" in deliver(platform, seconds=30.0)

    def test_a_message_that_arrives_late_makes_the_standing_check_pass(self, platform, instance, web, judge):
        web.statuses = [500]
        judge(platform, instance, run(instance, raises="no"))
        first = delivered(platform, instance)
        assert "not delivered" in first.asset_events[0].description
        platform.clock.now += timedelta(minutes=5)
        (evaluation,) = delivered(platform, instance, first.cursor).asset_events
        assert evaluation.description == "1 open"

    def test_a_receiver_that_is_no_longer_named_is_not_waited_for(self, platform, instance, web, judge, monkeypatch):
        web.statuses = [500]
        judge(platform, instance, run(instance, raises="no"))
        delivered(platform, instance)
        monkeypatch.setenv(variable("alert_urls"), f"json://127.0.0.1:{web.port}/another")
        renamed = Platform(load_settings({"frequency": "1h", "lookback": {"intraday": LOOKBACK}}), clock=platform.clock)
        platform.clock.now += timedelta(minutes=5)
        (evaluation,) = delivered(renamed, instance).asset_events
        assert evaluation.description == "1 open"

    def test_the_standing_check_says_what_is_broken_and_that_nothing_is(self, platform, instance, judge):
        judge(platform, instance, run(instance, raises="the vendor said no"))
        first = delivered(platform, instance)
        (evaluation,) = first.asset_events
        assert (evaluation.check_name, evaluation.passed, evaluation.severity.value) == (STANDING_CHECK, False, "ERROR")
        assert "the vendor said no" in evaluation.metadata["alerts"].records[0].data["what"]
        assert isinstance(delivered(platform, instance, first.cursor), dg.SkipReason)
        judge(platform, instance, run(instance))
        (evaluation,) = delivered(platform, instance, first.cursor).asset_events
        assert evaluation.passed


def changes(platform: Platform, instance: dg.DagsterInstance, moment: datetime) -> AlertChanges:
    """What is late at a moment, in the active sectors."""
    states = [sector_state(instance, platform, one, now=moment) for one in platform.settings.active_sectors]
    return late_sessions(platform, states, moment, job=daily_job.name)


class TestWhatIsDue:
    def judged(self, platform: Platform, instance: dg.DagsterInstance, moment: datetime) -> list[str]:
        return sorted(alert.key for alert in changes(platform, instance, moment).raised)

    LATE, MISSED = f"late|{SECTOR}|{THURSDAY}", f"missed|{SECTOR}|{THURSDAY}"

    def test_a_run_that_nobody_asked_for_is_missed_and_later_the_configuration_late(self, platform, instance):
        assert self.judged(platform, instance, at(FRIDAY, 6, 29)) == []
        assert self.judged(platform, instance, at(FRIDAY, 6, 31)) == [self.MISSED]
        assert self.judged(platform, instance, at(FRIDAY, 7, 59)) == [self.MISSED]
        assert self.judged(platform, instance, at(FRIDAY, 8, 0)) == [self.LATE, self.MISSED]

    @pytest.mark.parametrize("status", ["QUEUED", "STARTED", "FAILURE", "CANCELED"])
    def test_a_run_that_takes_long_or_failed_is_not_missed_but_may_be_late(self, platform, instance, status):
        tags = {"dagster/partition": f"{THURSDAY}|{SECTOR}", "dagster/partition/sector": SECTOR}
        under_way(instance, tags, status)
        assert self.judged(platform, instance, at(FRIDAY, 8, 1)) == [self.LATE]

    def test_stored_it_is_well(self, platform, instance):
        mark(platform, "trading_config", [THURSDAY])
        assert changes(platform, instance, at(FRIDAY, 8, 1)) == AlertChanges(over=(self.LATE, self.MISSED))

    @pytest.mark.parametrize("stored", [THURSDAY, FRIDAY])
    def test_an_alert_of_an_earlier_session_is_over_once_it_or_a_later_one_is_stored(self, platform, instance, stored):
        for alert in changes(platform, instance, at(FRIDAY, 8, 1)).raised:
            raise_alert(platform.database, alert, platform.clock())
        sunday = at(date(2023, 3, 12), 12)
        assert changes(platform, instance, sunday) == AlertChanges()
        mark(platform, "trading_config", [stored])
        assert changes(platform, instance, sunday) == AlertChanges(over=(self.LATE, self.MISSED))

    def test_a_missed_run_is_over_once_it_is_asked_for_and_the_configuration_still_late(self, platform, instance):
        for alert in changes(platform, instance, at(FRIDAY, 8, 1)).raised:
            raise_alert(platform.database, alert, platform.clock())
        tags = {"dagster/partition": f"{THURSDAY}|{SECTOR}", "dagster/partition/sector": SECTOR}
        under_way(instance, tags, "STARTED")
        assert changes(platform, instance, at(date(2023, 3, 12), 12)) == AlertChanges(over=(self.MISSED,))

    def test_what_a_sector_missed_is_over_once_it_is_no_longer_active(self, platform, instance):
        gone = Alert(
            key=f"missed|healthcare|{THURSDAY}",
            kind="run_missed",
            severity="error",
            what="no run",
            remedy="look",
            sector="healthcare",
            session=THURSDAY,
        )
        raise_alert(platform.database, gone, platform.clock())
        assert changes(platform, instance, at(date(2023, 3, 12), 12)) == AlertChanges(over=(gone.key,))

    @pytest.mark.parametrize("day", [date(2023, 3, 11), date(2023, 4, 7), date(2023, 11, 23), date(2023, 9, 4)])
    def test_week_ends_and_holidays_are_quiet(self, platform, instance, day):
        assert self.judged(platform, instance, at(day, 12)) == []

    def test_the_day_after_a_holiday_asks_for_the_session_before_it(self, platform, instance):
        assert self.judged(platform, instance, at(date(2023, 4, 10), 9)) == [
            f"late|{SECTOR}|2023-04-06", f"missed|{SECTOR}|2023-04-06",
        ]  # fmt: skip


class TestStream:
    def test_a_redis_that_is_away_is_a_silence_and_hides_nothing_else(self, platform, instance, tmp_path, monkeypatch):
        monkeypatch.setenv(variable("source.kind"), "alpaca")
        monkeypatch.setenv(variable("stream.mode"), "alpaca")
        opened = session_open(date(2023, 3, 13))
        clock = Clock()
        live = Platform(load_settings({"frequency": "1h"}), clock=clock)
        live.__dict__["streams"] = Streams(
            connect(None, tmp_path / "no-redis"),
            profile="p",
            run_mode="live",
            settings=StreamSettings(),
            wall=lambda: int(clock().timestamp() * 1e9),
        )
        for minutes, stream in ((5, []), (11, ["stream_silent"])):
            clock.now = opened + timedelta(minutes=minutes)
            words = alert_watch(dg.build_sensor_context(instance, resources={"platform": live})).skip_message
            assert [one.kind for one in open_alerts(live.database)] == ["run_missed", "config_late", *stream]
        assert "does not answer" in words
