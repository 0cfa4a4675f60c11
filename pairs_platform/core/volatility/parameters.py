"""The two parameter sets of a pair: in-sample from the first part of the window alone, full-window from all of it.

What does not belong here: the model itself (`garch`), reading rows (`rows`), and the test that prefers a direction
(`core.screening`).
"""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.outcomes import TESTED
from pairs_platform.core.screening.spread import SPREAD_DEFINITION, SpreadParameters, estimate_spread
from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS, IN_SAMPLE
from pairs_platform.core.volatility.diurnal import count_sessions
from pairs_platform.core.volatility.forecast import in_sample_bars
from pairs_platform.core.volatility.garch import GarchFit, fit_many
from pairs_platform.core.volatility.rows import FIT_COLUMNS, SPREAD_COLUMNS
from pairs_platform.core.volatility.settings import FitStatus, GarchSettings


def fit_parameter_sets(
    window: PriceWindow, pairs: pd.DataFrame, *, settings: GarchSettings | None = None, backend: ComputeBackend = LOCAL
) -> pd.DataFrame:
    """Spread parameters and GARCH fit of every pair on the first part of the window and on all of it.

    Parameters
    ----------
    window : PriceWindow
        T bars known at the close of the last session.
    pairs : DataFrame
        Columns pair, y, x: the direction of the regression on the whole window; y and x null where the screening chose
        none.
    settings : GarchSettings, optional
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    Returns
    -------
    DataFrame of `GARCH_FITS`
        Two rows per pair, in-sample first. A pair without a direction, a spread or a fit has a status and a reason.
        The in-sample rows use bars 0..⌊fraction · T⌋ − 1 alone, the choice of their direction included.

    Raises
    ------
    NotFound
        When a leg is not in the window.
    """
    batches = [(pairs.iloc[part],) for part in backend.split(len(pairs), "fits")]
    parts = backend.map(partial(_fit_batch, settings=settings or GarchSettings()), batches, shared=(window,))
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _fit_batch(window: PriceWindow, pairs: pd.DataFrame, *, settings: GarchSettings) -> pd.DataFrame:
    in_sample = fit_in_sample_set(window, pairs, in_sample_bars(window.n_bars, settings), settings=settings)
    full_window = GARCH_FITS.frame(_fit_span(window, pairs, FULL_WINDOW, window.n_bars, settings))
    order = np.arange(2 * len(pairs)).reshape(2, -1).T.ravel()
    return pd.concat([in_sample, full_window]).iloc[order].reset_index(drop=True)


def fit_in_sample_set(
    window: PriceWindow, pairs: pd.DataFrame, n_bars: int, *, settings: GarchSettings | None = None
) -> pd.DataFrame:
    """The in-sample row alone of every pair, estimated on the first `n_bars` bars, direction included."""
    directed = better_directions(window, pairs, n_bars)
    return GARCH_FITS.frame(_fit_span(window, directed, IN_SAMPLE, n_bars, settings or GarchSettings()))


def better_directions(window: PriceWindow, pairs: pd.DataFrame, n_bars: int) -> pd.DataFrame:
    """`pairs` (pair, y, x) with the direction that the Engle–Granger test prefers on the first `n_bars` bars alone.

    y and x are null where they were null, and where these bars cannot be tested.
    """
    directed = pairs["y"].notna() & pairs["x"].notna()
    legs = pairs.loc[directed, ["y", "x"]]
    rows = np.array([[window.column(y), window.column(x)] for y, x in legs.itertuples(index=False)], dtype=np.int64)
    first, second = rows.reshape(-1, 2).T.copy()
    tests = run_tests(np.ascontiguousarray(window.log_close[:n_bars].T), first, second)
    symbols = np.array([*window.symbols, None], dtype=object)
    tested = tests.outcome == TESTED
    preferred = pairs[["pair"]].assign(y=None, x=None)
    for name, leg, other in (("y", first, second), ("x", second, first)):
        preferred.loc[directed, name] = symbols[np.where(tested, np.where(tests.better == 0, leg, other), -1)]
    return preferred


def leg_shocks_excluded(window: PriceWindow, y: str, x: str) -> np.ndarray:
    """Bars (T,) whose shock must not count for the pair: those excluded for either leg, see `PriceWindow`."""
    legs = window.shock_excluded([window.column(y), window.column(x)])
    return legs[:, 0] | legs[:, 1]


def window_bars_per_session(window: PriceWindow) -> int:
    """Bars of the longest session in the window: the length of the diurnal shape."""
    return int(window.bar_of_day.max()) + 1


def _fit_span(
    window: PriceWindow, pairs: pd.DataFrame, name: str, n_bars: int, settings: GarchSettings
) -> list[dict[str, object]]:
    used = slice(0, n_bars)
    bar_of_day = window.bar_of_day[used]
    parameters: list[SpreadParameters | GarchFit] = [
        _estimate(window, y, x, n_bars) for y, x in zip(pairs["y"], pairs["x"], strict=True)
    ]
    estimated = [estimate for estimate in parameters if isinstance(estimate, SpreadParameters)]
    spreads, excluded = np.empty((n_bars, len(estimated))), np.empty((n_bars, len(estimated)), dtype=bool)
    for j, spread in enumerate(estimated):
        y, x = spread.y, spread.x
        spreads[:, j] = spread.spread(
            window.log_close[used, window.column(y)], window.log_close[used, window.column(x)]
        )
        excluded[:, j] = leg_shocks_excluded(window, y, x)[used]
    fits = iter(
        fit_many(
            spreads,
            bar_of_day=bar_of_day,
            bars_per_session=window_bars_per_session(window),
            shock_excluded=excluded,
            n_sessions=count_sessions(bar_of_day),
            next_bar_of_day=int(window.bar_of_day[n_bars]) if n_bars < window.n_bars else 0,
            settings=settings,
        )
    )
    rows: list[dict[str, object]] = []
    for (pair, y, x), estimate in zip(pairs[["pair", "y", "x"]].itertuples(index=False), parameters, strict=True):
        fit = (
            next(fits)
            if isinstance(estimate, SpreadParameters)
            else replace(estimate, distribution=settings.distribution)
        )
        row: dict[str, object] = {column: getattr(fit, column) for column in FIT_COLUMNS}
        row |= {
            "pair": pair,
            "parameter_set": name,
            "spread_definition": SPREAD_DEFINITION,
            "n_bars": n_bars,
            "diurnal": json.dumps(fit.diurnal),
            "y": None if pd.isna(y) else y,
            "x": None if pd.isna(x) else x,
        }
        row |= {column: getattr(estimate, column, np.nan) for column in SPREAD_COLUMNS}
        rows.append(row)
    return rows


def _estimate(window: PriceWindow, y: str | None, x: str | None, n_bars: int) -> SpreadParameters | GarchFit:
    if pd.isna(y) or pd.isna(x):
        return _without("no_direction", "no direction could be chosen for this pair on these bars")
    try:
        return estimate_spread(
            str(y),
            str(x),
            window.log_close[:n_bars, window.column(str(y))],
            window.log_close[:n_bars, window.column(str(x))],
        )
    except DataError as error:
        return _without("no_spread", str(error))


def _without(status: FitStatus, reason: str) -> GarchFit:
    return GarchFit(status=status, reason=reason)
