"""The result of one sector-day as frames and sentences, for the terminal and for the report.

What does not belong here: how they look (`cli.day`, `document`), and the tables as they are stored (`tables`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from pairs_platform.views.drawing.cells import cell
from pairs_platform.views.pair_orders import LOW_Z

if TYPE_CHECKING:
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.platform import Platform

NULL_NOTE = (
    "Permutation null: mean (5–95 %) over placebo universes in the same gates. The joint placebo keeps how symbols "
    "move together and when volatility comes, and destroys long-run ties; independent walks keep each symbol's "
    "volatility alone. q is the false-discovery rate."
)

ORDER, RANKING_HALF_LIFE, RANKING_MOVE = "order at low z", "half-life (bars)", "move (bp)"
"""Headings of the ranking that a table's form asks for."""

_RANKING = {
    "rank": ("#", "{:.0f}"),
    "pair": ("pair", "{}"),
    LOW_Z: (ORDER, "{}"),
    "score": ("score", "{:.2f}"),
    "fit": ("fit", "{:.2f}"),
    "volatility": ("vol.", "{:.2f}"),
    "trading": ("trade", "{:.2f}"),
    "diagnostics": ("diag.", "{:.2f}"),
    "ranking_score": ("mean", "{:.2f}"),
    "p_cal": ("p", "{:.4f}"),
    "q_value": ("q", "{:.4f}"),
    "half_life_bars": (RANKING_HALF_LIFE, "{:.0f}"),
    "expected_move_bps": (RANKING_MOVE, "{:.0f}"),
    "first_failed_gate": ("rejected by", "{}"),
}
"""Column of `composite_rankings` with orders: heading and format."""

RANKING_GOES_FIRST = ("diag.", "trade", "vol.", "fit", "q", "p", RANKING_HALF_LIFE, RANKING_MOVE)
"""Columns of the ranking that a narrow terminal goes without, in this order."""


@dataclass(frozen=True)
class Selection:
    """The outcome of the selection, in sentences.

    Attributes
    ----------
    outcome : str
        Which pairs are selected, or that none is.
    nearest : tuple of str
        Where none is, why the best pairs were rejected.
    pinned : tuple of str
        The outcome for each pinned pair.
    """

    outcome: str
    nearest: tuple[str, ...]
    pinned: tuple[str, ...]


def funnel_frame(funnel: dict[str, int], placebo: dict[str, Any]) -> pd.DataFrame:
    """Counts of each step, alongside the permutation null: what the same gates let through on placebo prices."""
    joint, independent = placebo["joint"], placebo["independent"]
    steps = [
        ("symbols in the window", "n_symbols", None),
        ("pairs", "n_pairs", None),
        ("correlated", "n_correlated", "_correlated"),
        ("cointegrated", "n_cointegrated", ""),
        ("wide enough for the costs", "n_wide_enough", None),
        ("fitted", "n_fitted", None),
        ("score above the gate", "n_scored_above_gate", None),
        ("selected", "n_selected", None),
    ]
    rows = []
    for name, count, suffix in steps:
        shown = {"step": name, "count": funnel[count], "null, joint placebo": "", "null, independent": ""}
        if suffix is not None:
            for column, drawn in (("null, joint placebo", joint), ("null, independent", independent)):
                low, high = drawn[f"p05{suffix}"], drawn[f"p95{suffix}"]
                shown[column] = f"{drawn[f'mean{suffix}']:.1f} ({low:.0f}–{high:.0f})"
        if name == "cointegrated":
            shown["Monte-Carlo p-value"] = (
                f"{joint['p_at_least_found']:.2f} joint, {independent['p_at_least_found']:.2f} indep."
            )
        rows.append(shown)
    return pd.DataFrame(rows).fillna("")


def ranking_frame(rankings: pd.DataFrame, averaged: int) -> pd.DataFrame:
    """Rows of `with_orders_of_screen` as text; `averaged` is how many scores the ranking score averages."""
    shown = rankings[list(_RANKING)].copy()
    for name, (_, pattern) in _RANKING.items():
        shown[name] = [cell(None) if pd.isna(value) else pattern.format(value) for value in rankings[name]]
    for name in ("p_cal", "q_value"):
        shown[name] = shown[name].replace("0.0000", "<0.0001")
    headings = {name: heading for name, (heading, _) in _RANKING.items()}
    return shown.rename(columns=headings | {"ranking_score": f"mean of {averaged}"})


