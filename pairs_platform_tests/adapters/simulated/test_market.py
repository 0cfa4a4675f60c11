from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pairs_platform.adapters.simulated.market import FIRST_SESSION, SimulatedMarket
from pairs_platform.adapters.simulated.paths import PlantedBreak, PlantedPair
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.errors import ConfigurationError, NoSuchSector
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_close, sessions_between, sessions_ending
from pairs_platform.core.screening.spread import estimate_spread
from pairs_platform.ports.market_data import BarsReply, Listing
from pairs_platform_tests.support.price_samples import adjust_bars

TECHNOLOGY = [
    *("AAPL", "ADI", "AMAT", "AMD", "AVGO", "CDNS", "CSCO", "IBM", "INTC", "KLAC", "LRCX", "MCHP"),
    *("MSFT", "MU", "NVDA", "NXPI", "ORCL", "PDFS", "QCOM", "ROG", "SWKS", "TER", "TXN"),
]
UNIVERSE = tuple(Listing(symbol, "technology") for symbol in TECHNOLOGY)
LAST = date(2025, 12, 31)
AFTER = datetime(2026, 1, 5, tzinfo=UTC)


def market(frequency: Frequency = Frequency.FIVE_MINUTES, universe=UNIVERSE, **settings) -> SimulatedMarket:
    return SimulatedMarket(
        universe, frequency=frequency, settings=SimulatedMarketSettings(**settings), clock=lambda: AFTER
    )


def lookback(source: SimulatedMarket, n_sessions: int, last: date = LAST) -> BarsReply:
    return source.fetch_bars(TECHNOLOGY, sessions_ending(last, n_sessions)[0], last)


def log_closes(source: SimulatedMarket, n_sessions: int, last: date = LAST) -> pd.DataFrame:
    """Adjusted log closes, bars × symbols."""
    first = sessions_ending(last, n_sessions)[0]
    bars = source.fetch_bars(TECHNOLOGY, first, last).bars
    actions = source.fetch_actions(TECHNOLOGY, first, last).actions
    adjusted = adjust_bars(bars, actions, basis=PriceBasis.RAW, as_of=session_close(last))
    return np.log(adjusted.pivot(index="ts_utc", columns="symbol", values="close"))


def ar1(spread: np.ndarray) -> tuple[float, np.ndarray]:
    """φ and the innovations of an AR(1) with a constant, by least squares."""
    phi = np.polyfit(spread[:-1], spread[1:], 1)
    return float(phi[0]), spread[1:] - np.polyval(phi, spread[:-1])


@pytest.fixture(scope="module")
def standard() -> SimulatedMarket:
    return market()


@pytest.fixture(scope="module")
def standard_closes(standard) -> pd.DataFrame:
    return log_closes(standard, 61)


