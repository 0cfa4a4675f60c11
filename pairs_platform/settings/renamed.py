"""Settings that have another name now: an earlier name is refused with the new one.

What does not belong here: which settings there are (`model`).
"""

RENAMED = {
    "executor": "compute",
    "compute.pair_block": "compute.pairs_per_batch",
    "compute.fit_block": "compute.fits_per_batch",
    "garch.evaluation_fraction": "garch.in_sample_fraction",
    "gru.training.baseline_every_sessions": "gru.training.full_retrain_every_sessions",
    "gru.training.strategy": "gru.training.scope",
    "ledger_owner_url": "database_owner_url",
    "ledger_url": "database_url",
    "look_back": "lookback",
    "selection.look_back_sessions": "selection.lookback_sessions",
    "stream.replay.buckets": "stream.replay.bars",
    "stream.silent_buckets": "stream.silent_bars",
}
"""New dotted paths by earlier ones; a group stands for all that is in it."""


def new_path(path: str) -> str:
    """The dotted path that a setting has now; `path` itself where it was never another."""
    for earlier, now in RENAMED.items():
        if path == earlier or path.startswith(f"{earlier}."):
            return new_path(now + path.removeprefix(earlier))
    return path
