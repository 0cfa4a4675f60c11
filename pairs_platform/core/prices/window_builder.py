"""From stored bars to the window matrix: adjustment, calendar grid, coverage rules, short fills.

What does not belong here: reading bars from the lake, and statistics of the window.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import UnadjustedDividend, adjustments, scale_bars, sorted_bars
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import BarGrid, bar_grid, session_close
from pairs_platform.core.prices.settings import WindowSettings
from pairs_platform.core.prices.window import ExcludedSymbol, PriceWindow


def build_window(
    bars: pd.DataFrame,
    actions: pd.DataFrame | None,
    *,
    sessions: Sequence[date],
    frequency: Frequency,
    basis: PriceBasis,
    settings: WindowSettings,
    symbols: Sequence[str],
) -> PriceWindow:
    """Adjusted log prices of `symbols` on the calendar grid of `sessions`, as known at the last session's close.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, any order
        Accepted bars of `frequency`, prices on `basis`. Bars of other sessions or symbols are left out.
    actions : DataFrame with ACTION_COLUMNS, or None
        Corporate actions; those unknown at the last session's close take no part.
    sessions : sequence of date, any order
    frequency, basis
        Of `bars`.
    settings : WindowSettings
    symbols : sequence of str
        Candidates; each one enters, or is listed with a reason in `excluded`. One without a bar in the last session
        does not enter: it has no price from which tomorrow's spread could go on.

    Returns
    -------
    PriceWindow
        Possibly without any symbol.

    Notes
    -----
    The first `max_fill_bars` bars of a hole take the previous close and the rest of it stays NaN. Whether a bar is
    filled therefore never depends on how long the hole turns out to be. An intraday fill does not cross into the
    next session: it would date the overnight move to the bar at which trading starts. With daily bars every
    session is one bar, and a fill does cross.
    A dividend that the prices cannot be adjusted for is marked in `ex_action` at the first bar that arrived on or
    after the ex-date.

    Raises
    ------
    DataError
        A symbol has two bars at one time, a price is not positive, or an action cannot be applied.
    NotFound
        `sessions` holds a day without trading.
    """
    sessions = sorted(set(sessions))
    grid = bar_grid(sessions, frequency)
    as_of = session_close(sessions[-1])
    candidates = sorted(set(symbols))
    row, column = _positions(bars, grid, candidates)
    inside = (column >= 0) & (row >= 0)
    inside_bars = bars if bool(inside.all()) else bars[inside]
    _refuse_bad_prices(inside_bars)
    applied, unadjusted = adjustments(inside_bars, actions, basis=basis, as_of=as_of)
    if applied:
        inside_bars = scale_bars(sorted_bars(inside_bars), applied)
        row, column = _positions(inside_bars, grid, candidates)
    else:
        row, column = row[inside], column[inside]
    shape = (len(grid.ts_utc), len(candidates))
    log_close, log_open = np.full(shape, np.nan), np.full(shape, np.nan)
    log_close[row, column] = np.log(inside_bars["close"].to_numpy())
    log_open[row, column] = np.log(inside_bars["open"].to_numpy())
    observed = np.isfinite(log_close)
    if int(observed.sum()) != len(inside_bars):
        raise DataError(_first_repetition(inside_bars))
    reasons = _exclusions(observed, grid, settings)
    kept = [j for j in range(len(candidates)) if reasons[j] is None]
    log_close, log_open, observed = log_close[:, kept], log_open[:, kept], observed[:, kept]
    names = tuple(candidates[j] for j in kept)
    _fill(log_close, observed, grid, limit=settings.max_fill_bars, within_session=frequency is not Frequency.ONE_DAY)
    return PriceWindow(
        symbols=names,
        frequency=frequency,
        ts_utc=grid.ts_utc,
        session=grid.session,
        bar_of_day=grid.bar_of_day,
        log_close=log_close,
        log_open=log_open,
        observed=observed,
        ex_action=_ex_action(observed, names, grid, unadjusted),
        excluded=tuple(
            ExcludedSymbol(name, why) for name, why in zip(candidates, reasons, strict=True) if why is not None
        ),
    )


def _positions(bars: pd.DataFrame, grid: BarGrid, candidates: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Row in the grid and column of each bar, −1 where it has none."""
    row = grid.ts_utc.get_indexer(pd.DatetimeIndex(bars["ts_utc"]).as_unit("ns"))
    return row, pd.Index(candidates, dtype=object).get_indexer(pd.Index(bars["symbol"], dtype=object))


