import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pairs_platform.core.prices.calendar import session_offset, sessions_ending
from pairs_platform.core.prices.window import ExcludedSymbol
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES
from pairs_platform.core.selection.ranking import monitor_scores, rank_pairs, ranking_scores, selection_funnel
from pairs_platform.core.selection.settings import FunnelSettings, SelectionSettings
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform_tests.support.selection_tables import (
    correlations_of,
    fits_of,
    history_of,
    scores_of,
    screen_of,
)

TODAY = date(2023, 3, 8)
YESTERDAY = session_offset(TODAY, -1)
NO_HISTORY = history_of([])


def rank(screen: dict, scores: dict, history=NO_HISTORY, excluded=(), **settings):
    return rank_pairs(
        correlations_of(screen),
        screen_of(screen),
        scores_of(TODAY, scores),
        history,
        session=TODAY,
        settings=FunnelSettings(selection=SelectionSettings(**({"pinned_pairs": ()} | settings))),
        excluded=excluded,
    ).set_index("pair", drop=False)


def steady(pair: str, score: float, sessions: int = 2):
    return [(session_offset(TODAY, -k), pair, score) for k in range(1, sessions + 1)]


def test_the_tables_of_these_tests_hold_their_contracts():
    screen = {"A_B": {}, "A_C": {"p_cal": 0.5}}
    assert CORRELATION_MATRIX.violations(correlations_of(screen)) == []
    assert COINTEGRATED_PAIRS.violations(screen_of(screen)) == []
    assert GARCH_FITS.violations(fits_of(["A_B", "A_C"])) == []
    assert PAIR_SCORES.violations(scores_of(TODAY, {"A_B": 0.5, "A_C": None})) == []


def test_selected_passes_every_gate_and_keeps_its_full_size_after_three_scores():
    frame = rank({"A_B": {}}, {"A_B": 0.9}, history_of(steady("A_B", 0.8)))
    row = frame.loc["A_B"]
    assert (row["selected"], row["size"], row["provisional"], row["rank"]) == (True, 1.0, False, 1)
    assert row["ranking_score"] == pytest.approx((0.9 + 0.8 + 0.8) / 3)
    assert row["explanation"] == "selected"
    assert row["first_failed_gate"] is None


@pytest.mark.parametrize(("sessions", "size"), [(0, 0.5), (1, 0.5), (2, 1.0), (9, 1.0)])
def test_fewer_than_three_scores_are_provisional_at_half_size(sessions, size):
    row = rank({"A_B": {}}, {"A_B": 0.9}, history_of(steady("A_B", 0.9, sessions))).loc["A_B"]
    assert row["selected"]
    assert row["size"] == size
    assert row["provisional"] == (size < 1)
    assert row["n_scored_sessions"] == min(3, sessions + 1)


@pytest.mark.parametrize(
    ("screen", "score", "gate", "words"),
    [
        ({"corr_log_price": 0.53}, 0.9, "correlation", "0.53 of log prices, at least 0.80 is needed"),
        ({"corr_log_price": np.nan}, 0.9, "correlation", "a leg does not move"),
        ({"p_cal": 0.21}, 0.9, "cointegration", "calibrated p 0.210, below 0.050 is needed"),
        (
            {"status": "beta_not_positive", "reason": "β of B on A is -1, not positive"},
            0.9,
            "cointegration",
            "β of B on A",
        ),
        ({"expected_move_bps": 7.9}, 0.9, "amplitude", "7.9 bp, at least 8.0 bp is needed"),
        ({}, None, "fit", "stopped at iteration 200"),
        ({}, 0.7, "score", "0.70, above 0.70 is needed; weakest component fit"),
    ],
)
def test_each_gate_stops_a_pair_and_says_why(screen, score, gate, words):
    row = rank({"A_B": screen}, {"A_B": score}, history_of(steady("A_B", 0.9))).loc["A_B"]
    assert (row["selected"], row["size"], row["first_failed_gate"]) == (False, 0.0, gate)
    assert words in row["explanation"]
    assert row["explanation"].startswith(f"stopped at {gate}: ")


def test_the_mean_over_sessions_is_a_gate_of_its_own():
    row = rank({"A_B": {}}, {"A_B": 0.9}, history_of(steady("A_B", 0.5))).loc["A_B"]
    assert (row["first_failed_gate"], row["selected"]) == ("ranking", False)
    assert "mean 0.63 of 3 scored sessions, above 0.70" in row["explanation"]
    # and a good past does not carry a pair that fails today
    row = rank({"A_B": {}}, {"A_B": 0.6}, history_of(steady("A_B", 0.95))).loc["A_B"]
    assert row["ranking_score"] > 0.7
    assert (row["first_failed_gate"], row["selected"]) == ("score", False)


