import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START, session_of, session_open, sessions_ending
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import ValidatedBars, validate_bars
from pairs_platform_tests.support.price_samples import (
    EARLY_CLOSE,
    FULL,
    GOOD_FRIDAY,
    HOLIDAY,
    make_actions,
    make_bars,
    needs_real_data,
    real_bars,
)

SESSIONS = (FULL, EARLY_CLOSE)
BARS = make_bars(SESSIONS)
PRICES = ("open", "high", "low", "close")


def check(bars: pd.DataFrame, **changes) -> ValidatedBars:
    arguments = {
        "symbols": ["AAA", "BBB"],
        "sessions": SESSIONS,
        "frequency": Frequency.FIVE_MINUTES,
        "settings": ValidationSettings(),
    }
    result = validate_bars(bars, **{**arguments, **changes})
    assert PRICE_HISTORY.violations(result.accepted) == []
    assert PRICE_QUARANTINE.violations(result.quarantined) == []
    assert PRICE_FLAGS.violations(result.flags) == []
    return result


def altered(row: int, **values) -> pd.DataFrame:
    bars = BARS.copy()
    for name, value in values.items():
        if name not in ("symbol", "ts_utc"):
            bars[name] = bars[name].astype("float64" if isinstance(value, float) else object)
        bars.at[row, name] = value
    return bars


def test_clean_bars_are_accepted_as_they_are():
    result = check(BARS)
    pd.testing.assert_frame_equal(result.accepted, BARS)
    assert result.quarantined.empty
    assert result.flags.empty
    assert result.missing_symbols == ()
    assert result.counts() == {"accepted": 240, "quarantined": 0, "missing_symbols": 0}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"close": np.nan}, "close is not a number"),
        ({"open": np.inf}, "open is not a number; high is below open or close"),
        ({"close": "n/a"}, "close is not a number"),
        (dict.fromkeys(PRICES, 999_999.0), "; ".join(f"{name} is implausibly large" for name in PRICES)),
        (dict.fromkeys(PRICES, 1e308), "; ".join(f"{name} is implausibly large" for name in PRICES)),
        ({"close": True}, "close is not a number"),
        ({"close": [50.0]}, "close is not a number"),
        ({"close": 10**400}, "close is not a number"),
        ({"close": 0.0, "low": 0.0}, "low is not positive; close is not positive"),
        ({"low": -1.0}, "low is not positive"),
        ({"high": 10.0}, "high is below open or close; low is above high"),
        ({"low": 90.0}, "low is above open or close; low is above high"),
        ({"volume": np.nan}, "volume is not a number"),
        ({"volume": -1.0}, "volume is negative"),
        ({"volume": np.inf}, "volume is not a number"),
        ({"volume": 1e30}, "volume is implausibly large"),
        ({"ts_utc": pd.Timestamp("2024-07-02 13:31Z")}, "not at the start of a 5min bar"),
        ({"ts_utc": pd.Timestamp("2024-07-02 13:25Z")}, "outside the regular session"),
        ({"ts_utc": pd.Timestamp("2024-07-03 17:00Z")}, "outside the regular session"),
        ({"ts_utc": pd.Timestamp("2024-07-04 15:00Z")}, "not a session of the exchange"),
        ({"ts_utc": pd.Timestamp("2024-03-29 15:00Z")}, "not a session of the exchange"),
        ({"ts_utc": pd.Timestamp("2024-07-05 15:00Z")}, "session was not asked for"),
        ({"ts_utc": pd.Timestamp("1990-01-02 15:00Z")}, f"before {CALENDAR_START}, where the calendar begins"),
        ({"ts_utc": pd.Timestamp("2099-01-02 15:00Z")}, f"after {CALENDAR_END}, where the calendar ends"),
        ({"ts_utc": pd.NaT}, "ts_utc is not a time"),
        ({"symbol": "ZZZ"}, "symbol was not asked for"),
        ({"symbol": None}, "symbol is not a text"),
        ({"symbol": ""}, "symbol is not a text"),
    ],
)
def test_one_bad_row_is_quarantined_and_the_rest_accepted(values, reason):
    result = check(altered(7, **values))
    pd.testing.assert_frame_equal(result.accepted, BARS.drop(index=7).reset_index(drop=True))
    assert result.quarantined["reason"].tolist() == [reason]
    untouched = [name for name in BAR_COLUMNS if name not in values]
    assert result.quarantined[untouched].iloc[0].tolist() == BARS[untouched].iloc[7].tolist()


