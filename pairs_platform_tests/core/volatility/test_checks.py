from pairs_platform.core.volatility.checks import check_convergence


def test_convergence_rate_counts_what_is_not_ok():
    assert check_convergence([], min_rate=0.9).passed
    result = check_convergence(["ok"] * 8 + ["not_converged"] * 2, min_rate=0.9)
    assert not result.passed
    assert result.summary == "80.0% of 10 fits converged; 2 not_converged"
    assert check_convergence(["ok"] * 8 + ["not_converged"] * 2, min_rate=0.8).passed