class TestGroundTruth:
    def test_planted_pairs_of_the_default_market(self, standard) -> None:
        pairs = standard.ground_truth("Information Technology")
        assert len(pairs) == 7
        legs = [leg for pair in pairs for leg in (pair.y, pair.x)]
        assert len(set(legs)) == len(legs)
        assert "PDFS_ROG" not in {pair.pair for pair in pairs}
        assert all(pair.pair == "_".join(sorted((pair.y, pair.x))) for pair in pairs)
        assert standard.ground_truth("energy") == ()

    def test_pdfs_rog_is_planted_only_when_it_may_be(self) -> None:
        universe = [Listing("PDFS", "technology"), Listing("ROG", "technology")]
        assert market(universe=universe).ground_truth("technology") == ()
        assert [pair.pair for pair in market(universe=universe, never_planted=()).ground_truth("technology")] == [
            "PDFS_ROG"
        ]

    def test_beta_half_life_and_garch_can_be_estimated_back(self, standard, standard_closes) -> None:
        from arch import arch_model

        assert len(standard_closes) >= 4_680
        bar_of_day = bar_grid(sessions_ending(LAST, 61), Frequency.FIVE_MINUTES).bar_of_day
        alphas, persistences = [], []
        for pair in standard.ground_truth("technology"):
            y, x = standard_closes[pair.y].to_numpy(), standard_closes[pair.x].to_numpy()
            fitted = estimate_spread(pair.y, pair.x, y, x)
            assert fitted.beta == pytest.approx(pair.beta, abs=0.03)
            assert np.corrcoef(x, y)[0, 1] > 0.95
            phi, innovations = ar1(fitted.spread(y, x))
            assert -np.log(2) / np.log(phi) == pytest.approx(pair.half_life_bars, rel=0.5)
            standardised = innovations / np.asarray(pair.diurnal)[bar_of_day[1:]]
            assert np.sqrt((standardised**2).mean()) == pytest.approx(6e-4, rel=0.2)
            fit = arch_model(1e4 * standardised, mean="Zero", rescale=False).fit(disp="off")
            alphas.append(fit.params["alpha[1]"] - pair.alpha1)
            persistences.append(fit.params["alpha[1]"] + fit.params["beta[1]"] - pair.alpha1 - pair.beta1)
        assert np.abs(alphas).max() < 0.05
        assert np.abs(np.mean(alphas)) < 0.02
        assert np.abs(persistences).max() < 0.05

    def test_planted_pairs_cointegrate_and_most_others_do_not(self, standard, standard_closes) -> None:
        from statsmodels.tsa.stattools import coint

        def p_value(y: str, x: str) -> float:
            return coint(standard_closes[y], standard_closes[x], maxlag=1, autolag=None)[1]

        planted = standard.ground_truth("technology")
        assert max(p_value(pair.y, pair.x) for pair in planted) < 0.001
        free = sorted(set(TECHNOLOGY) - {pair.y for pair in planted})
        others = [p_value(y, x) for i, y in enumerate(free) for x in free[i + 1 :]]
        assert len(others) == 120
        assert np.mean(np.array(others) < 0.05) < 0.2

    def test_innovations_of_a_session_have_the_planted_shape(self, standard, standard_closes) -> None:
        pair = standard.ground_truth("technology")[0]
        assert np.mean(np.square(pair.diurnal)) == pytest.approx(1.0)
        assert pair.diurnal[0] == max(pair.diurnal) > 2.5
        assert pair.diurnal[1] > 1.5 * pair.diurnal[39]
        assert pair.diurnal[77] > 1.5 * pair.diurnal[39]
        moves = standard_closes.diff().iloc[1:]
        night = moves[
            moves.index.strftime("%H:%M").isin(["14:30", "13:30"])
            & (moves.index.to_series().diff() > pd.Timedelta("1h"))
        ]
        assert 6 < night.to_numpy().var() / moves.to_numpy().var() < 11


class TestDeterminism:
    def test_a_session_is_the_same_whatever_range_is_asked_for(self) -> None:
        alone = market().fetch_bars(TECHNOLOGY, date(2025, 11, 28), date(2025, 11, 28)).bars
        grown = market()
        grown.fetch_bars(["AAPL"], date(2025, 6, 2), date(2025, 6, 3))
        for first, last in ((date(2025, 11, 3), date(2025, 12, 5)), (date(2025, 11, 28), date(2025, 12, 31))):
            bars = grown.fetch_bars(TECHNOLOGY, first, last).bars
            day = bars[bars["ts_utc"].dt.date == date(2025, 11, 28)].reset_index(drop=True)
            pd.testing.assert_frame_equal(day, alone, check_exact=True)

    @pytest.mark.parametrize("variant", ["missing_bars", "t_tails", "common_jumps", "beta_breaks"])
    def test_every_variant_is_deterministic_too(self, variant) -> None:
        day = date(2024, 3, 8)
        alone = market(Frequency.ONE_HOUR, variant=variant).fetch_bars(TECHNOLOGY, day, day).bars
        bars = market(Frequency.ONE_HOUR, variant=variant).fetch_bars(TECHNOLOGY, date(2024, 1, 2), LAST).bars
        pd.testing.assert_frame_equal(
            bars[bars["ts_utc"].dt.date == day].reset_index(drop=True), alone, check_exact=True
        )

    def test_actions_are_the_same_whatever_range_is_asked_for(self) -> None:
        source = market(Frequency.ONE_DAY)
        early = source.fetch_actions(TECHNOLOGY, date(2023, 1, 3), date(2023, 12, 29)).actions
        every = source.fetch_actions(TECHNOLOGY, FIRST_SESSION, LAST).actions
        again = every[every["ex_date"].dt.year == 2023].reset_index(drop=True)
        pd.testing.assert_frame_equal(early, again, check_exact=True)

    def test_a_symbol_outside_all_pairs_does_not_depend_on_the_others(self) -> None:
        whole = market(Frequency.ONE_DAY, planted_pairs_per_sector=0)
        alone = market(Frequency.ONE_DAY, planted_pairs_per_sector=0, universe=[Listing("MSFT", "technology")])
        first = date(2025, 1, 2)
        pd.testing.assert_frame_equal(
            whole.fetch_bars(["MSFT"], first, LAST).bars, alone.fetch_bars(["MSFT"], first, LAST).bars, check_exact=True
        )

    def test_another_seed_is_another_market(self) -> None:
        one, two = (lookback(market(Frequency.ONE_DAY, seed=seed), 5).bars["close"] for seed in (1, 2))
        assert not np.isclose(one, two).any()


