"""Makes a session's state from the configuration, the models and the price history up to its close.

What does not belong here: reading any of them (`workflows.session_state`), and the state's form (`session_state`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.features import ContinuedSpread, OutOfReach, continue_spread, next_bar_of_day
from pairs_platform.core.models.gru.inference import stacked
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.selection.trading_config import SHOWN_ROLES, ConfiguredPair, TradingConfig
from pairs_platform.core.signals.session_state import ModelArrays, SessionPair, SessionState, SpreadArrays
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.trading.rule import max_hold_bars
from pairs_platform.core.trading.settings import TradingSettings

_PARAMETERS = ("alpha", "beta", "mu", "sigma")
_GARCH = ("c", "phi", "omega", "alpha1", "beta1")

_Usable = tuple[int, PairModel, ContinuedSpread]
"""Position of a pair in the configuration, its model, and the model's recursion up to the close."""


def make_session_state(
    config: TradingConfig,
    window: PriceWindow,
    *,
    champion: tuple[int, SectorBundle] | None,
    challenger: tuple[int, SectorBundle] | None,
    champion_reason: str,
    max_fill_bars: int,
    split_tolerance: float,
) -> SessionState:
    """The session state of ``config.valid_for``.

    Parameters
    ----------
    config : TradingConfig
    window : PriceWindow
        Ends with the configuration's session; holds the legs of its pairs and the models' last bars.
    champion, challenger : (version, SectorBundle) or None
        Neither may have seen a later session than the configuration.
    champion_reason : str
        Why there is no champion.

    Raises
    ------
    DataError
        When the window ends elsewhere, or a model has seen later bars.
    """
    last = window.session[-1].astype(object)
    if last != config.session:
        raise DataError(f"the window ends with {last}, the configuration of {config.session} needs its own close")
    for number, bundle in (one for one in (champion, challenger) if one is not None):
        if bundle.session > config.session:
            raise DataError(f"version {number} has seen {bundle.session}, after the configuration's {config.session}")
    reasons = {pair.pair: champion_reason for pair in config.pairs}
    of_champion = _usable(config, window, champion[1], reasons) if champion else []
    of_challenger = _usable(config, window, challenger[1], {}) if challenger else []
    modelled = {k: (model, path) for k, model, path in of_champion}
    rows = [
        _model_row(*modelled[k], trading=config.trading) if k in modelled else _config_row(pair)
        for k, pair in enumerate(config.pairs)
    ]
    symbols = window.symbols
    return replace(
        empty_session_state(config, max_fill_bars=max_fill_bars, split_tolerance=split_tolerance),
        pairs=tuple(
            SessionPair(
                pair=pair.pair,
                role=SHOWN_ROLES[pair.role],
                size=pair.size,
                reason=_unusable(pair, symbols, modelled=k in modelled),
                model_reason="" if k in modelled else reasons[pair.pair],
            )
            for k, pair in enumerate(config.pairs)
        ),
        traded=_spread_arrays(rows, _bars_of_day(config, rows)),
        champion=_model_arrays(champion, of_champion, window, config.trading),
        challenger=_model_arrays(challenger, of_challenger, window, config.trading),
        symbols=symbols,
        last_observed=window.observed[-1].copy(),
        bars_since=_bars_since_observed(window),
        last_log_close=window.log_close[-1].copy(),
    )


def empty_session_state(config: TradingConfig, *, max_fill_bars: int, split_tolerance: float) -> SessionState:
    """The session state of a configuration without a pair, which is a normal outcome."""
    return SessionState(
        sector=config.sector,
        source_label=config.source_label,
        session=config.valid_for,
        config_session=config.session,
        config_hash=config.content_hash,
        frequency=config.frequency,
        trading=config.trading,
        max_fill_bars=max_fill_bars,
        split_tolerance=split_tolerance,
        pairs=(),
        traded=_spread_arrays([], _bars_of_day(config, [])),
        champion=None,
        challenger=None,
        symbols=(),
        last_observed=np.empty(0, dtype=bool),
        bars_since=np.empty(0, dtype=np.int64),
        last_log_close=np.empty(0),
    )


def _usable(config: TradingConfig, window: PriceWindow, bundle: SectorBundle, reasons: dict[str, str]) -> list[_Usable]:
    """The configured pairs that a bundle can be asked about; why not, for the others, into `reasons`."""
    held = {model.pair: model for model in bundle.pairs}
    usable: list[_Usable] = []
    for k, pair in enumerate(config.pairs):
        model = held.get(pair.pair)
        if model is None:
            reasons[pair.pair] = "the champion does not hold the pair"
            continue
        if not np.isfinite(model.fit.half_life_bars):
            reasons[pair.pair] = "the model's spread has no half-life"
            continue
        went_on = continue_spread(window, model, bundle.session)
        if isinstance(went_on, OutOfReach):
            reasons[pair.pair] = f"{went_on.status}: {went_on.reason}"
        else:
            usable.append((k, model, went_on))
    return usable


