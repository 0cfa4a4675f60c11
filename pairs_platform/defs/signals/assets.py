"""The assets `streamed_bars` and `signals`, of the session under way, and what their pages show.

What does not belong here: saving bars (`workflows.streamed_bars`) and making signals (`workflows.signals`).
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import drawing, page, rows_table, table
from pairs_platform.defs.partitions import lake_keys, live_session_by_sector, lookback_mapping
from pairs_platform.defs.selection.assets import trading_config
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.signals import SignalOutcome
    from pairs_platform.workflows.streamed_bars import SavedStream

GROUP = "live"

STREAM_RETRIES = dg.RetryPolicy(max_retries=2, delay=5)
SIGNAL_RETRIES = dg.RetryPolicy(max_retries=2, delay=2)
PATIENT_RETRIES, PATIENT_SECONDS = 40, 5
"""A run of signals outlasts a Redis or a database that is unavailable for three minutes: after the last bar of a
session no later run would fill what is missing."""


@dg.asset(
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"redis", "parquet"},
    code_version="1",
)
def streamed_bars(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the bars by symbol: what was streamed, each bar in its last revision; every hour and at the close.

    Alongside `price_history`, which comes from the vendor alone and is what everything is computed from.
    """
    from pairs_platform.defs.outcomes import for_each_partition
    from pairs_platform.workflows.streamed_bars import save_stream

    for_each_partition(context, lambda key: _stream_page(save_stream(platform, key)), retries=STREAM_RETRIES)


def _stream_page(saved: "SavedStream") -> dict[str, Any]:
    from pairs_platform.core.streaming.proxies import PROXY

    by_symbol = saved.bars.groupby("symbol").agg(
        bars=("ts_utc", "size"), first=("ts_utc", "min"), last=("ts_utc", "max"), revised=("revision", "max")
    )
    return {
        **saved.metadata,
        "dagster/row_count": len(saved.bars),
        "symbols": len(by_symbol),
        "rows_of_a_proxy": int(saved.bars["source"].str.startswith(PROXY).sum()),
        "by_symbol": table(by_symbol.reset_index(), rows=50),
    }


@dg.asset(
    deps=[
        dg.AssetDep(trading_config, partition_mapping=lookback_mapping(-1, -1)),
    ],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"redis", "sql", "numpy"},
    code_version="1",
)
def signals(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the newest signals: what to do with every configured pair at every bar of the session, stored once.

    A run computes every complete bar that has no signals yet; what is stored is never changed. The console's command
    `signals` shows them.
    """
    from pairs_platform.core.errors import DatabaseUnavailable, StreamUnavailable
    from pairs_platform.defs.outcomes import explain, without_useless_retries
    from pairs_platform.workflows.signals import signal_partition

    for key in lake_keys(context.partition_keys):
        with without_useless_retries(context, SIGNAL_RETRIES):
            try:
                outcome = signal_partition(platform, key, run_id=context.run.run_id)
            except (StreamUnavailable, DatabaseUnavailable) as error:
                explain(error)
                raise dg.RetryRequested(max_retries=PATIENT_RETRIES, seconds_to_wait=PATIENT_SECONDS) from error
        context.add_asset_metadata(page("signals", _signal_page(platform, key, outcome)), partition_key=str(key))


SHOWN = (
    "pair", "role", "action", "order", "z", "spread", "volatility", "probability_champion", "probability_challenger",
    "confidence", "size", "position", "reason",
)  # fmt: skip


def _signal_page(platform: Platform, key: PartitionKey, outcome: "SignalOutcome") -> dict[str, Any]:
    """The session so far, read after its signals are stored: every 5 minutes in every sector, so without pandas."""
    from pairs_platform.core.signals.orders import signal_order
    from pairs_platform.core.time import moment_utc
    from pairs_platform.database.signals import signal_rows
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.drawing.session_so_far import drawn_pairs, session_so_far
    from pairs_platform.views.drawing.signal_strip import entries_and_exits, newest_signals

    rows = [{**row, "order": signal_order(row)} for row in signal_rows(platform.database, outcome.key)]
    shown: dict[str, Any] = {
        "source": f"{outcome.key.run_mode} stream · {outcome.source_label or platform.market_data.label}",
        "run_mode": outcome.key.run_mode,
        "dagster/row_count": len(rows),
        "bars_stored": [moment_utc(start) for start in outcome.stored],
    }
    if outcome.note:
        shown["note"] = outcome.note
    if not rows:
        return shown
    newest, trades = newest_signals(rows), entries_and_exits(rows)
    settings, label = platform.settings.trading, drawing_label(platform, key, shown["source"])
    strips = session_so_far(rows, drawn_pairs(newest), entry_z=settings.entry_z, exit_z=settings.exit_z, label=label)
    return {
        **shown,
        "newest_bar": rows[-1]["bar_utc"],
        "late_bars": len({row["bar_utc"] for row in rows if row["late"]}),
        "actions_so_far": dict(Counter(row["action"] for row in rows)),
        "newest_signals": rows_table(SHOWN, ([row[name] for name in SHOWN] for row in newest), rows=50),
        "entries_and_exits": rows_table(
            ("bar_utc", *SHOWN), ([row[name] for name in ("bar_utc", *SHOWN)] for row in trades), rows=50
        ),
        "plot_session_so_far": drawing(strips, "z of each pair with entries, exits and stops"),
    }
