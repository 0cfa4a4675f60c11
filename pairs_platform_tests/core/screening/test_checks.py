from pairs_platform.core.screening.checks import check_against_permutation_null


def test_found_must_beat_chance():
    assert check_against_permutation_null(30, null_mean=10.0, monte_carlo_p=0.02, max_p=0.05).passed
    assert not check_against_permutation_null(30, null_mean=10.0, monte_carlo_p=0.2, max_p=0.05).passed
    result = check_against_permutation_null(0, null_mean=1.0, monte_carlo_p=1.0, max_p=1.0)
    assert not result.passed
    assert "no evidence" in result.summary
