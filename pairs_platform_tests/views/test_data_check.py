"""What is seen in price files before any run, and what the settings can do with them."""

import json

import numpy as np
import pandas as pd
import pytest

from pairs_platform.cli.data import full_lines, short_lines
from pairs_platform.core.errors import ConfigurationError, DataError, NotFound
from pairs_platform.core.prices.calendar import CALENDAR_START, sessions_between, sessions_ending
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.data_check import DataCheck, check_data
from pairs_platform_tests.support.file_platform import LAST, daily_rows, file_platform
from pairs_platform_tests.support.price_samples import make_bars


def daily(n_sessions: int, *symbols: str) -> pd.DataFrame:
    return daily_rows(n_sessions, symbols or ("AAA", "BBB")).assign(sector="energy")


def checked(path, bars: pd.DataFrame | None = None, **options) -> DataCheck:
    return check_data(file_platform(path, bars, **options))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prices.csv"


def test_a_sound_file(path):
    seen = checked(path, daily(102))
    assert (seen.usable, seen.ranking.possible, seen.demo.possible) == (True, True, True)
    assert (seen.session, seen.sector, seen.n_rows, seen.n_accepted) == (LAST, "energy", 204, 204)
    assert seen.symbols["bars"].to_dict() == {"AAA": 102, "BBB": 102}
    assert dict(seen.in_window) == {"energy": ("AAA", "BBB")}
    assert not seen.quarantined
    assert not seen.excluded
    assert not seen.contradictions


def test_held_out_bars_are_counted_as_selection_and_training_count_them(path):
    seen = checked(path, daily(102))
    assert "holds out 20, and comparing variance forecasts needs 200" in seen.selection.reason
    assert "a model needs 500" in seen.training.reason


def test_five_minute_bars_can_be_selected_and_trained_on(tmp_path):
    make_bars(sessions_ending(LAST, 62)).assign(sector="Energy").to_parquet(tmp_path / "p.parquet")
    seen = checked(tmp_path, frequency="5min")
    assert (seen.selection.possible, seen.training.possible, seen.demo.possible) == (True, True, True)


@pytest.mark.parametrize(
    ("sessions", "usable", "reason"),
    [
        (99, False, "99 sessions up to 2025-11-20, and a window needs 100"),
        (100, True, "3 sessions with a lookback of 100 need 102"),
    ],
)
def test_too_few_sessions_are_counted(path, sessions, usable, reason):
    seen = checked(path, daily(sessions))
    assert seen.usable is usable
    assert reason in (seen.demo.reason if usable else seen.ranking.reason)


def test_the_demo_is_possible_where_demo_would_run(path):
    late = daily(102)
    seen = checked(path, late[(late["symbol"] == "AAA") | (late["ts_utc"] > late["ts_utc"].unique()[1])])
    assert seen.usable
    assert "the first session that most symbols of energy have" in seen.demo.reason


def test_files_that_begin_where_the_calendar_does_are_told_so(path):
    bars = daily(50)
    days = dict(zip(sorted(bars["ts_utc"].unique()), sessions_between(CALENDAR_START, LAST)[:50], strict=True))
    older = bars[bars["symbol"] == "AAA"].head(1).assign(ts_utc="2017-12-29")
    seen = checked(path, pd.concat([older, bars.assign(ts_utc=bars["ts_utc"].map(days))]))
    assert "50 sessions from 2018-01-02, where the calendar begins, up to" in seen.ranking.reason


def test_a_session_that_no_symbol_has_breaks_the_window(path):
    bars = daily(102)
    seen = checked(path, bars[bars["ts_utc"] != "2025-10-02"])
    assert seen.ranking.reason == (
        "1 session of the window without any bar: 2025-10-02; add its bars to the files, or set a lookback that begins "
        "after it (100 sessions now)"
    )


def test_rows_of_actions_that_are_left_out_are_in_the_answer(path, tmp_path):
    (tmp_path / "actions.csv").write_text(
        "symbol,ex_date,kind,value\nAAA,2025-10-02,dividend,1\nBBB,2025-13-02,split,2\n"
    )
    seen = checked(path, daily(102), actions_path=str(tmp_path / "actions.csv"))
    assert len(seen.actions) == 1
    assert seen.as_json()["actions"]["notes"] == list(seen.action_notes)
    assert "row 2: BBB" in seen.action_notes[0]


def test_a_file_of_actions_is_no_file_of_prices(path):
    path.write_text("Symbol,Ex-Date,Kind,Value\nAAA,2025-10-02,dividend,1\n")
    with pytest.raises(DataError, match=r"looks like a file of corporate actions.*source\.files\.actions_path"):
        checked(path)