def selection(rankings: pd.DataFrame) -> Selection:
    """Which pairs of `composite_rankings` are selected, or why none is."""
    selected = rankings[rankings["selected"]]
    nearest = []
    if len(selected):
        names = ", ".join(
            f"{row.pair} (size {row.size:g}{', provisional' if row.provisional else ''})"
            for row in selected.itertuples()
        )
        outcome = f"Selected: {names}"
    else:
        outcome = "Selected: no pair. This is a normal outcome: the gates are never loosened to fill the table."
        for row in rankings[rankings["score"].notna()].head(3).to_dict("records"):
            shown = "; weakest component" in row["explanation"] or row["weakest_component"] is None
            weak = "" if shown else f"; weakest component: {row['weakest_component']}"
            nearest.append(f"{row['pair']}: {row['explanation']}{weak}")
    pinned = rankings[rankings["pinned"]].to_dict("records")
    return Selection(outcome, tuple(nearest), tuple(f"Pinned {row['pair']}: {row['explanation']}" for row in pinned))


def best_backtest(monitor: dict[str, Any]) -> str | None:
    """A sentence on the best backtest and its deflation by the number of trials; None where there is none."""
    if monitor["best_pair"] is None:
        return None
    deflated = monitor["best_deflated_sharpe"]
    return (
        f"Best backtest: {monitor['best_pair']}, Sharpe ratio {monitor['best_sharpe_ann']:.2f} a year, net, on the "
        f"held-out part of the window; best of {monitor['n_trials']} trials"
        + (
            (
                "; deflated Sharpe ratio, the probability that its true Sharpe ratio is above what luck gives the best "
                f"of so many: {deflated:.2f}"
            )
            if deflated is not None
            else ""
        )
    )


def models_frame(platform: "Platform", sector: str, sessions: Sequence[date]) -> pd.DataFrame:
    """The results of the trainings of some sessions, one row for each, as text.

    Raises
    ------
    PartitionMissing
        A session has no training.
    """
    from pairs_platform.core.models.contracts import GRU_MODELS
    from pairs_platform.core.partition_key import keys_of

    rows = []
    for key in keys_of(sessions, sector):
        models, metadata = platform.lake.read(GRU_MODELS, key), platform.lake.metadata(GRU_MODELS, key)
        pooled, record = metadata["report"]["pooled"], metadata["training"]
        judged = models[models["status"] == "ok"]
        rows.append(
            {
                "session": str(key.session),
                "version": cell(record["model_version"]),
                "pairs": f"{len(judged)} of {len(models)}",
                "seconds": f"{record['seconds']:.0f}",
                "skill (95 %)": _interval(pooled, "skill"),
                "lift (95 %)": _interval(pooled, "lift"),
                "F1": f"{judged['f1'].mean():.3f}" if len(judged) else "",
                "always": f"{judged['f1_always'].mean():.3f}" if len(judged) else "",
            }
        )
    return pd.DataFrame(rows)


def configured_model(platform: "Platform", key: "PartitionKey") -> tuple[str, ...]:
    """Which model the configuration of `key` names and why, and what was decided after it in the same session."""
    from pairs_platform.database.models import alias_as_of
    from pairs_platform.views.trading_config import read_trading_config

    config = read_trading_config(platform, key)
    shown = f"version {config.model.version}" if config.model else "none"
    lines = [f"Model in the configuration of {key.session}: {shown}; {config.model_reason}"]
    decision = alias_as_of(platform.database, key.sector, "champion", key.session)
    if decision is not None and decision.session == key.session:
        version = decision.version_after or decision.version_before
        lines.append(f"Decided after it: {decision.action} {version}; {decision.reason}")
    return tuple(lines)


def _interval(pooled: dict[str, Any], name: str) -> str:
    if pooled.get(name) is None:
        return ""
    if pooled.get(f"{name}_low") is None:
        return f"{1e3 * float(pooled[name]):+.2f} (no interval)"
    value, low, high = (1e3 * float(pooled[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
