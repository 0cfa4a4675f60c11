import pytest
import sqlalchemy as sa

from pairs_platform.core.trading.positions import cash_booking
from pairs_platform.database.audit import entries
from pairs_platform.database.bookings import store_bookings
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.kill_switch import kill_switch
from pairs_platform.database.positions import store_snapshot
from pairs_platform.database.replays import forget_replay
from pairs_platform.database.risk_events import store_events
from pairs_platform.database.signal_outcomes import store_outcomes
from pairs_platform.database.signals import store_signals
from pairs_platform.database.spread_orders import apply_report, store_intent
from pairs_platform.database.tables import METADATA
from pairs_platform_tests.database.test_equity import ROW
from pairs_platform_tests.database.test_kill_switch import set_by_ann
from pairs_platform_tests.database.test_positions import LEG
from pairs_platform_tests.database.test_risk_events import DENIED
from pairs_platform_tests.database.test_signal_outcomes import outcome
from pairs_platform_tests.database.test_signals import GIVEN, LIVE, REPLAY, signal
from pairs_platform_tests.support.trades import ORIGIN, REPLAYED, at, filled, trade_of


def fill(database, key, origin, name):
    """Something in every table of trading, of one run mode."""
    store_signals(database, key, [signal()], GIVEN)
    store_outcomes(database, key, [outcome()], at())
    trade, account = trade_of(name), AccountKey("PA1", key.run_mode)
    store_intent(database, trade, origin, at())
    apply_report(database, trade.orders[0].client_order_id, filled(trade.orders[0], f"e-{name}"), at())
    store_snapshot(database, account, ROW, [LEG])
    store_events(database, account, [DENIED], at())
    store_bookings(database, account, [cash_booking(name, 1.0, at().market_utc)], at())
    set_by_ann(database, "halt", [key.run_mode])


@pytest.fixture
def counts(database):
    def count() -> dict[str, int]:
        tables = {name: table for name, table in METADATA.tables.items() if "run_mode" in table.c}
        with database.begin() as connection:
            return {
                name: connection.scalar(sa.select(sa.func.count()).select_from(table)) for name, table in tables.items()
            }

    return count


def test_all_that_replays_stored_goes_but_for_the_kill_switch(database, counts):
    fill(database, LIVE, ORIGIN, "t1")
    of_live = counts()
    fill(database, REPLAY, REPLAYED, "t2")
    assert all(n == 2 * of_live[name] for name, n in counts().items())
    assert forget_replay(database) > 0
    left = counts()
    assert left.pop("kill_switch") == 2
    of_live.pop("kill_switch")
    assert left == of_live
    assert kill_switch(database, "replay").level == "halt"
    entry = entries(database, actions=["data_deleted"])[0]
    assert entry.detail == {
        "signals": 1,
        "spread_orders": 1,
        "bookings": 1,
        "positions": 1,
        "equity": 1,
        "risk_events": 1,
    }
    fill(database, REPLAY, REPLAYED, "t2")
    assert forget_replay(database) > 0, "it can be played again"