def _refuse_bad_prices(bars: pd.DataFrame) -> None:
    prices = bars[["open", "close"]].to_numpy()
    bad = ~(np.isfinite(prices) & (prices > 0.0)).all(axis=1)
    if bad.any():
        first = bars[bad].iloc[0]
        raise DataError(
            f"{first['symbol']} at {first['ts_utc']}: open {first['open']}, close {first['close']}; "
            "prices must be positive, validate the bars first"
        )


def _first_repetition(bars: pd.DataFrame) -> str:
    first = bars[bars.duplicated(list(BAR_COLUMNS[:2]))].iloc[0]
    return f"{first['symbol']} has two bars at {first['ts_utc']}; validate the bars first"


def _exclusions(observed: np.ndarray, grid: BarGrid, settings: WindowSettings) -> list[str | None]:
    """Reason of exclusion of each column, None where it enters."""
    starts = np.flatnonzero(grid.bar_of_day == 0)
    days = grid.session[starts]
    length = np.diff(np.append(starts, len(observed)))
    counts = np.add.reduceat(observed.astype(np.int64), starts, axis=0)
    reasons: list[str | None] = []
    for j in range(observed.shape[1]):
        present = counts[:, j]
        coverage = present.sum() / len(observed)
        share = present / length
        thin = np.flatnonzero((present > 0) & (share < settings.min_session_coverage))
        run, run_end = _longest_run(present == 0)
        if present.sum() == 0:
            reasons.append("no bars in the window")
        elif present[-1] == 0:
            reasons.append(f"no bar in the last session {days[-1]}")
        elif coverage < settings.min_coverage:
            reasons.append(f"coverage {coverage:.3f} is below {settings.min_coverage:.3f}")
        elif run > settings.max_missing_sessions:
            reasons.append(
                f"{run} sessions in a row without bars up to {days[run_end]}, more than {settings.max_missing_sessions}"
            )
        elif len(thin):
            reasons.append(
                f"coverage {share[thin[0]]:.3f} in session {days[thin[0]]} is below {settings.min_session_coverage:.3f}"
            )
        else:
            reasons.append(None)
    return reasons


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Length of the longest run of True and the position of its last element."""
    position = np.arange(1, len(flags) + 1)
    run = position - np.maximum.accumulate(np.where(flags, 0, position))
    end = int(np.argmax(run))
    return int(run[end]), end


def _fill(log_close: np.ndarray, observed: np.ndarray, grid: BarGrid, *, limit: int, within_session: bool) -> None:
    """Carry the previous close into the first `limit` bars of each hole, in place."""
    position = np.arange(len(log_close))[:, None]
    last = np.maximum.accumulate(np.where(observed, position, -1), axis=0)
    fill = ~observed & (last >= 0) & (position - last <= limit)
    if within_session:
        fill &= last >= (position - grid.bar_of_day[:, None])
    row, column = np.nonzero(fill)
    log_close[row, column] = log_close[last[row, column], column]


def _ex_action(
    observed: np.ndarray, names: tuple[str, ...], grid: BarGrid, unadjusted: list[UnadjustedDividend]
) -> np.ndarray:
    marks = np.zeros(observed.shape, dtype=bool)
    ts_ns = grid.ts_utc.asi8
    for dividend in unadjusted:
        if dividend.symbol in names:
            j = names.index(dividend.symbol)
            later = np.flatnonzero(observed[:, j] & (ts_ns >= dividend.starts_ns))
            if len(later):
                marks[later[0], j] = True
    return marks
