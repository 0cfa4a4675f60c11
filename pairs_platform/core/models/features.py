"""Datasets of pairs: features, labels and scaling from the one spread, and what stored models need on later bars.

What does not belong here: the features themselves (`inputs`), labels (`labels`), splits (`splits`), and tables
(`contracts`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from pairs_platform.core.models.inputs import FEATURES, Scaling, feature_matrix, fit_scaling, known_sequences
from pairs_platform.core.models.labels import first_passage, horizon_bars, reverts_next
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.models.splits import FEATURE_LOOKBACK_BARS, SplitPlan, split_plan
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.trading.rule import stop_band
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.core.volatility.garch import (
    GarchFit,
    GarchState,
    conditional_variance,
    shocks,
    standardised_residuals,
)
from pairs_platform.core.volatility.likelihood import variance_path
from pairs_platform.core.volatility.parameters import fit_in_sample_set, leg_shocks_excluded, window_bars_per_session
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters

DatasetStatus = Literal["ok", "no_fit", "no_labels", "insufficient_data"]
SPREAD_TOLERANCE = 1e-9
"""Difference of a recomputed spread [ln] from which prices are taken to have been adjusted since [ln]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairDataset:
    """One pair, ready to be trained and judged. Arrays have T rows where `status` is "ok", none otherwise.

    Attributes
    ----------
    pair, status, reason : str
    parameters : SpreadParameters or None
    fit : GarchFit or None
        Both from the training part alone.
    horizon_bars : int
        h of the label; 0 without labels.
    scaling : Scaling or None
    state : GarchState or None
        Spread and h of the next bar at the window's last bar, for later bars to go on from.
    tail_variance, tail_residual : tuple of float
        h of the next bar, and the residual, at each of the last `sequence_length` bars, oldest first.
    ts_utc : ndarray of datetime64[ns], shape (T,)
        Bar starts in UTC.
    features : ndarray of float32, shape (T, 13), unscaled
    label : ndarray of float64, shape (T,), 0, 1 or NaN
    overnight : ndarray of bool, shape (T,)
        Whether the label reaches into another session.
    excess : ndarray of float64, shape (T,)
        |s_t − μ| over the forecast standard deviation of the next shock: what an AR(1) would predict from.
    """

    pair: str
    status: DatasetStatus
    reason: str = ""
    parameters: SpreadParameters | None = None
    fit: GarchFit | None = None
    horizon_bars: int = 0
    scaling: Scaling | None = None
    state: GarchState | None = None
    tail_variance: tuple[float, ...] = ()
    tail_residual: tuple[float, ...] = ()
    ts_utc: np.ndarray
    features: np.ndarray
    label: np.ndarray
    overnight: np.ndarray
    excess: np.ndarray

    def scaled(self) -> np.ndarray:
        """Scaled features (T, 13), float32."""
        assert self.scaling is not None
        return self.scaling.apply(self.features)


def without_data(pair: str, status: DatasetStatus, reason: str) -> PairDataset:
    """A pair that cannot be trained, and why."""
    none = np.empty(0)
    return PairDataset(
        pair=pair,
        status=status,
        reason=reason,
        ts_utc=np.empty(0, "datetime64[ns]"),
        features=np.empty((0, len(FEATURES)), np.float32),
        label=none,
        overnight=np.empty(0, bool),
        excess=none,
    )


def usable_rows(features: np.ndarray, label: np.ndarray, sequence_length: int) -> np.ndarray:
    """Rows with a label whose last `sequence_length` feature rows are all known, shape (T,)."""
    return known_sequences(features, sequence_length) & np.isfinite(label)