class TestCalendar:
    def test_an_early_close_has_42_bars(self, standard) -> None:
        bars = standard.fetch_bars(["AAPL", "TXN"], date(2025, 11, 26), date(2025, 12, 1)).bars
        counts = bars.groupby(["symbol", bars["ts_utc"].dt.date]).size().unstack()
        assert list(counts.columns) == [date(2025, 11, 26), date(2025, 11, 28), date(2025, 12, 1)]
        assert counts.to_numpy().tolist() == [[78, 42, 78], [78, 42, 78]]

    @pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_HOUR, Frequency.ONE_DAY])
    def test_bars_lie_on_the_calendar_grid_across_a_clock_change(self, frequency) -> None:
        first, last = date(2025, 10, 29), date(2025, 11, 5)
        bars = market(frequency).fetch_bars(["AAPL"], first, last).bars
        grid = bar_grid(sessions_between(first, last), frequency)
        assert bars["ts_utc"].tolist() == grid.ts_utc.tolist()

    def test_a_session_that_is_not_over_has_no_bars(self) -> None:
        closes = session_close(date(2025, 12, 24))
        during = SimulatedMarket(UNIVERSE, frequency=Frequency.ONE_HOUR, clock=lambda: closes - timedelta(minutes=1))
        assert during.sessions_available() == (FIRST_SESSION, date(2025, 12, 23))
        reply = during.fetch_bars(["AAPL"], date(2025, 12, 24), date(2025, 12, 24))
        assert reply.bars.empty
        assert "2025-12-23" in reply.unavailable[0].reason
        after = SimulatedMarket(UNIVERSE, frequency=Frequency.ONE_HOUR, clock=lambda: closes)
        assert after.sessions_available() == (FIRST_SESSION, date(2025, 12, 24))

    def test_a_clock_before_the_first_session_leaves_nothing(self) -> None:
        early = SimulatedMarket(UNIVERSE, frequency=Frequency.ONE_DAY, clock=lambda: datetime(2020, 6, 1, tzinfo=UTC))
        assert early.sessions_available() is None
        assert early.fetch_bars(["AAPL"], date(2020, 1, 2), date(2020, 2, 3)).unavailable
        assert early.fetch_actions(["AAPL"], date(2020, 1, 2), date(2020, 2, 3)).actions.empty

    def test_a_range_without_a_session_names_what_there_is(self, standard) -> None:
        reply = standard.fetch_bars(["AAPL"], date(2025, 12, 25), date(2025, 12, 25))
        assert reply.bars.empty
        assert reply.unavailable[0].symbol == "AAPL"
        assert str(FIRST_SESSION) in reply.unavailable[0].reason


