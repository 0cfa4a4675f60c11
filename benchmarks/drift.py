"""False alarms and delay of the drift statistics on simulated markets, without and with a planted break.

    python -m benchmarks.drift            # about ten minutes on two busy cores
    python -m benchmarks.drift --quick    # about two minutes

Pairs are estimated on 60 sessions of 5-minute bars by the functions that the assets call, and monitored after that.
Books have 20 pairs, of two markets. Exit code 1 when a rate that the settings promise is missed by more than two
standard errors. First the run length of CUSUM, by its integral equation: the number that the literature has, and the
closed form that the code uses. With PAIRS_PLATFORM_TEST_DATA naming a folder with `real_intraday_5min.parquet`, real
pairs past both gates are monitored too, a session after each sixth window; whether they changed nobody knows.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks.score_acceptance import read_bars, real_candidates, real_window
from pairs_platform.adapters.simulated.paths import PlantedBreak
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.risk.drift.estimation import estimated_pairs
from pairs_platform.core.risk.drift.mean import average_run_length
from pairs_platform.core.risk.drift.response import DriftAction, drift_paths, drift_responses, pair_drift
from pairs_platform.core.risk.drift.result import DriftResult, DriftStatistic, DriftStatus
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform_tests.support.drifting import ESTIMATION_SESSIONS, first_bars, monitored_pairs

FIRST_SEED = 4001
WORKERS = 2
BOOK = 20
BARS = 78
BREAK_SESSIONS = 5
LATER = ESTIMATION_SESSIONS + 1

Results = tuple[DriftResult, ...]


@dataclass(frozen=True)
class Group:
    """Markets whose pairs do not change: a name and what differs from the shipped simulated market."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


NULLS = (
    Group("standard"),
    Group("t(4) tails", {"variant": "t_tails"}),
    Group("common jumps", {"variant": "common_jumps"}),
    Group("missing bars", {"variant": "missing_bars"}),
    Group("slow: 40-390 bars", {"min_half_life_bars": 40.0, "max_half_life_bars": 390.0}),
)

BREAKS = (
    ("mean moves by 2 s.d.", "mean", 2.0),
    ("mean moves by 4 s.d.", "mean", 4.0),
    ("no reversion", "unit_root", 0.0),
    ("β × 1.1", "beta", 1.1),
    ("β × 1.25", "beta", 1.25),
    ("correlation × 0.9", "correlation", 0.9),
    ("correlation × 0.5", "correlation", 0.5),
    ("variance × 4", "variance", 4.0),
    ("variance × 9", "variance", 9.0),
)


