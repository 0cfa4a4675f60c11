import dataclasses
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.features import (
    LaterBars,
    PairDataset,
    later_bars,
    next_bar_of_day,
    row_features,
    usable_rows,
)
from pairs_platform.core.models.inputs import (
    CLIP,
    FEATURES,
    SMALLEST_VOLATILITY,
    feature_matrix,
    fit_scaling,
    known_sequences,
)
from pairs_platform.core.models.labels import first_passage, reverts_next
from pairs_platform.core.models.settings import SplitSettings
from pairs_platform.core.models.splits import FEATURE_LOOKBACK_BARS as LOOKBACK
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.trading.rule import stop_band
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform.core.volatility.contracts import IN_SAMPLE
from pairs_platform.core.volatility.garch import (
    GarchState,
    advance,
    conditional_variance,
    standardised_residuals,
)
from pairs_platform.core.volatility.parameters import leg_shocks_excluded
from pairs_platform_tests.support.model_samples import (
    EARLY_CLOSE,
    RULES,
    bars_of,
    pairs_of,
    planted_window,
    prepared,
    walk_window,
    window_ending,
    with_label,
)
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    planted_pairs,
    window_of_legs,
    with_missing_bars,
)

LENGTH = RULES.network.sequence_length
BARS = 78
Z = FEATURES.index("lag_1")


@cache
def gappy() -> tuple[PriceWindow, tuple[PairDataset, ...], pd.DataFrame]:
    """Two planted pairs with lost bars, filled bars, and an early close; 14 sessions."""
    window = with_missing_bars(window_ending(date(2022, 11, 29), 14, n_pairs=2), 5, share=0.01, holes=2)
    datasets, _, fits = prepared(window)
    assert [one.status for one in datasets] == ["ok", "ok"]
    return window, tuple(datasets), fits


def by_hand(z: list[float]) -> dict[str, float]:
    """The features that rest on z alone, at the last bar of z, one number after the other."""
    newest = z[::-1]
    changes = [newest[k] - newest[k + 1] for k in range(20)]
    ups = sum(one for one in changes[:14] if one > 0)
    downs = -sum(one for one in changes[:14] if one < 0)
    mean = sum(newest[:20]) / 20
    deviation = (sum((one - mean) ** 2 for one in newest[:20]) / 20) ** 0.5
    return {
        **{f"lag_{k}": newest[k - 1] for k in range(1, 6)},
        "ma_5": sum(newest[:5]) / 5,
        "ma_20": mean,
        "rsi_14": ups / (ups + downs),
        "rolling_z": (z[-1] - mean) / deviation,
        "rolling_volatility": float(np.log((sum(one**2 for one in changes) / 20) ** 0.5)),
    }


def matrix_of(z, *, next_volatility=None, residual=None, sigma=0.02, mu=0.3) -> np.ndarray:
    n = len(z)
    return feature_matrix(
        mu + sigma * np.asarray(z, float),
        mu=mu,
        sigma=sigma,
        next_volatility=np.full(n, sigma) if next_volatility is None else next_volatility,
        residual=np.zeros(n) if residual is None else residual,
        bar_of_day=np.arange(n) % BARS,
        bars_per_session=BARS,
    )