def test_a_pair_past_correlation_that_was_not_scored_stops_at_fit():
    frame = rank({"A_B": {}, "A_C": {}}, {"A_B": 0.9})
    assert frame.loc["A_C", "explanation"] == "stopped at fit: the pair was not fitted"
    assert pd.isna(frame.loc["A_C", "rank"])


def test_only_scores_within_the_lookback_and_before_today_count():
    sessions = sessions_ending(TODAY, 12)
    # sessions[1] is 10 before today, and would be among the newest ten scores
    rows = [(day, "A_B", 0.1 * i) for i, day in enumerate(sessions[:-1]) if i != 5]
    settings = SelectionSettings(sessions_averaged=10, lookback_sessions=10)
    today = scores_of(TODAY, {"A_B": 1.0})
    found = ranking_scores(today, history_of(rows), session=TODAY, settings=settings)
    inside = [0.1 * i for i in range(2, 11) if i != 5]
    assert found.loc["A_B", "n_scored_sessions"] == 9
    assert found.loc["A_B", "ranking_score"] == pytest.approx((sum(inside) + 1.0) / 9)
    # a re-run of today and anything later change nothing
    noise = history_of([*rows, (TODAY, "A_B", 0.0), (session_offset(TODAY, 1), "A_B", 0.0)])
    pd.testing.assert_frame_equal(found, ranking_scores(today, noise, session=TODAY, settings=settings))


def test_sessions_without_a_score_are_skipped_not_counted_as_zero():
    rows = [
        (session_offset(TODAY, -1), "A_B", np.nan),
        (session_offset(TODAY, -2), "A_B", 0.8),
        (session_offset(TODAY, -3), "A_B", 0.6),
        (session_offset(TODAY, -4), "A_B", 0.1),
    ]
    found = ranking_scores(
        scores_of(TODAY, {"A_B": 1.0}), history_of(rows), session=TODAY, settings=SelectionSettings()
    )
    assert found.loc["A_B", "ranking_score"] == pytest.approx(0.8)
    assert found.loc["A_B", "n_scored_sessions"] == 3


def test_rank_goes_by_gates_first_then_by_ranking_score_then_by_name():
    screen = {"A_B": {}, "A_C": {"p_cal": 0.5}, "A_D": {}, "B_C": {}, "B_D": {"corr_log_price": 0.1}, "C_D": {}}
    scores = {"A_B": 0.3, "A_C": 0.69, "A_D": 0.9, "B_C": 0.3, "C_D": 0.75}
    frame = rank(screen, scores, watchlist_size=2)
    assert frame["rank"].dropna().index.tolist() == ["A_D", "C_D", "A_B", "B_C", "A_C"]
    assert frame.index[frame["watched"]].tolist() == ["A_B", "B_C"]
    assert frame.index[frame["selected"]].tolist() == ["A_D", "C_D"]
    assert frame.loc["B_D", "first_failed_gate"] == "correlation"


def test_pinned_pairs_of_the_sector_are_shown_even_when_they_are_not_in_the_window():
    frame = rank(
        {"A_B": {"corr_log_price": 0.2}},
        {},
        pinned_pairs=("ROG_PDFS", "B_A", "PDFS_XOM", "CVX_XOM"),
        excluded=[ExcludedSymbol("PDFS", "coverage 40 %"), ExcludedSymbol("ROG", "no prices")],
    )
    assert frame.index.tolist() == ["A_B", "PDFS_ROG"]
    assert frame["pinned"].tolist() == [True, True]
    row = frame.loc["PDFS_ROG"]
    assert (row["status"], row["size"], row["selected"]) == ("not_in_window", 0.0, False)
    assert row["explanation"] == "not in the window: PDFS (coverage 40 %), ROG (no prices)"
    assert frame.loc["A_B", "explanation"].startswith("stopped at correlation")


def test_weakest_component_is_the_one_that_costs_the_score_most():
    components = {"fit": 0.6, "volatility": 0.4, "trading": 0.0, "diagnostics": 0.0}
    # lost weight: 0.16, 0.18, 0.20, 0.10
    scores = scores_of(TODAY, {"A_B": 0.36})
    for name, value in components.items():
        scores[name] = value
    frame = rank_pairs(
        correlations_of({"A_B": {}}),
        screen_of({"A_B": {}}),
        scores,
        NO_HISTORY,
        session=TODAY,
        settings=FunnelSettings(selection=SelectionSettings(pinned_pairs=())),
    )
    assert frame.loc[0, "weakest_component"] == "trading"
    assert "does not earn its costs" in frame.loc[0, "explanation"]