class TestBars:
    @pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_HOUR, Frequency.ONE_DAY])
    def test_prices_of_a_bar_agree(self, frequency) -> None:
        bars = lookback(market(frequency), 20).bars
        assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
        assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
        assert (bars[["open", "high", "low", "close"]] > 0).all().all()
        assert (bars["volume"] % 1.0 == 0.0).all()
        assert (bars["volume"] > 0).all()
        assert not bars.duplicated(["symbol", "ts_utc"]).any()
        assert bars[["symbol", "ts_utc"]].equals(bars[["symbol", "ts_utc"]].sort_values(["symbol", "ts_utc"]))

    def test_the_first_open_holds_the_night_and_later_opens_almost_nothing(self, standard) -> None:
        bars = standard.fetch_bars(["AAPL"], date(2025, 9, 2), date(2025, 12, 31)).bars
        gap = np.log(bars["open"] / bars["close"].shift()).abs()
        is_first = bars["ts_utc"].dt.date != bars["ts_utc"].shift().dt.date
        assert gap[is_first].median() > 15 * gap[~is_first].median()

    def test_opens_of_a_planted_pair_keep_the_spread(self, standard) -> None:
        """A fill at the next open must not meet noise that the spread does not have."""
        pair = next(pair for pair in standard.ground_truth("technology") if pair.half_life_bars > 20)
        bars = lookback(standard, 20).bars.pivot(index="ts_utc", columns="symbol")
        spread = {
            name: np.log(bars[name][pair.y]) - pair.beta * np.log(bars[name][pair.x]) for name in ("open", "close")
        }
        jump = (spread["open"] - spread["close"].shift()).abs().iloc[1:]
        assert jump.max() < 3 * spread["close"].std()
        assert jump.median() < 1.5e-4

    def test_an_unknown_symbol_is_unavailable_and_the_rest_is_served(self, standard) -> None:
        reply = standard.fetch_bars(["ZZZ", "AAPL"], LAST, LAST)
        assert set(reply.bars["symbol"]) == {"AAPL"}
        assert [item.symbol for item in reply.unavailable] == ["ZZZ"]
        assert "not in the simulated universe" in reply.unavailable[0].reason

    def test_two_sectors_live_side_by_side(self) -> None:
        universe = (*UNIVERSE, Listing("XOM", "energy"), Listing("CVX", "energy"))
        both = market(Frequency.ONE_DAY, universe=universe)
        assert both.universe()[:2] == (Listing("CVX", "energy"), Listing("XOM", "energy"))
        assert [pair.sector for pair in both.ground_truth("energy")] == ["energy"]
        pd.testing.assert_frame_equal(lookback(both, 5).bars, lookback(market(Frequency.ONE_DAY), 5).bars)


class TestActions:
    def test_a_stretch_that_is_asked_for_after_a_later_one(self):
        """The actions of the later one are known by then, and are not its own."""
        source = market(Frequency.ONE_DAY)
        later = source.fetch_actions(TECHNOLOGY, date(2024, 1, 2), LAST).actions
        last = later["ex_date"].iloc[-1].date() - timedelta(days=1)
        expected = market(Frequency.ONE_DAY).fetch_actions(TECHNOLOGY, date(2024, 1, 2), last).actions
        pd.testing.assert_frame_equal(source.fetch_actions(TECHNOLOGY, date(2024, 1, 2), last).actions, expected)

    def test_splits_and_dividends_occur_and_are_known_ten_sessions_before(self) -> None:
        actions = market(Frequency.ONE_DAY).fetch_actions(TECHNOLOGY, date(2024, 1, 2), LAST).actions
        assert set(actions["kind"]) == {"split", "dividend"}
        assert (actions["value"] > 0).all()
        ahead = [len(sessions_between(row.known_ts_utc.date(), row.ex_date.date())) - 1 for row in actions.itertuples()]
        assert set(ahead) == {10}

    def test_raw_prices_fall_on_a_split_and_adjusted_ones_do_not(self) -> None:
        source = market(Frequency.ONE_DAY)
        actions = source.fetch_actions(TECHNOLOGY, date(2024, 1, 2), LAST).actions
        split = actions[actions["kind"] == "split"].iloc[0]
        last = session_after = sessions_between(split["ex_date"].date(), LAST)[5]
        first = sessions_ending(session_after, 20)[0]
        bars = source.fetch_bars([split["symbol"]], first, last).bars
        adjusted = adjust_bars(bars, actions, basis=PriceBasis.RAW, as_of=session_close(last))
        raw_move, adjusted_move = (np.log(frame["close"]).diff().abs().max() for frame in (bars, adjusted))
        assert raw_move > abs(np.log(split["value"])) - 0.1
        assert adjusted_move < 0.1

    def test_adjusting_makes_a_planted_spread_whole_across_its_actions(self) -> None:
        source = market(Frequency.ONE_DAY)
        for pair in source.ground_truth("technology"):
            closes = log_closes(source, 252)
            spread = closes[pair.y] - pair.beta * closes[pair.x]
            expected_sd = np.sqrt(pair.omega / (1 - pair.alpha1 - pair.beta1) / (1 - pair.phi**2))
            assert spread.std() < 2 * expected_sd


