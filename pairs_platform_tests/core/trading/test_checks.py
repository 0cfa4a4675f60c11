import pandas as pd
import pytest

from pairs_platform.core.trading.checks import (
    NakedTime,
    check_attribution_closes,
    check_drift,
    check_limits_kept,
    check_naked_time,
    check_reconciled,
    check_signals_have_outcomes,
    check_slippage,
)


def event(kind: str, code: str = "", *, account: str = "A", severity: str = "error", pair: str | None = None):
    message = f"{account}: {kind} {code}".strip()
    return {"kind": kind, "code": code, "account": account, "message": message, "severity": severity, "pair": pair}


class TestReconciled:
    def test_a_difference_stands_until_trading_is_active_again(self):
        difference, active = event("reconciliation", "cash"), event("state", "active")
        assert check_reconciled([], []).passed
        assert not check_reconciled([difference], []).passed
        assert check_reconciled([difference, active], []).passed
        assert not check_reconciled([active, difference], []).passed
        assert not check_reconciled([difference, event("state", "reducing")], []).passed
        assert not check_reconciled([difference, event("state", "active", account="B")], []).passed

    def test_an_execution_that_nobody_knows_is_named(self):
        found = check_reconciled([], ["pp-1"])
        assert not found.passed
        assert "executions of order pp-1 are not known" in found.summary


@pytest.mark.parametrize(("net", "passed"), [(0.10, True), (-0.10, True), (-0.11, False), (0.11, False)])
def test_a_limit_holds_on_both_sides_at_every_snapshot(net, passed):
    portfolio = pd.DataFrame({"net": [0.0, net, 0.0], "volatility": [float("nan")] * 3})
    found = check_limits_kept(portfolio, {"net": 0.10, "volatility": 0.08})
    assert found.passed is passed
    assert passed or "net reached 0.11, 0.1 are allowed" in found.summary


def test_a_signal_without_an_outcome_is_named():
    assert check_signals_have_outcomes(2, []).passed
    found = check_signals_have_outcomes(2, ["A_B at 14:35 UTC"])
    assert (found.passed, found.figures["without_outcome"]) == (False, 1)
    assert "A_B at 14:35 UTC" in found.summary


@pytest.mark.parametrize(
    ("rest", "passed"), [(0.0, True), (0.01, True), (-0.01, True), (-0.02, False), (float("nan"), False)]
)
def test_attribution_closes_to_a_cent(rest, passed):
    frame = pd.DataFrame({"scope": ["leg", "account"], "account": "A", "unexplained": [5.0, rest]})
    assert check_attribution_closes(frame).passed is passed


@pytest.mark.parametrize(
    ("seconds", "dollars", "passed"), [(30, 5_000, True), (31, 5_000, False), (31, 1_000, True), (3_000, 999, True)]
)
def test_a_large_leg_may_be_naked_for_so_long(seconds, dollars, passed):
    times = [NakedTime(pair="A_B", seconds=seconds, dollars=dollars)]
    found = check_naked_time(times, max_seconds=30, max_dollars=1_000)
    assert found.passed is passed
    assert found.figures["dollar_seconds"] == seconds * dollars
    assert check_naked_time([], max_seconds=30, max_dollars=1_000).passed


@pytest.mark.parametrize(("found", "passed"), [([], True), ([4.0, 8.0], True), ([4.0, 8.1], False), ([-50.0], True)])
def test_mean_slippage_is_held_against_what_costs_assume(found, passed):
    assert check_slippage(found, assumed_bps=3.0, max_multiple=2.0).passed is passed


def test_drift_that_only_warns_is_told_and_drift_that_ends_entries_fails():
    watched = event("drift", "mean", severity="info", pair="A_B")
    stopped = event("drift", "beta", severity="warning", pair="A_B")
    unknown = event("drift", "unknown", severity="warning")
    assert check_drift([watched]).passed
    found = check_drift([watched, stopped, stopped, unknown])
    assert not found.passed
    assert found.summary == "A: drift beta; A: drift unknown"
    assert found.figures == {"pairs": 1, "alarms": 3}