def test_an_empty_window_gives_an_empty_table_that_holds_its_contract():
    frame = rank({}, {})
    assert frame.empty
    assert COMPOSITE_RANKINGS.violations(frame) == []
    funnel = selection_funnel(frame, n_symbols=0)
    assert set(dataclasses.asdict(funnel).values()) == {0}
    excluded = [ExcludedSymbol("PDFS", "no prices"), ExcludedSymbol("ROG", "no prices")]
    frame = rank({}, {}, pinned_pairs=("PDFS_ROG",), excluded=excluded)
    assert COMPOSITE_RANKINGS.violations(frame) == []
    assert frame.loc["PDFS_ROG", "status"] == "not_in_window"
    monitor = monitor_scores(scores_of(TODAY, {}), correlations_of({}))
    assert (monitor.n_scored, monitor.best_pair, monitor.decile_gap) == (0, None, None)


def test_funnel_counts_pairs_by_how_far_they_got():
    screen = {
        "A_B": {},
        "A_C": {"p_cal": 0.5},
        "A_D": {},
        "B_C": {"expected_move_bps": 1.0},
        "B_D": {"corr_log_price": 0.1},
        "C_D": {},
    }
    frame = rank(screen, {"A_B": 0.3, "A_C": 0.69, "A_D": 0.9, "B_C": 0.3, "C_D": None}, pinned_pairs=("PDFS_ROG",))
    assert COMPOSITE_RANKINGS.violations(frame) == []
    funnel = selection_funnel(frame, n_symbols=4)
    assert dataclasses.asdict(funnel) == {
        "n_symbols": 4, "n_pairs": 6, "n_correlated": 5, "n_cointegrated": 4, "n_wide_enough": 3, "n_fitted": 2,
        "n_scored_above_gate": 1, "n_selected": 1,
    }  # fmt: skip


def test_monitoring_of_the_scores():
    pairs = [f"A_{chr(66 + i)}" for i in range(20)]
    scores = scores_of(TODAY, {pair: 0.05 * i for i, pair in enumerate(pairs)})
    scores["sharpe_per_bar"] = np.linspace(-0.05, 0.06, 20)
    scores.loc[3, "sharpe_per_bar"] = np.nan
    correlations = correlations_of({pair: {"corr_log_price": 0.5 + 0.001 * i**2} for i, pair in enumerate(pairs)})
    monitor = monitor_scores(scores, correlations)
    assert monitor.decile_gap == pytest.approx((0.95 + 0.90) / 2 - 0.025)
    assert monitor.correlation_versus_score == pytest.approx(1.0)
    assert monitor.score_quantiles == pytest.approx((0, 0.2375, 0.475, 0.7125, 0.95))
    assert (monitor.n_trials, monitor.best_pair) == (20, pairs[-1])
    # the best of twenty with such a scatter is what chance gives
    assert 0.3 < monitor.best_deflated_sharpe < 0.7


@settings(max_examples=15)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=15),
    past=st.lists(st.tuples(st.integers(0, 14), st.integers(1, 12), st.floats(0, 1)), max_size=40),
)
def test_selected_always_exceeds_the_gate_today_and_on_average(values, past):
    pairs = [f"A_{chr(66 + i)}" for i in range(len(values))]
    known = {(session_offset(TODAY, -k), pairs[i % len(pairs)]): value for i, k, value in past}
    history = history_of([(*key, value) for key, value in known.items()])
    frame = rank({pair: {} for pair in pairs}, dict(zip(pairs, values, strict=True)), history)
    chosen = frame[frame["selected"]]
    assert (chosen[["score", "ranking_score"]] > 0.7).all().all()
    assert ((frame["ranking_score"] >= 0) & (frame["ranking_score"] <= 1) | frame["ranking_score"].isna()).all()
    assert frame["size"].isin([0.0, 0.5, 1.0]).all()


def test_pinned_pairs_are_put_in_order_and_nonsense_is_refused():
    assert SelectionSettings(pinned_pairs=("ROG_PDFS", "PDFS_ROG")).pinned_pairs == ("PDFS_ROG",)
    for wrong in ("ROG", "ROG_ROG", "_ROG", "A_B_C"):
        with pytest.raises(ValidationError, match=r"as in PDFS_ROG|could mean A and B_C"):
            SelectionSettings(pinned_pairs=(wrong,))