def test_a_sector_needs_two_symbols(path):
    bars = daily(102)
    seen = checked(path, bars.assign(sector=np.where(bars["symbol"] == "AAA", "energy", "utilities")))
    assert seen.ranking.reason == "no sector has 2 symbols in the window that ends with 2025-11-20"


def test_a_symbol_that_does_not_enter_the_window_is_listed(path):
    bars = daily(102, "AAA", "BBB", "CCC")
    short = bars[(bars["symbol"] != "CCC") | (bars["ts_utc"] > "2025-10-01")]
    seen = checked(path, short)
    assert seen.usable
    assert "coverage" in seen.excluded["CCC"]


def test_symbols_outside_the_universe_are_listed(path):
    seen = checked(path, daily(102, "AAPL", "MSFT", "OWN").drop(columns="sector"), origin="config")
    assert "OWN" in seen.excluded
    assert seen.symbols["sector"].to_dict() == {"AAPL": "technology", "MSFT": "technology", "OWN": None}


def test_rows_that_would_be_quarantined_are_folded_by_reason(path):
    bars = daily(102)
    bars.loc[[3, 4, 150], "close"] = np.nan
    bars.loc[5, "volume"] = -1
    seen = checked(path, bars)
    assert [(rows.reason, rows.count) for rows in seen.quarantined] == [
        ("close is not a number", 3),
        ("volume is negative", 1),
    ]
    assert seen.quarantined[0].example.startswith("AAA ")
    assert (seen.n_rows, seen.n_accepted) == (204, 200)


def test_rows_that_repeat_another_are_not_among_the_quarantined(path):
    bars = daily(102)
    seen = checked(path, pd.concat([bars, bars.head(2)]))
    assert (seen.n_rows, seen.n_accepted, seen.n_repeated, seen.quarantined) == (206, 204, 2, ())


class TestBasis:
    def halved(self) -> pd.DataFrame:
        bars = daily(102)
        late = bars["ts_utc"] > "2025-10-01"
        bars.loc[late, ["open", "high", "low", "close"]] /= 2
        return bars

    def test_a_jump_like_a_split_contradicts_adjusted_prices(self, path):
        [said] = checked(path, self.halved()).contradictions
        assert "2 jumps like a split on the basis split_adjusted, the first of AAA on 2025-10-02" in said
        assert "set the basis to raw" in said

    def test_a_known_split_explains_it_in_raw_prices(self, path, tmp_path):
        actions = tmp_path / "actions.csv"
        actions.write_text("symbol,ex_date,kind,value\nAAA,2025-10-02,split,2\nBBB,2025-10-02,split,2\n")
        seen = checked(path, self.halved(), basis="raw", actions_path=str(actions))
        assert seen.contradictions == ()
        assert seen.as_json()["actions"] == {
            "path": str(actions),
            "splits": 2,
            "dividends": 0,
            "symbols": ["AAA", "BBB"],
            "notes": [],
        }

    def test_a_split_that_raw_prices_do_not_show(self, path, tmp_path):
        actions = tmp_path / "actions.csv"
        actions.write_text("symbol,ex_date,kind,value\nAAA,2025-10-02,split,2\n")
        [said] = checked(path, daily(102), basis="raw", actions_path=str(actions)).contradictions
        assert "1 known split that the prices on the basis raw do not show" in said

    def test_an_adjusted_close_beside_the_close_is_said(self, path):
        [said] = checked(path, daily(102).assign(**{"Adj Close": 1.0})).contradictions
        assert "an adjusted close stands beside the close in 1 file, the first is prices.csv" in said


def test_what_is_wrong_with_sectors_or_actions_is_in_the_answer(path, tmp_path):
    unknown = checked(path, daily(102).assign(sector="Airlines"))
    assert unknown.usable
    assert unknown.sector == "unclassified"
    assert unknown.n_accepted == 204
    (note,) = unknown.sector_notes
    assert "Airlines" in note
    assert note in "\n".join(full_lines(unknown))
    assert note in "\n".join(short_lines(unknown))
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,ex_date,kind,value\nAAA,2025-10-02,merger,2\n")
    wrong = checked(path, daily(102), actions_path=str(actions))
    assert "merger" in wrong.ranking.reason


def test_json_has_dates_as_written_and_no_value_that_json_lacks(path):
    bars = daily(102)
    bars.loc[3, "close"] = np.nan
    answer = checked(path, bars).as_json()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert (answer["usable"], answer["reason"]) == (True, None)
    assert answer["session"] == "2025-11-20"
    assert answer["symbols"][0] == {
        "symbol": "AAA",
        "sector": "energy",
        "first_session": "2025-06-30",
        "last_session": "2025-11-20",
        "bars": 102,
    }


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        checked(tmp_path / "none.csv")
    with pytest.raises(ConfigurationError, match="only price files"):
        check_data(Platform(load_settings()))