class TestFeatureMatrix:
    def test_every_feature_of_a_row_by_hand(self):
        rng = np.random.default_rng(3)
        z, volatility, residual = rng.normal(0, 1, 40), rng.uniform(0.01, 0.03, 40), rng.normal(0, 1, 40)
        matrix = matrix_of(z, next_volatility=volatility, residual=residual)
        assert matrix.shape == (40, 13)
        for t in (20, 33, 39):
            expected = by_hand(z[: t + 1].tolist()) | {
                "conditional_volatility": np.log(volatility[t] / 0.02),
                "standardised_residual": residual[t],
                "bar_of_day": t / (BARS - 1),
            }
            assert tuple(expected) == FEATURES
            np.testing.assert_allclose(matrix[t], list(expected.values()), rtol=1e-9, atol=1e-9)

    def test_the_lookback_is_what_purges_count_with(self):
        matrix = matrix_of(np.random.default_rng(1).normal(0, 1, 60))
        assert np.isnan(matrix[:LOOKBACK]).all()
        assert np.isfinite(matrix[LOOKBACK:]).all()

    def test_an_unknown_bar_removes_its_row_and_those_that_lookback_on_it(self):
        z = np.random.default_rng(1).normal(0, 1, 90)
        z[40] = np.nan
        known = np.isfinite(matrix_of(z)).all(axis=1)
        assert np.flatnonzero(~known).tolist() == [*range(20), *range(40, 61)]
        np.testing.assert_array_equal(np.isnan(matrix_of(z)).all(axis=1), ~known)

    def test_bars_before_the_lookback_change_nothing(self):
        z = np.random.default_rng(1).normal(0, 1, 60)
        other = np.r_[z[:25] + 3.0, z[25:]]
        np.testing.assert_array_equal(matrix_of(z)[45:], matrix_of(other)[45:])
        assert (matrix_of(z)[44] != matrix_of(other)[44]).any()

    def test_a_bar_without_a_shock_has_the_expected_residual(self):
        residual = np.ones(30)
        residual[25] = np.nan
        found = matrix_of(np.random.default_rng(1).normal(0, 1, 30), residual=residual)[
            :, FEATURES.index("standardised_residual")
        ]
        assert found[24:27].tolist() == [1.0, 0.0, 1.0]

    def test_a_spread_that_stands_still_has_neutral_features(self):
        row = dict(zip(FEATURES, matrix_of(np.full(25, 1.5))[-1], strict=True))
        assert row["rsi_14"] == 0.5
        assert abs(row["rolling_z"]) <= 1.0
        assert row["rolling_volatility"] == np.log(SMALLEST_VOLATILITY)
        assert row["ma_20"] == pytest.approx(1.5)

    @settings(max_examples=30)
    @given(st.integers(0, 2**31), st.integers(1, 120))
    def test_rows_do_not_depend_on_how_many_bars_follow(self, seed, n_bars):
        rng = np.random.default_rng(seed)
        z = np.where(rng.random(120) < 0.02, np.nan, np.cumsum(rng.normal(0, 0.3, 120)))
        volatility, residual = rng.uniform(0.01, 0.03, 120), rng.normal(0, 1, 120)
        whole = matrix_of(z, next_volatility=volatility, residual=residual)
        part = matrix_of(z[:n_bars], next_volatility=volatility[:n_bars], residual=residual[:n_bars])
        np.testing.assert_array_equal(part, whole[:n_bars])


class TestScaling:
    def test_training_rows_get_mean_zero_and_deviation_one_and_unknown_rows_stay_unknown(self):
        rng = np.random.default_rng(1)
        rows = rng.normal(5.0, 3.0, (400, 13))
        rows[7] = np.nan
        scaled = fit_scaling(rows).apply(rows)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(np.nanmean(scaled, axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(np.nanstd(scaled, axis=0), 1.0, atol=1e-6)
        assert np.isnan(scaled[7]).all()

    def test_a_constant_feature_keeps_its_unit_and_far_values_are_clipped(self):
        rows = np.random.default_rng(1).normal(0.0, 1.0, (50, 13))
        rows[:, 3] = 4.0
        scaling = fit_scaling(rows)
        assert (scaling.centre[3], scaling.scale[3]) == (4.0, 1.0)
        assert scaling.apply(np.full((1, 13), 1e6)).tolist() == [[CLIP] * 13]
        assert scaling.apply(np.full((1, 13), -1e6)).tolist() == [[-CLIP] * 13]

    def test_it_needs_a_complete_row(self):
        with pytest.raises(DataError, match="no training row has all its features"):
            fit_scaling(np.full((5, 13), np.nan))


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 12))
def test_a_sequence_is_known_when_each_of_its_rows_is(known, length):
    features = np.where(np.array(known, bool)[:, None], np.ones((len(known), 13)), np.nan)
    expected = [t + 1 >= length and all(known[t + 1 - length : t + 1]) for t in range(len(known))]
    assert known_sequences(features, length).tolist() == expected
    label = np.where(np.arange(len(known)) % 3 == 0, np.nan, 1.0)
    assert usable_rows(features, label, length).tolist() == [one and t % 3 != 0 for t, one in enumerate(expected)]


