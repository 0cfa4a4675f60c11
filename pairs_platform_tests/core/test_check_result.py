import json

import pandas as pd
import pytest

from pairs_platform.core.check_result import CheckSettings, check_document, check_price_quality, check_session_coverage
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_QUARANTINE
from pairs_platform_tests.core.selection.test_trading_config import SCORES, config_of
from pairs_platform_tests.support.selection_tables import fits_of


class TestSessionCoverage:
    def judge(self, found, symbols=("AAA", "BBB"), min_coverage=0.8):
        return check_session_coverage(found, symbols=symbols, bars_expected=10, min_coverage=min_coverage)

    def test_enough_bars(self):
        verdict = self.judge({"AAA": 10, "BBB": 8})
        assert verdict.passed
        assert verdict.summary == "90.0% of 10 bars for 2 symbols"
        assert verdict.figures == {"coverage": 0.9, "symbols_missing": 0, "symbols_thin": 0}

    def test_a_bar_too_few_is_thin(self):
        verdict = self.judge({"AAA": 10, "BBB": 7})
        assert not verdict.passed
        assert "thin: BBB 7 bars" in verdict.summary
        assert verdict.figures["symbols_thin"] == 1

    def test_no_bar_is_missing_and_not_thin(self):
        verdict = self.judge({"AAA": 10})
        assert not verdict.passed
        assert "left out: BBB; see `pairs-platform symbols status`" in verdict.summary
        assert verdict.figures == {"coverage": 0.5, "symbols_missing": 1, "symbols_thin": 0}

    def test_symbols_that_were_not_asked_for_and_bars_beyond_the_session_do_not_count(self):
        verdict = self.judge({"AAA": 15, "BBB": 5, "CCC": 10}, min_coverage=0.5)
        assert verdict.passed
        assert verdict.figures["coverage"] == 0.75

    def test_a_sector_without_symbols(self):
        assert self.judge({}, symbols=()).figures["coverage"] == 1.0


class TestPriceQuality:
    def quarantined(self, reasons):
        rows = PRICE_QUARANTINE.empty().reindex(range(len(reasons)))
        return rows.assign(reason=reasons)

    def flags(self, kinds):
        rows = PRICE_FLAGS.empty().reindex(range(len(kinds)))
        return rows.assign(kind=kinds, remedy=[f"remedy of {kind}" for kind in kinds])

    def test_nothing_to_report(self):
        verdict = check_price_quality(PRICE_QUARANTINE.empty(), PRICE_FLAGS.empty())
        assert verdict.passed
        assert verdict.summary == "0 rows quarantined, 0 flags"

    def test_rows_are_counted_by_reason(self):
        verdict = check_price_quality(self.quarantined(["a", "b", "a"]), PRICE_FLAGS.empty())
        assert not verdict.passed
        assert verdict.summary == "3 rows quarantined (a 2, b 1), 0 flags"
        assert verdict.figures == {"rows_quarantined": 3, "flags": 0}

    def test_flags_come_with_the_first_remedy(self):
        verdict = check_price_quality(PRICE_QUARANTINE.empty(), self.flags(["stale_repeats", "zero_volume"]))
        assert not verdict.passed
        assert "2 flags (stale_repeats 1, zero_volume 1); first remedy: remedy of stale_repeats" in verdict.summary


class TestDocument:
    @pytest.fixture
    def config(self):
        return config_of(SCORES, fits_of(SCORES))

    def test_a_document_and_its_table(self, config):
        document = json.loads(json.dumps(config.document()))
        verdict = check_document(document, config.table())
        assert verdict.passed
        assert verdict.figures == {"pairs": len(config.pairs), "content_hash": config.content_hash}

    def test_an_edited_document(self, config):
        document = json.loads(json.dumps(config.document()))
        document["pairs"][0]["size"] = 0.25
        verdict = check_document(document, config.table())
        assert not verdict.passed
        assert "cannot be read back" in verdict.summary

    def test_no_document_at_all(self, config):
        assert not check_document({}, config.table()).passed

    def test_a_table_with_other_pairs(self, config):
        verdict = check_document(config.document(), config.table().iloc[::-1])
        assert not verdict.passed
        assert verdict.summary == "document and table list different pairs"

    def test_an_empty_configuration(self, config):
        assert len(config.pairs) > 1
        assert not check_document(config.document(), pd.DataFrame({"pair": []})).passed


def test_rules_of_the_checks_have_bounds():
    with pytest.raises(ValueError, match="max_pair_churn"):
        CheckSettings(max_pair_churn=1.5)