def pair_datasets(
    window: PriceWindow,
    pairs: pd.DataFrame,
    *,
    settings: GruSettings,
    pair_settings: PairSettings,
) -> tuple[list[PairDataset], SplitPlan, pd.DataFrame]:
    """Features, labels and scaling of every pair, from spread and GARCH parameters of the training part alone.

    Parameters
    ----------
    window : PriceWindow
        T bars.
    pairs : DataFrame
        pair, y, x: candidates with the direction on the whole window; the training part chooses its own.

    Returns
    -------
    (list of PairDataset, SplitPlan, DataFrame of `FEATURE_FITS`)
        In the order of `pairs`; one plan, with the purge of the longest horizon, for all pairs.

    Notes
    -----
    Parameters that had seen the validation part would make it look more mean-reverting than the test part is, and so
    mislead early stopping and the choice of the baseline: on independent random walks they cost three times as much
    pooled skill, and on planted pairs they gain nothing (`docs/measurements.md`).
    """
    n_training = math.floor(settings.split.train_fraction * window.n_bars)
    fits = fit_in_sample_set(window, pairs, n_training, settings=pair_settings.garch)
    rows = [row for _, row in fits.iterrows()]
    horizons = [
        horizon_bars(float(row["half_life_bars"]), settings.label) if row["status"] == "ok" else None for row in rows
    ]
    longest = max((h for h in horizons if h), default=1)
    plan = split_plan(window.n_bars, settings=settings, horizon_bars=longest)
    following = next_bar_of_day(window)
    datasets = []
    for row, horizon in zip(rows, horizons, strict=True):
        if row["status"] != "ok":
            datasets.append(without_data(row["pair"], "no_fit", f"{row['status']}: {row['reason']}"))
        elif horizon is None:
            datasets.append(
                without_data(row["pair"], "no_labels", "the horizon follows from a half-life, and has none")
            )
        else:
            datasets.append(_dataset(window, row, horizon, plan, following, settings, pair_settings))
    return datasets, plan, fits


def _dataset(
    window: PriceWindow,
    row: pd.Series,
    horizon: int,
    plan: SplitPlan,
    following: np.ndarray,
    settings: GruSettings,
    pair_settings: PairSettings,
) -> PairDataset:
    parameters, fit = spread_parameters(row), garch_fit(row)
    spread, excluded = _spread_of(window, parameters)
    variance = conditional_variance(fit, spread, window.bar_of_day, excluded)
    residual = standardised_residuals(fit, spread, window.bar_of_day, excluded)
    volatility = np.asarray(fit.diurnal)[following] * np.sqrt(variance[1:])
    features = feature_matrix(
        spread,
        mu=parameters.mu,
        sigma=parameters.sigma,
        next_volatility=volatility,
        residual=residual,
        bar_of_day=window.bar_of_day,
        bars_per_session=window_bars_per_session(window),
    ).astype(np.float32)
    if settings.label.kind == "first_passage":
        label = first_passage(
            spread,
            parameters,
            band=stop_band(parameters.sigma, variance[1:], fit.mean_variance),
            excluded=excluded,
            max_bars=horizon,
            trading=pair_settings.trading,
            costs=pair_settings.costs,
        )
    else:
        label = reverts_next(spread, parameters.mu, horizon, excluded)
    length = settings.network.sequence_length
    usable = usable_rows(features, label, length)
    counts = {name: int(usable[getattr(plan, name)].sum()) for name in ("train", "validation", "test")}
    if counts["test"] < settings.split.min_test_labels or not counts["train"] or not counts["validation"]:
        numbers = ", ".join(f"{count} {name} labels" for name, count in counts.items())
        return without_data(
            row["pair"],
            "insufficient_data",
            f"{numbers}; at least {settings.split.min_test_labels} test labels are needed",
        )
    overnight = np.zeros(window.n_bars, dtype=bool)
    overnight[:-horizon] = window.session[horizon:] != window.session[:-horizon]
    return PairDataset(
        pair=row["pair"],
        status="ok",
        parameters=parameters,
        fit=fit,
        horizon_bars=horizon,
        scaling=fit_scaling(features[plan.train]),
        state=GarchState(float(spread[-1]), float(variance[-1])),
        tail_variance=tuple(variance[-length:].tolist()),
        tail_residual=tuple(np.nan_to_num(residual[-length:], nan=0.0).tolist()),
        ts_utc=window.ts_utc.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]"),
        features=features,
        label=label,
        overnight=overnight,
        excess=np.abs(spread - parameters.mu) / volatility,
    )


def _spread_of(window: PriceWindow, parameters: SpreadParameters) -> tuple[np.ndarray, np.ndarray]:
    y, x = window.column(parameters.y), window.column(parameters.x)
    spread = parameters.spread(window.log_close[:, y], window.log_close[:, x])
    return spread, leg_shocks_excluded(window, parameters.y, parameters.x)