def test_every_reason_of_a_row_is_named():
    result = check(altered(7, close=np.nan, volume=-1.0, low=0.0))
    assert result.quarantined["reason"].tolist() == ["close is not a number; low is not positive; volume is negative"]


def test_rounding_of_adjusted_prices_is_no_reason():
    bars = BARS.copy()
    bars.loc[7, "high"] = bars.loc[7, ["open", "close"]].max() * (1 - 1e-12)
    assert check(bars).quarantined.empty


def test_identical_duplicates_are_dropped_and_counted():
    result = check(pd.concat([BARS, BARS.iloc[[3, 3, 100]]]))
    pd.testing.assert_frame_equal(result.accepted, BARS)
    assert result.quarantined.empty
    duplicates = result.flags[result.flags["kind"] == "identical_duplicates"]
    assert duplicates["detail"].tolist() == [
        "2 rows dropped, equal to another one",
        "1 row dropped, equal to another one",
    ]
    assert duplicates["session"].tolist() == [pd.Timestamp(FULL), pd.Timestamp(EARLY_CLOSE)]


def test_contradicting_duplicates_are_all_quarantined():
    other = BARS.iloc[[3]].assign(volume=1)
    result = check(pd.concat([BARS, other, BARS.iloc[[3]], BARS.iloc[[5]]]))
    pd.testing.assert_frame_equal(result.accepted, BARS.drop(index=3).reset_index(drop=True))
    assert len(result.quarantined) == 3
    assert set(result.quarantined["reason"]) == {"contradicts another row of the same symbol and time"}
    assert result.counts()["flag_identical_duplicates"] == 1


def test_a_bad_copy_does_not_contest_a_good_row():
    result = check(pd.concat([BARS, BARS.iloc[[3]].assign(close=np.nan)]))
    pd.testing.assert_frame_equal(result.accepted, BARS)
    assert result.quarantined["reason"].tolist() == ["close is not a number"]


def test_shuffled_rows_are_sorted_and_flagged_once_per_symbol():
    result = check(BARS.sample(frac=1, random_state=5))
    pd.testing.assert_frame_equal(result.accepted, BARS)
    assert result.flags["kind"].tolist() == ["out_of_order"] * 2


def test_interleaved_symbols_are_in_order():
    result = check(BARS.sort_values(["ts_utc", "symbol"]))
    pd.testing.assert_frame_equal(result.accepted, BARS)
    assert result.flags.empty


def test_a_fractional_volume_is_accepted_as_it_is():
    result = check(altered(7, volume=0.5))
    assert result.accepted["volume"][7] == 0.5
    assert len(result.quarantined) == 0


def test_zero_volume_is_accepted_and_flagged():
    result = check(altered(7, volume=0.0))
    assert result.accepted["volume"][7] == 0
    assert result.flags[["symbol", "kind", "detail"]].to_numpy().tolist() == [
        ["AAA", "zero_volume", "1 bar without volume"]
    ]


def test_gaps_are_flagged_per_symbol_and_session():
    first_bbb = len(BARS) // 2
    result = check(BARS.drop(index=[1, 2, *range(first_bbb + 78, len(BARS))]))
    assert result.flags[["symbol", "session", "kind", "detail"]].to_numpy().tolist() == [
        ["AAA", pd.Timestamp(FULL), "missing_bars", "2 of 78 bars missing"],
        ["BBB", pd.Timestamp(EARLY_CLOSE), "missing_session", "42 of 42 bars missing"],
    ]


def test_a_missing_symbol_is_reported_and_the_others_go_on():
    result = check(BARS, symbols=["AAA", "BBB", "CCC"])
    assert result.missing_symbols == ("CCC",)
    assert len(result.accepted) == len(BARS)


@pytest.mark.parametrize("empty", [BARS.iloc[:0], pd.DataFrame(columns=list(BAR_COLUMNS))])
def test_an_empty_file_means_that_every_symbol_is_missing(empty):
    result = check(empty)
    assert result.missing_symbols == ("AAA", "BBB")
    assert result.accepted.empty
    assert result.by_session()[FULL].missing_symbols == ("AAA", "BBB")


