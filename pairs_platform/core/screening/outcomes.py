"""What a test of two series can end in, as a code of the compiled kernels and as a word of the tables.

What does not belong here: the test (`kernels`, `engle_granger`).
"""

TESTED, TOO_FEW_BARS, CONSTANT_LEG, IDENTICAL_LEGS, SINGULAR = range(5)
"""Outcome of a test. IDENTICAL_LEGS: R² of the levels at statsmodels' own limit, where it reports t = −inf."""

TEST_STATUSES = {
    TESTED: "ok",
    TOO_FEW_BARS: "too_few_bars",
    CONSTANT_LEG: "constant_leg",
    IDENTICAL_LEGS: "identical_legs",
    SINGULAR: "singular_regression",
}
