"""What the platform finds of simulated markets whose truth is known, gate by gate, and what it finds beside it.

    python -m benchmarks.ground_truth            # about five minutes on two idle cores
    python -m benchmarks.ground_truth --quick    # under a minute

For every variant of the simulated market, seed and as-of session, bars go through the functions that the assets call
(validation, window, correlation, screen, fits, scores, and a ranking of three scored sessions) with the shipped
settings. Only exactly the planted pairs are true: a leg of one with a third symbol is a false discovery. Windows of one
market do not overlap. Standard errors treat a market (seed) as one draw, because its sessions share the planted pairs.
β is compared with the planted one also where it breaks around it. The wild bootstrap is left out: no gate uses it.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.adapters.simulated.market import FIRST_SESSION, SimulatedMarket
from pairs_platform.adapters.simulated.paths import PlantedPair
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.prices.calendar import session_offset, sessions_ending
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import placebo_counts
from pairs_platform.core.selection.ranking import rank_pairs
from pairs_platform.core.selection.scores import score_pairs
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings

SECTOR = "technology"
FIRST_SEED = 1001
FIRST_AS_OF, SPACING = 80, 65
"""Position of the first as-of session in the market, and sessions from one to the next: more than a window's 62."""

WORKERS = 2
GATES = ("correlated", "cointegrated", "selected")


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


@dataclass(frozen=True, eq=False)
class SectorDay:
    """What one sector-day found, beside the truth.

    Attributes
    ----------
    pairs : DataFrame, one row per pair of the window
        pair, y, x, beta, half_life_bars, and per gate of `GATES` whether the pair passed it and all gates before.
    planted : tuple of PlantedPair
    expected_by_chance : dict of str to float
        Mean number of pairs past correlation and cointegration in the placebo of each kind; empty without a placebo.
    """

    pairs: pd.DataFrame
    planted: tuple[PlantedPair, ...]
    expected_by_chance: dict[str, float]

    @property
    def is_planted(self) -> pd.Series:
        """Whether each row of `pairs` is a planted pair."""
        return self.pairs["pair"].isin([planted.pair for planted in self.planted])


def simulated_market(settings: Settings, seed: int, **market: Any) -> SimulatedMarket:
    """Technology of the shipped universe in the market of `seed`."""
    return SimulatedMarket(
        settings.listings(SECTOR),
        frequency=settings.frequency,
        settings=SimulatedMarketSettings(seed=seed, **market),
        clock=lambda: datetime(2024, 1, 1, tzinfo=UTC),
    )


def as_of_session(number: int) -> date:
    """The as-of session of the market's window `number`; windows of different numbers do not overlap."""
    return session_offset(FIRST_SESSION, FIRST_AS_OF + SPACING * number)