def test_a_frame_without_a_needed_column_is_refused_by_name():
    with pytest.raises(DataError, match=r"lack the columns close, volume; the columns are: symbol"):
        check(BARS.drop(columns=["close", "volume"]))
    with pytest.raises(DataError, match="the columns are: none"):
        check(pd.DataFrame())


def test_a_holiday_cannot_be_asked_for():
    with pytest.raises(NotFound, match="2024-07-04 is not an XNYS session"):
        check(BARS, sessions=[HOLIDAY])
    with pytest.raises(NotFound, match="Friday"):
        check(BARS, sessions=[GOOD_FRIDAY])


def test_more_columns_and_odd_indices_do_no_harm():
    bars = BARS.assign(freq="5min").set_index(pd.Index([0] * len(BARS)))
    pd.testing.assert_frame_equal(check(bars).accepted, BARS)


class TestTimeZones:
    def test_another_zone_is_converted(self):
        bars = BARS.assign(ts_utc=BARS["ts_utc"].dt.tz_convert("America/New_York").dt.as_unit("us"))
        pd.testing.assert_frame_equal(check(bars).accepted, BARS)

    def test_stamps_without_a_zone_are_not_guessed(self):
        result = check(BARS.assign(ts_utc=BARS["ts_utc"].dt.tz_localize(None)))
        assert result.accepted.empty
        assert set(result.quarantined["reason"]) == {"ts_utc has no time zone"}

    def test_texts_are_read_one_by_one(self):
        texts = BARS["ts_utc"].astype(str).tolist()
        texts[4], texts[5], texts[6] = "2024-07-02 13:50:00", "yesterday", 7
        result = check(BARS.assign(ts_utc=texts))
        assert len(result.accepted) == len(BARS) - 3
        assert sorted(result.quarantined["reason"]) == [
            "ts_utc has no time zone",
            "ts_utc is not a time",
            "ts_utc is not a time",
        ]

    @pytest.mark.parametrize("day", [date(2024, 3, 8), date(2024, 3, 11), date(2024, 11, 1), date(2024, 11, 4)])
    def test_sessions_beside_a_clock_change(self, day):
        bars = make_bars([day])
        assert check(bars, sessions=[day]).counts() == {"accepted": 156, "quarantined": 0, "missing_symbols": 0}
        late = bars.assign(ts_utc=bars["ts_utc"] + pd.Timedelta("1h"))
        assert check(late, sessions=[day]).counts()["quarantined"] == 24

    def test_a_daily_bar_starts_at_the_open(self):
        bars = make_bars(SESSIONS, frequency=Frequency.ONE_DAY)
        assert check(bars, frequency=Frequency.ONE_DAY).quarantined.empty
        midnight = bars.assign(ts_utc=bars["ts_utc"].dt.tz_convert("America/New_York").dt.normalize())
        reasons = set(check(midnight, frequency=Frequency.ONE_DAY).quarantined["reason"])
        assert reasons == {"outside the regular session"}


class TestStaleRepeats:
    def repeated(self, bars: int) -> pd.DataFrame:
        frame = BARS.copy()
        frame.loc[10 : 10 + bars - 1, ["open", "high", "low", "close"]] = 50.0
        return frame

    def test_a_long_run_is_flagged_where_it_begins(self):
        flags = check(self.repeated(13)).flags
        assert flags[["symbol", "session", "kind"]].to_numpy().tolist() == [
            ["AAA", pd.Timestamp(FULL), "stale_repeats"]
        ]
        assert flags["detail"][0].startswith("13 bars in a row")

    def test_a_run_of_the_allowed_length_is_not(self):
        assert check(self.repeated(12)).flags.empty

    def test_a_run_over_two_sessions_counts_as_one(self):
        frame = BARS.copy()
        frame.loc[72:86, ["open", "high", "low", "close"]] = 50.0
        assert check(frame).flags["detail"].tolist() == ["15 bars in a row with equal open, high, low and close"]