def innovations(source: SimulatedMarket, pair: PlantedPair, closes: pd.DataFrame) -> np.ndarray:
    fitted = estimate_spread(pair.y, pair.x, closes[pair.y].to_numpy(), closes[pair.x].to_numpy())
    return ar1(fitted.spread(closes[pair.y].to_numpy(), closes[pair.x].to_numpy()))[1]


class TestVariants:
    @pytest.mark.parametrize(
        "variant", ["standard", "t_tails", "beta_breaks", "common_jumps", "missing_bars", "no_pairs"]
    )
    def test_the_label_says_simulated_and_which(self, variant) -> None:
        assert market(variant=variant, seed=3).label == f"SIMULATED market, variant {variant}, seed 3"

    def test_no_pairs_plants_none_and_shares_no_factor(self) -> None:
        source = market(Frequency.ONE_HOUR, variant="no_pairs")
        assert source.ground_truth("technology") == ()
        correlations = np.corrcoef(log_closes(source, 200).diff().iloc[1:].to_numpy().T)
        assert np.abs(correlations[np.triu_indices(len(TECHNOLOGY), 1)]).max() < 0.15

    def test_standard_returns_share_factors(self) -> None:
        correlations = np.corrcoef(log_closes(market(Frequency.ONE_HOUR), 200).diff().iloc[1:].to_numpy().T)
        assert np.median(correlations[np.triu_indices(len(TECHNOLOGY), 1)]) > 0.3

    def test_t_tails_are_heavier(self) -> None:
        def own_kurtosis(variant: str) -> float:
            returns = log_closes(market(Frequency.ONE_DAY, variant=variant), 1000).diff().iloc[1:]
            return float(np.median(returns.kurt()))

        assert own_kurtosis("standard") < 0.5
        assert own_kurtosis("t_tails") > 1.0

    def test_beta_breaks_move_beta_between_blocks_of_sessions(self) -> None:
        source = market(variant="beta_breaks", beta_break_sessions=20)
        stable = market()
        changes = {}
        for name, chosen in (("breaks", source), ("standard", stable)):
            closes = log_closes(chosen, 120)
            pair = chosen.ground_truth("technology")[0]
            blocks = np.array_split(closes[[pair.y, pair.x]].diff().iloc[1:].to_numpy(), 24)
            slopes = [np.polyfit(block[:, 1], block[:, 0], 1)[0] for block in blocks]
            changes[name] = np.ptp(slopes) / pair.beta
        assert changes["standard"] < 0.1
        assert changes["breaks"] > 0.25

    def test_common_jumps_hit_several_spreads_in_one_bar(self) -> None:
        def largest_common_shock(variant: str) -> float:
            source = market(variant=variant)
            closes = log_closes(source, 60)
            pairs = source.ground_truth("technology")
            bar_of_day = bar_grid(sessions_ending(LAST, 60), Frequency.FIVE_MINUTES).bar_of_day[1:]
            shocks = np.array([innovations(source, pair, closes) for pair in pairs])
            scaled = np.abs(shocks) / np.asarray(pairs[0].diurnal)[bar_of_day]
            scaled /= np.median(scaled, axis=1, keepdims=True) / 0.6745
            return float(np.median(scaled, axis=0).max())

        assert largest_common_shock("standard") < 3.5
        assert largest_common_shock("common_jumps") > 4.5

    def test_missing_bars_lose_single_bars_and_some_sessions(self) -> None:
        bars = lookback(market(variant="missing_bars"), 60).bars
        whole = lookback(market(), 60).bars
        share = 1 - len(bars) / len(whole)
        assert 0.012 < share < 0.03
        present = bars.groupby("symbol")["ts_utc"].apply(lambda stamps: stamps.dt.date.nunique())
        assert (present < 60).any()
        kept = whole.merge(bars, on=["symbol", "ts_utc"], suffixes=("", "_kept"))
        assert (kept["close"] == kept["close_kept"]).all()


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"variant": "wild"}, "variant"),
            ({"seed": -1}, "seed"),
            ({"min_half_life_bars": 50}, "min_half_life_bars 50 must not be above max_half_life_bars 40: lower"),
            ({"max_alpha1": 0.95}, "max_alpha1 0.95 must be below min_persistence 0.94"),
            ({"spread": 3}, "spread"),
        ],
    )
    def test_wrong_settings_are_named(self, settings, message) -> None:
        with pytest.raises(ValidationError, match=message):
            SimulatedMarketSettings(**settings)

    def test_an_empty_universe_and_a_symbol_in_two_sectors_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="at least one symbol"):
            market(universe=())
        with pytest.raises(ConfigurationError, match="lists XOM more than once"):
            market(universe=[Listing("XOM", "energy"), Listing("XOM", "technology"), Listing("CVX", "energy")])

    def test_the_truth_about_an_unknown_sector_is_refused(self, standard) -> None:
        with pytest.raises(NoSuchSector, match="unknown sector 'crypto'"):
            standard.ground_truth("crypto")


