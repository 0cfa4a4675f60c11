import math
from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.risk.denials import DenialCode
from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, SizingSettings
from pairs_platform.core.risk.sizing import (
    SizingInput,
    SpreadVariance,
    entry_caps,
    expected_move,
    expected_variances,
    gap_deviation,
    holding_bars,
    holding_variance,
    size_entry,
)
from pairs_platform.core.trading.quantities import leg_quantities
from pairs_platform.core.volatility import likelihood
from pairs_platform.core.volatility.garch import final_state, fit_ar_garch
from pairs_platform_tests.support.garch_simulation import day, simulate, u_shape
from pairs_platform_tests.support.risk_entries import PRICES, book, holding

SPREAD = SpreadVariance(
    phi=0.9, omega=2e-8, alpha1=0.08, beta1=0.9, next_variance=3e-6, diurnal=(2.0, 0.8, 1.2), next_bar_of_day=1
)
SETTINGS = SizingSettings()
GIVEN = SizingInput(
    equity=100_000.0, beta=1.2, deviation=-0.02, band=0.008, stop_multiple=4.0, half_life_bars=6.58,
    max_hold_bars=19.7, spread=SPREAD,
)  # fmt: skip
MUST_BE_POSITIVE = (
    "equity", "band", "stop_multiple", "half_life_bars", "max_hold_bars", "size", "phi", "omega", "alpha1", "beta1",
    "next_variance",
)  # fmt: skip


def sampled(spread: SpreadVariance, n_bars: int, draws: int, seed: int) -> np.ndarray:
    """s_{t+H} less its expectation, from draws of the model's own recursion; shape (draws,)."""
    rng = np.random.default_rng(seed)
    h, s = np.full(draws, spread.next_variance), np.zeros(draws)
    for j in range(n_bars):
        u = np.sqrt(h) * rng.standard_normal(draws)
        s = spread.phi * s + spread.diurnal[(spread.next_bar_of_day + j) % len(spread.diurnal)] * u
        h = spread.omega + spread.alpha1 * u**2 + spread.beta1 * h
    return s


class TestForecast:
    def test_each_step_is_the_recursion_of_the_volatility_model_with_its_expected_shock(self):
        for persistent in (SPREAD, replace(SPREAD, beta1=0.92)):
            h = [persistent.next_variance]
            for _ in range(30):
                # E u² = h: a shock of √h.
                h.append(
                    likelihood.next_variance(
                        h[-1], math.sqrt(h[-1]), persistent.omega, persistent.alpha1, persistent.beta1
                    )
                )
            np.testing.assert_allclose(expected_variances(persistent, 31), h, rtol=1e-12)

    def test_it_begins_at_the_known_variance_and_ends_at_the_unconditional_one(self):
        path = expected_variances(SPREAD, 2000)
        assert path[0] == SPREAD.next_variance
        assert path[-1] == pytest.approx(SPREAD.omega / 0.02)
        assert (np.diff(path) <= 0).all()

    @pytest.mark.parametrize(
        "spread", [SPREAD, replace(SPREAD, beta1=0.92), replace(SPREAD, phi=0.5, next_bar_of_day=0)]
    )
    @pytest.mark.parametrize("n_bars", [1, 7, 20])
    def test_the_variance_of_the_holding_time_is_that_of_simulated_paths(self, spread, n_bars):
        squares = sampled(spread, n_bars, 40_000, seed=11) ** 2
        error = squares.std() / math.sqrt(len(squares))
        assert squares.mean() == pytest.approx(holding_variance(spread, n_bars), abs=4 * error)

    def test_it_goes_on_from_a_fit_of_the_platform(self):
        """Bars after the sample, whose shape of the day and parameters the fit has found."""
        rng = np.random.default_rng(4)
        d = np.tile(u_shape(26), 60)
        s = simulate(rng, len(d), phi=0.9, d=d)[:, 0]
        fit = fit_ar_garch(s, bar_of_day=day(60, 26), bars_per_session=26)
        spread = SpreadVariance(
            phi=fit.phi, omega=fit.omega, alpha1=fit.alpha1, beta1=fit.beta1,
            next_variance=final_state(fit).variance, diurnal=fit.diurnal, next_bar_of_day=0,
        )  # fmt: skip
        assert math.sqrt(holding_variance(spread, 1)) == pytest.approx(fit.next_volatility, rel=1e-12)
        squares = sampled(spread, 30, 40_000, seed=12) ** 2
        assert squares.mean() == pytest.approx(holding_variance(spread, 30), abs=4 * squares.std() / 200)

    def test_every_night_that_is_held_counts_once(self):
        flat = replace(SPREAD, phi=1 - 1e-12, omega=2e-8, next_variance=1e-6, diurnal=(3.0, 0.5), next_bar_of_day=1)
        assert [holding_variance(flat, n) for n in (1, 2, 3, 4)] == pytest.approx(
            [0.25e-6, 9.25e-6, 9.5e-6, 18.5e-6], rel=1e-6
        )

    def test_the_gap_is_the_first_bar_of_the_next_session(self):
        assert gap_deviation(replace(SPREAD, next_bar_of_day=0)) == pytest.approx(2.0 * math.sqrt(3e-6))
        ahead = expected_variances(SPREAD, 3)[2]
        assert gap_deviation(replace(SPREAD, next_bar_of_day=1)) == pytest.approx(2.0 * math.sqrt(ahead))


