from pairs_platform.core.prices.checks import check_price_quality, check_session_coverage
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_QUARANTINE


class TestSessionCoverage:
    def judge(self, found, symbols=("AAA", "BBB"), min_coverage=0.8):
        return check_session_coverage(found, symbols=symbols, bars_expected=10, min_coverage=min_coverage)

    def test_enough_bars(self):
        result = self.judge({"AAA": 10, "BBB": 8})
        assert result.passed
        assert result.summary == "90.0% of 10 bars for 2 symbols"
        assert result.figures == {"coverage": 0.9, "symbols_missing": 0, "symbols_thin": 0}

    def test_a_bar_too_few_is_thin(self):
        result = self.judge({"AAA": 10, "BBB": 7})
        assert not result.passed
        assert "thin: BBB 7 bars" in result.summary
        assert not result.see
        assert result.figures["symbols_thin"] == 1

    def test_no_bar_is_missing_and_not_thin(self):
        result = self.judge({"AAA": 10})
        assert not result.passed
        assert result.summary.endswith("left out: BBB")
        assert result.see == "symbols status"
        assert result.figures == {"coverage": 0.5, "symbols_missing": 1, "symbols_thin": 0}

    def test_symbols_that_were_not_asked_for_and_bars_beyond_the_session_do_not_count(self):
        result = self.judge({"AAA": 15, "BBB": 5, "CCC": 10}, min_coverage=0.5)
        assert result.passed
        assert result.figures["coverage"] == 0.75

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
        result = check_price_quality(PRICE_QUARANTINE.empty(), PRICE_FLAGS.empty())
        assert result.passed
        assert result.summary == "0 rows quarantined, 0 flags"

    def test_rows_are_counted_by_reason(self):
        result = check_price_quality(self.quarantined(["a", "b", "a"]), PRICE_FLAGS.empty())
        assert not result.passed
        assert result.summary == "3 rows quarantined (a 2, b 1), 0 flags"
        assert result.figures == {"rows_quarantined": 3, "flags": 0}

    def test_flags_come_with_the_first_remedy(self):
        result = check_price_quality(PRICE_QUARANTINE.empty(), self.flags(["stale_repeats", "zero_volume"]))
        assert not result.passed
        assert "2 flags (stale_repeats 1, zero_volume 1); first remedy: remedy of stale_repeats" in result.summary
