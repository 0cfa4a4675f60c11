"""What bad input becomes on its way through the graph."""

import logging
import time
from datetime import date

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from pairs_platform.build import build_definitions
from pairs_platform.core.errors import ConfigurationError, DataError, Refused, Unavailable
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.fake_market import FakeMarket, hourly_bars, walk
from pairs_platform_tests.support.runs import ALL, execute, failure, materialized

LOOKBACK = 20
SESSIONS = sessions_ending(SESSION, LOOKBACK)
N_BARS = 7 * LOOKBACK


def settings_for(monkeypatch: pytest.MonkeyPatch, symbols: list[str], **more: object) -> Settings:
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY", "1h")
    monkeypatch.setenv("PAIRS_PLATFORM__LOOKBACK__INTRADAY", str(LOOKBACK))
    return load_settings({"universe": {SECTOR: {"symbols": symbols}}, **more})


def one_session(platform: Platform, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    return execute(platform, ["price_history"], session=SESSION, instance=instance)


@pytest.fixture(scope="module")
def bad_symbols(tmp_path_factory) -> tuple[Platform, dg.ExecuteInProcessResult]:
    """One run over a sector in which five of seven symbols are of no use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAIRS_PLATFORM__STATE_ROOT", str(tmp_path_factory.mktemp("state")))
        settings = settings_for(patch, ["AAA", "BBB", "CONST", "SAME", "TEN", "GONE", "LATE"])
    noise = np.random.default_rng(5).normal(0.0, 0.002, N_BARS)
    lead = walk(N_BARS, 1)
    paths = {
        "AAA": lead,
        "BBB": 0.5 + 0.9 * lead + noise,
        "CONST": np.full(N_BARS, np.log(50.0)),
        "SAME": lead,
        "TEN": walk(N_BARS, 2),
        "LATE": walk(N_BARS, 3),
    }
    bars = hourly_bars(SESSIONS, paths)
    of_ten = bars.index[bars["symbol"] == "TEN"]
    last_of_late = bars.index[(bars["symbol"] == "LATE") & (bars["ts_utc"].dt.date == SESSION)]
    platform = Platform(settings, FakeMarket(bars.drop([*of_ten[:-10], *last_of_late])))
    assert execute(platform, ["price_history"], sessions=(SESSIONS[0], SESSION)).success
    return platform, execute(platform, ALL[1:], session=SESSION)


class TestSymbols:
    def test_the_run_succeeds(self, bad_symbols):
        platform, run = bad_symbols
        assert run.success
        assert platform.lake.exists("trading_config", key())

    def test_symbols_that_cannot_enter_are_named_with_the_reason(self, bad_symbols):
        excluded = bad_symbols[0].lake.metadata(CORRELATION_MATRIX, key())["symbols_excluded"]
        assert set(excluded) == {"TEN", "LATE"}
        assert all(len(reason) > 10 for reason in excluded.values())

    def test_a_missing_symbol_is_named_and_the_sector_goes_on(self, bad_symbols):
        platform, _ = bad_symbols
        instance = dg.DagsterInstance.ephemeral()
        checked = one_session(platform, instance)
        (record,) = instance.fetch_materializations(dg.AssetKey("price_history"), limit=1).records
        missing = record.asset_materialization.metadata["symbols_missing"].value
        assert missing == {"GONE": "not in the fake market", "LATE": "not in the fake market"}
        coverage = {e.check_name: e for e in checked.get_asset_check_evaluations()}["session_coverage"]
        assert not coverage.passed
        assert "left out: GONE, LATE" in coverage.description

    def test_a_constant_leg_has_a_status_and_no_correlation(self, bad_symbols):
        pairs = bad_symbols[0].lake.read(COINTEGRATED_PAIRS, key()).set_index("pair")
        assert pairs.loc["AAA_CONST", "status"] == "constant_leg"
        assert pairs.loc["AAA_CONST", "reason"]
        assert np.isnan(pairs.loc["AAA_CONST", "p_cal"])
        correlations = bad_symbols[0].lake.read(CORRELATION_MATRIX, key()).set_index("pair")
        assert not correlations.loc["AAA_CONST", "passes_correlation"]

    def test_identical_symbols_have_a_status_and_are_not_fitted(self, bad_symbols):
        platform, _ = bad_symbols
        pairs = platform.lake.read(COINTEGRATED_PAIRS, key()).set_index("pair")
        assert pairs.loc["AAA_SAME", "status"] == "identical_legs"
        assert not pairs.loc["AAA_SAME", "passes_cointegration"]
        assert "AAA_SAME" not in set(platform.lake.read(GARCH_FITS, key())["pair"])
        assert "AAA_BBB" in set(platform.lake.read(GARCH_FITS, key())["pair"])
        rankings = platform.lake.read(COMPOSITE_RANKINGS, key()).set_index("pair")
        assert not rankings.loc["AAA_SAME", "selected"]

    def test_a_sector_with_fewer_than_two_symbols_says_why_each_stayed_out(self, monkeypatch):
        settings = settings_for(monkeypatch, ["AAA", "GONE", "OTHER"])
        platform = Platform(settings, FakeMarket(hourly_bars(SESSIONS, {"AAA": walk(N_BARS, 1)})))
        assert execute(platform, ["price_history"], sessions=(SESSIONS[0], SESSION)).success
        run = execute(platform, ALL[1:], session=SESSION)
        assert "1 symbols entered the window" in failure(run, "correlation_matrix")
        assert not platform.lake.exists("correlation_matrix", key())
        assert not platform.lake.exists("trading_config", key())


class TestBars:
    @pytest.fixture
    def market(self) -> FakeMarket:
        return FakeMarket(hourly_bars([SESSION], {"AAA": walk(7, 1), "BBB": walk(7, 2)}))

    @pytest.fixture
    def platform(self, market, monkeypatch) -> Platform:
        return Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market)

    def test_what_the_source_left_out_is_on_the_page_and_in_the_log(self, platform, market):
        market.notes = ("x.csv: left out: has no rows",)
        instance = dg.DagsterInstance.ephemeral()
        run = one_session(platform, instance)
        (record,) = instance.fetch_materializations(dg.AssetKey("price_history"), limit=1).records
        assert record.asset_materialization.metadata["source_notes"].value == list(market.notes)
        warnings = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.level == logging.WARNING]
        assert warnings == list(market.notes)

    def test_no_bar_at_all(self, platform, market):
        market.bars = market.bars.iloc[:0]
        assert "FAKE market has no usable bar of technology on 2023-03-08" in failure(
            one_session(platform), "price_history"
        )
        assert platform.lake.sessions("price_history", SECTOR) == []
        assert platform.lake.sessions("price_quarantine", SECTOR) == []

    def test_no_usable_bar_names_the_reasons_and_keeps_the_partition_before(self, platform, market):
        assert one_session(platform).success
        before = platform.lake.path("price_history", key()).read_bytes()
        market.bars = market.bars.assign(close=0.0, low=0.0)
        assert "close is not positive" in failure(one_session(platform), "price_history")
        assert platform.lake.path("price_history", key()).read_bytes() == before

    def test_nan_zero_and_contradictory_rows_are_kept_apart(self, platform, market):
        bars = market.bars.astype({"volume": float})
        bars.loc[0, "close"] = np.nan
        bars.loc[1, ["low", "close"]] = 0.0
        twice = bars.loc[[8]].assign(close=bars.loc[8, "high"] * 1.5, high=bars.loc[8, "high"] * 1.5)
        market.bars = pd.concat([bars, twice, bars.loc[[10]]]).sample(frac=1.0, random_state=0)
        result = one_session(platform)
        assert result.success
        quarantined = platform.lake.read(PRICE_QUARANTINE, key())
        assert len(quarantined) == 4
        told = " ".join(quarantined["reason"])
        for reason in ("close is not a number", "close is not positive", "contradicts another row"):
            assert reason in told
        stored = platform.lake.read(PRICE_HISTORY, key())
        assert len(stored) == 14 - 3
        assert not stored.duplicated(["symbol", "ts_utc"]).any()
        assert "identical_duplicates" in set(platform.lake.read(PRICE_FLAGS, key())["kind"])
        verdicts = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
        assert verdicts == {"schema_and_uniqueness": True, "session_coverage": False, "quarantine_and_flags": False}

    def test_a_missing_column_is_named(self, platform, market):
        market.bars = market.bars.drop(columns="volume")
        assert "lack the columns volume" in failure(one_session(platform), "price_history")


class TestPartitions:
    """No run is made of them."""

    @pytest.mark.parametrize(
        "partition", ["2023-07-04|technology", "2023-03-08|tech", "2023-03-08|energy", "2023-03-08|technology"]
    )
    def test_a_holiday_a_sector_without_symbols_and_what_is_before_backfill_start(self, monkeypatch, partition):
        monkeypatch.setenv("PAIRS_PLATFORM__BACKFILL_START", "2023-03-09")
        market = FakeMarket(hourly_bars([SESSION], {"AAA": walk(7, 1)}))
        platform = Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market)
        job = build_definitions(platform.settings, {"platform": platform}).resolve_job_def("daily_pair_identification")
        told = "The universe has financial, healthcare, technology .* begin at backfill_start 2023-03-09"
        with pytest.raises(ConfigurationError, match=told):
            job.execute_in_process(partition_key=partition)
        assert market.calls == []


class TestFailingSource:
    @pytest.fixture
    def waits(self, monkeypatch) -> list[float]:
        """Waits that the executor asked for, none of which is slept, without their jitter."""
        asked: list[float] = []

        class Clock:
            """The module `time` with a sleep that ends at once and moves the clock."""

            def __getattr__(self, name: str) -> object:
                return getattr(time, name)

            def time(self) -> float:
                return time.time() + sum(asked)

            def sleep(self, seconds: float) -> None:
                asked.append(seconds)

        monkeypatch.setattr("dagster._core.execution.plan.active.time", Clock())
        monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.5)
        return asked

    @pytest.fixture
    def market(self) -> FakeMarket:
        return FakeMarket(hourly_bars([SESSION], {"AAA": walk(7, 1), "BBB": walk(7, 2)}))

    def test_what_may_pass_is_tried_again_later(self, market, monkeypatch, waits):
        market.failures = [Unavailable("rate limit"), Unavailable("rate limit")]
        instance = dg.DagsterInstance.ephemeral()
        result = one_session(Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market), instance)
        assert result.success
        assert len(market.calls) == 3
        assert materialized(result, instance) == {"price_history": [str(key())]}
        assert waits == pytest.approx([20, 60], abs=1)

    def test_it_ends_after_three_retries_with_the_reason(self, market, monkeypatch, waits):
        market.failures = [Unavailable("the network is down")] * 9
        result = one_session(Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market))
        assert "the network is down" in failure(result, "price_history")
        assert len(market.calls) == 4

    @pytest.mark.parametrize("error", [Refused("the key is wrong"), DataError("no such thing")])
    def test_what_will_not_pass_is_not_tried_again(self, market, monkeypatch, waits, error):
        market.failures = [error] * 9
        result = one_session(Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market))
        assert failure(result, "price_history") == str(error)
        assert len(market.calls) == 1
        assert waits == []

    @pytest.mark.parametrize("error", [KeyError("close"), ValueError("operands could not be broadcast together")])
    def test_a_bug_is_no_finding(self, market, monkeypatch, waits, error):
        market.failures = [error] * 9
        result = one_session(Platform(settings_for(monkeypatch, ["AAA", "BBB"]), market))
        assert failure(result, "price_history") == f"a bug, not a finding: {type(error).__name__}: {error}"
        cause = result.failure_data_for_node("price_history").error.cause
        assert "fetch_bars" in "".join(cause.stack)
        assert len(market.calls) == 1
        assert waits == []


class TestNothingSelected:
    def test_a_sector_without_a_correlated_pair(self, monkeypatch):
        """Every table behind the correlations is empty or unselected, and valid."""
        settings = settings_for(monkeypatch, ["AAA", "BBB", "CCC"], correlation={"gate": 0.9})
        first = walk(N_BARS, 1)
        paths = {"AAA": first, "BBB": np.log(80.0) - (first - first[0]), "CCC": np.log(30.0) + 0.01 * walk(N_BARS, 9)}
        platform = Platform(settings, FakeMarket(hourly_bars(SESSIONS, paths)))
        assert execute(platform, ["price_history"], sessions=(SESSIONS[0], SESSION)).success
        result = execute(platform, ALL[1:], session=SESSION)
        assert result.success
        assert len(platform.lake.read(CORRELATION_MATRIX, key())) == 3
        assert len(platform.lake.read(COINTEGRATED_PAIRS, key())) == 3
        assert platform.lake.read(GARCH_FITS, key()).empty
        assert platform.lake.read(PAIR_SCORES, key()).empty
        rankings = platform.lake.read(COMPOSITE_RANKINGS, key())
        assert not rankings["selected"].any()
        assert set(rankings["first_failed_gate"]) == {"correlation"}
        assert platform.lake.metadata(COMPOSITE_RANKINGS, key())["funnel"]["n_selected"] == 0
        failed = {
            (e.asset_key.to_user_string(), e.check_name) for e in result.get_asset_check_evaluations() if not e.passed
        }
        assert failed <= {("cointegrated_pairs", "found_against_chance")}
        self.assert_valid_and_unselected(platform)

    def test_gates_that_nothing_passes(self, copied, monkeypatch):
        monkeypatch.setenv("PAIRS_PLATFORM__SELECTION__GATE", "0.99")
        platform = Platform(load_settings())
        result = execute(platform, ["composite_rankings", "trading_config"], session=SESSION)
        assert result.success
        self.assert_valid_and_unselected(platform)
        assert set(platform.lake.read(TRADING_CONFIG, key())["role"]) == {"watched", "pinned"}

    def assert_valid_and_unselected(self, platform: Platform) -> None:
        config = platform.lake.read(TRADING_CONFIG, key())
        assert TRADING_CONFIG.violations(config) == []
        assert (config["size"] == 0).all()
        assert "selected" not in set(config["role"])
        document = platform.lake.read_document("trading_config", key())
        assert document["valid_for"] == str(date(2023, 3, 9))
        assert [pair["pair"] for pair in document["pairs"]] == config["pair"].tolist()