class TestSize:
    def test_the_formulas(self):
        found = size_entry(GIVEN, SETTINGS)
        assert found.bars == 7
        assert found.variance == holding_variance(SPREAD, 7)
        assert found.by_volatility == pytest.approx(0.0015 * 100_000 * 2.2 / math.sqrt(found.variance))
        assert found.by_stop == pytest.approx(0.0025 * 100_000 * 2.2 / (0.032 - 0.02 + gap_deviation(SPREAD)))
        assert found.gross == min(found.by_volatility, found.by_stop)
        assert found.set_by in ("volatility", "stop")
        assert found.denial is None

    def test_its_result_over_the_holding_time_has_the_volatility_that_is_asked_for(self):
        found = size_entry(GIVEN, SizingSettings(stop_risk=0.5))
        results = found.gross * sampled(SPREAD, found.bars, 40_000, seed=13) / 2.2
        assert results.std() == pytest.approx(0.0015 * 100_000, rel=0.03)

    def test_a_pair_that_is_stopped_a_gap_late_loses_what_is_allowed(self):
        found = size_entry(GIVEN, SizingSettings(volatility_target=0.5))
        to_stop = 4.0 * 0.008 - 0.02 + gap_deviation(SPREAD)
        assert (found.set_by, found.gross * to_stop / 2.2) == ("stop", pytest.approx(250.0))

    def test_the_smallest_cap_sets_it_and_the_configured_size_scales_it(self):
        capped = replace(GIVEN, caps={"pair_gross": 3_000.0, "name": 2_000.0})
        assert (size_entry(capped, SETTINGS).set_by, size_entry(capped, SETTINGS).gross) == ("name", 2_000.0)
        assert size_entry(replace(capped, size=0.5), SETTINGS).gross == 1_000.0
        assert size_entry(replace(capped, size=0.5, halved=True), SETTINGS).gross == 500.0

    def test_the_horizon_is_the_earlier_of_half_life_and_time_stop(self):
        assert [holding_bars(*each) for each in ((6.58, 19.7), (30.0, 12.0), (0.2, 9.0), (7.0, 7.0))] == [7, 12, 1, 7]

    def test_a_spread_at_or_beyond_its_stop_gets_nothing(self):
        assert size_entry(replace(GIVEN, deviation=0.0319), SETTINGS).gross > 0
        for deviation in (0.032, 0.04, -0.04):
            found = size_entry(replace(GIVEN, deviation=deviation), SETTINGS)
            assert (found.gross, found.denial.code) == (0.0, DenialCode.BEYOND_STOP)

    @pytest.mark.parametrize("name", ["deviation", "beta", *MUST_BE_POSITIVE])
    def test_a_number_that_is_none_gets_nothing(self, name):
        for value in (math.nan, math.inf, None, *([-1.0] if name in MUST_BE_POSITIVE else [])):
            of_spread = {"spread": replace(SPREAD, **{name: value})} if hasattr(SPREAD, name) else {name: value}
            found = size_entry(replace(GIVEN, **of_spread), SETTINGS)
            assert (found.gross, found.denial.code) == (0.0, DenialCode.UNUSABLE_INPUT), value

    @pytest.mark.parametrize(
        "given",
        [
            replace(GIVEN, beta=0.0),
            replace(GIVEN, size=1.01),
            replace(GIVEN, caps={"order": math.nan}),
            replace(GIVEN, spread=replace(SPREAD, phi=1.0)),
            replace(GIVEN, spread=replace(SPREAD, diurnal=())),
            replace(GIVEN, spread=replace(SPREAD, diurnal=(1.0, math.nan))),
            replace(GIVEN, spread=replace(SPREAD, next_bar_of_day=3)),
        ],
    )
    def test_what_cannot_be_gets_nothing(self, given):
        assert size_entry(given, SETTINGS).denial.code is DenialCode.UNUSABLE_INPUT

    def test_the_move_to_the_exit_is_a_share_of_both_legs(self):
        assert expected_move(deviation=-0.02, sigma=0.008, beta=1.5, exit_z=0.5) == pytest.approx(0.016 / 2.5)
        assert expected_move(deviation=0.003, sigma=0.008, beta=1.5, exit_z=0.5) == 0.0


class TestCaps:
    def caps(self, beta=1.2, position=1, held=(), volume=1e6, price_x=40.0, **limits):
        return entry_caps(
            book(*held, prices={**PRICES, "ROG": price_x}), y="PDFS", x="ROG", position=position, beta=beta,
            mean_daily_volumes={"PDFS": 1e6, "ROG": volume}, entries=EntrySettings(), limits=LimitSettings(**limits),
        )  # fmt: skip

    def shares(self, gross, beta=1.2, price_x=40.0):
        return leg_quantities(gross, position=1, beta=beta, price_y=50.0, price_x=price_x)

    def test_each_cap_is_used_up_by_whole_shares_and_not_passed(self):
        caps = self.caps(max_name=0.03)
        assert abs(self.shares(caps["name"]).x) == 75, "3,000 dollars of the larger leg"
        assert self.caps(volume=5_000)["order"] == pytest.approx(2.2 * 50 * 40 / 1.2), "50 shares of ROG"
        for beta in np.linspace(0.3, 3.0, 40):
            capped = self.caps(beta=beta, price_x=430.0)
            assert self.shares(capped["pair_gross"], beta, 430.0).gross <= 10_000.0
            by_order = self.shares(capped["order"], beta, 430.0)
            assert max(by_order.y * 50, -by_order.x * 430) <= 10_000.0

    def test_what_other_pairs_hold_on_the_same_side_leaves_less(self):
        same = (holding("PDFS_TXN", (60, -37)),)
        assert self.shares(self.caps(held=same)["name"]).y == 100
        assert self.caps(held=same, position=-1)["name"] == self.caps()["name"]
        assert self.caps(held=(holding("PDFS_TXN", (900, -37)),))["name"] == 0.0