class TestNextBarOfDay:
    def test_inside_the_window_it_is_the_next_bar_over_an_early_close_too(self):
        window = window_ending(date(2022, 11, 28), 4)
        following = next_bar_of_day(window)
        np.testing.assert_array_equal(following[:-1], window.bar_of_day[1:])
        last_of_day = np.flatnonzero(window.session == np.datetime64(EARLY_CLOSE))[-1]
        assert (window.bar_of_day[last_of_day], following[last_of_day]) == (41, 0)

    @pytest.mark.parametrize(
        ("last", "dropped", "expected"),
        [(date(2022, 11, 28), 0, 0), (date(2022, 11, 28), 1, 77), (EARLY_CLOSE, 0, 0), (EARLY_CLOSE, 2, 40)],
    )
    def test_behind_the_last_bar_the_calendar_says_it(self, last, dropped, expected):
        window = window_ending(last, 3)
        assert next_bar_of_day(bars_of(window, 0, window.n_bars - dropped))[-1] == expected

    def test_daily_bars_are_each_the_first_of_their_day(self):
        legs = planted_pairs(1, 60, 1, garch_variance)
        assert next_bar_of_day(window_of_legs(legs, frequency=Frequency.ONE_DAY)).tolist() == [0] * 60


class TestDatasets:
    def test_what_a_dataset_holds(self):
        window = planted_window(2)
        (first, second), plan, fits = prepared(window)
        assert (first.pair, second.pair) == tuple(pairs_of(window)["pair"])
        assert fits["parameter_set"].eq(IN_SAMPLE).all()
        for one in (first, second):
            assert (one.status, one.reason, one.horizon_bars) == ("ok", "", 1)
            assert one.features.shape == (window.n_bars, 13)
            assert one.features.dtype == np.float32
            assert one.fit.n_obs == plan.train.stop - 1
            assert one.parameters.n_bars == plan.train.stop
            np.testing.assert_array_equal(one.ts_utc, window.ts_utc.tz_localize(None).to_numpy())
            assert one.scaling == fit_scaling(one.features[plan.train])
            np.testing.assert_array_equal(one.scaled(), one.scaling.apply(one.features))
            assert one.tail_variance[-1] == one.state.variance
            assert len(one.tail_variance) == len(one.tail_residual) == LENGTH

    def test_columns_are_made_of_the_training_parts_spread_and_its_garch_recursion(self):
        window, datasets, _ = gappy()
        one = datasets[0]
        y, x = (window.log_close[:, window.column(leg)] for leg in (one.parameters.y, one.parameters.x))
        spread = y - one.parameters.alpha - one.parameters.beta * x
        excluded = leg_shocks_excluded(window, one.parameters.y, one.parameters.x)
        h = conditional_variance(one.fit, spread, window.bar_of_day, excluded)
        forecast = np.array(one.fit.diurnal)[next_bar_of_day(window)] * np.sqrt(h[1:])
        residual = standardised_residuals(one.fit, spread, window.bar_of_day, excluded)
        columns = dict(zip(FEATURES, one.features.T, strict=True))
        known = np.isfinite(columns["lag_1"])
        expected = {
            "lag_1": (spread - one.parameters.mu) / one.parameters.sigma,
            "conditional_volatility": np.log(forecast / one.parameters.sigma),
            "standardised_residual": np.where(np.isnan(residual), 0.0, residual),
            "bar_of_day": window.bar_of_day / 77.0,
        }
        for name, values in expected.items():
            np.testing.assert_array_equal(columns[name][known], values[known].astype(np.float32), err_msg=name)
        np.testing.assert_array_equal(one.excess, np.abs(spread - one.parameters.mu) / forecast)
        np.testing.assert_array_equal(one.label, reverts_next(spread, one.parameters.mu, 1, excluded))
        dropped = excluded[known] & np.isfinite(spread[known])
        assert dropped.any()
        assert (columns["standardised_residual"][known][dropped] == 0.0).all()
        assert (~known[LOOKBACK:]).any()

    def test_overnight_labels_are_marked(self):
        (one, _), _, _ = prepared(planted_window(2))
        assert np.flatnonzero(one.overnight).tolist() == [77 + BARS * k for k in range(12)]
        settings = with_label(horizon="half_of_half_life", max_horizon_bars=3)
        (one, _), _, _ = prepared(planted_window(2), settings=settings)
        assert one.horizon_bars == 3
        assert np.flatnonzero(one.overnight)[:4].tolist() == [75, 76, 77, 153]

    def test_the_purge_follows_the_longest_horizon_of_the_sector(self):
        window = planted_window(4, seed=2)
        datasets, plan, fits = prepared(window, settings=with_label(horizon="half_of_half_life"))
        horizons = [one.horizon_bars for one in datasets]
        assert horizons == [round(half_life / 2) for half_life in fits["half_life_bars"]]
        assert len(set(horizons)) > 1
        assert plan.purge_bars == LENGTH + LOOKBACK + max(horizons)

    def test_first_passage_labels_follow_the_settings_of_trading_and_costs(self):
        window = planted_window(1, seed=3)
        settings = with_label(kind="first_passage", max_horizon_bars=20)
        settings = settings.model_copy(update={"split": SplitSettings(min_test_labels=5)})
        (one,), plan, _ = prepared(window, settings=settings)
        assert (one.status, one.horizon_bars, plan.purge_bars) == ("ok", 20, LENGTH + LOOKBACK + 20)
        y, x = (window.log_close[:, window.column(leg)] for leg in (one.parameters.y, one.parameters.x))
        spread = one.parameters.spread(y, x)
        h = conditional_variance(one.fit, spread, window.bar_of_day)
        expected = first_passage(
            spread,
            one.parameters,
            band=stop_band(one.parameters.sigma, h[1:], one.fit.mean_variance),
            excluded=np.zeros(window.n_bars, bool),
            max_bars=20,
            trading=TradingSettings(),
            costs=CostSettings(),
        )
        np.testing.assert_array_equal(one.label, expected)
        np.testing.assert_array_equal(np.isfinite(one.label[:-20]), np.abs(one.parameters.z(spread[:-20])) >= 2.0)
        assert set(np.unique(one.label[np.isfinite(one.label)])) == {0.0, 1.0}


