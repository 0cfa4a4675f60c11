import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from pairs_platform.core.selection.scores import (
    composite_score,
    diagnostics_component,
    evidence,
    fit_component,
    trading_component,
    volatility_component,
)
from pairs_platform.core.selection.settings import COMPONENTS, ScoreSettings
from pairs_platform.core.volatility.forecast import VolatilitySkill

RULES = ScoreSettings()
WIDE = st.floats(-1e6, 1e6)
SHARE = st.floats(0, 1)


def test_evidence_is_the_mean_of_the_gains_in_aic_and_bic():
    log_likelihood, rival, n, q = 1234.5, 1200.0, 4679, 2
    aic = (2 * 5 - 2 * log_likelihood, 2 * (5 - q) - 2 * rival)
    bic = (5 * math.log(n) - 2 * log_likelihood, (5 - q) * math.log(n) - 2 * rival)
    gains = (aic[1] - aic[0] + bic[1] - bic[0]) / 2
    assert evidence(2 * (log_likelihood - rival), n) == pytest.approx(gains, abs=1e-9)


def test_fit_is_zero_below_its_offset_and_follows_the_weaker_evidence():
    assert fit_component(-10, 500, RULES) == 0.0
    assert fit_component(0, 500, RULES) == pytest.approx(1 - math.exp(-0.25))
    assert fit_component(500, 30, RULES) == pytest.approx(1 - math.exp(-1))
    assert fit_component(30, 500, RULES) == fit_component(500, 30, RULES)


@given(a=WIDE, b=WIDE, more=st.floats(0, 1e6))
def test_fit_is_bounded_and_monotone(a, b, more):
    value = fit_component(a, b, RULES)
    assert 0 <= value <= 1
    assert value <= fit_component(a + more, b, RULES)
    assert value <= fit_component(a, b + more, RULES)


def skill_of(dm_vs_ewma: float, dm_vs_constant: float, status: str = "ok") -> float:
    return volatility_component(VolatilitySkill(status=status, dm_vs_ewma=dm_vs_ewma, dm_vs_constant=dm_vs_constant))


@given(a=WIDE, b=WIDE, more=st.floats(0, 1e6))
def test_volatility_is_bounded_and_monotone(a, b, more):
    value = skill_of(a, b)
    assert 0 <= value <= 1
    assert value <= skill_of(a + more, b)
    assert value == skill_of(b, a)


def test_volatility_equals_scipys_normal_of_the_minimum():
    assert skill_of(1.7, 0.3) == pytest.approx(stats.norm.cdf(0.3), abs=1e-12)
    assert skill_of(0.0, 4.0) == 0.5


@pytest.mark.parametrize("status", ["short_sample", "same_forecasts", "not_fitted"])
def test_volatility_without_a_comparison_earns_nothing(status):
    assert skill_of(math.nan, math.nan, status) == 0.0


@pytest.mark.parametrize(
    ("psr", "entries", "p", "value"),
    [
        (None, 0, 0.01, 0.0),
        (None, 4, 0.01, 0.0),
        (0.9, 0, 0.01, 0.0),
        (0.9, 2, 0.01, 0.5),
        (0.3, 2, 0.01, 0.3),
        (0.9, 3, 0.01, 0.9),
        (0.9, 3, 0.0999, 0.9),
        (0.9, 3, 0.10, 0.5),
        (0.9, 30, math.nan, 0.5),
        (0.2, 30, 0.5, 0.2),
    ],
)
def test_trading_is_the_psr_unless_it_rests_on_little(psr, entries, p, value):
    assert trading_component(psr, entries, training_p=p, settings=RULES) == value


@given(psr=SHARE, more=SHARE, entries=st.integers(0, 50), p=SHARE)
def test_trading_is_bounded_and_monotone(psr, more, entries, p):
    value = trading_component(psr, entries, training_p=p, settings=RULES)
    assert 0 <= value <= 1
    assert value <= trading_component(max(psr, more), entries, training_p=p, settings=RULES)
    assert value <= trading_component(psr, entries + 1, training_p=p, settings=RULES)
    assert value <= trading_component(psr, entries, training_p=p / 2, settings=RULES)


def test_diagnostics_count_high_p_values():
    assert diagnostics_component([0.5, 0.06, 0.9], RULES) == 1.0
    assert diagnostics_component([0.5, 0.05, 0.9], RULES) == pytest.approx(2 / 3)
    assert diagnostics_component([math.nan, 0.0, 0.9], RULES) == pytest.approx(1 / 3)


@given(values=st.lists(SHARE, min_size=4, max_size=4), more=SHARE, which=st.integers(0, 3))
def test_score_is_bounded_and_monotone_in_every_component(values, more, which):
    components = dict(zip(COMPONENTS, values, strict=True))
    score = composite_score(components, RULES)
    assert 0 <= score <= 1
    name = COMPONENTS[which]
    higher = components | {name: max(components[name], more)}
    assert composite_score(higher, RULES) >= score - 1e-15
    assert composite_score(dict.fromkeys(COMPONENTS, 1.0), RULES) == 1.0


def test_weights_must_sum_to_one_and_the_error_says_by_how_much_they_miss():
    with pytest.raises(ValidationError, match=r"sum to 0\.9: change them by \+0\.1 in all"):
        ScoreSettings(weight_fit=0.3)
    with pytest.raises(ValidationError, match="must sum to 1"):
        ScoreSettings(weight_fit=np.nextafter(0.4, 1) + 1e-6)
    assert ScoreSettings(weight_fit=0.3, weight_trading=0.3).weights["trading"] == 0.3
    assert sum(RULES.weights.values()) == pytest.approx(1.0)
