"""Every asset check on a lake that was changed behind its back, and on the demo's own where a check may warn there.

That the blocking ones pass on the demo's lake is read from its event log, in `test_graph`.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest

from pairs_platform.core.contract import Contract
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.lake.store import Lake
from pairs_platform.platform import Platform
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.runs import check, execute, failure, materialized, rewrite_metadata, tamper

NEW_YORK = ZoneInfo("America/New_York")


def where(column: str, value: Any, row: int = 0) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[row, column] = value

    return change


def first_row_twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.head(1), frame], ignore_index=True)


class TestSchemaAndUniqueness:
    @pytest.mark.parametrize(
        ("contract", "change", "told"),
        [
            (PRICE_HISTORY, where("close", -1.0), "close"),
            (PRICE_HISTORY, first_row_twice, "unique"),
            (CORRELATION_MATRIX, where("corr_log_price", 1.5), "corr_log_price"),
            (COINTEGRATED_PAIRS, where("p_cal", 1.5), "p_cal"),
            (GARCH_FITS, first_row_twice, "unique"),
            (PAIR_SCORES, where("score", 2.0), "score"),
            (COMPOSITE_RANKINGS, lambda frame: frame.assign(selected=~frame["selected"]), "selected"),
            (TRADING_CONFIG, where("size", 1.5), "size"),
        ],
        ids=lambda given: given.table if isinstance(given, Contract) else "",
    )
    def test_a_partition_that_was_changed_from_outside(self, copied, contract, change, told):
        tamper(copied, contract, key(), change)
        found = check(copied, f"{contract.table}:schema_and_uniqueness", session=SESSION)
        assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
        assert told in found.description
        assert found.metadata["partitions_failed"].value == 1

    def test_a_document_that_was_edited(self, copied):
        path = copied.lake.document_path("trading_config", key())
        path.write_text(path.read_text().replace("AAPL_ADI", "AAPL_AMD"))
        found = check(copied, "trading_config:schema_and_uniqueness", session=SESSION)
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert "content_hash" in found.description or "cannot be read back" in found.description

    def test_a_table_beside_the_document_of_another_session(self, copied):
        tamper(copied, TRADING_CONFIG, key(), lambda frame: frame.iloc[1:])
        found = check(copied, "trading_config:schema_and_uniqueness", session=SESSION)
        assert not found.passed
        assert "different pairs" in found.description


class TestNoLookAhead:
    ASSETS = ("cointegrated_pairs", "garch_fits", "pair_scores")
    TABLES = (COINTEGRATED_PAIRS, GARCH_FITS, PAIR_SCORES)

    def test_rows_that_later_prices_gave(self, copied):
        """What an asset whose window ended one session late would have stored."""
        for contract in self.TABLES:
            later, facts = copied.lake.read(contract, key()), copied.lake.metadata(contract, key())
            if "session" in later:
                later["session"] = pd.Timestamp(SESSIONS[1])
            assert check(copied, f"{contract.table}:no_look_ahead", session=SESSIONS[1]).passed
            copied.lake.write(contract, key(SESSIONS[1]), later, facts)
            found = check(copied, f"{contract.table}:no_look_ahead", session=SESSIONS[1])
            assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
            assert "differs from its recomputation" in found.description

    @pytest.mark.parametrize(
        ("contract", "column"),
        [
            (COINTEGRATED_PAIRS, "beta"),
            (GARCH_FITS, "omega"),
            (PAIR_SCORES, "e_random_walk"),
            (PAIR_SCORES, "arch_lm_p"),
        ],
        ids=lambda given: given if isinstance(given, str) else given.table,
    )
    def test_a_shifted_value_is_named(self, copied, contract, column):
        tamper(copied, contract, key(), lambda frame: frame.assign(**{column: frame[column] * 1.001}))
        found = check(copied, f"{contract.table}:no_look_ahead", session=SESSION)
        assert not found.passed
        assert f"in {column}: {column} is" in found.description

    def test_later_prices_do_not_matter(self, copied):
        """Stored sessions after the one that is judged are read and cut off."""
        tamper(
            copied, PRICE_HISTORY, key(), lambda frame: frame.assign(close=frame["close"] * 3, high=frame["high"] * 3)
        )
        for asset in self.ASSETS:
            assert check(copied, f"{asset}:no_look_ahead", session=SESSIONS[1]).passed

    def test_prices_that_were_replaced_since(self, copied):
        tamper(copied, PRICE_HISTORY, key(), lambda frame: frame.assign(close=frame["low"]))
        assert not check(copied, "cointegrated_pairs:no_look_ahead", session=SESSION).passed

    def test_it_stops_the_assets_behind_it(self, copied):
        """An asset that publishes a wrong figure, in a run with the asset that would build on it."""

        class LeakingLake(Lake):
            def write(self, contract, key, frame, metadata):
                if contract is COINTEGRATED_PAIRS:
                    frame = frame.assign(beta=frame["beta"] * 1.01)
                return super().write(contract, key, frame, metadata)

        class Leaking(Platform):
            @cached_property
            def lake(self) -> Lake:
                return LeakingLake(copied.lake.root)

        instance = dg.DagsterInstance.ephemeral()
        leaking = Leaking(copied.settings)
        result = execute(leaking, ["cointegrated_pairs", "garch_fits"], session=SESSION, instance=instance)
        assert not result.success
        assert materialized(result, instance) == {"cointegrated_pairs": [str(key())]}
        failed = {found.check_name for found in result.get_asset_check_evaluations() if not found.passed}
        assert "no_look_ahead" in failed
        assert "schema_and_uniqueness" not in failed


class TestWarnings:
    """Checks that inform: a failure is a WARN and stops nothing."""

    def warning(self, platform: Platform, name: str) -> str:
        found = check(platform, name, session=SESSION)
        assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
        return found.description

    def test_session_coverage(self, copied):
        assert check(copied, "price_history:session_coverage", session=SESSION).passed
        lost = ("ADI", "ADI", "ADI", "ADI")

        def change(frame: pd.DataFrame) -> pd.DataFrame:
            kept = frame[frame["symbol"] != "TER"]
            return kept.drop(kept.index[kept["symbol"] == "ADI"][: len(lost)])

        tamper(copied, PRICE_HISTORY, key(), change)
        words = self.warning(copied, "price_history:session_coverage")
        assert "80.4% of 7 bars for 8 symbols" in words
        assert "without any bar, and left out: TER" in words
        profile = copied.settings.profile.name
        assert words.endswith(f"thin: ADI 3 bars; see `pairs-platform symbols status --profile {profile}`")

    def test_quarantine_and_flags(self, copied):
        assert check(copied, "price_history:quarantine_and_flags", session=SESSION).passed
        bar = copied.lake.read(PRICE_HISTORY, key()).head(2).assign(reason="high is below open or close")
        flag = {
            "symbol": "ADI",
            "session": pd.Timestamp(SESSION),
            "kind": "stale_repeats",
            "detail": "d",
            "remedy": "r",
        }
        quarantined = bar.astype({"volume": PRICE_QUARANTINE.dtype("volume")})[list(PRICE_QUARANTINE.columns)]
        facts = copied.lake.metadata(PRICE_HISTORY, key())
        copied.lake.write(PRICE_QUARANTINE, key(), quarantined, facts)
        copied.lake.write(PRICE_FLAGS, key(), pd.DataFrame([flag]), facts)
        words = self.warning(copied, "price_history:quarantine_and_flags")
        assert "2 rows quarantined (high is below open or close 2)" in words
        assert "1 flags (stale_repeats 1); first remedy: r" in words

    def test_convergence_rate(self, copied):
        assert check(copied, "garch_fits:convergence_rate", session=SESSION).passed
        tamper(copied, GARCH_FITS, key(), where("status", "not_converged"))
        assert "1 not_converged" in self.warning(copied, "garch_fits:convergence_rate")

    def test_pair_churn(self, copied):
        def others(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.assign(pair=[f"A_B{i}" for i in range(len(frame))])

        assert check(copied, "trading_config:pair_churn", session=SESSION).passed
        tamper(copied, TRADING_CONFIG, key(SESSIONS[1]), others)
        assert "look for a data change" in self.warning(copied, "trading_config:pair_churn")

    def test_the_first_session_has_no_churn(self, copied):
        found = check(copied, "trading_config:pair_churn", session=SESSIONS[0])
        assert found.passed
        assert "no previous session" in found.description

    @pytest.mark.parametrize(("q", "share", "passed"), [(0.5, 0.0, True), (0.01, 0.5, True), (0.5, 0.5, False)])
    def test_found_against_chance(self, copied, q, share, passed):
        placebo = copied.lake.metadata(COINTEGRATED_PAIRS, key())["placebo"]
        placebo["joint"] |= {"mean": 0.1, "p_at_least_found": share}
        rewrite_metadata(copied, COINTEGRATED_PAIRS, key(), {"placebo": placebo})
        tamper(copied, COINTEGRATED_PAIRS, key(), lambda frame: frame.assign(q_value=frame["q_value"] * 0.0 + q))
        found = placebo["joint"]["found"]
        if passed:
            assert check(copied, "cointegrated_pairs:found_against_chance", session=SESSION).passed
        else:
            words = self.warning(copied, "cointegrated_pairs:found_against_chance")
            assert f"{found} pairs found, 0 of them with a false-discovery rate" in words

    def test_a_warning_stops_nothing(self, copied):
        tamper(copied, TRADING_CONFIG, key(SESSIONS[1]), lambda frame: frame.assign(role="watched"))
        result = execute(copied, ["trading_config"], session=SESSION)
        assert result.success
        verdicts = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
        assert verdicts == {
            "schema_and_uniqueness": True,
            "pair_churn": False,
            "model_to_use": True,
            "what_is_broken_now": True,
        }


class TestPartitionsOfARun:
    def test_a_range_names_the_partitions_that_failed(self, copied):
        tamper(copied, PRICE_HISTORY, key(SESSIONS[1]), where("close", -1.0))
        found = check(copied, "price_history:schema_and_uniqueness", sessions=(SESSIONS[0], SESSION))
        assert not found.passed
        assert str(PartitionKey(SESSIONS[1], SECTOR)) in found.description
        assert str(key()) not in found.description
        assert found.metadata["partitions"].value == 3
        assert found.metadata["partitions_failed"].value == 1

    def test_a_run_without_a_partition_says_what_to_do(self, copied):
        result = execute(copied, checks=["price_history:session_coverage"])
        assert "this run has none: materialize its asset" in failure(result, "price_history_session_coverage")

    def test_a_partition_that_is_not_stored_is_named(self, copied):
        before = session_offset(SESSION, -200)
        result = execute(copied, checks=["price_history:session_coverage"], session=before)
        assert f"price_history has no partition {key(before)}" in failure(result, "price_history_session_coverage")
