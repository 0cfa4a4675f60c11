"""Scores, rankings and the trading configuration of one sector-day: from stored tables into the lake.

What does not belong here: how pairs are scored, ranked and configured (`core.selection`), reading a configuration
(`views.trading_config`), and what the pages show (`defs.selection`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.calendar import session_offset, sessions_between
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.prices.window import ExcludedSymbol, PriceWindow
from pairs_platform.core.risk.drift.response import DriftAction, DriftResponse
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.selection.ranking import monitor_scores, rank_pairs, selection_funnel
from pairs_platform.core.selection.scores import score_pairs
from pairs_platform.core.selection.trading_config import ConfigOrigin, ModelSection, TradingConfig, build_trading_config
from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_truncated_window, load_window, window_metadata
from pairs_platform.workflows.champion import configured_model
from pairs_platform.workflows.pair_drift import drift_at_close
from pairs_platform.workflows.recomputed import RecomputedRow, row_values, sampled


@dataclass(frozen=True, eq=False)
class Scores:
    """The table that was stored in `pair_scores`, and what its partition says about itself."""

    scores: pd.DataFrame
    metadata: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RankingInputs:
    """Everything that a ranking rests on.

    Attributes
    ----------
    correlations, cointegrated, scores : DataFrame
        `correlation_matrix`, `cointegrated_pairs` and `pair_scores` of the session.
    history : DataFrame with columns session, pair, score
        Scores of the earlier sessions that are stored.
    window_metadata : mapping
        What `correlation_matrix` says about its window.
    """

    correlations: pd.DataFrame
    cointegrated: pd.DataFrame
    scores: pd.DataFrame
    history: pd.DataFrame
    window_metadata: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Rankings:
    """What was stored in `composite_rankings`.

    Attributes
    ----------
    rankings : DataFrame
        The stored table.
    funnel, monitor : mapping
        Pairs past each gate; figures of scores and backtests that nothing is decided by.
    window_metadata : mapping
        What `correlation_matrix` says about its window.
    """

    rankings: pd.DataFrame
    funnel: Mapping[str, int]
    monitor: Mapping[str, Any]
    window_metadata: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ConfigInputs:
    """Everything that a trading configuration rests on: stored tables, what it is of, the model, drift by pair."""

    rankings: pd.DataFrame
    fits: pd.DataFrame
    origin: ConfigOrigin
    model: ModelSection | None
    model_reason: str
    drift: Mapping[str, DriftResponse]


@dataclass(frozen=True, eq=False)
class StoredConfig:
    """What was stored in `trading_config`.

    Attributes
    ----------
    config : TradingConfig
    table : DataFrame
        The stored table.
    document : str
        Path of the JSON document inside the lake.
    metadata : mapping
        What the partition says about itself.
    """

    config: TradingConfig
    table: pd.DataFrame
    document: str
    metadata: Mapping[str, str]


def score_partition(platform: Platform, key: PartitionKey) -> Scores:
    """Score and store every fitted pair of the sector."""
    window = load_window(platform, key)
    scores = _score(platform, key, window, platform.lake.read(GARCH_FITS, key))
    metadata = window_metadata(platform, key, window)
    platform.lake.write(PAIR_SCORES, key, scores, metadata)
    return Scores(scores, metadata)


def recomputed_score(platform: Platform, key: PartitionKey) -> RecomputedRow | None:
    """A sampled score, computed again on prices cut off at the session's close; None where no pair was scored."""
    scores = platform.lake.read(PAIR_SCORES, key)
    scores = scores[scores["y"].notna()]
    if scores.empty:
        return None
    stored = sampled(scores, key)
    window = load_truncated_window(platform, key, [stored["y"], stored["x"]])
    fits = fit_parameter_sets(window, pd.DataFrame([stored])[["pair", "y", "x"]], settings=platform.settings.garch)
    return RecomputedRow(stored["pair"], stored, row_values(_score(platform, key, window, fits)))


def _score(platform: Platform, key: PartitionKey, window: PriceWindow, fits: pd.DataFrame) -> pd.DataFrame:
    settings = platform.settings
    return score_pairs(
        window,
        fits,
        session=key.session,
        scoring=settings.scores,
        pair_settings=settings.pair_settings,
    )