class TestPlantedBreaks:
    """At the 60th session of a market that is otherwise the same, bar for bar."""

    SESSION, N_SESSIONS = 60, 100

    @staticmethod
    def closes(planted_break: PlantedBreak | None) -> tuple[PlantedPair, np.ndarray, np.ndarray]:
        """The first pair, and the log closes of its y and x leg, adjusted."""
        last = sessions_between(FIRST_SESSION, LAST)[TestPlantedBreaks.N_SESSIONS - 1]
        source = SimulatedMarket(
            UNIVERSE, frequency=Frequency.ONE_HOUR, clock=lambda: AFTER, planted_break=planted_break
        )
        pair = source.ground_truth("technology")[0]
        closes = log_closes(source, TestPlantedBreaks.N_SESSIONS, last)
        return pair, closes[pair.y].to_numpy(), closes[pair.x].to_numpy()

    def spreads(self, kind: str, size: float) -> tuple[PlantedPair, np.ndarray, np.ndarray]:
        """The pair and its spread by the planted β, without and with the break, from the break's first bar on."""
        pair, y, x = self.closes(None)
        _, broken_y, broken_x = self.closes(PlantedBreak(kind=kind, session=self.SESSION, size=size))
        first = self.SESSION * len(y) // self.N_SESSIONS
        np.testing.assert_array_equal(broken_x, x)
        # Adjusted closes are known up to a factor, and rounded at four decimals.
        np.testing.assert_allclose(np.diff(broken_y[:first]), np.diff(y[:first]), atol=1e-5)
        return pair, (y - pair.beta * x)[first:], (broken_y - pair.beta * x)[first:]

    def test_beta(self) -> None:
        pair, spread, broken = self.spreads("beta", 1.5)
        _, _, x = self.closes(None)
        slope = np.polyfit(np.diff(x[-len(broken) :]), np.diff(broken), 1)[0]
        assert slope == pytest.approx(0.5 * pair.beta, abs=0.05)
        assert abs(np.polyfit(np.diff(x[-len(spread) :]), np.diff(spread), 1)[0]) < 0.05

    def test_mean(self) -> None:
        pair, spread, broken = self.spreads("mean", 3.0)
        moved = broken - spread - (broken[0] - spread[0])
        deviation = np.sqrt(pair.omega / (1 - pair.alpha1 - pair.beta1) / (1 - pair.phi**2))
        # The spread glides there by its own half-life; the first bar has taken a step already.
        assert moved[-1] == pytest.approx(3.0 * deviation * pair.phi, rel=0.02)
        at = round(pair.half_life_bars)
        assert moved[at] / moved[-1] == pytest.approx(1 - pair.phi**at, abs=0.01)

    def test_unit_root(self) -> None:
        _, spread, broken = self.spreads("unit_root", 0.0)
        assert ar1(spread)[0] < 0.97
        assert ar1(broken)[0] > ar1(spread)[0] + 0.02

    def test_variance(self) -> None:
        _, spread, broken = self.spreads("variance", 4.0)
        assert ar1(broken)[1].std() / ar1(spread)[1].std() == pytest.approx(2.0, rel=0.02)

    def test_correlation(self) -> None:
        pair, _, broken = self.spreads("correlation", 0.5)
        x = self.closes(None)[2][-len(broken) :]
        y_moves = np.diff(broken + pair.beta * x)
        assert np.corrcoef(y_moves, np.diff(x))[0, 1] == pytest.approx(0.5, abs=0.1)
