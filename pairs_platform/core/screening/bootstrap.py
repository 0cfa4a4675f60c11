"""Wild bootstrap of the Engle-Granger test: a p-value that holds under changing volatility.

What does not belong here: which pairs are worth it (`cointegration` asks for finalists).
"""

import numpy as np

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.engle_granger import run_tests

_DRAWS_AT_ONCE = 128


def wild_bootstrap_p(window: PriceWindow, symbol_1: str, symbol_2: str, *, n_draws: int, seed: int) -> float:
    """P-value of the better direction's t when the two symbols share volatility and correlation but no long-run tie.

    Each draw multiplies the joint demeaned log returns of every bar by one Rademacher sign, sums them up again and
    takes the smaller t of both directions. Changing volatility and the correlation within a bar are kept; memory in the
    returns is not.

    Parameters
    ----------
    window : PriceWindow
        Bars that either symbol misses are dropped; the return of a bar in ``ex_action`` counts as zero.
    symbol_1, symbol_2 : str
    n_draws : int
    seed : int
        The same seed gives the same signs for every pair, so that no result depends on which other pairs are asked for.

    Returns
    -------
    float
        (1 + number of draws with t at most the observed one) / (1 + n_draws); NaN where the pair cannot be tested.

    References
    ----------
    Cavaliere, Rahbek & Taylor (2010), "Testing for co-integration in vector autoregressions with non-stationary
    volatility", Journal of Econometrics 158.
    """
    columns = [window.column(symbol_1), window.column(symbol_2)]
    legs = window.log_close[:, columns].T
    complete = np.isfinite(legs).all(axis=0)
    observed = run_tests(legs, np.array([0]), np.array([1])).t_stat.min()
    if np.isnan(observed):
        return float("nan")
    excluded = window.ex_action[:, columns].T[:, complete][:, 1:]
    returns = np.diff(legs[:, complete], axis=1)
    returns -= returns.mean(axis=1, keepdims=True)
    returns[excluded] = 0.0
    rng = np.random.default_rng(seed)
    as_small = 0
    for begin in range(0, n_draws, _DRAWS_AT_ONCE):
        draws = min(_DRAWS_AT_ONCE, n_draws - begin)
        signs = 2.0 * rng.integers(0, 2, size=(draws, 1, returns.shape[1]), dtype=np.int8) - 1.0
        walks = np.zeros((draws, 2, returns.shape[1] + 1))
        np.cumsum(signs * returns, axis=2, out=walks[:, :, 1:])
        rows = 2 * np.arange(draws)
        t_stat = run_tests(walks.reshape(2 * draws, -1), rows, rows + 1).t_stat.min(axis=1)
        as_small += int((t_stat <= observed).sum())
    return (1 + as_small) / (1 + n_draws)