def rank_partition(platform: Platform, key: PartitionKey) -> Rankings:
    """Rank and store every pair of the sector with the gates that it passed."""
    inputs = _ranking_inputs(platform, key)
    excluded = [ExcludedSymbol(*item) for item in inputs.window_metadata["symbols_excluded"].items()]
    rankings = rank_pairs(
        inputs.correlations,
        inputs.cointegrated,
        inputs.scores,
        inputs.history,
        session=key.session,
        settings=platform.settings.funnel_settings,
        excluded=excluded,
    )
    funnel = asdict(selection_funnel(rankings, n_symbols=int(inputs.window_metadata["symbols"])))
    monitor = asdict(monitor_scores(inputs.scores, inputs.correlations))
    metadata = {**inputs.window_metadata, "funnel": funnel, "monitor": monitor}
    platform.lake.write(COMPOSITE_RANKINGS, key, rankings, metadata)
    return Rankings(rankings, funnel, monitor, inputs.window_metadata)


def _ranking_inputs(platform: Platform, key: PartitionKey) -> RankingInputs:
    lake = platform.lake
    first = session_offset(key.session, 1 - platform.settings.selection.lookback_sessions)
    earlier = keys_of(sessions_between(first, key.session)[:-1], key.sector)
    stored = [past for past in earlier if lake.exists(PAIR_SCORES.table, past)]
    return RankingInputs(
        correlations=lake.read(CORRELATION_MATRIX, key),
        cointegrated=lake.read(COINTEGRATED_PAIRS, key),
        scores=lake.read(PAIR_SCORES, key),
        history=lake.read_many(PAIR_SCORES, stored, ["session", "pair", "score"]),
        window_metadata=lake.metadata(CORRELATION_MATRIX, key),
    )


def configure_partition(platform: Platform, key: PartitionKey) -> StoredConfig:
    """Make and store what may be traded in the session after `key.session`: a table and a JSON document."""
    inputs, settings, lake = _config_inputs(platform, key), platform.settings, platform.lake
    config = build_trading_config(
        inputs.rankings,
        inputs.fits,
        inputs.origin,
        trading=settings.trading,
        costs=settings.costs,
        model=inputs.model,
        model_reason=inputs.model_reason,
        held_back={pair: each.words for pair, each in inputs.drift.items() if not each.takes_entries},
        remarks={
            pair: f"drift is watched: {each.words}"
            for pair, each in inputs.drift.items()
            if each.action is DriftAction.WARN
        },
    )
    metadata = {"source": config.source_label, "valid_for": str(config.valid_for), "content_hash": config.content_hash}
    document, table = lake.write_document(TRADING_CONFIG.table, key, config.document()), config.table()
    lake.write(TRADING_CONFIG, key, table, metadata)
    return StoredConfig(config, table, "/".join(document.parts[-3:]), metadata)


def _config_inputs(platform: Platform, key: PartitionKey) -> ConfigInputs:
    model, reason = configured_model(platform, key)
    lake = platform.lake
    rankings, fits = lake.read(COMPOSITE_RANKINGS, key), lake.read(GARCH_FITS, key)
    selected = set(rankings.loc[rankings["selected"], "pair"])
    spreads = fits[(fits["parameter_set"] == FULL_WINDOW) & fits["pair"].isin(selected)]
    legs = {str(pair): (str(y), str(x)) for pair, y, x in zip(spreads["pair"], spreads["y"], spreads["x"], strict=True)}
    return ConfigInputs(
        rankings=rankings,
        fits=fits,
        origin=ConfigOrigin(
            session=key.session,
            sector=key.sector,
            source_label=str(lake.metadata(PRICE_HISTORY, key)["source"]),
            frequency=platform.settings.frequency,
            price_basis=platform.settings.price_basis,
        ),
        model=model,
        model_reason=reason,
        drift=drift_at_close(platform, key, legs),
    )


def selected_pairs(platform: Platform, key: PartitionKey) -> list[str] | None:
    """The selected pairs of a stored configuration; None where none is stored."""
    if not platform.lake.exists(TRADING_CONFIG.table, key):
        return None
    pairs = platform.lake.read(TRADING_CONFIG, key, ["pair", "role"])
    return list(pairs.loc[pairs["role"] == "selected", "pair"])