class TestWithoutData:
    def test_pairs_without_a_direction_or_a_spread_say_so_and_the_others_go_on(self):
        window = planted_window(3)
        pairs = pairs_of(window)
        pairs.loc[0, ["y", "x"]] = None
        legs = window.log_close.copy()
        legs[:, 2] = np.log(50.0)
        datasets, _, _ = prepared(dataclasses.replace(window, log_close=legs), pairs=pairs)
        assert [one.status for one in datasets] == ["no_fit", "no_fit", "ok"]
        assert datasets[0].reason.startswith("no_direction: ")
        assert datasets[1].reason
        assert all(one.features.shape == (0, 13) and not len(one.label) for one in datasets[:2])

    def test_a_horizon_from_a_half_life_needs_one(self):
        window = planted_window(2)
        legs = window.log_close.copy()
        rng = np.random.default_rng(1)
        noise = rng.normal(0, 1e-3, window.n_bars)
        legs[1:, 1] = legs[1:, 0] + noise[1:] - 0.5 * noise[:-1]  # swings back at once: no positive φ
        changed = dataclasses.replace(window, log_close=legs)
        (one, other), _, _ = prepared(changed, settings=with_label(horizon="half_of_half_life"))
        assert (one.status, other.status) == ("no_labels", "ok")
        assert one.reason == "the horizon follows from a half-life, and has none"
        assert prepared(changed)[0][0].status == "ok"

    def test_too_few_test_labels_are_counted(self):
        settings = RULES.model_copy(update={"split": SplitSettings(min_test_labels=177)})
        window = planted_window(1)
        (one,), plan, _ = prepared(window, settings=settings)
        assert plan.test == slice(837, 1_014)
        assert one.status == "insufficient_data"
        # 177 rows, of which the last has no label
        assert (
            one.reason
            == "584 train labels, 177 validation labels, 176 test labels; at least 177 test labels are needed"
        )

    def test_a_year_of_daily_bars_is_not_enough_under_the_shipped_settings(self):
        window = window_of_legs(planted_pairs(2, 252, 1, garch_variance), frequency=Frequency.ONE_DAY)
        settings = RULES.model_copy(update={"split": SplitSettings()})
        datasets, _, _ = prepared(window, settings=settings)
        assert [one.status for one in datasets] == ["insufficient_data"] * 2

    def test_no_candidate_is_a_normal_outcome(self):
        window = planted_window(1)
        datasets, plan, fits = prepared(window, pairs=pairs_of(window).iloc[:0])
        assert (datasets, len(fits)) == ([], 0)
        assert plan.n_bars == window.n_bars


