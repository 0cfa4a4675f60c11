"""Null calibration of the screen: how many pairs pass the same gates on prices that have no long-run ties.

What does not belong here: the gates themselves (`correlation`, `cointegration`).
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.cointegration import pair_status
from pairs_platform.core.screening.correlation import log_returns, pairwise_correlation
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.outcomes import TESTED
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PlaceboSettings
from pairs_platform.core.screening.spread import pair_rows


@dataclass(frozen=True, kw_only=True)
class PlaceboResult:
    """Pairs that passed both gates by chance alone.

    Attributes
    ----------
    kind : str
        ``"joint"`` or ``"independent"``.
    n_draws : int
    counts, counts_correlated : tuple of int
        Pairs past both gates, and past the correlation gate alone, in each draw.
    found : int
        Pairs past both gates on the real prices.
    mean, standard_error, p05, p95 : float
        Of `counts`; the standard error is that of the mean.
    p_at_least_found : float
        (1 + number of draws with at least `found` pairs) / (1 + n_draws).
    mean_correlated, standard_error_correlated, p05_correlated, p95_correlated : float
        The same of `counts_correlated`.
    """

    kind: str
    n_draws: int
    counts: tuple[int, ...]
    counts_correlated: tuple[int, ...]
    found: int
    mean: float
    standard_error: float
    p05: float
    p95: float
    p_at_least_found: float
    mean_correlated: float
    standard_error_correlated: float
    p05_correlated: float
    p95_correlated: float


def placebo_counts(
    window: PriceWindow,
    *,
    correlation: CorrelationSettings,
    cointegration: CointegrationSettings,
    placebo: PlaceboSettings,
    found: int,
    backend: ComputeBackend = LOCAL,
) -> dict[str, PlaceboResult]:
    """Send placebo universes of the window's size through the window's gates.

    ``joint``: whole sessions of the demeaned joint return matrix, drawn with replacement and summed up again; keeps the
    correlation across symbols, volatility clustering within a session and the shape of the day, destroys long-run ties.
    ``independent``: Gaussian random walks with each symbol's own volatility.

    Parameters
    ----------
    window : PriceWindow
        T bars, n symbols. Returns across a gap or on an ``ex_action`` bar count as zero.
    correlation, cointegration : CorrelationSettings, CointegrationSettings
        The gates, on the configured basis: correlation, status ``"ok"``, calibrated p.
    placebo : PlaceboSettings
    found : int
        Pairs past both gates on the window itself.
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    Returns
    -------
    dict of str to PlaceboResult
        Keys ``"joint"`` (the headline) and ``"independent"``.
    """
    returns = log_returns(window)
    means = np.array([column[np.isfinite(column)].mean() if np.isfinite(column).any() else 0.0 for column in returns.T])
    centred = np.where(np.isfinite(returns), returns - means, 0.0)
    volatility = centred.std(axis=0)
    # Independent walks are the same test problem every day: other draws on other days, so that errors average out.
    day = int(window.session[-1].astype("datetime64[D]").astype(np.int64))
    results: dict[str, PlaceboResult] = {}
    kinds: tuple[Kind, Kind] = ("joint", "independent")
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([placebo.seed, number, day])
        source = _Source(kind, centred, volatility, window.session[1:])
        parts = backend.split(placebo.n_draws, "tests", pairs_per_item=len(pair_rows(centred.shape[1])[0]))
        count = partial(_count_draws, correlation=correlation, cointegration=cointegration)
        batches = list(_batches(source, rng, parts))
        drawn = [counts for part in backend.map(count, batches, shared=(source,)) for counts in part]
        results[kind] = _result(kind, np.array(drawn), found)
    return results


Kind = Literal["joint", "independent"]


@dataclass(frozen=True, eq=False)
class _Source:
    """Where placebo universes are drawn from: demeaned returns (T − 1, n), volatility (n,), session of each row."""

    kind: Kind
    centred: np.ndarray
    volatility: np.ndarray
    session: np.ndarray

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """What the generator gives for a universe: rows of the returns, or Gaussian steps of unit variance."""
        return draw_sessions(self.session, rng) if self.kind == "joint" else rng.standard_normal(self.centred.shape)

    def returns(self, rng: np.random.Generator) -> np.ndarray:
        """Log returns of the next universe, shape (T − 1, n)."""
        draw = self.draw(rng)
        return self.centred[draw] if self.kind == "joint" else draw * self.volatility


def _batches(
    source: _Source, rng: np.random.Generator, parts: Sequence[slice]
) -> Iterator[tuple[np.random.Generator, int]]:
    """The generator as it stands before each batch of draws, and how many draws the batch has."""
    for n, part in enumerate(parts, 1):
        n_draws = part.stop - part.start
        yield deepcopy(rng), n_draws
        if n < len(parts):
            for _ in range(n_draws):
                source.draw(rng)


def draw_sessions(session: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of whole sessions drawn with replacement, cut to the length of `session`.

    Parameters
    ----------
    session : ndarray, shape (T,)
        Session of each row, in order. Sessions may differ in length (early closes): all are equally likely, as many are
        drawn as fill T rows, and the last one is cut.

    Returns
    -------
    ndarray of int64, shape (T,)
    """
    _, start, length = np.unique(session, return_index=True, return_counts=True)
    draws = rng.integers(0, len(start), size=-(-len(session) // int(length.min())))
    begins = length[draws].cumsum() - length[draws]
    rows = np.repeat(start[draws] - begins, length[draws])
    return (rows + np.arange(len(rows)))[: len(session)]


def _count_draws(
    source: _Source,
    rng: np.random.Generator,
    n_draws: int,
    *,
    correlation: CorrelationSettings,
    cointegration: CointegrationSettings,
) -> list[tuple[int, int]]:
    return [_count(source.returns(rng), correlation, cointegration) for _ in range(n_draws)]


def _count(
    steps: np.ndarray, correlation: CorrelationSettings, cointegration: CointegrationSettings
) -> tuple[int, int]:
    """Pairs past the correlation gate, and past both, on the prices that the log returns `steps` (T − 1, n) sum to."""
    prices = np.zeros((steps.shape[1], len(steps) + 1))
    np.cumsum(steps.T, axis=1, out=prices[:, 1:])
    first, second = pair_rows(len(prices))
    basis = prices if correlation.basis == "log_price" else steps.T
    correlated = pairwise_correlation(basis, first, second)[0] >= correlation.gate
    tests = run_tests(prices, first[correlated], second[correlated], min_bars=cointegration.min_bars)
    p_cal = calibrated_p(tests.p_value.min(axis=1), tests.n_bars)
    passed = (tests.outcome == TESTED) & (pair_status(tests, cointegration) == "ok")
    return int(correlated.sum()), int((passed & (p_cal < cointegration.gate)).sum())


def _result(kind: str, drawn: np.ndarray, found: int) -> PlaceboResult:
    """Figures of the draws, shape (n_draws, 2): pairs past the correlation gate, and past both."""
    correlated, counts = drawn.T
    root = np.sqrt(len(drawn))
    return PlaceboResult(
        kind=kind,
        n_draws=len(drawn),
        counts=tuple(int(c) for c in counts),
        counts_correlated=tuple(int(c) for c in correlated),
        found=found,
        mean=float(counts.mean()),
        standard_error=float(counts.std(ddof=1) / root),
        p05=float(np.quantile(counts, 0.05)),
        p95=float(np.quantile(counts, 0.95)),
        p_at_least_found=float((1 + (counts >= found).sum()) / (1 + len(drawn))),
        mean_correlated=float(correlated.mean()),
        standard_error_correlated=float(correlated.std(ddof=1) / root),
        p05_correlated=float(np.quantile(correlated, 0.05)),
        p95_correlated=float(np.quantile(correlated, 0.95)),
    )
