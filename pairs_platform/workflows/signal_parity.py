"""Stored signals of a session against those that the batch path gives on the vendor's bars.

What does not belong here: the batch path (`core.signals.batch`) and making signals (`signals`).
"""

from dataclasses import dataclass

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.core.signals.batch import batch_signals
from pairs_platform.core.signals.checks import compare_signals
from pairs_platform.database.signals import SignalKey, signal_frame
from pairs_platform.platform import Platform
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform.views.windows import load_window


@dataclass(frozen=True, eq=False)
class SignalComparison:
    """Stored signals that the batch path does not give, as `compare_signals`, and how many were compared."""

    differences: pd.DataFrame
    n_signals: int


def stored_signals(platform: Platform, key: PartitionKey) -> pd.DataFrame:
    """The signals of a session and sector in the configured run mode, as the database has them."""
    signal_key = SignalKey(run_mode=platform.settings.stream.run_mode, sector=key.sector, session=key.session)
    return signal_frame(platform.database, signal_key)


def signal_differences(platform: Platform, key: PartitionKey) -> SignalComparison | None:
    """Stored signals that the batch path does not give on the vendor's bars.

    None without any that can be compared: of a pair that began flat and kept its configuration and models.
    """
    stored = stored_signals(platform, key)
    if stored.empty:
        return None
    config = read_trading_config(platform, PartitionKey(session_offset(key.session, -1), key.sector))
    comparable = _comparable(stored, config)
    if comparable.empty:
        return None
    batch = _batch(platform, key, config, comparable)
    return None if batch.empty else SignalComparison(compare_signals(comparable, batch), len(comparable))


def _comparable(stored: pd.DataFrame, config: TradingConfig) -> pd.DataFrame:
    """Signals under this configuration, of pairs that began the session flat and kept their models."""
    first = stored[stored["bar_utc"] == stored["bar_utc"].min()]
    flat = set(first.loc[(first["position"] == 0) & ~first["blocked"], "pair"])
    signals = stored[(stored["config_hash"] == config.content_hash) & stored["pair"].isin(flat)]
    constant = _versions(signals).groupby(signals["pair"]).nunique().eq(1).all(axis=1)
    return signals[signals["pair"].map(constant)]


def _versions(signals: pd.DataFrame) -> pd.DataFrame:
    """Versions of champion and challenger of each signal; 0 for none."""
    return signals[["champion_version", "challenger_version"]].astype(float).fillna(0).astype(int)


def _batch(platform: Platform, key: PartitionKey, config: TradingConfig, signals: pd.DataFrame) -> pd.DataFrame:
    """The batch path's signals of the same pairs, each with the models that its stored signals asked."""
    window = load_window(platform, key, sorted(set(signals["y"]) | set(signals["x"])))
    versions = _versions(signals)
    by_versions = [versions["champion_version"], versions["challenger_version"]]
    frames = []
    for (champion, challenger), rows in signals.groupby(by_versions):
        bundles = [
            platform.registry.load(key.sector, version) if version else None
            for version in (int(str(champion)), int(str(challenger)))
        ]
        asks_champion = dict.fromkeys(rows["pair"].unique(), bool(champion))
        batch = batch_signals(config, window, champion=bundles[0], challenger=bundles[1], pairs=asks_champion)
        frames += [batch] if len(batch) else []
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