class TestNoLookAhead:
    def test_rows_made_from_bars_up_to_their_own_are_the_stored_ones_bit_for_bit(self):
        window, datasets, fits = gappy()
        rng = np.random.default_rng(1)
        early = np.flatnonzero(window.session == np.datetime64(EARLY_CLOSE))
        for one in datasets:
            for t in [
                LOOKBACK,
                early[-2],
                early[-1],
                early[-1] + 1,
                window.n_bars - 1,
                *rng.integers(BARS, window.n_bars, 12),
            ]:
                known_then = bars_of(window, 0, t + 1)
                again = row_features(known_then, fits, one.pair, window.ts_utc[t])
                if t >= BARS:
                    np.testing.assert_array_equal(np.array(list(again.values())), one.features[t])
                assert row_features(window, fits, one.pair, window.ts_utc[t]).keys() == again.keys()
                np.testing.assert_array_equal(
                    list(row_features(window, fits, one.pair, window.ts_utc[t]).values()), one.features[t]
                )

    def test_a_moment_that_is_no_bar_is_refused(self):
        window, datasets, fits = gappy()
        with pytest.raises(ValueError, match="is not in list"):
            row_features(window, fits, datasets[0].pair, window.ts_utc[5] + pd.Timedelta("1min"))

    def test_nothing_that_is_estimated_sees_a_bar_after_the_training_part(self):
        window = planted_window(2)
        datasets, plan, fits = prepared(window)
        legs = window.log_close.copy()
        rng = np.random.default_rng(9)
        legs[plan.train.stop :] += np.cumsum(rng.normal(0, 5e-3, legs[plan.train.stop :].shape), axis=0)
        others, _, other_fits = prepared(dataclasses.replace(window, log_close=legs))
        pd.testing.assert_frame_equal(fits, other_fits)
        for one, other in zip(datasets, others, strict=True):
            assert repr((one.parameters, one.fit, one.scaling)) == repr((other.parameters, other.fit, other.scaling))
            # the last training label looks one bar ahead, into the purge
            np.testing.assert_array_equal(one.features[plan.train], other.features[plan.train])
            np.testing.assert_array_equal(one.label[: plan.train.stop - 1], other.label[: plan.train.stop - 1])
            assert (one.features[plan.test] != other.features[plan.test]).any(axis=1).all()

    def test_a_label_looks_ahead_by_its_horizon_and_no_further(self):
        window = planted_window(1)
        (one,), _, _ = prepared(window)
        legs = window.log_close.copy()
        legs[900:, 1] += 0.05
        (other,), _, _ = prepared(dataclasses.replace(window, log_close=legs))
        np.testing.assert_array_equal(one.label[:899], other.label[:899])
        np.testing.assert_array_equal(one.features[:900], other.features[:900])

    def test_a_pair_does_not_depend_on_its_neighbours(self):
        window = planted_window(3)
        together = prepared(window)[0]
        alone = prepared(window, pairs=pairs_of(window).iloc[[1]])[0][0]
        np.testing.assert_array_equal(alone.features, together[1].features)
        np.testing.assert_array_equal(alone.label, together[1].label)
        assert alone.scaling == together[1].scaling


