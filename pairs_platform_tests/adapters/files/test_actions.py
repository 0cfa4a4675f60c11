import re
from pathlib import Path

import pandas as pd
import pytest

from pairs_platform.adapters.files.actions import read_actions
from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS

HEADER = "symbol,ex_date,kind,value"


def read(folder: Path, *rows: str, header: str = HEADER, **settings):
    path = folder / "actions.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return read_actions(path, FileSourceSettings(paths="prices.csv", **settings))


@pytest.mark.parametrize(
    "written",
    [
        "2025-11-04",
        "2025-11-04 00:00:00",
        "2025-11-04T00:00:00Z",
        "2025-11-04 00:00:00+00",
        "2025-11-04T00:00:00+01:00",
        "2025-11-04T00:00:00+09:00",
        "2025-11-04T00:00:00-05:00",
        "20251104",
        "04-Nov-2025",
        "2025-11-04T09:30:00-05:00",
    ],
)
def test_an_ex_date_is_the_date_as_written_and_known_from_its_midnight(tmp_path, written) -> None:
    [action] = read(tmp_path, f"AAPL,{written},split,4").actions.to_dict("records")
    assert action["ex_date"] == pd.Timestamp("2025-11-04")
    assert action["known_ts_utc"] == pd.Timestamp("2025-11-04T05:00:00Z")


def test_an_ex_date_that_may_be_the_next_one_is_left_out_and_said(tmp_path) -> None:
    got = read(tmp_path, "AAPL,2025-11-03T23:00:00Z,split,4", "AAPL,2025-11-05,dividend,1")
    assert got.actions["kind"].tolist() == ["dividend"]
    [note] = got.notes_of({"AAPL"})
    assert note.startswith("row 1: AAPL: ex_date '2025-11-03T23:00:00Z' may be midnight of another time zone")
    assert "source.files.timezone" in note
    told = read(tmp_path, "AAPL,2025-11-03T23:00:00Z,split,4", timezone="Europe/Berlin").actions
    assert told["ex_date"].tolist() == [pd.Timestamp("2025-11-04")]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("2025-10-20T20:00:00Z", "2025-10-20T20:00:00Z"),
        ("2025-10-20 16:00", "2025-10-20T20:00:00Z"),
        ("2025-10-20", "2025-10-20T04:00:00Z"),
        ("2025-10-20T00:00:00+09:00", "2025-10-20T04:00:00Z"),
        ("", "2025-11-04T05:00:00Z"),
        ("soon", "2025-11-04T05:00:00Z"),
    ],
)
def test_a_moment_of_knowledge(tmp_path, known, expected) -> None:
    got = read(tmp_path, f"AAPL,2025-11-04,split,4,{known}", header=f"{HEADER},announced")
    assert got.actions["known_ts_utc"].tolist() == [pd.Timestamp(expected)]
    assert [note for note in got.notes_of({"AAPL"}) if "'soon' is no date" in note] == (
        got.notes_of({"AAPL"}) if known == "soon" else []
    )


def test_a_moment_of_knowledge_that_clocks_leave_out_is_said_with_the_zone_that_is_set(tmp_path) -> None:
    row = "AAPL,2025-11-04,split,4,2025-03-30 02:30"
    got = read(tmp_path, row, header=f"{HEADER},announced", timezone="Europe/Berlin")
    [note] = got.notes_of({"AAPL"})
    assert "'2025-03-30 02:30' is no single moment in Europe/Berlin" in note


def test_a_truth_value_is_no_value(tmp_path) -> None:
    columns = {"symbol": ["A", "B"], "ex_date": 2 * ["2025-11-04"], "kind": 2 * ["dividend"], "value": [True, False]}
    pd.DataFrame(columns).to_parquet(tmp_path / "actions.parquet")
    with pytest.raises(DataError, match="value True; kind must be split"):
        read_actions(tmp_path / "actions.parquet", FileSourceSettings(paths="prices.csv"))


def test_an_action_that_is_listed_twice_counts_once(tmp_path) -> None:
    got = read(tmp_path, *2 * ["ADI,2023-02-23,dividend,0.86"], "ADI,2023-02-23 00:00:00,Dividends,0.86")
    assert CORPORATE_ACTIONS.violations(got.actions) == []
    assert got.actions["value"].tolist() == [0.86]
    assert got.notes_of({"ADI"}) == ["ADI 2023-02-23: dividend listed more than once with the same value counts once"]


def test_different_values_of_one_date_add_up_or_multiply_and_are_known_last(tmp_path) -> None:
    rows = ["A,2025-11-04,dividend,0.5,2025-10-01", "A,2025-11-04,dividend,0.25,2025-10-02", "A,2025-11-04,split,2,"]
    got = read(tmp_path, *rows, "A,2025-11-04,split,3,", header=f"{HEADER},known")
    assert CORPORATE_ACTIONS.violations(got.actions) == []
    assert got.actions.set_index("kind")["value"].to_dict() == {"dividend": 0.75, "split": 6.0}
    assert got.actions.set_index("kind")["known_ts_utc"]["dividend"] == pd.Timestamp("2025-10-02T04:00:00Z")
    assert len(got.notes_of({"A"})) == 2


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("Stock Split", "split"),
        ("stock_splits", "split"),
        ("SPLIT", "split"),
        ("Cash Dividend", "dividend"),
        ("dividends", "dividend"),
        (" Div ", "dividend"),
    ],
)
def test_kinds_have_many_spellings(tmp_path, kind, meant) -> None:
    assert read(tmp_path, f"A,2025-11-04,{kind},2").actions["kind"].tolist() == [meant]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A,2025-11-04,spinoff,1", "row 2: A: kind 'spinoff', value '1'; kind must be split"),
        ("A,2025-11-04,split,0", "value '0'; .*value a positive number"),
        ("A,2025-11-04,split,four", "value 'four'"),
        ("A,2025-11-04,split,inf", "value 'inf'"),
        ("A,November,split,4", "ex_date 'November' is no date or time"),
    ],
)
def test_a_wrong_row_costs_itself_and_is_among_the_notes_of_its_symbol(tmp_path, row, message) -> None:
    got = read(tmp_path, "A,2025-11-03,dividend,1", row, "B,2025-11-03,dividend,1")
    assert got.actions["symbol"].tolist() == ["A", "B"]
    [note] = got.notes_of({"A"})
    assert re.search(message, note)
    assert note.endswith("the row is left out")
    assert got.notes_of({"B"}) == []
    with pytest.raises(DataError, match="no row can be used"):
        read(tmp_path, row)


def test_notes_of_actions_come_with_the_bars(tmp_path) -> None:
    read(tmp_path, *2 * ["AAPL,2025-11-04,split,4"])
    rows = [f"AAPL,2025-11-0{day},1,2,1,1.5,10" for day in (3, 4, 5)]
    (tmp_path / "prices.csv").write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows, ""]))
    settings = FileSourceSettings(paths=str(tmp_path / "prices.csv"), actions_path=str(tmp_path / "actions.csv"))
    market = FileMarketData(settings, frequency=Frequency.ONE_DAY)
    day = pd.Timestamp("2025-11-04").date()
    assert any("counts once" in note for note in market.fetch_bars(["AAPL"], day, day).notes)
    assert len(market.fetch_actions(["AAPL"], day, day).actions) == 1
