"""The models in the graph: what a failed training leaves alone, champions over sessions, runs that were left open."""

import dagster as dg

from pairs_platform.core.selection.contracts import TRADING_CONFIG
from pairs_platform.defs.models import assets
from pairs_platform.defs.models.automation import close_abandoned_runs
from pairs_platform.defs.models.metadata import promotion_metadata
from pairs_platform.platform import Platform
from pairs_platform.workflows.champion import configured_model
from pairs_platform.workflows.promotion import PromotionOutcome
from pairs_platform_tests.support.away_registry import AwayRegistry
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.runs import ALL, execute, failure


def test_a_training_that_fails_leaves_the_configuration_alone(copied, monkeypatch):
    copied.lake.path("trading_config", key()).unlink()
    monkeypatch.setattr(assets, "REGISTRY_RETRIES", None)
    result = execute(Platform(copied.settings, models=AwayRegistry()), ALL[4:], session=SESSION)
    assert not result.success
    assert "does not answer" in failure(result, "gru_models")
    assert copied.lake.exists("trading_config", key())
    order = [event.step_key for event in result.all_events if event.is_step_start]
    assert order.index("trading_config") < order.index("pair_features") < order.index("gru_models")


def test_the_page_says_why_nothing_was_decided():
    page = promotion_metadata(PromotionOutcome(source="a test", decided_until=SESSION), SESSIONS[0])
    assert page == {
        "source": "a test",
        "decision": f"sessions up to {SESSION} are decided; {SESSIONS[0]} changes nothing",
        "decisions": 0,
    }


class TestChampion:
    def test_the_configuration_carries_the_champion_of_the_session_before(self, copied):
        promote(copied, 1, SESSIONS[0])
        section, reason = configured_model(copied, key())
        assert (section.version, section.session) == (1, SESSIONS[0])
        assert section.pairs
        assert "2 sessions old" in reason
        execute(copied, ["trading_config"], session=SESSION)
        document = copied.lake.read_document(TRADING_CONFIG.table, key())
        assert document["model"]["version"] == 1

    def test_a_configuration_of_an_earlier_session_does_not_know_a_later_champion(self, copied):
        promote(copied, 3, SESSION)
        section, reason = configured_model(copied, key(SESSIONS[1]))
        assert section is None
        assert reason == "no model has been promoted"

    def test_one_that_is_too_old_gives_no_signals(self, copied):
        promote(copied, 1, SESSIONS[0])
        strict = copied.settings.gru.promotion.model_copy(update={"max_age_sessions": 1, "challenger_sessions": 1})
        gru = copied.settings.gru.model_copy(update={"promotion": strict})
        section, reason = configured_model(Platform(copied.settings.model_copy(update={"gru": gru})), key())
        assert section is None
        assert "2 sessions old" in reason


def test_only_runs_whose_dagster_run_has_ended_are_closed(copied):
    registry = copied.registry
    client = registry._client
    experiment = client.get_experiment_by_name(f"pairs_trading/{SECTOR}").experiment_id
    with dg.DagsterInstance.ephemeral() as instance:
        alive = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED).run_id
        ended = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.FAILURE).run_id
        opened = {
            owner: client.create_run(experiment, tags={"dagster_run_id": owner}).info.run_id
            for owner in (alive, ended, "unknown")
        }
        assert close_abandoned_runs(instance, copied) == 2
        statuses = {owner: client.get_run(run).info.status for owner, run in opened.items()}
    assert statuses == {alive: "RUNNING", ended: "KILLED", "unknown": "KILLED"}


def _job() -> dg.JobDefinition:
    @dg.job
    def nothing() -> None: ...

    return nothing
