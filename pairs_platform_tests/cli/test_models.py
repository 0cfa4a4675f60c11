"""`pairs-platform models` over a real registry and a real database in a profile of the test's own."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.models import Decision, alias_as_of, read_decisions, record_training
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.bundles import SECTOR, SESSION, record
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.trainings import training


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with three versions; the first was promoted by the rules."""
    root = tmp_path_factory.mktemp("made")
    platform = Platform(load_settings({"state_root": str(root)}))
    for k in range(3):
        session, pooled = session_offset(SESSION, k), {"skill": 0.001 * k}
        tracked = platform.registry.log_training(replace(record(session), pooled=pooled))
        about = training(session=session, run_id=tracked.run_id, model_version=k + 1, **pooled)
        record_training(platform.database, about, record().pairs.assign(f1=0.5))
    store_decisions(
        platform.database,
        [
            Decision(
                sector=SECTOR,
                session=SESSION,
                action="promote_first",
                alias="champion",
                version_after=1,
                reason="skill above zero",
                figures={},
                actor="a run",
                decided_utc=datetime(2023, 3, 9, tzinfo=UTC),
            )
        ],
    )
    platform.registry.set_alias(SECTOR, "champion", 1)
    return root


@pytest.fixture
def platform(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "state", symlinks=True)
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "state"))
    return Platform(load_settings())


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "http://me:s3cret@127.0.0.1:9"])
def test_where_a_server_has_mlflows_pages_none_is_started(platform, console, monkeypatch, uri):
    monkeypatch.setenv(variable("mlflow_uri"), uri)
    shown = console("models", "ui")
    assert shown.exit_code == 0
    assert ("MLflow at http://127.0.0.1:9" in shown.output) is ("@" not in uri)
    assert "s3cret" not in shown.output


def test_mlflows_pages_of_nothing_are_refused(console):
    shown = console("models", "ui", "--port", str(free_port()))
    assert shown.exit_code == 1
    assert "mlflow holds no training yet" in shown.output


def champion(platform: Platform) -> int | None:
    named = platform.registry.alias(SECTOR, "champion")
    return named.version if named else None


def test_list_and_show(platform, console):
    shown = console("models", "list")
    assert shown.exit_code == 0, shown.output
    assert "champion" in shown.output
    assert "+2.00" in shown.output
    one = console("models", "show", "2")
    assert "AAPL_ADI" in one.output
    assert "dagster_run_id" in one.output
    missing = console("models", "show", "9")
    assert (missing.exit_code, missing.output.count("\n")) == (1, 1)
    assert "no version 9; it has 1, 2, 3" in missing.output


def test_promote_and_roll_back_are_in_the_audit_and_take_effect_at_once(platform, console):
    promoted = console("models", "promote", "3", "--reason", "a test")
    assert promoted.exit_code == 0, promoted.output
    assert champion(platform) == 3
    assert alias_as_of(platform.database, SECTOR, "champion", SESSION).version_after == 3
    assert console("models", "rollback").exit_code == 0
    assert champion(platform) == 1
    audit = [(one.action, one.version_before, one.version_after) for one in read_decisions(platform.database, SECTOR)]
    assert audit == [("promote_first", None, 1), ("manual_promote", 1, 3), ("manual_rollback", 3, 1)]
    assert read_decisions(platform.database, SECTOR)[1].reason == "a test"


def test_what_is_not_there_is_told_and_changes_nothing(platform, console):
    missing = console("models", "promote", "9")
    assert missing.exit_code == 1
    assert "has no version 9; it has 1, 2, 3" in missing.output
    first = console("models", "rollback")
    assert first.exit_code == 1
    assert "has had no other champion" in first.output
    assert champion(platform) == 1
    assert len(read_decisions(platform.database, SECTOR)) == 1


def test_compare_without_shadow_says_that_nothing_can_be_said(platform, console):
    shown = console("models", "compare", "1", "2")
    assert "0 paired sessions: nothing can be said yet" in shown.output
    n = (record().pairs["status"] == "ok").sum()
    assert n > 0
    assert f"{n} pairs in common, 0 of them predicted by both" in shown.output


def test_a_sector_without_models(console):
    assert Platform(load_settings()).lake.sessions("trading_config", "energy") == []
    shown = console("models", "list", "--sector", "energy")
    assert shown.exit_code == 1
    assert "energy has no registered model yet" in shown.output


def test_a_promotion_whose_alias_fails_leaves_no_row(platform, monkeypatch):
    from pairs_platform.adapters.mlflow.registry import MlflowRegistry
    from pairs_platform.cli.models import _change
    from pairs_platform.core.errors import RegistryUnavailable

    def away(*_: object) -> None:
        raise RegistryUnavailable("the registry does not answer")

    monkeypatch.setattr(MlflowRegistry, "set_alias", away)
    with pytest.raises(RegistryUnavailable):
        _change(platform, SECTOR, 2, "manual_promote", "a test", {})
    assert len(read_decisions(platform.database, SECTOR)) == 1
