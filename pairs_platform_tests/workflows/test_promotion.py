"""Shadow evaluation and decisions about champions on the demo's models."""

from pairs_platform.core.models.contracts import GRU_MODELS, SHADOW_LOSSES
from pairs_platform.database.models import read_decisions
from pairs_platform.workflows.promotion import decide_partition, shadow_partition
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key


def test_shadow_judges_what_was_champion_before_on_bars_that_it_has_not_seen(copied):
    promote(copied, 1, SESSIONS[0])
    evaluation = shadow_partition(copied, key(SESSIONS[1]))
    assert evaluation.versions == {"champion": 1}
    losses = copied.lake.read(SHADOW_LOSSES, key(SESSIONS[1]))
    assert len(evaluation.losses) == len(losses)
    assert set(losses["alias"]) == {"champion"}
    assert (losses["version"] == 1).all()
    judged = losses[losses["status"] == "ok"]
    assert len(judged) == (copied.lake.read(GRU_MODELS, key(SESSIONS[0]))["status"] == "ok").sum()
    assert (judged["n_labels"] == 6).all(), "seven hourly bars, of which the last one's label is not known yet"


def test_a_session_before_the_last_decision_changes_nothing(copied):
    promote(copied, 1, SESSION)
    before = read_decisions(copied.database, SECTOR)
    outcome = decide_partition(copied, key(SESSIONS[0]), actor="a test")
    assert (outcome.decided_until, outcome.changes) == (SESSION, ())
    assert read_decisions(copied.database, SECTOR) == before


def test_a_challenger_is_frozen_beside_a_champion(copied):
    promote(copied, 1, SESSIONS[0])
    outcome = decide_partition(copied, key(SESSIONS[1]), actor="a test")
    assert (outcome.champion, [change.action for change in outcome.changes]) == (1, ["freeze_challenger"])
    assert copied.registry.alias(SECTOR, "challenger").version == 2
    decide_partition(copied, key(), actor="a test")
    assert copied.registry.alias(SECTOR, "challenger").version == 2