class TestSplits:
    SESSIONS = tuple(sessions_ending(date(2024, 7, 5), 6))
    BARS = make_bars(SESSIONS, symbols=["AAA", "BBB"])

    def split(self, session: date, factor: float) -> pd.DataFrame:
        bars = self.BARS.copy()
        late = (bars["symbol"] == "AAA") & (bars["ts_utc"] >= pd.Timestamp(session_open(session)))
        bars.loc[late, ["open", "high", "low", "close"]] /= factor
        return bars

    def flags(self, bars: pd.DataFrame, **changes) -> list[tuple]:
        found = check(bars, sessions=self.SESSIONS, **changes).flags
        return [(row.symbol, row.session.date(), row.kind) for row in found.itertuples()]

    @pytest.mark.parametrize("factor", [2.0, 1.5, 10.0, 1 / 8])
    def test_in_mid_window_is_flagged_with_the_remedy(self, factor):
        bars = self.split(self.SESSIONS[3], factor)
        result = check(bars, sessions=self.SESSIONS)
        assert len(result.accepted) == len(bars)
        assert self.flags(bars) == [("AAA", self.SESSIONS[3], "split_like_jump")]
        assert "materialize price_history again over the whole lookback" in result.flags["remedy"][0]

    def test_against_the_stored_previous_close(self):
        close = float(self.BARS["close"][0])
        previous = {"AAA": 2 * close, "BBB": float(self.BARS["close"][len(self.BARS) // 2])}
        assert self.flags(self.BARS, previous_close=previous) == [("AAA", self.SESSIONS[0], "split_like_jump")]
        assert self.flags(self.BARS, previous_close={"AAA": float("nan"), "BBB": 0.0}) == []

    def test_a_known_split_explains_the_jump_of_raw_prices(self):
        actions = make_actions(("AAA", str(self.SESSIONS[3]), "split", 2.0, "2024-06-01"))
        assert self.flags(self.split(self.SESSIONS[3], 2.0), actions=actions) == []
        assert self.flags(self.split(self.SESSIONS[4], 2.0), actions=actions) == [
            ("AAA", self.SESSIONS[3], "split_without_jump"),
            ("AAA", self.SESSIONS[4], "split_like_jump"),
        ]

    def test_a_known_split_condemns_the_jump_of_split_adjusted_prices(self):
        actions = make_actions(("AAA", str(self.SESSIONS[3]), "split", 2.0, "2024-06-01"))
        bars = self.split(self.SESSIONS[3], 2.0)
        result = check(bars, sessions=self.SESSIONS, actions=actions, basis=PriceBasis.SPLIT_ADJUSTED)
        assert result.flags["kind"].tolist() == ["split_like_jump"]
        assert "basis before the split" in result.flags["detail"][0]
        assert self.flags(self.BARS, actions=actions, basis=PriceBasis.SPLIT_ADJUSTED) == []

    def test_a_split_that_raw_prices_do_not_show_is_flagged(self):
        actions = make_actions(("AAA", str(self.SESSIONS[3]), "split", 2.0, "2024-06-01"))
        assert self.flags(self.BARS, actions=actions) == [("AAA", self.SESSIONS[3], "split_without_jump")]

    def test_a_large_known_dividend_explains_its_drop(self):
        close = self.BARS["close"][self.BARS["ts_utc"] < pd.Timestamp(session_open(self.SESSIONS[3]))].iloc[-1]
        actions = make_actions(("AAA", str(self.SESSIONS[3]), "dividend", float(close) / 3, "2024-06-01"))
        bars = self.split(self.SESSIONS[3], 1.5)
        assert self.flags(bars) == [("AAA", self.SESSIONS[3], "split_like_jump")]
        assert self.flags(bars, actions=actions) == []

    def test_a_split_while_the_symbol_was_absent_is_explained(self):
        bars = self.split(self.SESSIONS[3], 2.0)
        absent = bars[~((bars["symbol"] == "AAA") & (session_of(bars["ts_utc"]).dt.date == self.SESSIONS[3]))]
        actions = make_actions(("AAA", str(self.SESSIONS[3]), "split", 2.0, "2024-06-01"))
        assert self.flags(absent, actions=actions) == [("AAA", self.SESSIONS[3], "missing_session")]

    def test_an_ordinary_crash_is_not_a_split(self):
        assert self.flags(self.split(self.SESSIONS[3], 1.25)) == []


@given(
    rows=st.lists(st.integers(0, len(BARS) - 1), max_size=30),
    spoiled=st.dictionaries(st.integers(0, len(BARS) - 1), st.sampled_from(["open", "high", "low", "close", "volume"])),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_no_row_is_lost(rows, spoiled, seed):
    bars = pd.concat([BARS, BARS.iloc[rows]], ignore_index=True).astype({"volume": "float64"})
    for row, name in spoiled.items():
        bars.loc[row, name] = np.nan
    bars = bars.sample(frac=1, random_state=seed)
    result = check(bars)
    dropped = result.flags.loc[result.flags["kind"] == "identical_duplicates", "detail"].str.extract(r"(\d+)")[0]
    assert len(result.accepted) + len(result.quarantined) + dropped.astype(int).sum() == len(bars)
    parts = result.by_session()
    whole = pd.concat([part.accepted for part in parts.values()]).sort_values(["symbol", "ts_utc"])
    pd.testing.assert_frame_equal(whole.reset_index(drop=True), result.accepted)
    assert sum(len(part.quarantined) for part in parts.values()) == len(result.quarantined)
    assert sum(len(part.flags) for part in parts.values()) == len(result.flags)


def test_by_session_gives_each_quarantined_row_a_home():
    stamps = ["1990-01-02 15:00Z", "2024-07-02 13:25Z", "2024-07-02 22:00Z", "2024-07-04 15:00Z", None]
    strays = BARS.iloc[: len(stamps)].assign(ts_utc=pd.DatetimeIndex(stamps))
    parts = check(pd.concat([BARS, strays])).by_session()
    assert [len(parts[session].quarantined) for session in SESSIONS] == [4, 1]
    assert [len(parts[session].accepted) for session in SESSIONS] == [156, 84]


def test_counts_can_be_stored_as_json():
    assert json.loads(json.dumps(check(altered(7, volume=0.0)).counts()))["flag_zero_volume"] == 1


def test_a_whole_lookback_is_accepted():
    sessions = sessions_ending(FULL, 60)
    symbols = [f"S{i:02d}" for i in range(23)]
    bars = make_bars(sessions, symbols=symbols).sample(frac=1, random_state=0)
    validated = validate_bars(
        bars, symbols=symbols, sessions=sessions, frequency=Frequency.FIVE_MINUTES, settings=ValidationSettings()
    )
    assert len(validated.accepted) == len(bars) > 106_000


@needs_real_data
class TestRealFiles:
    def run(
        self, name: str, frequency: Frequency, basis: PriceBasis, symbols: list[str] | None = None
    ) -> ValidatedBars:
        bars = real_bars(name, symbols)
        sessions = sorted(set(session_of(bars["ts_utc"]).dt.date))
        symbols = sorted(bars["symbol"].unique())
        return check(bars, symbols=symbols, sessions=sessions, frequency=frequency, basis=basis)

    def test_daily(self):
        result = self.run("real_daily.parquet", Frequency.ONE_DAY, PriceBasis.SPLIT_ADJUSTED)
        assert result.counts() == {"accepted": 142_994, "quarantined": 0, "missing_symbols": 0}

    def test_five_minutes(self):
        symbols = ["AAPL", "COST", "INTC", "LMT", "NVDA", "SMCI"]
        result = self.run("real_intraday_5min.parquet", Frequency.FIVE_MINUTES, PriceBasis.SPLIT_ADJUSTED, symbols)
        assert result.counts()["flag_zero_volume"] == 3
        assert set(result.quarantined["reason"]) == {"outside the regular session"}
        late = session_of(result.quarantined["ts_utc"]).dt.strftime("%Y-%m-%d").unique()
        assert set(late) == {"2025-11-28", "2025-12-24"}, "trades after the early closes"
        assert "missing_bars" not in set(result.flags["kind"])

    def test_hours(self):
        result = self.run("real_intraday_1h.parquet", Frequency.ONE_HOUR, PriceBasis.SPLIT_ADJUSTED)
        assert result.quarantined.empty
        assert result.counts()["flag_missing_bars"] == 50, "the source lacks the last bar of five early closes"
