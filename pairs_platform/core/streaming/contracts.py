"""Contract of the table of streamed bars.

What does not belong here: judging single bars (`core.prices.validation`).
"""

import pandera.pandas as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.streaming.bars import BACKFILLED, FIRST, UPDATED


def _price() -> pa.Column:
    return pa.Column("float64", [pa.Check.gt(0.0), pa.Check.lt(float("inf"))])


STREAMED_BARS = Contract(
    table="streamed_bars",
    version=3,
    schema=pa.DataFrameSchema(
        {
            "run_mode": pa.Column(str, pa.Check.isin(["live", "replay"])),
            "symbol": pa.Column(str),
            "ts_utc": pa.Column("datetime64[ns, UTC]"),
            **{name: _price() for name in ("open", "high", "low", "close")},
            "volume": pa.Column("float64", [pa.Check.ge(0.0), pa.Check.lt(float("inf"))]),
            "revision": pa.Column("int64", pa.Check.isin([FIRST, BACKFILLED, UPDATED])),
            "source": pa.Column(str),
        },
        unique=["run_mode", "symbol", "ts_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Streamed bars of one session and sector, of the stream's own length, each in its last revision."""
