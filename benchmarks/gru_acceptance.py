"""Acceptance of the models: skill where there is something to forecast, none where there is not.

    python -m benchmarks.gru_acceptance            # 60 planted pairs, 20 universes of walks: about seven minutes
    python -m benchmarks.gru_acceptance --quick    # 16 and 6: about two minutes
    python -m benchmarks.gru_acceptance --real     # the 5-minute and hourly files of PAIRS_PLATFORM_TEST_DATA as well

Required: on planted pairs (half-life 5 to 20 bars) the pooled test skill has a 95 % interval above zero, and pooled
log-loss is not worse than the AR(1)-logit's by more than 0.001 nats; on independent random walks fewer than 10 % of the
pairs' intervals are above zero. The true model's figures are printed too. Exit code 1 when a requirement is missed.
"""

import argparse
import os
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr

from pairs_platform.core.models.baseline import choose_baseline, log_loss
from pairs_platform.core.models.evaluation import session_interval
from pairs_platform.core.models.features import PairDataset, pair_datasets, usable_rows
from pairs_platform.core.models.sector_training import SectorTraining, sessions_of_starts, train_sector
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import sessions_between, sessions_ending
from pairs_platform.core.prices.settings import WindowSettings
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.settings import CorrelationSettings
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    grid_of,
    planted_pairs,
    random_walks,
    screened_pairs,
    window_of_legs,
)

BARS = 4680
PAIRS_OF_A_UNIVERSE = 3
HALF_LIVES = (5.0, 20.0)


def trained(window: PriceWindow, pairs: pd.DataFrame, settings: GruSettings) -> tuple[SectorTraining, list, SplitPlan]:
    datasets, plan, _ = pair_datasets(window, pairs, settings=settings, pair_settings=PairSettings())
    return train_sector(datasets, [one.pair for one in datasets], plan, settings=settings), datasets, plan


def tell(name: str, training: SectorTraining) -> None:
    rows, pooled = training.rows, training.pooled
    judged = rows[rows["status"] == "ok"]
    if pooled is None:
        print(f"{name}: {len(rows)} pairs, none could be judged: {rows['status'].value_counts().to_dict()}", flush=True)
        return
    print(
        f"{name}: {len(judged)} pairs, {pooled.n_sessions} sessions; "
        f"skill {pooled.skill:+.5f} ({pooled.skill_low:+.5f} to {pooled.skill_high:+.5f}), "
        f"lift {pooled.lift:+.5f} ({pooled.lift_low:+.5f} to {pooled.lift_high:+.5f}); "
        f"AUC {judged['roc_auc'].mean():.3f}; F1 {judged['f1'].mean():.3f}, always {judged['f1_always'].mean():.3f}; "
        f"intervals above zero: skill {(judged['skill_low'] > 0).mean():.1%}, "
        f"lift {(judged['lift_low'] > 0).mean():.1%}",
        flush=True,
    )


def true_model(
    datasets: list[PairDataset], plan: SplitPlan, half_lives: dict[str, float], settings: GruSettings
) -> str:
    """Skill of P = Φ((1 − φ)|s − μ|/σ) with the true φ, and the AR(1)-logit's, on the same test rows."""
    gains, logit_gains, sessions = [], [], []
    parts = plan.parts()
    for one in datasets:
        usable = usable_rows(one.features, one.label, settings.network.sequence_length)
        rows = usable & (parts == "test")
        chosen = choose_baseline(one.excess, one.label, usable & (parts == "train"), usable & (parts == "validation"))
        base = log_loss(np.full(rows.sum(), chosen.base_rate), one.label[rows])
        phi = 0.5 ** (1.0 / half_lives[one.pair])
        gains.append(base - log_loss(ndtr((1.0 - phi) * one.excess[rows]), one.label[rows]))
        logit_gains.append(base - log_loss(chosen.probability(one.excess[rows]), one.label[rows]))
        sessions.append(sessions_of_starts(one.ts_utc[rows]))
    session = np.concatenate(sessions)
    found = [session_interval(np.concatenate(values), session) for values in (gains, logit_gains)]
    return "; ".join(
        f"{name} {one.mean:+.5f} ({one.low:+.5f} to {one.high:+.5f})"
        for name, one in zip(("true model: skill", "simple forecast: skill"), found, strict=True)
    )


