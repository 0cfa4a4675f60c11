"""Checks of the selection: the document of a trading configuration, and how far its pairs change from day to day.

What does not belong here: how pairs are chosen (`ranking`), and reading what is checked.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.errors import DataError
from pairs_platform.core.selection.trading_config import TradingConfig

if TYPE_CHECKING:
    import pandas as pd


def check_document(document: Mapping[str, object], table: "pd.DataFrame") -> CheckResult:
    """Whether the JSON document of a trading configuration is whole and lists the same pairs as its table."""
    try:
        config = TradingConfig.from_document(document)
    except DataError as error:
        return CheckResult(passed=False, summary=str(error), figures={})
    same = [pair.pair for pair in config.pairs] == table["pair"].tolist()
    return CheckResult(
        passed=same,
        summary=f"{len(table)} pairs in document and table" if same else "document and table list different pairs",
        figures={"pairs": len(table), "content_hash": config.content_hash},
    )


def check_pair_churn(today: Iterable[str], previous: Iterable[str] | None, *, max_churn: float) -> CheckResult:
    """How far today's selected pairs differ from the previous session's; `previous` is None where there is none.

    Churn is the share of pairs in either set that are not in both (Jaccard distance); two empty sets have churn 0.
    """
    if previous is None:
        return CheckResult(passed=True, summary="no previous session to compare with", figures={})
    now, before = set(today), set(previous)
    either = now | before
    churn = len(now ^ before) / len(either) if either else 0.0
    entered, left = sorted(now - before), sorted(before - now)
    summary = f"{len(now & before)} stayed, {len(entered)} entered, {len(left)} left (churn {churn:.0%})"
    passed = churn <= max_churn
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary}, above {max_churn:.0%}: look for a data change before trading",
        figures={"churn": churn, "entered": ", ".join(entered), "left": ", ".join(left)},
    )
