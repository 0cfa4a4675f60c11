"""When a live stream counts as silent, and when its silence is over."""

from datetime import UTC, date, datetime

import pytest

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.operations.alert_causes import silence_alert
from pairs_platform.core.prices.calendar import session_open
from pairs_platform.core.risk.trading_state import KillLevel
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.settings import StreamSettings
from pairs_platform.database.alerts import due_deliveries, make_message, open_alerts, raise_alert
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.kill_switch import release_kill_switch, set_kill_switch
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.risk_events import RiskEvent, store_events
from pairs_platform.database.store import Database
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.workflows.alerts import AlertChanges, deliver, keep_alerts, silent_stream, stopped_trading

FRIDAY = date(2023, 3, 10)


class TestStream:
    """A live feed whose wall clock is the test's."""

    @pytest.fixture
    def streams(self, tmp_path):
        from pairs_platform.processes.runtime.redis_server import embedded_redis

        self.ns = int(session_open(FRIDAY).timestamp() * 1e9)
        with embedded_redis(tmp_path / "redis"):
            client = connect(None, tmp_path / "redis")
            yield Streams(client, profile="p", run_mode="live", settings=StreamSettings(), wall=lambda: self.ns)
            client.close()

    def beat(self, streams: Streams) -> None:
        streams.health.report({"heartbeat_wall_ns": str(self.ns), "state": "streaming"})

    def test_before_the_open_it_is_quiet(self, streams):
        self.beat(streams)
        self.ns -= 60 * 10**9
        assert silent_stream(streams, 10) == AlertChanges()

    def test_a_collector_that_was_never_started_is_missed(self, streams):
        self.ns += 11 * 60 * 10**9
        (alert,) = silent_stream(streams, 10).raised
        assert "a collector, which has never run on this Redis, has reported nothing for 11 minutes" in alert.what

    def test_no_bar_and_then_no_word(self, streams):
        self.beat(streams)
        self.ns += 9 * 60 * 10**9
        assert silent_stream(streams, 10) == AlertChanges()  # it is too early for both
        self.ns += 2 * 60 * 10**9
        self.beat(streams)
        changes = silent_stream(streams, 10)
        (alert,) = changes.raised
        assert (alert.key, changes.over) == ("silent|live", ())
        assert "no bar for 11 minutes of an open session; the collector is streaming" in alert.what
        self.ns += 30 * 60 * 10**9
        assert "the collector has reported nothing for 30 minutes" in silent_stream(streams, 10).raised[0].what

    def test_bars_of_the_session_end_a_silence_and_not_the_open_of_the_next_one(self, streams):
        self.beat(streams)
        self.ns += 60 * 60 * 10**9
        assert silent_stream(streams, 10).raised
        friday = self.ns
        self.ns = int(session_open(date(2023, 3, 13)).timestamp() * 1e9) + 60 * 10**9
        assert silent_stream(streams, 10) == AlertChanges()
        self.ns = friday
        streams.bars.add([StreamBar("AAPL", friday - 60 * 10**9, 1.0, 1.0, 1.0, 1.0, 1)])
        self.beat(streams)
        assert silent_stream(streams, 10) == AlertChanges(over=("silent|live",))

    def test_the_close_does_not_end_a_silence(self, streams):
        self.beat(streams)
        self.ns += 10 * 3600 * 10**9
        assert silent_stream(streams, 10) == AlertChanges()


def test_a_stored_alert_and_its_message_name_the_command_with_its_profile():
    platform = Platform(load_settings())
    keep_alerts(platform, AlertChanges((silence_alert("live", FRIDAY, "no bar for 11 minutes"),)))
    (alert,) = open_alerts(platform.database)
    command = f"`pairs-platform stream status --profile {platform.settings.profile.name}`"
    assert alert.remedy.endswith(f"status page: {command}")
    now = platform.clock()
    assert make_message(platform.database, ["1 json"], now, platform.settings.alert_settings, list_command="")
    (message,) = due_deliveries(platform.database, ["1 json"], now)
    assert command in message.body
    assert f"see `pairs-platform alerts --profile {platform.settings.profile.name}`" in deliver(platform, seconds=1.0)


class TestTrading:
    """What the trader wrote down, by hand."""

    KEY = AccountKey("PA1", "live")

    @pytest.fixture
    def database(self, tmp_path) -> Database:
        return Database(f"sqlite:///{tmp_path / 'database.db'}", "simulated-5min-raw")

    def say(self, database: Database, kind: str, code: str, message: str = "why", day: int = 10) -> None:
        now = datetime(2023, 3, day, 15, tzinfo=UTC)
        event = RiskEvent(kind=kind, code=code, severity="warning", message=message)
        store_events(database, self.KEY, [event], StoredAt(now, now))

    def test_nothing_said_is_nothing_to_tell(self, database):
        assert stopped_trading(database, "live").raised == ()

    def test_a_state_in_which_nothing_is_begun_lasts_until_trading_is_active_or_a_session_later(self, database):
        self.say(database, "state", "reducing", "trading is reducing: the loss of the day")
        (alert,) = stopped_trading(database, "live").raised
        assert (alert.kind, alert.severity) == ("trading_stopped", "warning")
        assert "account PA1: trading is reducing: the loss of the day" in alert.what
        self.say(database, "state", "halted")
        assert [alert.severity for alert in stopped_trading(database, "live").raised] == ["error"]
        assert stopped_trading(database, "replay").raised == ()
        self.say(database, "reject", "reject", day=13)
        assert alert.key in stopped_trading(database, "live").over
        self.say(database, "state", "halted", day=13)
        self.say(database, "state", "active", day=13)
        changes = stopped_trading(database, "live")
        assert alert.key in changes.over
        assert [each.kind for each in changes.raised] == ["orders_rejected"]

    def test_the_kill_switch_is_told_until_it_is_released(self, database):
        now = datetime(2023, 3, 10, 15, tzinfo=UTC)
        set_kill_switch(database, ["live"], KillLevel.FLATTEN, reason="prices look wrong", actor="a@b", now=now)
        (alert,) = stopped_trading(database, "live").raised
        assert "the kill switch is at flatten, the account was not seen to be flat: prices look wrong" in alert.what
        release_kill_switch(database, ["live"], reason="they are right", actor="a@b", now=now)
        changes = stopped_trading(database, "live")
        assert (changes.raised, alert.key in changes.over) == ((), True)

    def test_rejects_of_a_session_are_one_alert_and_those_of_an_earlier_one_are_over(self, database):
        for message in ("first", "second"):
            self.say(database, "reject", "reject", message)
        (alert,) = stopped_trading(database, "live").raised
        assert "2 orders were rejected; the newest: second" in alert.what
        raise_alert(database, alert, datetime(2023, 3, 10, 15, tzinfo=UTC))
        self.say(database, "state", "active", day=13)
        assert alert.key in stopped_trading(database, "live").over
