"""Names and order of pairs, the spread's estimate."""

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from pairs_platform.core.errors import DataError
from pairs_platform.core.screening.pair_names import pair_name
from pairs_platform.core.screening.spread import (
    estimate_spread,
    pair_rows,
    pair_table,
)
from pairs_platform_tests.support.windows import planted_pair


def test_the_table_of_pairs_follows_the_rows():
    symbols = ("AAPL", "AMD", "IBM", "MSFT")
    table = pair_table(symbols)
    first, second = pair_rows(4)
    assert len(table) == 6
    assert table["symbol_1"].tolist() == [symbols[i] for i in first]
    assert table["symbol_2"].tolist() == [symbols[j] for j in second]
    assert table["pair"].tolist() == [
        pair_name(a, b) for a, b in zip(table["symbol_1"], table["symbol_2"], strict=True)
    ]


@pytest.mark.parametrize("symbols", [(), ("AAPL",)])
def test_fewer_than_two_symbols_make_no_pair(symbols):
    assert list(pair_table(symbols).columns) == ["pair", "symbol_1", "symbol_2"]
    assert pair_table(symbols).empty


def test_the_estimate_equals_least_squares_and_skips_missing_bars():
    legs = planted_pair(300, seed=1)
    legs[10, 0] = legs[40, 1] = np.nan
    known = np.isfinite(legs).all(axis=1)
    found = estimate_spread("A", "B", legs[:, 0], legs[:, 1])
    reference = OLS(legs[known, 0], add_constant(legs[known, 1])).fit()
    assert [found.alpha, found.beta] == pytest.approx(reference.params, abs=1e-10)
    assert found.n_bars == 298
    assert found.sigma == pytest.approx(reference.resid.std(ddof=1), rel=1e-9)
    spread = found.spread(legs[:, 0], legs[:, 1])
    assert np.isnan(spread[[10, 40]]).all()
    np.testing.assert_allclose(spread[known], reference.resid, atol=1e-10)
    assert np.nanstd(found.z(spread), ddof=1) == pytest.approx(1.0)


def test_a_constant_leg_or_too_few_bars_are_refused_by_name():
    with pytest.raises(DataError, match="B is constant over the 5 bars"):
        estimate_spread("A", "B", np.arange(5.0), np.ones(5))
    with pytest.raises(DataError, match="2 complete bars"):
        estimate_spread("A", "B", np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0, 3.0]))
