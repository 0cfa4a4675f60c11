"""Contract of the table of streamed bars.

What does not belong here: judging single bars (`core.prices.validation`).
"""

import pandera.pandas as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.prices.contracts import bar_columns, start_column, symbol_column
from pairs_platform.core.streaming.bars import BACKFILLED, FIRST, UPDATED

STREAMED_BARS = Contract(
    table="streamed_bars",
    version=3,
    schema=pa.DataFrameSchema(
        {
            "run_mode": pa.Column(
                str, pa.Check.isin(["live", "replay"]), description="Whether the bar was streamed live or replayed."
            ),
            "symbol": symbol_column(),
            "ts_utc": start_column(),
            **bar_columns(),
            "revision": pa.Column(
                "int64",
                pa.Check.isin([FIRST, BACKFILLED, UPDATED]),
                description=f"{FIRST} as first received, {BACKFILLED} filled in later, {UPDATED} corrected [1].",
            ),
            "source": pa.Column(str, description="Who gave the bar; proxy:SYMBOL where another symbol stands in."),
        },
        unique=["run_mode", "symbol", "ts_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Streamed bars of one session and sector, of the stream's own length, each in its last revision."""
