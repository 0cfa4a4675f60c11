import json

import pandas as pd
import pytest

from pairs_platform.views.data_check import check_data
from pairs_platform_tests.support.file_platform import daily_rows, file_platform


@pytest.fixture
def prices() -> pd.DataFrame:
    return daily_rows(254).assign(sector="energy")


def test_a_file_that_can_be_used(console, tmp_path, prices):
    path = tmp_path / "my prices.csv"
    prices.to_csv(path, index=False)
    shown = console("data", "check", str(path))
    words = " ".join(shown.output.split())
    assert shown.exit_code == 0
    assert "files 1 read, 0 left out" in words
    assert "my prices.csv: rows, UTF-8, 1d bars, dates without time" in words
    assert "symbols 2, 508 bars of 1d, 2024-11-15 to 2025-11-20" in words
    assert "sectors energy 2" in words
    assert "demo sector energy, session 2025-11-20" in words
    assert words.endswith("usable yes")


def test_a_file_that_cannot_says_why_in_one_line(console, tmp_path, prices):
    path = tmp_path / "prices.csv"
    prices[prices["ts_utc"] > "2025-01-01"].to_csv(path, index=False)
    shown = console("data", "check", str(path))
    assert shown.exit_code == 1
    words = " ".join(shown.output.splitlines()[-1].split())
    assert words == "usable no: 223 sessions up to 2025-11-20, and a window needs 252"


def test_json_of_a_folder(console, tmp_path, prices):
    for symbol, rows in prices.groupby("symbol"):
        rows.to_parquet(tmp_path / f"{symbol}.parquet")
    (tmp_path / "header.csv").write_text("symbol,date,open,high,low,close,volume\n")
    shown = console("data", "check", str(tmp_path), "--json")
    answer = json.loads(shown.output)
    assert (shown.exit_code, answer["version"]) == (0, 1)
    assert [file["path"] for file in answer["files"]] == [str(tmp_path / f"{name}.parquet") for name in ("AAA", "BBB")]
    assert [file["path"] for file in answer["files_left_out"]] == [str(tmp_path / "header.csv")]


def test_options_are_the_settings_of_the_source(console, tmp_path, prices):
    path = tmp_path / "prices.csv"
    prices.to_csv(path, index=False)
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,ex_date,kind,value\nAAA,2025-10-02,dividend,0.1\n")
    shown = console("data", "check", str(path), "--basis", "raw", "--actions", str(actions), "--json")
    answer = json.loads(shown.output)
    assert answer["basis"]["set"] == "raw"
    assert answer["actions"]["dividends"] == 1
    assert answer["session"] == "2025-11-20"


def test_json_of_what_cannot_be_read_at_all(console, tmp_path):
    (tmp_path / "prices.csv").write_text("a,b,c\n1,2,3\n")
    for path, told in ((tmp_path / "prices.csv", "no symbol column"), (tmp_path / "none.csv", "does not exist")):
        shown = console("data", "check", str(path), "--json")
        answer = json.loads(shown.output)
        assert (shown.exit_code, answer["version"], answer["usable"]) == (1, 1, False)
        assert told in answer["reason"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere.csv"], 1, "nowhere.csv does not exist; give a Parquet or CSV file"),
        ([], 2, "Missing argument"),
        (["prices.csv", "--label", "middle"], 2, "Invalid value for '--label'"),
    ],
)
def test_what_is_asked_wrongly(console, words, code, told):
    shown = console("data", "check", *words)
    assert shown.exit_code == code
    assert told in " ".join(shown.output.split())


def test_many_equal_lines_are_folded(console, tmp_path, prices):
    for n in range(30):
        rows = prices[prices["symbol"] == "AAA"].assign(symbol=f"S{n}")
        rows.loc[rows.index[3 + n], "close"] = -1.0
        rows.to_parquet(tmp_path / f"S{n}.parquet")
    shown = console("data", "check", str(tmp_path))
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) < 25
    assert "S0.parquet, S1.parquet, S10.parquet and 27 more" in shown.output
    assert "30: close is not positive" in shown.output


def test_the_short_form_has_at_most_twelve_lines(tmp_path, prices):
    from pairs_platform.cli.data import short_lines

    prices.loc[[3, 4], "close"] = [-1.0, float("nan")]
    bars = prices.assign(**{"Adj Close": 1.0})
    lines = short_lines(check_data(file_platform(tmp_path / "prices.csv", bars)))
    assert len(lines) <= 12
    assert lines[0].split() == ["files", "1", "read,", "0", "left", "out"]
    assert max(map(len, lines)) <= 200