def next_bar_of_day(window: PriceWindow) -> np.ndarray:
    """Position in its session of the bar after each bar, shape (T,); the calendar says what follows the last one."""
    following = np.zeros(window.n_bars, dtype=np.int64)
    following[:-1] = window.bar_of_day[1:]
    if window.frequency is not Frequency.ONE_DAY:
        length = len(bar_grid([window.session[-1].astype("datetime64[D]").astype(date)], window.frequency).ts_utc)
        after = int(window.bar_of_day[-1]) + 1
        following[-1] = after if after < length else 0
    return following


def row_features(window: PriceWindow, fits: pd.DataFrame, pair: str, ts_utc: pd.Timestamp) -> dict[str, np.float32]:
    """The features of one bar by name, made from the window's bars up to it alone: what the stored row must equal.

    Raises
    ------
    ValueError
        When the window has no bar that starts then.
    """
    n_bars = list(window.ts_utc).index(ts_utc) + 1
    (row,) = [fit for _, fit in fits[fits["pair"] == pair].iterrows()]
    parameters, fit = spread_parameters(row), garch_fit(row)
    spread, excluded = (values[:n_bars] for values in _spread_of(window, parameters))
    positions, following = window.bar_of_day[:n_bars], next_bar_of_day(window)[:n_bars]
    variance = conditional_variance(fit, spread, positions, excluded)
    matrix = feature_matrix(
        spread,
        mu=parameters.mu,
        sigma=parameters.sigma,
        next_volatility=np.asarray(fit.diurnal)[following] * np.sqrt(variance[1:]),
        residual=standardised_residuals(fit, spread, positions, excluded),
        bar_of_day=positions,
        bars_per_session=window_bars_per_session(window),
    ).astype(np.float32)
    return dict(zip(FEATURES, matrix[-1], strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class LaterBars:
    """What a stored model is asked about on bars after its own window; arrays are empty unless `status` is "ok".

    Attributes
    ----------
    status, reason : str
        "ok"; "leg_missing"; "out_of_reach" when the window no longer holds the model's last bars, or the spread at the
        last one is not known; "corporate_action" when prices of a leg were adjusted or fell ex since.
    ts_utc, session : ndarray, shape (n,)
    features : ndarray of float32, shape (n + sequence_length − 1, 13), unscaled
        With the rows before the first bar that its sequence needs.
    label, excess : ndarray of float64, shape (n,)
    """

    status: Literal["ok", "leg_missing", "out_of_reach", "corporate_action"]
    reason: str = ""
    ts_utc: np.ndarray
    session: np.ndarray
    features: np.ndarray
    label: np.ndarray
    excess: np.ndarray


class StoredSpread(Protocol):
    """What a stored model goes on with after its own window (`bundle.PairModel`); attributes as in `PairDataset`."""

    @property
    def parameters(self) -> SpreadParameters: ...  # noqa: D102 - as in `PairDataset`

    @property
    def fit(self) -> GarchFit: ...  # noqa: D102

    @property
    def state(self) -> GarchState: ...  # noqa: D102

    @property
    def tail_variance(self) -> Sequence[float]: ...  # noqa: D102

    @property
    def tail_residual(self) -> Sequence[float]: ...  # noqa: D102

    @property
    def horizon_bars(self) -> int: ...  # noqa: D102


def later_bars(window: PriceWindow, model: StoredSpread, *, bars_per_session: int, after: date) -> LaterBars:
    """Features and labels of `reverts_next` on the bars after session `after`, from a model's own parameters.

    The variance recursion goes on from the model's state over every bar since; nothing of it is estimated again.

    Parameters
    ----------
    window : PriceWindow
        Ends later than `after` and still holds the last sequence and lookback of the model's window.
    model : StoredSpread
        The length of its tails is the sequence length.
    bars_per_session : int
        Of the model's features.
    after : date
        Last session of the model's own window.
    """
    continued = continue_spread(window, model, after)
    if isinstance(continued, OutOfReach):
        return _no_later_bars(continued)
    parameters, first, lead = model.parameters, continued.first, continued.lead
    following = next_bar_of_day(window)[first - lead :]
    volatility = np.asarray(model.fit.diurnal)[following] * np.sqrt(continued.next_variance)
    features = feature_matrix(
        continued.spread,
        mu=parameters.mu,
        sigma=parameters.sigma,
        next_volatility=volatility,
        residual=continued.residual,
        bar_of_day=window.bar_of_day[first - lead :],
        bars_per_session=bars_per_session,
    )
    label = reverts_next(continued.spread, parameters.mu, model.horizon_bars, continued.excluded)
    return LaterBars(
        status="ok",
        ts_utc=window.ts_utc[first:].tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]"),
        session=window.session[first:],
        features=features[lead - len(model.tail_variance) + 1 :].astype(np.float32),
        label=label[lead:],
        excess=(np.abs(continued.spread - parameters.mu) / volatility)[lead:],
    )


@dataclass(frozen=True)
class OutOfReach:
    """Why a stored model cannot go on in a window; statuses as in `LaterBars`."""

    status: Literal["leg_missing", "out_of_reach", "corporate_action"]
    reason: str


@dataclass(frozen=True, eq=False)
class ContinuedSpread:
    """A model's spread and its recursion over the bars after its window, with the `lead` bars before them.

    Attributes
    ----------
    first : int
        Position in the window of the first bar after the model's.
    lead : int
        Sequence length plus the longest lookback of a feature.
    spread, excluded : ndarray, shape (lead + n,)
    next_variance, residual : ndarray, shape (lead + n,)
        h of the next bar and the residual, as known at each close; NaN where no feature needs them.
    """

    first: int
    lead: int
    spread: np.ndarray
    excluded: np.ndarray
    next_variance: np.ndarray
    residual: np.ndarray


def continue_spread(window: PriceWindow, model: StoredSpread, after: date) -> ContinuedSpread | OutOfReach:
    """A model's recursion over the bars of `window` after session `after`, the last of the model's own window.

    Parameters are those of `later_bars`. The window may end with `after`: then there are no later bars.
    """
    parameters, fit, state = model.parameters, model.fit, model.state
    lead = len(model.tail_variance) + FEATURE_LOOKBACK_BARS
    missing = [leg for leg in (parameters.y, parameters.x) if leg not in window.symbols]
    if missing:
        return OutOfReach("leg_missing", f"{', '.join(missing)} is not in the window")
    first = int(np.searchsorted(window.session, np.datetime64(after), side="right"))
    if first < lead or window.session[first - 1] != np.datetime64(after):
        return OutOfReach("out_of_reach", f"the window does not hold the {lead} bars up to {after}")
    spread, excluded = _spread_of(window, parameters)
    legs = [window.column(parameters.y), window.column(parameters.x)]
    moved = abs(spread[first - 1] - state.last_spread)
    if not np.isfinite(moved):
        reason = f"without the spread at the close of {after} nobody can tell whether prices were adjusted since"
        return OutOfReach("out_of_reach", reason)
    if window.ex_action[first:, legs].any() or moved > SPREAD_TOLERANCE:
        return OutOfReach("corporate_action", f"prices of a leg were adjusted or fell ex after {after}")
    used = slice(first - lead, window.n_bars)
    spread, excluded = spread[used], excluded[used]
    u = shocks(fit, spread, window.bar_of_day[used], excluded)[lead:]
    variance = np.asarray(variance_path(u, fit.omega, fit.alpha1, fit.beta1, state.variance))
    unknown = np.full(FEATURE_LOOKBACK_BARS, np.nan)
    return ContinuedSpread(
        first=first,
        lead=lead,
        spread=spread,
        excluded=excluded,
        next_variance=np.r_[unknown, np.asarray(model.tail_variance), variance[1:]],
        residual=np.r_[unknown, np.asarray(model.tail_residual), u / np.sqrt(variance[:-1])],
    )


def _no_later_bars(why: OutOfReach) -> LaterBars:
    none = np.empty(0)
    return LaterBars(
        status=why.status,
        reason=why.reason,
        ts_utc=np.empty(0, "datetime64[ns]"),
        session=np.empty(0, "datetime64[D]"),
        features=np.empty((0, len(FEATURES)), np.float32),
        label=none,
        excess=none,
    )
