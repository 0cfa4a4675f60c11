"""A frame as a file for other programs: CSV, Excel, Parquet; replaced as a whole.

What does not belong here: which frames there are (`tables`).
"""

import io
from pathlib import Path

import pandas as pd

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.lake.atomic import replace_file
from pairs_platform.settings.exports import Format

EXCEL_ROWS = 1_048_575
"""Rows of a sheet below its heading."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With which a spreadsheet takes a text for a formula. https://owasp.org/www-community/attacks/CSV_Injection"""


def require_folder(path: Path) -> None:
    """Refuse a file whose folder is not there, before any work.

    Raises
    ------
    ConfigurationError
    """
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: there is no folder {path.parent}; make it, or name another one")


def write_export(path: Path, frame: pd.DataFrame, kind: Format) -> None:
    """Write a frame.

    Parameters
    ----------
    path : Path
    frame : DataFrame
        Its index is not written.
    kind : "csv", "xlsx" or "parquet"
        CSV is UTF-8 with a heading, ISO dates, moments in UTC with their offset. Excel knows no zones: moments are UTC
        there, and say so in their heading; it keeps 15 digits. In both, a text that a spreadsheet would take for a
        formula gets an apostrophe before it. Parquet keeps every type.

    Raises
    ------
    ConfigurationError
        More rows than a sheet of Excel has.
    OSError
        The file cannot be written; what was there stays.
    """
    if kind == "parquet":
        replace_file(path, frame.to_parquet(index=False))
    elif kind == "csv":
        replace_file(path, _harmless(frame).to_csv(index=False, lineterminator="\n").encode())
    else:
        if len(frame) > EXCEL_ROWS:
            raise ConfigurationError(
                f"{len(frame)} rows do not fit on a sheet of Excel ({EXCEL_ROWS}): choose csv, parquet or fewer days"
            )
        buffer = io.BytesIO()
        sheet = _without_zones(_harmless(frame))
        with pd.ExcelWriter(buffer, engine="openpyxl", datetime_format="yyyy-mm-dd hh:mm:ss") as writer:
            sheet.to_excel(writer, index=False, sheet_name="export", freeze_panes=(1, 0))
        replace_file(path, buffer.getvalue())


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [
        str(name) for name in frame if frame[name].dtype == object or isinstance(frame[name].dtype, pd.StringDtype)
    ]
    return frame.assign(**{name: frame[name].map(_without_formula) for name in texts})


def _without_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _without_zones(frame: pd.DataFrame) -> pd.DataFrame:
    aware = [str(name) for name in frame if isinstance(frame[name].dtype, pd.DatetimeTZDtype)]
    plain = frame.assign(**{name: frame[name].dt.tz_convert("UTC").dt.tz_localize(None) for name in aware})
    return plain.rename(columns={name: name if name.endswith("_utc") else f"{name} (UTC)" for name in aware})
