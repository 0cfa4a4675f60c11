"""The rule that says which version signals may use."""

import dataclasses
from datetime import date

import pytest

from pairs_platform.core.models.champion import AliasDecision, ChampionChoice, age_sessions, usable_version
from pairs_platform.core.prices.calendar import session_offset

SESSION = date(2023, 3, 8)
DECISION = AliasDecision(version=3, reason="it is better", run_id="run", trained_session=session_offset(SESSION, -2))


def test_a_version_comes_with_what_is_known_about_it():
    usable, reason = usable_version(DECISION, SESSION, max_age_sessions=2)
    assert dataclasses.asdict(usable) == {
        "version": 3,
        "run_id": "run",
        "session": session_offset(SESSION, -2),
        "age_sessions": 2,
        "reason": "it is better",
    }
    assert reason == ""


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (None, "no model has been promoted"),
        (AliasDecision(version=None, reason="its lift fell"), "the champion left: its lift fell"),
        (AliasDecision(version=3, reason="by hand"), "version 3 was trained after 2023-03-08"),
        (
            dataclasses.replace(DECISION, trained_session=session_offset(SESSION, 1)),
            "version 3 was trained after 2023-03-08",
        ),
        (
            dataclasses.replace(DECISION, trained_session=session_offset(SESSION, -3)),
            "version 3 is 3 sessions old, 2 are allowed",
        ),
    ],
)
def test_no_version_has_a_reason(decision, reason):
    assert usable_version(decision, SESSION, max_age_sessions=2) == (None, reason)


def test_the_age_counts_sessions_and_not_days():
    assert age_sessions(date(2023, 3, 3), date(2023, 3, 6)) == 1
    assert age_sessions(SESSION, SESSION) == 0


def test_the_numbers_of_a_choice():
    usable, _ = usable_version(DECISION, SESSION, max_age_sessions=2)
    assert ChampionChoice(champion=usable, challenger=None, reason="").versions == (3, None)