def planted(n_pairs: int, settings: GruSettings) -> bool:
    window = window_of_legs(planted_pairs(n_pairs, BARS, 31, garch_variance, half_lives=HALF_LIVES))
    # The same draws as `planted_pairs` makes: the shocks of the legs first.
    rng = np.random.default_rng(31)
    garch_variance(rng, grid_of(BARS)[2], n_pairs)
    drawn = np.exp(rng.uniform(*np.log(HALF_LIVES), n_pairs))
    half_lives = {f"S{2 * j:05d}_S{2 * j + 1:05d}": float(value) for j, value in enumerate(drawn)}
    training, datasets, plan = trained(window, screened_pairs(window), settings)
    tell("planted pairs", training)
    print(f"  {true_model(datasets, plan, half_lives, settings)}")
    pooled = training.pooled
    assert pooled is not None
    worse = pooled.log_loss - pooled.log_loss_baseline
    print(f"  pooled log-loss less the simple forecast's: {worse:+.5f} nats, at most +0.00100 is required", flush=True)
    return pooled.skill_low > 0 and worse <= 0.001


def walks(n_universes: int, settings: GruSettings) -> bool:
    above, total = 0, 0
    for universe in range(n_universes):
        window = window_of_legs(random_walks(PAIRS_OF_A_UNIVERSE, BARS, 500 + universe, garch_variance))
        rows = trained(window, screened_pairs(window), settings)[0].rows
        above, total = above + int((rows["skill_low"] > 0).sum()), total + len(rows)
    error = np.sqrt(max(above, 1) * (total - above)) / total**1.5
    print(f"random walks: {above} of {total} intervals above zero, {above / total:.1%} ± {error:.1%}", flush=True)
    return above < 0.10 * total


def real(settings: GruSettings) -> None:
    folder = Path(os.environ["PAIRS_PLATFORM_TEST_DATA"])
    for file, frequency, n_sessions, lasts in (
        ("real_intraday_5min.parquet", Frequency.FIVE_MINUTES, 60, (date(2025, 9, 30), date(2025, 12, 31))),
        ("real_intraday_1h.parquet", Frequency.ONE_HOUR, 460, (date(2025, 7, 2),)),
    ):
        bars = pd.read_parquet(folder / file)
        bars = bars[bars["sector"] == "Information Technology"]
        bars = bars.rename(columns={"timestamp": "ts_utc"})[list(BAR_COLUMNS)]
        for last in lasts:
            sessions = sessions_ending(last, n_sessions)
            window = build_window(
                bars,
                pd.DataFrame(columns=list(ACTION_COLUMNS)),
                sessions=sessions_between(sessions[0], last),
                frequency=frequency,
                basis=PriceBasis.SPLIT_ADJUSTED,
                settings=WindowSettings(min_session_coverage=0.4),
                symbols=sorted(bars["symbol"].unique()),
            )
            gates = pair_correlations(window, settings=CorrelationSettings())
            chosen = gates.loc[gates["passes_correlation"], ["pair", "symbol_1", "symbol_2"]]
            pairs = chosen.rename(columns={"symbol_1": "y", "symbol_2": "x"})
            tell(f"{file}, {n_sessions} sessions to {last}", trained(window, pairs, settings)[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args()
    settings = GruSettings()
    met = [planted(16 if given.quick else 60, settings), walks(6 if given.quick else 20, settings)]
    if given.real:
        real(settings)
    print("every requirement is met" if all(met) else "a requirement is missed")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
