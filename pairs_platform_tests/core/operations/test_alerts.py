"""What messages say and how many may go out."""

from datetime import UTC, date, datetime, timedelta

from pairs_platform.core.operations.alerts import AlertSettings, OpenAlert, compose, may_send, next_attempt

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
LIST = "a command"
RULES = AlertSettings(messages_per_hour=2, lines_per_message=3, ui_url="https://ui.example/", first_retry_seconds=30)


def alert(key: str = "a", **more) -> OpenAlert:
    given = {
        "kind": "run_failed", "severity": "error", "what": f"what of {key}", "remedy": f"remedy of {key}", "id": 1,
        "opened_utc": NOW, "seen_utc": NOW, **more,
    }  # fmt: skip
    return OpenAlert(key=key, **given)


class TestMessage:
    def test_it_says_what_where_what_to_do_and_where_to_look(self):
        failed = alert(sector="technology", session=date(2026, 2, 27), path="/runs/1")
        message = compose([failed], [], RULES, list_command=LIST)
        assert message.title == "pairs platform: 1 × run failed"
        assert message.body.splitlines() == [
            "ERROR run failed · 2026-02-27|technology: what of a", "  do: remedy of a", "  see: https://ui.example/runs/1",
        ]  # fmt: skip

    def test_many_are_one_message_errors_first_the_rest_counted(self):
        many = [alert(f"w{n}", severity="warning", kind="check_failed") for n in range(4)]
        message = compose([*many, alert("e")], [], RULES, list_command=LIST)
        assert message.title == "pairs platform: 5 alerts"
        lines = message.body.splitlines()
        assert lines[0].startswith("ERROR run failed: what of e")
        assert sum(line.startswith(("ERROR", "WARNING")) for line in lines) == 3
        assert lines[-1] == f"and 2 more: {LIST}"

    def test_what_is_over_is_said(self):
        message = compose([], [alert("b"), alert("a")], RULES, list_command=LIST)
        assert (message.title, message.body.splitlines()) == (
            "pairs platform: 2 over",
            ["OVER run failed: what of a", "OVER run failed: what of b"],
        )


class TestLimits:
    def test_so_many_in_an_hour_and_then_again(self):
        sent = [NOW - timedelta(minutes=70), NOW - timedelta(minutes=50)]
        assert may_send(sent, NOW, RULES)
        assert not may_send([*sent, NOW], NOW, RULES)
        assert may_send([*sent, NOW], NOW + timedelta(minutes=11), RULES)

    def test_the_wait_doubles_up_to_its_bound(self):
        waits = [(next_attempt(NOW, n, RULES) - NOW).total_seconds() for n in (1, 2, 3, 20, 2000)]
        assert waits == [30, 60, 120, 3600, 3600]
