"""Checks of the screen: whether the pairs that pass the gates are more than chance gives.

What does not belong here: the placebo draws (`placebo`), and reading what is checked.
"""

from collections.abc import Sequence

from pairs_platform.core.check_result import CheckResult


def check_against_chance(
    q_values: Sequence[float], *, null_mean: float, monte_carlo_p: float, max_p: float, max_q: float
) -> CheckResult:
    """Whether the pairs found are evidence of lasting relations, by their false-discovery rate or by their number.

    Either is enough. The rate of a pair (q, Benjamini-Hochberg over all pairs of the sector) speaks for that pair:
    a few strong ones are evidence however many weak ones the joint placebo finds. The number speaks for the sector,
    where many pairs are weak. Without a lasting relation each passes by chance in about one session of twenty.

    Parameters
    ----------
    q_values : sequence of float
        Of the pairs past correlation and cointegration.
    null_mean, monte_carlo_p : float
        Mean count of the draws of the joint placebo, and the Monte-Carlo p-value of the number found:
        (1 + draws with at least as many) / (1 + draws).
    max_p, max_q : float
        Largest `monte_carlo_p`, and largest q of a pair, that are evidence.
    """
    n_pairs, n_evident = len(q_values), sum(q <= max_q for q in q_values)
    by_number = n_pairs > null_mean and monte_carlo_p <= max_p
    rate = f"{n_evident} of them with a false-discovery rate (q) of at most {max_q:g}"
    if n_pairs and not n_evident:
        rate += f", smallest {min(q_values):.2f}"
    summary = (
        f"{n_pairs} pairs found, {rate}; {null_mean:.1f} found on prices without long-run ties (Monte-Carlo "
        f"p = {monte_carlo_p:.2f})"
    )
    verdict = (
        "evidence by q and by number"
        if n_evident and by_number
        else "evidence by q; their number alone is none"
        if n_evident
        else "evidence by number; no single pair is certain"
        if by_number
        else "the pairs found are no evidence of lasting relations"
    )
    return CheckResult(
        passed=bool(n_evident) or by_number,
        summary=f"{summary}: {verdict}",
        figures={
            "found": n_pairs,
            "found_with_low_q": n_evident,
            "chance_mean": null_mean,
            "p_at_least_found": monte_carlo_p,
        },
    )