def asked(window: PriceWindow, model: PairDataset, after: date, **changed) -> LaterBars:
    """What the model of a dataset is asked about on the bars of `window` after a session."""
    return later_bars(window, dataclasses.replace(model, **changed), bars_per_session=BARS, after=after)


def in_one_go(window: PriceWindow, model: PairDataset) -> dict[str, np.ndarray]:
    """The model's features, labels and excess over a whole window, by the recursion from its beginning."""
    parameters, fit = model.parameters, model.fit
    y, x = (window.log_close[:, window.column(leg)] for leg in (parameters.y, parameters.x))
    spread, excluded = parameters.spread(y, x), leg_shocks_excluded(window, parameters.y, parameters.x)
    h = conditional_variance(fit, spread, window.bar_of_day, excluded)
    volatility = np.array(fit.diurnal)[next_bar_of_day(window)] * np.sqrt(h[1:])
    features = feature_matrix(
        spread,
        mu=parameters.mu,
        sigma=parameters.sigma,
        next_volatility=volatility,
        residual=standardised_residuals(fit, spread, window.bar_of_day, excluded),
        bar_of_day=window.bar_of_day,
        bars_per_session=BARS,
    )
    return {
        "features": features.astype(np.float32),
        "label": reverts_next(spread, parameters.mu, model.horizon_bars, excluded),
        "excess": np.abs(spread - parameters.mu) / volatility,
    }


FEW_LABELS = RULES.model_copy(update={"split": SplitSettings(min_test_labels=20)})
SEEN = 10 * BARS
"""A model is trained on the first ten sessions; it is asked about the three after them."""


@pytest.fixture(scope="module")
def window() -> PriceWindow:
    return planted_window(2, seed=4)


@pytest.fixture(scope="module")
def model(window) -> PairDataset:
    return prepared(bars_of(window, 0, SEEN), settings=FEW_LABELS)[0][1]


@pytest.fixture(scope="module")
def after(window) -> date:
    return window.session[SEEN - 1].astype(date)


@pytest.fixture(scope="module")
def whole(window, model) -> dict[str, np.ndarray]:
    return in_one_go(window, model)


