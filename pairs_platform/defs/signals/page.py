"""What the page of `signals` shows: the session so far as a table and as a plot of z with entries and exits.

What does not belong here: computing signals (`work`). It is made after they are stored.
"""

from typing import Any

from pairs_platform.defs.metadata import picture, table
from pairs_platform.defs.resources import Platform
from pairs_platform.defs.signals.work import SignalOutcome
from pairs_platform.ledger.signals import moment, signal_frame

SHOWN = (
    "pair", "role", "action", "z", "spread", "volatility", "probability_champion", "probability_challenger",
    "confidence", "size", "position", "reason",
)  # fmt: skip
PLOTTED = 6
"""Pairs in the plot: the selected ones first."""


def signal_page(platform: Platform, outcome: SignalOutcome) -> dict[str, Any]:
    """Metadata of one materialization."""
    frame = signal_frame(platform.ledger, outcome.key)
    facts: dict[str, Any] = {
        "source": f"{outcome.key.feed} stream of {platform.market_data.label}",
        "feed": outcome.key.feed,
        "dagster/row_count": len(frame),
        "buckets_stored": [str(moment(start)) for start in outcome.stored],
    }
    if outcome.note:
        facts["note"] = outcome.note
    if frame.empty:
        return facts
    newest = frame[frame["bucket_utc"] == frame["bucket_utc"].max()]
    counts = frame["action"].value_counts()
    facts |= {
        "newest_bucket": str(newest["bucket_utc"].iloc[0]),
        "late_buckets": int(frame.loc[frame["late"], "bucket_utc"].nunique()),
        "actions_so_far": {str(action): int(n) for action, n in counts.items()},
        "newest_signals": table(newest[list(SHOWN)], rows=50),
        "entries_and_exits": table(frame.loc[~frame["action"].isin(["hold", "skip"]), ["bucket_utc", *SHOWN]], rows=50),
    }
    ranked = newest.assign(order=newest["role"].map({"selected": 0, "pinned": 1}).fillna(2)).sort_values("order")
    chosen = list(ranked.loc[ranked["z"].notna(), "pair"][:PLOTTED])
    if chosen and len(frame["bucket_utc"].unique()) > 1:
        from pairs_platform.defs.plots import session_of_signals

        rules = platform.settings.trading
        drawn = session_of_signals(frame, chosen, entry_z=rules.entry_z, exit_z=rules.exit_z)
        facts["session_so_far"] = picture(drawn, "z with entries and exits")
    return facts
