"""Which version is champion, as the database tells it to the trading configuration and to the session under way."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from pairs_platform.core.errors import DatabaseUnavailable
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.models import Decision, read_decisions, record_training
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.workflows.champion import configured_model, resolve_champion
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.trainings import performance, training
from pairs_platform_tests.support.waiting import WAIT_SECONDS

AFTER = session_offset(SESSION, 1)
BEFORE = session_offset(SESSION, -1)
AT = datetime(2023, 3, 9, 11, tzinfo=UTC)


@pytest.fixture
def platform() -> Platform:
    """A profile whose versions 1, 2 and 3 were trained on the session before last, the last one and the one after."""
    opened = Platform(load_settings({"gru": {"promotion": {"challenger_sessions": 2, "max_age_sessions": 4}}}))
    for version, session in enumerate((BEFORE, SESSION, AFTER), 1):
        trained = training(session, run_id=f"run {version}", model_version=version)
        record_training(opened.database, trained, performance({f"A_V{version}": 0.1}))
    return opened


def decide(
    platform: Platform, version: int | None, session: date = SESSION, *, alias="champion", action="promote_first"
) -> None:
    n_earlier = len(read_decisions(platform.database, SECTOR))
    decision = Decision(
        sector=SECTOR,
        session=session,
        action=action,
        alias=alias,
        version_after=version,
        reason="a test",
        figures={},
        actor="a test",
        decided_utc=AT + timedelta(minutes=n_earlier),
    )
    store_decisions(platform.database, [decision])


@pytest.mark.parametrize("manual_since", [False, True])
class TestResolver:
    def test_champion_and_challenger_of_a_session(self, platform, manual_since):
        decide(platform, 1)
        decide(platform, 2, alias="challenger")
        choice = resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since)
        assert choice.versions == (1, 2)
        assert (choice.champion.run_id, choice.champion.session, choice.champion.age_sessions) == ("run 1", BEFORE, 1)
        assert (choice.champion.reason, choice.reason) == ("a test", "")

    def test_nothing_is_decided(self, platform, manual_since):
        choice = resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since)
        assert (choice.versions, choice.reason) == ((None, None), "no model has been promoted")

    def test_a_decision_of_the_rules_in_a_later_session_is_not_known(self, platform, manual_since):
        decide(platform, 1)
        decide(platform, 2, AFTER)
        assert resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since).versions == (1, None)

    def test_a_demoted_champion_gives_no_signals(self, platform, manual_since):
        decide(platform, 1, BEFORE)
        decide(platform, None, action="demote")
        choice = resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since)
        assert (choice.champion, choice.reason) == (None, "the champion left: a test")
        assert resolve_champion(platform, SECTOR, BEFORE, manual_since=manual_since).versions == (1, None)

    @pytest.mark.parametrize("action", ["promote_first", "manual_promote"])
    def test_a_version_that_was_trained_later_is_never_used(self, platform, manual_since, action):
        decide(platform, 3, action=action)
        choice = resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since)
        assert (choice.champion, choice.reason) == (None, f"version 3 was trained after {SESSION}")

    def test_one_that_is_too_old_is_not_used(self, platform, manual_since):
        decide(platform, 1)
        decide(platform, 2, alias="challenger")
        last = session_offset(BEFORE, 4)
        assert resolve_champion(platform, SECTOR, last, manual_since=manual_since).versions == (1, 2)
        choice = resolve_champion(platform, SECTOR, session_offset(last, 1), manual_since=manual_since)
        assert (choice.versions, choice.reason) == ((None, 2), "version 1 is 5 sessions old, 4 are allowed")

    def test_a_database_that_is_unavailable_is_no_answer(self, platform, manual_since, monkeypatch):
        unavailable(platform, monkeypatch)
        with pytest.raises(DatabaseUnavailable):
            resolve_champion(platform, SECTOR, SESSION, manual_since=manual_since)


def unavailable(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise DatabaseUnavailable("the database does not answer")

    monkeypatch.setattr(platform.database, "begin", fails)


def test_decisions_by_hand_since_count_where_they_are_asked_for(platform):
    decide(platform, 1)
    decide(platform, 2, AFTER, action="manual_promote")
    assert resolve_champion(platform, SECTOR, SESSION, manual_since=False).versions == (1, None)
    assert resolve_champion(platform, SECTOR, SESSION, manual_since=True).versions == (2, None)
    decide(platform, None, AFTER, action="manual_rollback")
    choice = resolve_champion(platform, SECTOR, SESSION, manual_since=True)
    assert (choice.champion, choice.reason) == (None, "the champion left: a test")


class TestConfiguredModel:
    def test_it_names_the_pairs_of_the_champion(self, platform):
        decide(platform, 1)
        section, reason = configured_model(platform, key())
        assert (section.version, section.session, section.pairs) == (1, BEFORE, ("A_V1",))
        assert reason == "champion, 1 sessions old: a test"

    def test_a_decision_by_hand_since_changes_no_configuration(self, platform):
        decide(platform, 1)
        decide(platform, 2, AFTER, action="manual_promote")
        assert configured_model(platform, key())[0].version == 1

    def test_none_has_the_reason(self, platform):
        assert configured_model(platform, key()) == (None, "no model has been promoted")

    def test_a_database_that_is_unavailable_costs_the_model_and_not_the_configuration(self, platform, monkeypatch):
        decide(platform, 1)
        unavailable(platform, monkeypatch)
        section, reason = configured_model(platform, key())
        assert section is None
        assert reason == ("the database cannot be read, so signals go without a model: the database does not answer")


def test_the_session_under_way_asks_without_pandas(platform):
    decide(platform, 1)
    platform.database.upgrade()
    code = f"""
import sys
from datetime import date
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.workflows.champion import resolve_champion
choice = resolve_champion(Platform(load_settings()), "{SECTOR}", date({SESSION:%Y, %-m, %-d}), manual_since=True)
print(choice.versions, sorted({{"pandas", "scipy", "mlflow", "pyarrow"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.stdout.strip() == "(1, None) []", done.stderr
