from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from pairs_platform.core.risk.drift.correlation import correlation_path
from pairs_platform.core.risk.drift.result import DriftStatus
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform_tests.support.drifting import broken


def flat_day(pair):
    """The pair with a day of one bar, whose returns are therefore not scaled."""
    return replace(pair, fit=replace(pair.fit, diurnal=(1.0,)), bar_of_day=np.zeros_like(pair.bar_of_day))


def test_the_p_of_a_window_is_that_of_its_fisher_z_among_those_of_the_estimate(pair):
    settings = DriftSettings(correlation_bars=30)
    chosen = flat_day(pair)
    path = correlation_path(chosen, settings)
    returns = np.diff(np.column_stack([pair.log_y, pair.log_x]), axis=0)

    def fisher(end: int) -> float:
        """Of the 30 returns that end with bar `end`."""
        a, b = returns[end - 30 : end].T
        return float(np.arctanh(a @ b / np.sqrt((a @ a) * (b @ b))))

    reference = np.array([fisher(end) for end in range(30, pair.first_bar, 30)])
    bar = pair.first_bar + 70
    scale = reference.std(ddof=1) * np.sqrt(1 + 1 / len(reference))
    p = [student.cdf((fisher(end) - reference.mean()) / scale, len(reference) - 1) for end in (bar, bar - 30)]
    assert path.value[70] == pytest.approx(max(p), rel=1e-9)
    assert path.p_value[70] == pytest.approx(78 * max(p), rel=1e-9)


def test_one_low_window_is_no_alarm(pair):
    settings = DriftSettings(correlation_bars=39)
    turned = broken(pair, "correlation", 0.0)
    path = correlation_path(turned, settings)
    # The second window is low from the first bar on, the one before it only when it holds changed bars too.
    assert not path.alarm[:39].any()
    assert path.alarm[-1]
    assert path.result().status is DriftStatus.ALARM


def test_a_short_estimation_window_is_not_tested(pair):
    result = correlation_path(pair, DriftSettings(correlation_bars=400)).result()
    assert result.status is DriftStatus.NOT_TESTED
    assert result.reason == "the estimation window has 11 windows of 400 bars, 20 are needed"
    assert np.isnan(result.p_value)


def test_legs_that_do_not_move_are_not_tested(pair):
    still = replace(pair, log_y=np.zeros_like(pair.log_y))
    assert correlation_path(still, DriftSettings()).result().status is DriftStatus.NOT_TESTED


def test_gaps_and_excluded_bars_count_nothing(pair):
    excluded = pair.shock_excluded.copy()
    excluded[pair.first_bar + 5] = True
    log_y = pair.log_y.copy()
    log_y[pair.first_bar + 5 :] += 0.5
    marked = correlation_path(replace(pair, shock_excluded=excluded), DriftSettings())
    jumped = correlation_path(replace(pair, shock_excluded=excluded, log_y=log_y), DriftSettings())
    np.testing.assert_allclose(jumped.value, marked.value, rtol=1e-9)