def _unusable(pair: ConfiguredPair, symbols: Sequence[str], *, modelled: bool) -> str:
    missing = [symbol for symbol in (pair.symbol_1, pair.symbol_2) if symbol not in symbols]
    if missing:
        return f"leg_missing: {', '.join(missing)} is not in the window of the configuration"
    return "" if modelled or pair.spread is not None else "not_fitted"


def _config_row(pair: ConfiguredPair) -> dict[str, Any]:
    if pair.spread is None or pair.garch is None:
        none = dict.fromkeys((*_PARAMETERS, *_GARCH, "reference_variance", "last_spread", "variance"), np.nan)
        return {**none, "y": pair.symbol_1, "x": pair.symbol_2, "diurnal": (1.0,), "max_hold": np.inf}
    hold, last = pair.garch.max_hold_bars, pair.garch.last_spread
    return {
        **{name: getattr(pair.spread, name) for name in ("y", "x", *_PARAMETERS)},
        **{name: getattr(pair.garch, name) for name in (*_GARCH, "diurnal", "reference_variance")},
        "max_hold": np.inf if hold is None else hold,
        "last_spread": np.nan if last is None else last,
        "variance": pair.garch.last_variance,
    }


def _model_row(model: PairModel, went_on: ContinuedSpread, *, trading: TradingSettings) -> dict[str, Any]:
    return {
        **{name: getattr(model.parameters, name) for name in ("y", "x", *_PARAMETERS)},
        **{name: getattr(model.fit, name) for name in (*_GARCH, "diurnal")},
        "reference_variance": model.fit.mean_variance,
        "max_hold": max_hold_bars(model.fit.half_life_bars, trading),
        "last_spread": went_on.spread[-1],
        "variance": went_on.next_variance[-1],
    }


def _bars_of_day(config: TradingConfig, rows: Sequence[Mapping[str, Any]]) -> int:
    """Diurnal factors of each spread: those that were estimated, and enough for the session where none were."""
    n_bars = len(bar_intervals(config.valid_for, config.frequency))
    return max([n_bars, *(len(row["diurnal"]) for row in rows)])


def _spread_arrays(rows: Sequence[Mapping[str, Any]], width: int) -> SpreadArrays:
    numbers = (*_PARAMETERS, *_GARCH, "reference_variance", "max_hold", "last_spread", "variance")
    return SpreadArrays(
        y=tuple(row["y"] for row in rows),
        x=tuple(row["x"] for row in rows),
        diurnal=np.array([np.resize(np.asarray(row["diurnal"], float), width) for row in rows]).reshape(
            len(rows), width
        ),
        **{name: np.array([row[name] for row in rows], dtype=np.float64) for name in numbers},
    )


def _model_arrays(
    version: tuple[int, SectorBundle] | None, usable: Sequence[_Usable], window: PriceWindow, trading: TradingSettings
) -> ModelArrays | None:
    if version is None or not usable:
        return None
    number, bundle = version
    models, paths = [model for _, model, _ in usable], [path for _, _, path in usable]
    lead, weights = paths[0].lead, stacked([model.weights for model in models])
    rows = [_model_row(model, path, trading=trading) for _, model, path in usable]

    def tail(name: str) -> np.ndarray:
        return np.stack([getattr(path, name)[-lead:] for path in paths], axis=1)

    return ModelArrays(
        version=number,
        pair=np.array([k for k, _, _ in usable], dtype=np.int64),
        spreads=_spread_arrays(rows, bundle.bars_per_session),
        tail_spread=tail("spread"),
        tail_next_variance=tail("next_variance"),
        tail_residual=tail("residual"),
        tail_bar_of_day=window.bar_of_day[-lead:].astype(np.int64),
        tail_following=next_bar_of_day(window)[-lead:],
        centre=np.array([model.scaling.centre for model in models]),
        scale=np.array([model.scaling.scale for model in models]),
        intercept=np.array([model.baseline.intercept for model in models]),
        slope=np.array([model.baseline.slope for model in models]),
        threshold=np.array([model.threshold for model in models]),
        weights={name: array.astype(np.float64) for name, array in weights.items()},
        sequence_length=bundle.sequence_length,
        bars_per_session=bundle.bars_per_session,
    )


def _bars_since_observed(window: PriceWindow) -> np.ndarray:
    newest_first = window.observed[::-1]
    return np.where(newest_first.any(axis=0), newest_first.argmax(axis=0), window.n_bars).astype(np.int64)
