"""Alerts on both databases: open once, reported once, sent until it succeeds."""

import threading
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from pairs_platform.core.operations.alerts import Alert, AlertSettings
from pairs_platform.database import alerts
from pairs_platform.database.alerts import (
    due_deliveries,
    end_earlier,
    failed_deliveries,
    note_delivery,
    open_alerts,
    raise_alert,
    recent_alerts,
    resolve_alerts,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
RULES = AlertSettings(messages_per_hour=2, first_retry_seconds=30)
TARGETS = ["1 json", "2 mailto"]
make_message = partial(alerts.make_message, list_command="a command")


def alert(key: str = "run|daily|2026-02-27", **more) -> Alert:
    given = {"kind": "run_failed", "severity": "error", "what": "broken", "remedy": "mend it", **more}
    return Alert(key=key, **given)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


class TestOpen:
    def test_seen_again_it_is_the_same_one(self, database):
        raise_alert(database, alert(session=date(2026, 2, 27), sector="technology"), NOW)
        raise_alert(database, alert(what="still broken"), later(5))
        (one,) = open_alerts(database)
        assert (one.times, one.what, one.opened_utc, one.seen_utc) == (2, "still broken", NOW, later(5))
        assert (one.session, one.sector) == (date(2026, 2, 27), "technology")

    def test_closed_and_broken_again_it_is_another(self, database):
        raise_alert(database, alert(), NOW)
        assert resolve_alerts(database, [alert().key, "another"], later(1)) == 1
        assert open_alerts(database) == []
        assert resolve_alerts(database, [alert().key], later(2)) == 0
        raise_alert(database, alert(), later(3))
        assert [(one.times, one.resolved_utc) for one in recent_alerts(database, NOW)] == [(1, later(1)), (1, None)]
        assert len(recent_alerts(database, later(2))) == 1

    def test_raised_by_four_at_once_it_is_open_once(self, database):
        database.upgrade()
        threads = [threading.Thread(target=raise_alert, args=(database, alert(), NOW)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SECONDS)
        assert [one.times for one in open_alerts(database)] == [4]


class TestLaterSessions:
    def test_only_the_same_of_earlier_sessions_of_the_sector_ends(self, database):
        thursday, friday = date(2026, 2, 26), date(2026, 2, 27)
        for family in ("check|a|one", "check|a|other"):
            for sector in ("technology", "healthcare"):
                for day in (thursday, friday):
                    raise_alert(database, alert(f"{family}|{day}|{sector}", session=day, sector=sector), NOW)
        assert end_earlier(database, "check|a|one|", "technology", friday, later(1), report=True) == 1
        ended = {one.key for one in recent_alerts(database, NOW) if one.resolved_utc}
        assert ended == {f"check|a|one|{thursday}|technology"}
        assert end_earlier(database, "check|a|one|", "technology", friday, later(2), report=True) == 0


class TestMessages:
    def test_what_is_new_goes_into_one_message_for_each_receiver_once(self, database):
        for n in range(10):
            raise_alert(database, alert(f"run {n}"), NOW)
        assert make_message(database, TARGETS, NOW, RULES)
        assert not make_message(database, TARGETS, later(1), RULES)
        raise_alert(database, alert("run 3"), later(1))
        assert not make_message(database, TARGETS, later(1), RULES)
        found = due_deliveries(database, TARGETS, NOW)
        assert [one.target for one in found] == TARGETS
        assert found[0].body.count("broken") == 10

    def test_without_a_receiver_nothing_is_taken_for_told(self, database):
        raise_alert(database, alert(), NOW)
        assert not make_message(database, [], NOW, RULES)
        assert make_message(database, TARGETS, later(1), RULES)

    def test_over_is_told_to_those_who_heard_of_it(self, database):
        raise_alert(database, alert("told"), NOW)
        make_message(database, TARGETS, NOW, RULES)
        raise_alert(database, alert("short"), later(1))
        resolve_alerts(database, ["told", "short"], later(2))
        assert make_message(database, TARGETS, later(3), RULES)
        newest = due_deliveries(database, TARGETS, later(3))[-1]
        assert (newest.title, newest.body) == ("pairs platform: 1 over", "OVER run failed: broken")
        assert not make_message(database, TARGETS, later(4), RULES)

    def test_beyond_the_limit_they_wait_and_go_together(self, database):
        for n in range(5):
            raise_alert(database, alert(f"run {n}"), later(n))
            make_message(database, TARGETS, later(n), RULES)
        assert len(due_deliveries(database, TARGETS, later(5))) == 2 * len(TARGETS)
        assert make_message(database, TARGETS, later(61), RULES)
        assert due_deliveries(database, TARGETS, later(61))[-1].title == "pairs platform: 3 × run failed"


class TestDelivery:
    @pytest.fixture
    def made(self, database):
        raise_alert(database, alert(), NOW)
        make_message(database, TARGETS[:1], NOW, RULES)
        (delivery,) = due_deliveries(database, TARGETS, NOW)
        return delivery

    def test_sent_is_sent(self, database, made):
        note_delivery(database, made, "", NOW, RULES)
        assert due_deliveries(database, TARGETS, later(100)) == []
        assert failed_deliveries(database, TARGETS) == []

    def test_a_failure_is_kept_and_tried_again_after_a_wait_that_doubles(self, database, made):
        note_delivery(database, made, "503", NOW, RULES)
        assert due_deliveries(database, TARGETS, later(0.4)) == []
        (again,) = due_deliveries(database, TARGETS, later(0.5))
        assert (again.attempts, again.error) == (1, "503")
        note_delivery(database, again, "504", later(0.5), RULES)
        assert due_deliveries(database, TARGETS, later(1.4)) == []
        (third,) = due_deliveries(database, TARGETS, later(1.5))
        assert [one.error for one in failed_deliveries(database, TARGETS)] == ["504"]
        note_delivery(database, third, "", later(1.5), RULES)
        assert failed_deliveries(database, TARGETS) == []
