import numpy as np
import pytest

from pairs_platform.core.check_result import CheckSettings, check_no_lookahead, differing_columns


def test_settings_of_the_checks_have_bounds():
    with pytest.raises(ValueError, match="max_pair_churn"):
        CheckSettings(max_pair_churn=1.5)


def test_differing_columns_are_named():
    row = {"pair": "A_B", "score": 0.5, "n": 3, "ok": True, "half_life": np.nan, "d": np.array([1.0, 2.0])}
    assert differing_columns(row, dict(row)) == ()
    assert differing_columns(row, row | {"d": [1.0, 2.0], "half_life": None}) == ()
    assert differing_columns(row, row | {"score": 0.5 + 1e-12}) == ("score",)
    assert differing_columns(row, row | {"score": 0.5 + 1e-12}, relative=1e-9) == ()
    changed = {"pair": "A_C", "score": np.nan, "n": 4, "ok": False, "half_life": 3.0, "d": [1.0, 2.5]}
    assert differing_columns(row, changed, relative=1e-6) == tuple(row)
    assert differing_columns(row, row | {"d": [1.0]}) == ("d",)
    assert differing_columns(row, {k: v for k, v in row.items() if k != "n"} | {"extra": 1}) == ("n", "extra")


def test_lookahead_is_reported_with_the_column_that_leaked():
    row = {"pair": "A_B", "z": -2.0}
    assert check_no_lookahead(row, dict(row), row="A_B").passed
    result = check_no_lookahead(row, {"pair": "A_B", "z": -1.5}, row="A_B")
    assert not result.passed
    assert "differs from its recomputation in z: z is -2.0, recomputed -1.5" in result.summary
    assert not check_no_lookahead(row, None, row="A_B").passed
