"""The result of one sector-day in a terminal: funnel, ranking, what was selected or why nothing was."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from pairs_platform.cli.show import cell, frame_table, print_renderable

if TYPE_CHECKING:
    from pairs_platform.defs.resources import Platform

RANKING_SHOWN = 15
CHANCE = (
    "By chance: mean (5–95 %) over placebo universes in the same gates. The joint placebo keeps how symbols move "
    "together and when volatility comes, and destroys long-run ties; independent walks keep each symbol's volatility "
    "alone. q is the false-discovery rate.\n"
)

_RANKING = {
    "rank": ("#", "{:.0f}"),
    "pair": ("pair", "{}"),
    "score": ("score", "{:.2f}"),
    "fit": ("fit", "{:.2f}"),
    "volatility": ("vol.", "{:.2f}"),
    "trading": ("trade", "{:.2f}"),
    "diagnostics": ("diag.", "{:.2f}"),
    "ranking_score": ("mean", "{:.2f}"),
    "p_cal": ("p", "{:.4f}"),
    "q_value": ("q", "{:.4f}"),
    "half_life_bars": ("half-life", "{:.0f}"),
    "expected_move_bps": ("move bp", "{:.0f}"),
    "first_failed_gate": ("stopped at", "{}"),
}
"""Column of `composite_rankings`: heading and format."""


def print_day(platform: "Platform", sector: str, session: date, *, rows: int = RANKING_SHOWN) -> None:
    """Print funnel, ranking and selection of one session of one sector from the lake."""
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.lake.keys import PartitionKey

    key = PartitionKey(session, sector)
    rankings = platform.lake.read(COMPOSITE_RANKINGS, key)
    facts = platform.lake.metadata(COMPOSITE_RANKINGS, key)
    placebo = platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"]
    source = facts["source"]
    print_renderable(
        frame_table(_funnel(facts["funnel"], placebo), title=f"Selection funnel · {sector} · {session} · {source}"),
        CHANCE,
        frame_table(
            _ranking(rankings.head(rows), platform.settings.selection.sessions_averaged),
            title=f"Ranking · {sector} · {session} · {source}",
        ),
    )
    _print_selection(rankings)
    _print_monitor(facts["monitor"])


def _funnel(funnel: dict[str, int], placebo: dict[str, Any]) -> pd.DataFrame:
    """Counts beside what the same gates let through on prices without long-run ties."""
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
        shown = {"step": name, "found": funnel[count], "by chance, joint placebo": "", "by chance, independent": ""}
        if suffix is not None:
            for column, drawn in (("by chance, joint placebo", joint), ("by chance, independent", independent)):
                low, high = drawn[f"p05{suffix}"], drawn[f"p95{suffix}"]
                shown[column] = f"{drawn[f'mean{suffix}']:.1f} ({low:.0f}–{high:.0f})"
        if name == "cointegrated":
            shown["P(chance ≥ found)"] = (
                f"{joint['p_at_least_found']:.2f} joint, {independent['p_at_least_found']:.2f} indep."
            )
        rows.append(shown)
    return pd.DataFrame(rows).fillna("")


def _ranking(rankings: pd.DataFrame, averaged: int) -> pd.DataFrame:
    shown = rankings[list(_RANKING)].copy()
    for name, (_, pattern) in _RANKING.items():
        shown[name] = [cell(None) if pd.isna(value) else pattern.format(value) for value in rankings[name]]
    for name in ("p_cal", "q_value"):
        shown[name] = shown[name].replace("0.0000", "<0.0001")
    headings = {name: heading for name, (heading, _) in _RANKING.items()}
    return shown.rename(columns=headings | {"ranking_score": f"mean of {averaged}"})


def _print_selection(rankings: pd.DataFrame) -> None:
    selected = rankings[rankings["selected"]]
    if len(selected):
        names = ", ".join(
            f"{row.pair} (size {row.size:g}{', provisional' if row.provisional else ''})"
            for row in selected.itertuples()
        )
        click.echo(f"Selected: {names}")
    else:
        click.echo("Selected: no pair. This is a normal outcome: the gates are never loosened to fill the table.")
        for row in rankings[rankings["score"].notna()].head(3).to_dict("records"):
            shown = "; weakest component" in row["explanation"] or row["weakest_component"] is None
            weak = "" if shown else f"; weakest component: {row['weakest_component']}"
            click.echo(f"  {row['pair']}: {row['explanation']}{weak}")
    for row in rankings[rankings["pinned"]].to_dict("records"):
        click.echo(f"Pinned {row['pair']}: {row['explanation']}")


def _print_monitor(monitor: dict[str, Any]) -> None:
    if monitor["best_pair"] is None:
        return
    deflated = monitor["best_deflated_sharpe"]
    click.echo(
        f"Best backtest: {monitor['best_pair']}, Sharpe ratio {monitor['best_sharpe_ann']:.2f} a year, net, on the "
        f"held-out part of the window; best of {monitor['n_trials']} trials"
        + (f", deflated Sharpe ratio {deflated:.2f}" if deflated is not None else "")
    )


def print_models(platform: "Platform", sector: str, sessions: Sequence[date]) -> None:
    """Print what the trainings of some sessions gave, and which model signals may ask."""
    from pairs_platform.core.gru.contracts import GRU_MODELS
    from pairs_platform.core.selection.contracts import TRADING_CONFIG
    from pairs_platform.lake.keys import PartitionKey, keys_of

    rows = []
    for key in keys_of(sessions, sector):
        models, facts = platform.lake.read(GRU_MODELS, key), platform.lake.metadata(GRU_MODELS, key)
        pooled, record = facts["report"]["pooled"], facts["training"]
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
    print_renderable(
        frame_table(pd.DataFrame(rows), title=f"Models · {sector} · 0.001 nats per label, on test parts"),
        'Skill is against the base rate, lift against the better simple forecast; always is the F1 of "always reverts".'
        "\n",
    )
    last = PartitionKey(sessions[-1], sector)
    document = platform.lake.read_document(TRADING_CONFIG.table, last)
    model = document["model"]
    shown = f"version {model['version']}" if model else "none"
    click.echo(f"Model in the configuration of {last.session}: {shown}; {document['model_reason']}")
    now = platform.ledger.alias_as_of(sector, "champion", last.session)
    if now is not None and now.session == last.session:
        click.echo(f"Decided after it: {now.action} {now.version_after or now.version_before}; {now.reason}")


def _interval(pooled: dict[str, Any], name: str) -> str:
    if pooled.get(name) is None:
        return ""
    value, low, high = (1e3 * float(pooled[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
