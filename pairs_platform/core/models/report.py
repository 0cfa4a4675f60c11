"""The report on a sector-day's models: what the distribution over pairs says, in a few figures.

What does not belong here: metrics of one pair (`evaluation`) and drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

QUANTILES = (0.1, 0.5, 0.9)
LARGEST_FALSE_DISCOVERY = 0.05


@dataclass(frozen=True, kw_only=True)
class SectorReport:
    """Figures of one training, by section.

    Attributes
    ----------
    pooled : mapping
        `evaluation.Pooled` by name.
    pairs : mapping
        Counts, quantiles over pairs, gap between best and worst tenth by lift, correlation against performance.
    seconds : float
        Wall time of the training.
    folds : sequence of mapping
        Walk-forward folds, where asked for.
    """

    pooled: Mapping[str, Any]
    pairs: Mapping[str, Any]
    seconds: float
    folds: Sequence[Mapping[str, Any]] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "pooled": dict(self.pooled),
            "pairs": dict(self.pairs),
            "seconds": self.seconds,
            "folds": [dict(fold) for fold in self.folds],
        }

    def table(self) -> pd.DataFrame:
        """Columns section, figure, value."""
        rows = [("pooled on test", name, value) for name, value in self.pooled.items()]
        rows += [("over pairs", name, value) for name, value in self.pairs.items()]
        rows += [("training", "seconds", self.seconds)]
        rows += [
            (f"walk-forward fold {fold['fold']}", name, value)
            for fold in self.folds
            for name, value in fold.items()
            if name != "fold"
        ]
        frame = pd.DataFrame(rows, columns=["section", "figure", "value"])
        return frame.assign(value=frame["value"].astype("float64"))


def sector_report(
    rows: pd.DataFrame,
    *,
    pooled: Mapping[str, Any],
    seconds: float,
    folds: Sequence[Mapping[str, Any]] | None = None,
) -> SectorReport:
    """Report on the rows of a training.

    Parameters
    ----------
    rows : DataFrame
        Rows of `sector.SectorTraining`, with `correlation`; pairs that were not judged count as such and no more.
    """
    judged = rows[rows["status"] == "ok"]
    figures: dict[str, Any] = {"candidates": len(rows), "judged": len(judged)}
    if len(judged):
        for name in ("lift", "skill", "roc_auc", "f1"):
            values = judged[name].dropna()
            figures |= (
                {
                    f"{name}_p{round(100 * q)}": float(value)
                    for q, value in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
                }
                if len(values)
                else {}
            )
        figures |= {
            "f1_always_mean": float(judged["f1_always"].mean()),
            "share_skill_interval_above_zero": float((judged["skill_low"] > 0).mean()),
            "share_lift_interval_above_zero": float((judged["lift_low"] > 0).mean()),
            "skill_discoveries": int((judged["skill_q"] < LARGEST_FALSE_DISCOVERY).sum()),
            "share_where_the_network_adds_nothing": float((judged["best_epoch"] == 0).mean()),
            "overnight_share_of_test_labels": float(judged["n_overnight"].sum() / judged["n_test"].sum()),
            "calibration_error_mean": float(judged["calibration_error"].mean()),
        }
        tenth = max(1, len(judged) // 10)
        ordered = judged["lift"].sort_values(ascending=False)
        figures["top_less_bottom_tenth_lift"] = float(ordered.head(tenth).mean() - ordered.tail(tenth).mean())
        both = judged[["correlation", "skill"]].dropna()
        if len(both) >= 5 and both["correlation"].nunique() > 1 and both["skill"].nunique() > 1:
            from scipy.stats import spearmanr

            ranked = spearmanr(both["correlation"], both["skill"])
            figures |= {
                "correlation_against_skill": float(ranked.statistic),
                "correlation_against_skill_p": float(ranked.pvalue),
            }
    return SectorReport(pooled=pooled, pairs=figures, seconds=seconds, folds=tuple(folds or ()))