class TestLaterBars:
    def test_they_equal_one_go_over_the_whole_window_bit_for_bit(self, window, model, after, whole):
        assert model.pair == pairs_of(window)["pair"][1]
        for start in (0, 300, SEEN - LENGTH - LOOKBACK):  # windows that slide on, up to the last one that serves
            bars = asked(bars_of(window, start, window.n_bars), model, after)
            assert (bars.status, bars.reason) == ("ok", "")
            assert len(bars.ts_utc) == 3 * BARS
            np.testing.assert_array_equal(bars.features, whole["features"][SEEN - LENGTH + 1 :])
            np.testing.assert_array_equal(bars.label, whole["label"][SEEN:])
            np.testing.assert_array_equal(bars.excess, whole["excess"][SEEN:])
            np.testing.assert_array_equal(bars.session, window.session[SEEN:])

    def test_the_rows_before_them_are_the_models_own(self, window, model, after):
        bars = asked(window, model, after)
        np.testing.assert_array_equal(bars.features[: LENGTH - 1], model.features[1 - LENGTH :])
        assert known_sequences(bars.features, LENGTH)[LENGTH - 1 :].all()

    def test_bars_that_arrive_one_by_one_give_the_same_rows(self, window, model, after, whole):
        for t in [SEEN, SEEN + 1, SEEN + 77, SEEN + 78, SEEN + 150, window.n_bars - 1]:
            bars = asked(bars_of(window, 200, t + 1), model, after)
            assert bars.ts_utc[-1] == window.ts_utc[t].tz_localize(None).to_datetime64()
            np.testing.assert_array_equal(bars.features[-1], whole["features"][t])
            assert bars.excess[-1] == whole["excess"][t]

    def test_the_streamed_state_is_where_the_recursion_stands(self, window, model, after):
        bars = asked(window, model, after)
        y, x = (window.log_close[:, window.column(leg)] for leg in (model.parameters.y, model.parameters.x))
        spread, state, following = model.parameters.spread(y, x), model.state, next_bar_of_day(window)
        column = bars.features[LENGTH - 1 :, FEATURES.index("conditional_volatility")]
        for t in range(SEEN, SEEN + 100):
            state = advance(model.fit, state, float(spread[t]), int(window.bar_of_day[t]))
            expected = np.log(model.fit.diurnal[following[t]] * np.sqrt(state.variance) / model.parameters.sigma)
            assert column[t - SEEN] == np.float32(expected)

    def test_over_gaps_filled_bars_and_an_early_close(self):
        window, _, _ = gappy()
        model = prepared(bars_of(window, 0, SEEN), settings=FEW_LABELS)[0][1]
        assert model.status == "ok"
        after = window.session[SEEN - 1].astype(date)
        assert window.session[SEEN] <= np.datetime64(EARLY_CLOSE)
        bars, whole = asked(window, model, after), in_one_go(window, model)
        assert bars.status == "ok"
        assert np.isnan(bars.features).any()
        assert np.isnan(bars.label[:-1]).any()
        for found, expected in (
            (bars.features, whole["features"][SEEN - LENGTH + 1 :]),
            (bars.label, whole["label"][SEEN:]),
            (bars.excess, whole["excess"][SEEN:]),
        ):
            np.testing.assert_array_equal(found, expected)

    def test_a_leg_that_left_the_sector(self, window, model, after):
        bars = asked(dataclasses.replace(window, symbols=("S00000", "S00001", "AAA", "BBB")), model, after)
        assert bars.status == "leg_missing"
        assert bars.reason == f"{model.parameters.y}, {model.parameters.x} is not in the window"
        assert bars.features.shape == (0, 13)

    def test_a_window_that_no_longer_holds_the_models_last_bars(self, window, model, after):
        needed = LENGTH + LOOKBACK
        start = SEEN - needed
        assert asked(bars_of(window, start, window.n_bars), model, after).status == "ok"
        bars = asked(bars_of(window, start + 1, window.n_bars), model, after)
        assert bars.status == "out_of_reach"
        assert bars.reason == f"the window does not hold the {needed} bars up to {after}"

    def test_a_window_without_the_session_that_the_model_ended_with(self, window, model):
        assert asked(window, model, date(2023, 3, 5)).status == "out_of_reach"

    def test_a_model_that_ended_inside_a_gap_cannot_notice_adjusted_prices(self, window, model, after):
        bars = asked(window, model, after, state=GarchState(float("nan"), model.state.variance))
        assert bars.status == "out_of_reach"
        assert "nobody can tell whether prices were adjusted" in bars.reason

    def test_an_ex_date_of_a_leg_since_the_model(self, window, model, after):
        for leg in (model.parameters.y, model.parameters.x):
            ex_action = window.ex_action.copy()
            ex_action[SEEN + BARS, window.column(leg)] = True
            bars = asked(dataclasses.replace(window, ex_action=ex_action), model, after)
            assert (bars.status, len(bars.label)) == ("corporate_action", 0)
            assert bars.reason == f"prices of a leg were adjusted or fell ex after {after}"

    def test_ex_dates_before_and_of_other_symbols_do_not_matter(self, window, model, after):
        ex_action = window.ex_action.copy()
        ex_action[SEEN + BARS, 0] = True
        ex_action[SEEN - BARS, 2] = True
        assert asked(dataclasses.replace(window, ex_action=ex_action), model, after).status == "ok"

    @pytest.mark.parametrize(
        ("shift", "status"), [(-np.log(2.0), "corporate_action"), (1e-8, "corporate_action"), (1e-12, "ok")]
    )
    def test_prices_that_were_adjusted_since(self, window, model, after, shift, status):
        log_close = window.log_close.copy()
        log_close[:, window.column(model.parameters.y)] += shift
        assert asked(dataclasses.replace(window, log_close=log_close), model, after).status == status


def test_a_random_walk_gets_features_and_labels_like_any_other_pair():
    datasets, _, _ = prepared(walk_window(2))
    assert [one.status for one in datasets] == ["ok", "ok"]
