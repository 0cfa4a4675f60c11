"""Checks of the volatility models: whether enough fits converged.

What does not belong here: diagnostics of one fit (`diagnostics`), and reading what is checked.
"""

from collections.abc import Iterable

from pairs_platform.core.check_result import CheckResult


def check_convergence(statuses: Iterable[str], *, min_rate: float) -> CheckResult:
    """Whether enough fits have status "ok"; no fits at all pass."""
    import pandas as pd

    counts = pd.Series(list(statuses), dtype=object).value_counts()
    total = int(counts.sum())
    rate = float(counts.get("ok", 0)) / total if total else 1.0
    others = ", ".join(f"{n} {name}" for name, n in counts.items() if name != "ok")
    passed = rate >= min_rate
    return CheckResult(
        passed=passed,
        summary=f"{rate:.1%} of {total} fits converged" + (f"; {others}" if others else ""),
        figures={"convergence_rate": rate, "n_fits": total},
    )
