"""`pairs-platform sql` over the lake and the database of a profile of the test's own."""

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.database.models import record_training
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.price_samples import FULL, make_bars
from pairs_platform_tests.support.trainings import performance, training

BEST = "select pair, rank_by_lift from current_best_models order by rank_by_lift"


def test_lake_and_database_in_one_statement(console):
    platform = Platform(load_settings())
    platform.lake.write(PRICE_HISTORY, PartitionKey(FULL, "technology"), make_bars([FULL]), {})
    record_training(platform.database, training(FULL), performance())
    shown = console(
        "sql",
        "--csv",
        "select run_name, count(*) as bars from model_training join price_history using (sector, session) group by 1",
    )
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == "run_name,bars\nGRU_Training_run,156\n"
    assert console("sql", "--csv", BEST).stdout == "pair,rank_by_lift\nB_C,1\nA_B,2\nA_C,3\n"


def test_without_a_database_its_tables_are_empty_and_listed(begun, console):
    assert console("sql", "--csv", BEST).stdout == "pair,rank_by_lift\n"
    listed = console("sql", "--csv", "show tables").stdout.split()
    assert {"price_history", "model_training", "model_decisions", "current_best_models"} <= set(listed)
    assert not (load_settings().profile_root / "database.db").exists()


def test_a_database_that_does_not_answer_is_an_error_and_not_an_empty_table(console, monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__DATABASE_URL", "postgresql+psycopg2://me:secret@127.0.0.1:9/trading")
    shown = console("sql", BEST)
    assert shown.exit_code == 1
    assert "does not answer" in shown.output
    assert "secret" not in shown.output
    assert console("sql", "--csv", "select count(*) as n from price_history").stdout == "n\n0\n"
