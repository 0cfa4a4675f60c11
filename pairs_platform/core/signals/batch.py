"""The signals of a whole session by another way: from the window, through the backtest and the models' own code.

What live signals must equal on the same bars; it shares with them the trading rule and the features, and nothing else.
What does not belong here: live signals (`engine`).
"""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.features import OutOfReach, continue_spread, later_bars
from pairs_platform.core.models.gru.inference import predict
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.selection.trading_config import ConfiguredPair, TradingConfig
from pairs_platform.core.trading.backtest import BacktestReport, backtest
from pairs_platform.core.volatility.garch import GarchFit, shocks
from pairs_platform.core.volatility.likelihood import variance_path
from pairs_platform.core.volatility.parameters import leg_shocks_excluded

COLUMNS = (
    *("pair", "bar_utc", "spread", "z", "band", "action", "position"),
    *("probability_champion", "probability_challenger"),
)


def batch_signals(
    config: TradingConfig,
    window: PriceWindow,
    *,
    champion: SectorBundle | None,
    challenger: SectorBundle | None,
    pairs: Mapping[str, bool],
) -> pd.DataFrame:
    """Spread, z, band, action and probabilities at every bar of ``config.valid_for``, flat at its start.

    Parameters
    ----------
    window : PriceWindow
        Ends with the session, or with a bar of it; its earlier bars are those that the configuration was made from.
    pairs : mapping of pair to bool
        Pairs to compute, and whether the champion is asked about each.

    Returns
    -------
    DataFrame
        `COLUMNS`; `action` as `trading_rule.Action`. Pairs without a spread have no rows.
    """
    frames = [
        _pair_signals(config, pair, window, champion if pairs[pair.pair] else None, challenger)
        for pair in config.pairs
        if pair.pair in pairs and (pair.spread is not None or pairs[pair.pair])
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def pair_backtest(
    config: TradingConfig, pair: ConfiguredPair, window: PriceWindow, champion: SectorBundle | None
) -> BacktestReport:
    """The backtest of one pair in ``config.valid_for``, flat at its start, with the costs of the configuration.

    Parameters
    ----------
    window : PriceWindow
        As `batch_signals`.
    champion : SectorBundle or None
        The model whose spread is traded and that is asked about entries; None trades the configuration's own.
    """
    first = int(np.searchsorted(window.session, np.datetime64(config.valid_for)))
    variance = np.full(window.n_bars + 1, np.nan)
    may_enter = None
    if champion is not None:
        model = champion.pair(pair.pair)
        parameters, reference, half_life = model.parameters, model.fit.mean_variance, model.fit.half_life_bars
        variance[first + 1 :] = _model_variance(model, window, champion.session)[-(window.n_bars - first) :]
        may_enter = np.zeros(window.n_bars, dtype=bool)
        may_enter[first:] = _probabilities(champion, pair.pair, window, config.session) >= model.threshold
    else:
        assert pair.spread is not None
        assert pair.garch is not None
        parameters, reference = pair.spread.parameters(), pair.garch.reference_variance
        half_life = np.inf if pair.garch.half_life_bars is None else pair.garch.half_life_bars
        variance[first + 1 :] = _config_variance(pair, window, first)
    return backtest(
        window,
        parameters,
        variance=variance,
        reference_variance=reference,
        half_life_bars=half_life,
        trading=config.trading,
        costs=config.costs,
        first_bar=first,
        may_enter=may_enter,
    )


def _pair_signals(
    config: TradingConfig,
    pair: ConfiguredPair,
    window: PriceWindow,
    champion: SectorBundle | None,
    challenger: SectorBundle | None,
) -> pd.DataFrame:
    report = pair_backtest(config, pair, window, champion)
    return pd.DataFrame(
        {
            "pair": pair.pair,
            "bar_utc": report.bars["ts_utc"],
            **{name: report.bars[name] for name in ("spread", "z", "band", "action", "position")},
            "probability_champion": _probabilities(champion, pair.pair, window, config.session),
            "probability_challenger": _probabilities(challenger, pair.pair, window, config.session),
        }
    )


def _config_variance(pair: ConfiguredPair, window: PriceWindow, first: int) -> np.ndarray:
    """h of the next bar at every bar of the session, from the configuration's state."""
    assert pair.spread is not None
    assert pair.garch is not None
    parameters, garch = pair.spread.parameters(), pair.garch
    fit = GarchFit(
        status="ok", **{name: getattr(garch, name) for name in ("c", "phi", "omega", "alpha1", "beta1", "diurnal")}
    )
    y, x = (window.log_close[:, window.column(leg)] for leg in (parameters.y, parameters.x))
    u = shocks(fit, parameters.spread(y, x), window.bar_of_day, leg_shocks_excluded(window, parameters.y, parameters.x))
    return np.asarray(variance_path(u[first:], fit.omega, fit.alpha1, fit.beta1, garch.last_variance))[1:]


def _model_variance(model: PairModel, window: PriceWindow, after: date) -> np.ndarray:
    path = continue_spread(window, model, after)
    if isinstance(path, OutOfReach):
        raise DataError(f"{model.pair}: {path.status}, {path.reason}")
    return path.next_variance


def _probabilities(bundle: SectorBundle | None, pair: str, window: PriceWindow, session: date) -> np.ndarray:
    """A bundle's probability at every bar after `session`; NaN without one, or where it cannot go on."""
    n = int((window.session > np.datetime64(session)).sum())
    model = None if bundle is None else next((one for one in bundle.pairs if one.pair == pair), None)
    if bundle is None or model is None or not np.isfinite(model.fit.half_life_bars):
        return np.full(n, np.nan)
    bars = later_bars(window, model, bars_per_session=bundle.bars_per_session, after=bundle.session)
    if bars.status != "ok":
        return np.full(n, np.nan)
    length = bundle.sequence_length
    return predict(model.weights, model.baseline, model.scaling, bars.features, length)[length - 1 :][-n:]
