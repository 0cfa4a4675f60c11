"""A file of splits and dividends.

What does not belong here: adjusting prices (`core.prices.adjustment`).
"""

from pathlib import Path

import pandas as pd

from pairs_platform.adapters.files.columns import match_columns
from pairs_platform.adapters.files.stamps import read_timestamps
from pairs_platform.adapters.files.tables import open_table
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import ACTION_COLUMNS
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.ports.market_data import empty_actions

_ACTION_SPELLINGS = {
    "symbol": ("symbol", "ticker"),
    "ex_date": ("ex_date", "date"),
    "kind": ("kind", "type", "action"),
    "value": ("value", "amount", "ratio"),
}
_ANNOUNCED_SPELLINGS = {"known_ts_utc": ("known_ts_utc", "known", "announced")}


def read_actions(path: Path) -> pd.DataFrame:
    """Every action of a Parquet or CSV file, with the columns of `ACTION_COLUMNS`.

    Raises
    ------
    DataError
        When the file cannot be used or holds a wrong kind or value.
    """
    source = open_table(path)
    columns = match_columns(source.names, path, _ACTION_SPELLINGS, _ANNOUNCED_SPELLINGS)
    table = source.read(list(columns.values())).rename_columns(list(columns))
    if table.num_rows == 0:
        return empty_actions()
    frame = pd.DataFrame({"symbol": table["symbol"].to_pandas().astype("object")})
    ex_date = read_timestamps(table["ex_date"], path, columns["ex_date"])
    if ex_date.dt.tz is not None:
        ex_date = ex_date.dt.tz_convert(MARKET_TIMEZONE).dt.tz_localize(None)
    frame["ex_date"] = ex_date.dt.normalize()
    frame["kind"] = table["kind"].to_pandas().astype("object").str.strip().str.casefold().str.removesuffix("s")
    frame["value"] = pd.to_numeric(table["value"].to_pandas(), errors="coerce").astype("float64")
    frame["known_ts_utc"] = frame["ex_date"].dt.tz_localize(MARKET_TIMEZONE).dt.tz_convert("UTC")
    if "known_ts_utc" in columns:
        announced = read_timestamps(table["known_ts_utc"], path, columns["known_ts_utc"])
        frame["known_ts_utc"] = (
            announced.dt.tz_localize(MARKET_TIMEZONE).dt.tz_convert("UTC") if announced.dt.tz is None else announced
        )
    wrong = frame[~frame["kind"].isin(["split", "dividend"]) | ~(frame["value"] > 0)]
    if not wrong.empty:
        row = wrong.iloc[0]
        raise DataError(
            f"{path}: {row['symbol']} {row['ex_date']:%Y-%m-%d}: kind {row['kind']!r}, value {row['value']}; kind must "
            "be split (value: new shares per old share) or dividend (value: dollars per share), and value positive"
        )
    return frame[list(ACTION_COLUMNS)]
