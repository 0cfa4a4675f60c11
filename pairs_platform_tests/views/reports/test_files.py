"""Files for other programs, read back as those programs would."""

from datetime import UTC, date, datetime

import openpyxl
import pandas as pd
import pytest

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.views.reports import files as export_files
from pairs_platform.views.reports.files import write_export

MOMENT = datetime(2026, 3, 2, 14, 35, tzinfo=UTC)
FRAME = pd.DataFrame(
    {
        "session": [date(2026, 3, 2)] * 3,
        "pair": ["A_B", "=1+1", "-2"],
        "z": [0.1 + 0.2, -2.5, None],
        "bar_utc": pd.to_datetime([MOMENT] * 3),
        "late": [True, False, False],
        "rank": pd.array([1, 2, None], dtype="Int64"),
    }
)


def test_csv_has_headings_iso_dates_and_full_precision(tmp_path):
    path = tmp_path / "a folder" / "out.csv"
    write_export(path, FRAME, "csv")
    assert path.read_text().splitlines()[:2] == [
        "session,pair,z,bar_utc,late,rank",
        "2026-03-02,A_B,0.30000000000000004,2026-03-02 14:35:00+00:00,True,1",
    ]


def test_parquet_keeps_every_type(tmp_path):
    write_export(tmp_path / "out.parquet", FRAME, "parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(found, FRAME)


def test_excel_has_numbers_dates_and_moments(tmp_path):
    write_export(tmp_path / "out.xlsx", FRAME, "xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(values_only=True))
    assert rows[0] == ("session", "pair", "z", "bar_utc", "late", "rank")
    third = pytest.approx(0.3, rel=1e-14)  # Excel keeps 15 digits
    assert rows[1] == (datetime(2026, 3, 2), "A_B", third, MOMENT.replace(tzinfo=None), True, 1)  # noqa: DTZ001
    assert rows[3][2] is None


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_text_becomes_a_formula_and_no_number_a_text(tmp_path, kind):
    path = tmp_path / f"out.{kind}"
    write_export(path, FRAME, kind)
    if kind == "csv":
        found = pd.read_csv(path)
        assert found["pair"].tolist() == ["A_B", "'=1+1", "'-2"]
        assert found["z"].tolist()[1] == -2.5
        return
    sheet = openpyxl.load_workbook(path).active
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [("A_B", "s"), ("'=1+1", "s"), ("'-2", "s")]


def test_more_rows_than_a_sheet_has_are_refused_and_the_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "out.xlsx"
    path.write_bytes(b"before")
    monkeypatch.setattr(export_files, "EXCEL_ROWS", 2)
    with pytest.raises(ConfigurationError, match="3 rows do not fit on a sheet"):
        write_export(path, FRAME, "xlsx")
    assert path.read_bytes() == b"before"