def exact_run_length(bound: float, reference: float, shift: float = 0.0, nodes: int = 80) -> float:
    """Mean bars until a two-sided CUSUM of N(shift, 1) alarms, by Gauss-Legendre quadrature of Page's equation."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    points, weights = bound * (points + 1.0) / 2.0, weights * bound / 2.0
    sides = []
    for mean in (shift - reference, -shift - reference):
        grid = np.concatenate([[0.0], points])
        kernel = np.empty((nodes + 1, nodes + 1))
        kernel[:, 0] = norm.cdf(-grid - mean)
        kernel[:, 1:] = weights * norm.pdf(points[None, :] - grid[:, None] - mean)
        sides.append(float(np.linalg.solve(np.eye(nodes + 1) - kernel, np.ones(nodes + 1))[0]))
    return 1.0 / (1.0 / sides[0] + 1.0 / sides[1])


def unwhitened_run_length(phi: float, bound: float, reference: float, draws: int = 4000, seed: int = 1) -> float:
    """The same of a standardised AR(1) with coefficient `phi`, simulated from its stationary distribution."""
    rng = np.random.default_rng(seed)
    s = rng.standard_normal(draws)
    up, down, length = np.zeros(draws), np.zeros(draws), np.zeros(draws)
    running = np.ones(draws, bool)
    while running.any():
        s = phi * s + math.sqrt(1.0 - phi * phi) * rng.standard_normal(draws)
        up, down = np.maximum(0.0, up + s - reference), np.maximum(0.0, down - s - reference)
        length += running
        running &= np.maximum(up, down) <= bound
    return float(length.mean())


def null_market(group: Group, seed: int, windows: int, settings: DriftSettings) -> list[Results]:
    """One session of every unchanged pair of a market, after each of several estimation windows."""
    return [
        pair_drift(pair, settings)
        for number in range(windows)
        for pair in monitored_pairs(seed, monitored_sessions=1, first_session=LATER * number, **group.settings)
    ]


def real_sessions(folder: Path, settings: DriftSettings) -> list[dict[str, Results]]:
    """Books of real pairs by session: chosen and estimated on the 60 sessions before it."""
    bars = read_bars(folder / "real_intraday_5min.parquet")
    books = []
    for last in sorted(set(bars["session"].dt.date))[LATER::6]:
        book = {}
        for sector in sorted(bars["sector"].unique()):
            window = real_window(bars, sector, last, LATER, Frequency.FIVE_MINUTES)
            before = real_window(bars, sector, session_offset(last, -1), ESTIMATION_SESSIONS, Frequency.FIVE_MINUTES)
            chosen = real_candidates(before, min_correlation=0.8, max_p=0.05)
            legs = [pair for pair in zip(chosen["y"], chosen["x"], strict=True) if set(pair) <= set(window.symbols)]
            if legs:
                book |= {
                    f"{pair.parameters.y}_{pair.parameters.x}": pair_drift(pair, settings)
                    for pair in estimated_pairs(window, legs, 1)
                }
        books.append(book)
    return books


@dataclass(frozen=True)
class Delays:
    """Bars from the break to each step for one pair, infinite where it was not taken; and its first session alone."""

    warn: float
    no_entries: float
    exit: float
    by: str
    first_session: Results


def broken_market(kind: str, size: float, seed: int, settings: DriftSettings) -> list[Delays]:
    """Delays of the pairs of a market that breaks when monitoring starts, each the only changed pair of a book."""
    planted = PlantedBreak(kind=kind, session=ESTIMATION_SESSIONS, size=size)  # type: ignore[arg-type]
    longer = settings.model_copy(update={"horizon_bars": BARS * BREAK_SESSIONS})
    delays = []
    for pair in monitored_pairs(seed, monitored_sessions=BREAK_SESSIONS, planted_break=planted):
        paths = drift_paths(pair, longer)
        smallest = np.minimum.accumulate(len(paths) * np.min([path.p_value for path in paths], axis=0))
        steps = (
            np.logical_or.reduce([path.alarm for path in paths]),
            smallest <= settings.false_discovery_rate / BOOK,
            smallest <= settings.family_wise_rate / BOOK,
        )
        warn, no_entries, leave = (float(np.argmax(step) + 1) if step.any() else math.inf for step in steps)
        until = int(leave) if math.isfinite(leave) else pair.n_bars
        by = min(paths, key=lambda path: float(path.p_value[:until].min())).statistic
        delays.append(Delays(warn, no_entries, leave, by.value, pair_drift(first_bars(pair, BARS), settings)))
    return delays


def books(pairs: Sequence[Results], settings: DriftSettings) -> list[list[DriftAction]]:
    """Actions of whole books of 20 pairs."""
    whole = [pairs[start : start + BOOK] for start in range(0, len(pairs) - BOOK + 1, BOOK)]
    return [
        [each.action for each in drift_responses({str(i): p for i, p in enumerate(book)}, settings).values()]
        for book in whole
    ]


def rate(hits: Sequence[bool]) -> str:
    share = float(np.mean(hits))
    return f"{share:.1%} ± {math.sqrt(share * (1.0 - share) / len(hits)):.1%}"


def kept(hits: Sequence[bool], promised: float) -> bool:
    """Whether a rate is not above what is promised by more than two standard errors of the promised rate."""
    return float(np.mean(hits)) <= promised + 2.0 * math.sqrt(promised * (1.0 - promised) / len(hits))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    print(f"\n{title}")
    for row in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]), flush=True)


def print_run_lengths(settings: DriftSettings) -> None:
    h, k = settings.cusum_bound, settings.cusum_reference
    shifts = {shift: exact_run_length(h, k, shift) for shift in (0.0, 0.5, 1.0, 2.0)}
    closed = float(average_run_length(np.array(h), k))
    print(f"CUSUM k = {k:g}, h = {h:g}, two-sided, independent N(0, 1): mean run length {shifts[0.0]:.1f} bars by the")
    print(f"integral equation (Lucas & Crosier 1982: 465), {closed:.1f} by the closed form of the code;")
    print("after a shift of " + ", ".join(f"{s:g} s.d. {length:.1f}" for s, length in shifts.items() if s) + " bars.")
    print(f"Of an AR(1) with φ = 0.9 that is not whitened: {unwhitened_run_length(0.9, h, k):.1f} bars.")


def false_alarm_rows(name: str, pairs: Sequence[Results]) -> list[str]:
    alarms = {
        statistic: [any(r.status is DriftStatus.ALARM for r in pair if r.statistic is statistic) for pair in pairs]
        for statistic in DriftStatistic
    }
    warned = [any(result.status is DriftStatus.ALARM for result in pair) for pair in pairs]
    return [name, str(len(pairs)), *(rate(alarms[statistic]) for statistic in DriftStatistic), rate(warned)]


def delay_row(name: str, delays: Sequence[Delays]) -> list[str]:
    cells = [name, str(len(delays))]
    for step in ("warn", "no_entries", "exit"):
        bars = np.array([getattr(each, step) for each in delays])
        median = float(np.median(bars))
        cells += [f"{np.mean(bars <= BARS):.0%}", f"{np.mean(np.isfinite(bars)):.0%}"]
        cells.append(f"{median:.0f}" if math.isfinite(median) else f"> {BARS * BREAK_SESSIONS}")
    names = [each.by for each in delays if math.isfinite(each.exit)]
    cells.append(", ".join(sorted(set(names), key=names.count, reverse=True)) or "-")
    return cells


def mixed_discoveries(
    nulls: Sequence[Results], broken: Sequence[Results], settings: DriftSettings, changed: int = 5
) -> tuple[list[float], list[bool]]:
    """Books in which five of twenty pairs change: the share of unchanged ones among discoveries, and any wrong exit."""
    shares, wrong = [], []
    whole = min(len(nulls) // (BOOK - changed), len(broken) // changed)
    for number in range(whole):
        book = [
            *nulls[number * (BOOK - changed) : (number + 1) * (BOOK - changed)],
            *broken[number * changed : (number + 1) * changed],
        ]
        actions = [each.action for each in drift_responses({str(i): p for i, p in enumerate(book)}, settings).values()]
        found = [action in (DriftAction.NO_ENTRIES, DriftAction.EXIT) for action in actions]
        shares.append(sum(found[: BOOK - changed]) / max(1, sum(found)))
        wrong.append(any(action is DriftAction.EXIT for action in actions[: BOOK - changed]))
    return shares, wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, help="markets without a break (24; quick: 6), half as many per break")
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    n_seeds = given.seeds or (6 if given.quick else 24)
    windows = 2 if given.quick else 5
    os.environ.update(dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    settings, start = DriftSettings(), time.perf_counter()
    print_run_lengths(settings)
    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        # One market alone first: two workers that meet an empty cache would both compile the kernels.
        pool.submit(null_market, NULLS[0], FIRST_SEED, 1, settings).result()
        running = {
            group.name: [pool.submit(null_market, group, seed, windows, settings) for seed in seeds] for group in NULLS
        }
        breaking = {
            name: [pool.submit(broken_market, kind, size, seed, settings) for seed in seeds[: max(2, n_seeds // 2)]]
            for name, kind, size in BREAKS
        }
        nulls = {name: [pair for job in jobs for pair in job.result()] for name, jobs in running.items()}
        broken = {name: [each for job in jobs for each in job.result()] for name, jobs in breaking.items()}
    print_table(
        f"Unchanged pairs, a session of {BARS} bars: share with an alarm",
        ("market", "pairs", *(statistic.value for statistic in DriftStatistic), "any"),
        [false_alarm_rows(name, pairs) for name, pairs in nulls.items()],
    )
    held, rows = True, []
    for name, pairs in nulls.items():
        actions = books(pairs, settings)
        entries = [any(a in (DriftAction.NO_ENTRIES, DriftAction.EXIT) for a in book) for book in actions]
        exits = [any(a is DriftAction.EXIT for a in book) for book in actions]
        held &= kept(entries, settings.false_discovery_rate) and kept(exits, settings.family_wise_rate)
        rows.append([name, str(len(actions)), rate(entries), rate(exits)])
    print_table(
        f"Books of {BOOK} unchanged pairs, a session: share with any wrong step (at most "
        f"{settings.false_discovery_rate:.0%} and {settings.family_wise_rate:.0%} are promised)",
        ("market", "books", "no entries", "exit"),
        rows,
    )
    print_table(
        f"After a break: share within a session and within {BREAK_SESSIONS}, and median bars, in a book of {BOOK}",
        (
            "break",
            "pairs",
            *("warn 1", "5", "median", "no entries 1", "5", "median", "exit 1", "5", "median"),
            "exit by",
        ),
        [delay_row(name, delays) for name, delays in broken.items()],
    )
    changed = [each.first_session for delays in zip(*broken.values(), strict=False) for each in delays]
    shares, wrong = mixed_discoveries(nulls["standard"], changed, settings)
    error = float(np.std(shares)) / math.sqrt(len(shares))
    print(
        f"\n{len(shares)} books with 5 changed pairs of {BOOK}: {np.mean(shares):.1%} ± {error:.1%} of the discoveries "
        f"are unchanged pairs, {rate(wrong)} of the books leave one"
    )
    held &= float(np.mean(shares)) <= settings.false_discovery_rate + 2.0 * error
    held &= kept(wrong, settings.family_wise_rate)
    folder = os.environ.get("PAIRS_PLATFORM_TEST_DATA")
    if folder:
        real = real_sessions(Path(folder), settings)
        print_table(
            f"Real 5-minute pairs past both gates, a session after each of {len(real)} windows: share with an alarm",
            ("", "pairs", *(statistic.value for statistic in DriftStatistic), "any"),
            [false_alarm_rows("real", [pair for book in real for pair in book.values()])],
        )
        taken = [each.action for book in real for each in drift_responses(book, settings).values()]
        print(", ".join(f"{action.value}: {taken.count(action)}" for action in DriftAction))
    else:
        print("real prices: PAIRS_PLATFORM_TEST_DATA is not set")
    print(f"total {time.perf_counter() - start:.0f} s; rates {'held' if held else 'MISSED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
