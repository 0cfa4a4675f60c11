"""Placebo universes: what they keep, what they destroy, and what they say about found pairs."""

import numpy as np
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import draw_sessions, placebo_counts
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PlaceboSettings
from pairs_platform_tests.support.windows import make_window, planted_pair, random_walks

CORRELATION, COINTEGRATION, PLACEBO = CorrelationSettings(), CointegrationSettings(), PlaceboSettings()


def found_in(window):
    correlated = pair_correlations(window, CORRELATION)["passes_correlation"].to_numpy()
    frame = screen_pairs(
        window,
        settings=COINTEGRATION,
        entry_z=2.0,
        exit_z=0.5,
        round_trip_cost_bps=8.0,
        correlated=np.zeros_like(correlated),
    )
    return int((frame["passes_cointegration"].to_numpy() & correlated).sum())


def placebos_of(window, **changes):
    arguments = {"correlation": CORRELATION, "cointegration": COINTEGRATION, "placebo": PLACEBO, "found": 0}
    return placebo_counts(window, **(arguments | changes))


def test_random_walks_are_inside_the_band_of_both_placebos():
    window = make_window(random_walks(252, 30, seed=1))
    found = found_in(window)
    for result in placebos_of(window, found=found).values():
        assert result.p05 <= found <= result.p95
        assert result.p_at_least_found > 0.05


def test_planted_pairs_are_more_than_either_placebo():
    legs = [planted_pair(252, seed=s, phi=0.5, noise=0.006) for s in range(15)]
    window = make_window(np.concatenate(legs, axis=1))
    found = found_in(window)
    assert found >= 13
    for result in placebos_of(window, found=found).values():
        assert result.p_at_least_found == pytest.approx(1 / 51)
        assert result.mean + 3.0 * result.standard_error < found


def test_the_joint_placebo_keeps_cross_correlation_and_the_independent_one_does_not():
    rng = np.random.default_rng(3)
    steps = 0.01 * (rng.standard_normal((252, 1)) + 0.3 * rng.standard_normal((252, 10)))
    window = make_window(4.0 + steps.cumsum(axis=0))
    settings = CorrelationSettings(basis="log_return")
    results = placebos_of(window, correlation=settings)
    assert results["joint"].mean_correlated == pytest.approx(45.0)
    assert results["independent"].mean_correlated == 0.0


def test_figures_follow_from_the_counts():
    window = make_window(random_walks(150, 20, seed=4))
    for kind, result in placebos_of(window, found=2).items():
        assert result.kind == kind
        assert len(result.counts) == len(result.counts_correlated) == result.n_draws == 50
        assert result.mean == pytest.approx(np.mean(result.counts))
        assert result.standard_error == pytest.approx(np.std(result.counts, ddof=1) / np.sqrt(50))
        assert result.p95_correlated == np.quantile(result.counts_correlated, 0.95)
        assert result.p_at_least_found == (1 + sum(c >= 2 for c in result.counts)) / 51
        assert all(c <= k for c, k in zip(result.counts, result.counts_correlated, strict=True))


def test_the_gates_are_those_of_the_screen():
    window = make_window(random_walks(252, 25, seed=5))
    wide = placebos_of(window)
    no_beta = placebos_of(window, cointegration=CointegrationSettings(min_beta=9.0))
    loose = placebos_of(window, cointegration=CointegrationSettings(gate=0.5))
    short = placebos_of(window, cointegration=CointegrationSettings(min_bars=300))
    for kind in wide:
        assert no_beta[kind].mean < wide[kind].mean < loose[kind].mean
        assert short[kind].mean == 0.0
        assert wide[kind].counts_correlated == no_beta[kind].counts_correlated


def test_the_seed_repeats():
    window = make_window(random_walks(150, 8, seed=6))
    first = placebos_of(window)
    assert placebos_of(window) == first
    assert placebos_of(window, placebo=PlaceboSettings(seed=9)) != first


def test_gaps_and_a_constant_symbol_do_not_stop_it():
    log_close = random_walks(150, 6, seed=7)
    log_close[40:60, 2] = np.nan
    log_close[:, 4] = 3.0
    for result in placebos_of(make_window(log_close)).values():
        assert np.isfinite([result.mean, result.standard_error, result.mean_correlated]).all()


def test_sessions_are_drawn_whole_with_their_early_closes():
    window = make_window(random_walks(2000, 2, seed=8), frequency=Frequency.FIVE_MINUTES)
    lengths = {78, 42}
    session = window.session[window.session > window.session[0]]
    assert set(np.unique(session, return_counts=True)[1]) == lengths
    rows = draw_sessions(session, np.random.default_rng(1))
    assert len(rows) == len(session)
    starts = np.flatnonzero(np.r_[True, np.diff(rows) != 1])
    assert (session[rows[starts]] != session[rows[starts] - 1])[rows[starts] > 0].all()
    drawn = np.diff(np.r_[np.flatnonzero(np.r_[True, session[rows[1:]] != session[rows[:-1]]]), len(rows)])
    assert (np.isin(drawn[:-1] % 78, [0, 42]) | np.isin(drawn[:-1] % 42, [0])).all()


def test_every_session_is_equally_likely():
    session = np.repeat(np.arange(20), [4, *[9] * 19])
    rng = np.random.default_rng(2)
    draws = np.concatenate([session[draw_sessions(session, rng)[:80]] for _ in range(2000)])
    per_bar = np.bincount(draws, minlength=20) / np.bincount(session)
    assert per_bar.std() / per_bar.mean() < 0.1
