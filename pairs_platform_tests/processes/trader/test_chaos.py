"""The desk at the simulated broker, over HTTP and its stream, under random faults and with none.

Five hundred spread orders are `soak/test_chaos.py`; here are a few, with everything that is true of them.
"""

from pairs_platform_tests.support.chaos_session import chaos_session
from pairs_platform_tests.support.trading_desk import copied_database


def test_random_faults_send_nothing_twice_forget_no_leg_and_leave_both_sides_equal(tmp_path, alpaca_settings, template):
    with chaos_session(alpaca_settings, copied_database(template, tmp_path), seed=2) as session:
        session.run(bars=3)
        found = session.found()
    assert len(found.trades) >= 8
    assert found.faults.total() >= 10
