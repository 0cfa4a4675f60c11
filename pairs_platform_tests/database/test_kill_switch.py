"""The kill switch on both databases: in force over restarts, until a person releases it; every act is in the audit."""

import pytest

from pairs_platform.core.risk.trading_state import Actor, KillLevel, KillSwitch
from pairs_platform.database.audit import entries
from pairs_platform.database.kill_switch import (
    in_force,
    kill_switch,
    last_release,
    note_flat,
    release_kill_switch,
    set_kill_switch,
)
from pairs_platform.database.store import Database
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.support.trades import at

MODES = ("live", "replay")


def set_by_ann(database, level="halt", modes=MODES, minutes=5.0):
    set_kill_switch(
        database, modes, KillLevel(level), reason="prices look wrong", actor="ann@desk", now=at(minutes).utc
    )


def test_it_is_in_force_for_every_process_until_it_is_released(database, url):
    assert kill_switch(database, "live") == KillSwitch()
    set_by_ann(database)
    again = Database(url, "simulated-5min-raw")
    assert {switch.run_mode: switch.level for switch in in_force(again, MODES)} == {"live": "halt", "replay": "halt"}
    (live,) = release_kill_switch(again, ["live"], reason="checked", actor="bob@desk", now=at(9).utc)
    assert (live.reason, live.actor, live.person, live.set_utc) == ("prices look wrong", "ann@desk", True, at().utc)
    assert (kill_switch(database, "live").level, kill_switch(database, "replay").level) == (None, "halt")
    assert release_kill_switch(again, ["live"], reason="again", actor="bob@desk", now=at(9).utc) == []


@pytest.mark.parametrize(
    ("levels", "strictest"), [(("flatten", "reducing"), "flatten"), (("reducing", "halt"), "halt")]
)
@ON_SQLITE
def test_the_strictest_counts_whatever_came_last(database, levels, strictest):
    for minutes, level in enumerate(levels):
        set_by_ann(database, level, ["live"], minutes)
    assert kill_switch(database, "live").level == strictest
    assert kill_switch(database, "live").actor == Actor("ann@desk", person=True)
    assert len(release_kill_switch(database, ["live"], reason="checked", actor="bob", now=at(9).utc)) == 2
    assert kill_switch(database, "live").level is None


@ON_SQLITE
def test_when_the_account_was_flat_is_noted_once(database):
    set_by_ann(database, "flatten", ["live"])
    for minutes in (6, 7):
        note_flat(database, "live", at(minutes).utc)
    set_kill_switch(
        database,
        ["live"],
        KillLevel.FLATTEN,
        reason="daily loss",
        actor="limit daily_loss",
        now=at(8).utc,
        person=False,
    )
    assert [(each.flat_utc, each.person) for each in in_force(database, MODES)] == [(at(6).utc, True), (None, False)]


def test_every_act_is_in_the_audit_with_its_reason(database):
    set_by_ann(database, "flatten", ["live"])
    release_kill_switch(database, MODES, reason="feed is back", actor="bob@desk", now=at(9).utc)
    released, placed = entries(database)
    assert (placed.actor, placed.action, placed.object, placed.reason) == (
        "ann@desk", "kill_switch_set", "flatten of the run mode live", "prices look wrong",
    )  # fmt: skip
    assert (released.actor, released.action, released.reason) == ("bob@desk", "kill_switch_released", "feed is back")
    assert released.detail["set_for"] == "prices look wrong"


@ON_SQLITE
def test_an_act_without_a_row_in_the_audit_is_none(database, monkeypatch):
    def fails(*_):
        raise RuntimeError("broken off")

    with monkeypatch.context() as patch:
        patch.setattr("pairs_platform.database.kill_switch.record", fails)
        with pytest.raises(RuntimeError):
            set_by_ann(database)
    assert in_force(database, MODES) == []


def test_the_newest_release_is_known(database):
    assert last_release(database, "live") is None
    for minutes in (5.0, 15.0):
        set_by_ann(database, minutes=minutes)
        assert last_release(database, "live") == (None if minutes == 5.0 else at(6).utc)
        release_kill_switch(database, ("live",), reason="all is well", actor="ann@desk", now=at(minutes + 1).utc)
    assert last_release(database, "live") == at(16).utc
    assert last_release(database, "replay") is None
