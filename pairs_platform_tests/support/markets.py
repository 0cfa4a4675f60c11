"""Windows and pairs made to measure for the tests of this package."""

from datetime import date

import numpy as np

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.spread import SpreadParameters

LAST_SESSION = date(2023, 3, 8)


def window_of(
    log_close: np.ndarray,
    *,
    log_open: np.ndarray | None = None,
    frequency: Frequency = Frequency.FIVE_MINUTES,
    first_bar_of_grid: int = 0,
    last_session: date = LAST_SESSION,
    symbols: tuple[str, ...] | None = None,
    observed: np.ndarray | None = None,
    ex_action: np.ndarray | None = None,
) -> PriceWindow:
    """A window that holds `log_close` (T, n) on real sessions, from bar `first_bar_of_grid` of the first session on."""
    n_bars, n = log_close.shape
    per_session = 1 if frequency is Frequency.ONE_DAY else -(-390 // frequency.minutes)
    sessions = sessions_ending(last_session, -(-(n_bars + first_bar_of_grid) // per_session) + 10)
    grid = bar_grid(sessions, frequency)
    rows = slice(first_bar_of_grid, first_bar_of_grid + n_bars)
    return PriceWindow(
        symbols=symbols or tuple(f"S{i:03d}" for i in range(n)),
        frequency=frequency,
        ts_utc=grid.ts_utc[rows],
        session=grid.session[rows],
        bar_of_day=grid.bar_of_day[rows],
        log_close=log_close,
        log_open=np.vstack([log_close[:1], log_close[:-1]]) if log_open is None else log_open,
        observed=np.ones((n_bars, n), bool) if observed is None else observed,
        ex_action=np.zeros((n_bars, n), bool) if ex_action is None else ex_action,
    )


def parameters_of(*, beta: float = 1.0, sigma: float = 0.01, mu: float = 0.0, alpha: float = 0.0) -> SpreadParameters:
    return SpreadParameters(y="Y", x="X", alpha=alpha, beta=beta, mu=mu, sigma=sigma, n_bars=1000)


def window_of_spread(z: list[float], *, sigma: float = 0.01, beta: float = 1.0, **options: object) -> PriceWindow:
    """X stands still at 100 dollars and Y moves so that the spread's z is as given (α so that s = σ z at β)."""
    x = np.full(len(z), np.log(100.0))
    y = beta * x + sigma * np.array(z)
    return window_of(np.column_stack([x, y]), symbols=("X", "Y"), **options)  # type: ignore[arg-type]
