"""Planted pairs of simulated markets that pass each gate, and pairs that pass without being planted.

    python -m benchmarks.ground_truth            # about five minutes on two idle cores
    python -m benchmarks.ground_truth --quick    # under a minute

For every variant of the simulated market, seed and as-of session, bars go through the functions that the assets call
(`pairs_platform_tests/support/ground_truth.py`) with the shipped settings. Windows of one market do not overlap.
Standard errors treat a market (seed) as one draw, because its sessions share the planted pairs.
β is compared with the planted one also where it breaks around it. The wild bootstrap is left out: no gate uses it.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.ground_truth import (
    GATES,
    as_of_session,
    counts,
    identify,
    recovery,
    share,
    simulated_market,
)

FIRST_SEED = 1001
WORKERS = 2


@dataclass(frozen=True)
class Group:
    """Markets of one kind: a name and what differs from the shipped simulated market."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


GROUPS = (
    Group("standard"),
    Group("t_tails", {"variant": "t_tails"}),
    Group("beta_breaks", {"variant": "beta_breaks"}),
    Group("common_jumps", {"variant": "common_jumps"}),
    Group("missing_bars", {"variant": "missing_bars"}),
    Group("no_pairs", {"variant": "no_pairs"}),
    Group("factors, no pairs", {"planted_pairs_per_sector": 0}),
    Group("slow: 40-390 bars", {"min_half_life_bars": 40.0, "max_half_life_bars": 390.0}),
)
"""Every variant; common factors without a planted pair; and half-lives of half a day to a week."""


def run_market(group: Group, seed: int, n_sessions: int) -> tuple[list[dict[str, float]], pd.DataFrame]:
    """All sector-days of one market: their counts, and the recovery of their planted pairs."""
    settings = load_settings()
    market = simulated_market(settings, seed, **group.settings)
    days = [identify(market, as_of_session(number), settings) for number in range(n_sessions)]
    return [counts(day) | {"seed": seed} for day in days], pd.concat([recovery(day) for day in days])


def percent(days: pd.DataFrame, part: str, whole: Sequence[str]) -> str:
    """A share with its standard error; all or nothing has none, so the 95 % bound of independent pairs stands there."""
    ratio, error = share(days, part, whole)
    if np.isnan(ratio):
        return "-"
    if ratio in (0.0, 1.0):
        bound = 1.0 - 0.05 ** (1.0 / float(days[list(whole)].to_numpy().sum()))
        return f"0% (< {bound:.1%})" if ratio == 0.0 else f"100% (> {1.0 - bound:.1%})"
    return f"{ratio:.1%} ± {error:.1%}"


def found_row(name: str, days: pd.DataFrame, errors: pd.DataFrame) -> list[str]:
    shares = [percent(days, f"{gate}_true", ["planted"]) for gate in GATES]
    off = [f"{errors[column].abs().median():.1%}" if len(errors) else "-" for column in errors]
    return [name, str(len(days)), str(int(days["planted"].sum())), *shares, *off]


def false_row(name: str, days: pd.DataFrame) -> list[str]:
    cells = [name]
    for gate in GATES[1:]:
        cells.append(str(int(days[f"{gate}_false"].sum())))
        cells.append(percent(days, f"{gate}_false", [f"{gate}_true", f"{gate}_false"]))
    for column in ("cointegrated_false", "chance_joint", "chance_independent"):
        value, error = share(days.assign(one=1), column, ["one"])
        cells.append(f"{value:.2f} ± {error:.2f}")
    return cells


FOUND = ("market", "days", "planted", "correlated", "cointegrated", "selected", "β error", "half-life error")
FALSE = ("market", "cointegrated", "share", "selected", "share", "coint. a day", "joint placebo", "independent")


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    print(f"\n{title}")
    for row in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, help="markets per group (12; quick: 2)")
    options.add_argument("--sessions", type=int, help="as-of sessions per market, whole windows apart (2; quick: 1)")
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    n_seeds = given.seeds or (2 if given.quick else 12)
    n_sessions = given.sessions or (1 if given.quick else 2)
    # Workers import numba and the settings anew: one thread each, and the shipped settings whatever the caller's are.
    for name in [name for name in os.environ if name.startswith("PAIRS_PLATFORM_")]:
        del os.environ[name]
    os.environ.update(dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    start = time.perf_counter()
    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    days, errors = {}, {}
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        # One market alone first: two workers that meet an empty cache would both compile the kernels.
        running = {(GROUPS[0].name, FIRST_SEED): pool.submit(run_market, GROUPS[0], FIRST_SEED, n_sessions)}
        running[GROUPS[0].name, FIRST_SEED].result()
        print(f"first market, compilation included: {time.perf_counter() - start:.0f} s")
        for group in GROUPS:
            for seed in seeds:
                if (group.name, seed) not in running:
                    running[group.name, seed] = pool.submit(run_market, group, seed, n_sessions)
        for group in GROUPS:
            results = [running[group.name, seed].result() for seed in seeds]
            days[group.name] = pd.DataFrame([day for part, _ in results for day in part])
            errors[group.name] = pd.concat([part for _, part in results])
    print(f"{n_seeds} markets (seeds {seeds[0]} to {seeds[-1]}), {n_sessions} windows of each")
    print_table(
        "Planted pairs past each gate and all before it, ± standard error; median absolute relative errors",
        FOUND,
        [found_row(name, days[name], errors[name]) for name in days],
    )
    print_table(
        "Found though not planted: number and share of all found; then the number a day beside the placebos' mean",
        FALSE,
        [false_row(name, days[name]) for name in days],
    )
    print(f"\ntotal {time.perf_counter() - start:.0f} s on {WORKERS} processes of one thread")
    return 0


if __name__ == "__main__":
    sys.exit(main())