def identify(market: SimulatedMarket, session: date, settings: Settings, *, placebo: bool = True) -> SectorDay:
    """Send one sector-day through the stages as the assets do, with as many scored sessions as are averaged."""
    symbols = [listing.symbol for listing in market.universe()]
    averaged = settings.selection.sessions_averaged
    sessions = sessions_ending(session, settings.lookback_sessions + averaged - 1)
    actions = market.fetch_actions(symbols, sessions[0], sessions[-1])
    bars = validate_bars(
        market.fetch_bars(symbols, sessions[0], sessions[-1]).bars,
        symbols=symbols,
        sessions=sessions,
        frequency=market.frequency,
        settings=settings.validation,
        actions=actions,
        basis=market.basis,
    ).accepted
    history: list[pd.DataFrame] = []
    for day in sessions[-averaged:]:
        window = build_window(
            bars,
            actions,
            sessions=sessions_ending(day, settings.lookback_sessions),
            frequency=market.frequency,
            basis=market.basis,
            settings=settings.window,
            symbols=symbols,
        )
        correlations = pair_correlations(window, settings.correlation)
        correlated = correlations["passes_correlation"].to_numpy()
        screened = screen_pairs(
            window,
            settings=settings.cointegration,
            entry_z=settings.trading.entry_z,
            exit_z=settings.trading.exit_z,
            round_trip_cost_bps=settings.costs.round_trip_bps,
            correlated=np.zeros_like(correlated),
        )
        candidates = screened[correlated & screened["y"].notna()].reset_index(drop=True)
        scores = score_pairs(
            window,
            fit_parameter_sets(window, candidates, settings=settings.garch),
            session=day,
            scoring=settings.scores,
            trading=settings.trading,
            costs=settings.costs,
            garch=settings.garch,
        )
        history.append(scores)
    rankings = rank_pairs(
        correlations,
        screened,
        history[-1],
        pd.concat(history[:-1], ignore_index=True)[["session", "pair", "score"]],
        session=session,
        correlation=settings.correlation,
        cointegration=settings.cointegration,
        scoring=settings.scores,
        selection=settings.selection,
        excluded=window.excluded,
    )
    found = screened[["pair", "y", "x", "beta", "half_life_bars"]].assign(correlated=correlated)
    found["cointegrated"] = found["correlated"] & screened["passes_cointegration"]
    found["selected"] = found["pair"].isin(rankings.loc[rankings["selected"], "pair"])
    expected = {}
    if placebo:
        drawn = placebo_counts(
            window,
            correlation=settings.correlation,
            cointegration=settings.cointegration,
            placebo=settings.placebo,
            found=int(found["cointegrated"].sum()),
        )
        expected = {kind: result.mean for kind, result in drawn.items()}
    return SectorDay(found, market.ground_truth(SECTOR), expected)


def counts(day: SectorDay) -> dict[str, float]:
    """Planted pairs, true and false ones past each gate, and the two placebo expectations of one sector-day."""
    numbers: dict[str, float] = {"planted": len(day.planted)}
    for gate in GATES:
        passed = day.pairs[gate]
        numbers[f"{gate}_true"] = int((passed & day.is_planted).sum())
        numbers[f"{gate}_false"] = int((passed & ~day.is_planted).sum())
    return numbers | {f"chance_{kind}": mean for kind, mean in day.expected_by_chance.items()}


def recovery(day: SectorDay) -> pd.DataFrame:
    """Relative errors of β (in the planted direction) and half-life of the planted pairs past cointegration."""
    found = day.pairs[day.pairs["cointegrated"]].set_index("pair")
    rows = []
    for truth in day.planted:
        if truth.pair in found.index:
            row = found.loc[truth.pair]
            beta = row["beta"] if row["y"] == truth.y else 1.0 / row["beta"]
            rows.append((beta / truth.beta - 1.0, row["half_life_bars"] / truth.half_life_bars - 1.0))
    return pd.DataFrame(rows, columns=["beta_error", "half_life_error"], dtype=np.float64)


def run_market(group: Group, seed: int, n_sessions: int) -> tuple[list[dict[str, float]], pd.DataFrame]:
    """All sector-days of one market: their counts, and the recovery of their planted pairs."""
    settings = load_settings()
    market = simulated_market(settings, seed, **group.settings)
    days = [identify(market, as_of_session(number), settings) for number in range(n_sessions)]
    return [counts(day) | {"seed": seed} for day in days], pd.concat([recovery(day) for day in days])


def share(days: pd.DataFrame, part: str, whole: Sequence[str]) -> tuple[float, float]:
    """Ratio of the sums of `part` and `whole` over all days, and its standard error with a market as the unit."""
    by_seed = days.groupby("seed").sum()
    top, bottom = by_seed[part], by_seed[list(whole)].sum(axis=1)
    if not bottom.sum():
        return float("nan"), float("nan")
    ratio = float(top.sum() / bottom.sum())
    n = len(by_seed)
    squares = float(((top - ratio * bottom) ** 2).sum())
    return ratio, (n / (n - 1) * squares) ** 0.5 / float(bottom.sum()) if n > 1 else float("nan")


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
