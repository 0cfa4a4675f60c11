"""Of which account the dollars of a size are."""

from datetime import UTC, datetime
from types import SimpleNamespace

from pairs_platform.core.errors import DatabaseUnavailable
from pairs_platform.database.equity import AccountKey, EquityRow
from pairs_platform.database.positions import store_snapshot
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.account_worth import account_worth
from pairs_platform_tests.support.trading_desk import copied_database

AT = datetime(2026, 3, 10, 20, tzinfo=UTC)


def platform(kind, database):
    return SimpleNamespace(settings=load_settings({"broker": {"kind": kind}}), database=database)


def test_the_newest_snapshot_of_the_account_of_the_settings_counts(template, tmp_path):
    database = copied_database(template, tmp_path)
    paper = platform("paper", database)
    mode = paper.settings.stream.run_mode
    assert account_worth(paper).equity == paper.settings.broker.paper.cash
    assert account_worth(platform("alpaca", database)).equity is None
    for account, equity in ((f"paper-{mode}", 101_234.0), ("PA7", 55_000.0)):
        row = EquityRow(at_utc=AT, equity=equity, cash=equity, long_value=0, short_value=0, high_water=equity)
        store_snapshot(database, AccountKey(account, mode), row, [])
    assert account_worth(paper).equity == 101_234.0
    assert "paper-" in account_worth(paper).words
    assert account_worth(platform("alpaca", database)).equity == 55_000.0


def test_a_database_that_does_not_answer_is_no_dollars():
    class Away:
        def begin(self):
            raise DatabaseUnavailable("the database does not answer")

    found = account_worth(platform("paper", Away()))
    assert found.equity is None
    assert "the database does not answer" in found.words
