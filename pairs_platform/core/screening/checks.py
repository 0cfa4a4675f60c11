"""Checks of the screen: whether the pairs that pass the gates are more than chance gives.

What does not belong here: the placebo draws (`placebo`), and reading what is checked.
"""

from pairs_platform.core.check_result import CheckResult


def check_against_permutation_null(
    n_pairs: int, *, null_mean: float, monte_carlo_p: float, max_p: float
) -> CheckResult:
    """Whether more pairs pass the gates than under the permutation null of the joint placebo.

    Parameters
    ----------
    n_pairs : int
        Pairs past correlation and cointegration.
    null_mean, monte_carlo_p : float
        Mean count of the placebo draws, and the Monte-Carlo p-value: (1 + draws with at least `n_pairs`) / (1 + draws).
    max_p : float
        Largest `monte_carlo_p` that passes.
    """
    passed = n_pairs > null_mean and monte_carlo_p <= max_p
    summary = f"{n_pairs} pairs found, {null_mean:.1f} expected by chance (Monte-Carlo p = {monte_carlo_p:.2f})"
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary}: the pairs found are no evidence of lasting relations",
        figures={"found": n_pairs, "chance_mean": null_mean, "p_at_least_found": monte_carlo_p},
    )
