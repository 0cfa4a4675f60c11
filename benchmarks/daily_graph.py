"""The whole daily graph in one run, from stored prices to the trading configuration, against statsmodels and arch.

    python -m benchmarks.daily_graph [--repeats 3]

A fresh process materializes every asset after `price_history` for one session: 23 symbols, 60 sessions of simulated
5-minute bars, 50 placebo draws of each kind. Start-up is included; the time of each step comes from the event log. The
reference runs `statsmodels.coint` and `arch` on 20 random pairs of the same window and extrapolates to the same number
of tests and fits. Loading the code location is timed apart.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np

SESSION = date(2026, 6, 30)
STEPS = "correlation_matrix,cointegrated_pairs,garch_fits,pair_scores,composite_rankings,trading_config"
ROOT = Path(__file__).resolve().parents[1]
REFERENCE_PAIRS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daily graph ") as folder:
        environment = {
            **os.environ,
            "PAIRS_PLATFORM__STATE_ROOT": folder,
            "OPENBLAS_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "2",
        }
        environment.pop("DAGSTER_HOME", None)
        os.environ.update(environment)
        store_prices()
        home = prepare_home(Path(folder))
        environment["DAGSTER_HOME"] = str(home)
        load = [
            timed([sys.executable, "-W", "ignore", "-c", "import pairs_platform.definitions"], environment)
            for _ in range(5)
        ]
        materialize = [
            *(sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize"),
            *("-m", "pairs_platform.definitions", "--select", STEPS, "--partition", f"{SESSION}|technology"),
        ]
        first = timed(materialize, environment)
        runs = [timed(materialize, environment) for _ in range(arguments.repeats)]
        print(f"code location: median {statistics.median(load):.2f} s of {', '.join(f'{s:.2f}' for s in load)} s")
        print(f"first run of this folder: {first:.1f} s (compiled kernels are cached between processes)")
        listed = ", ".join(f"{s:.1f}" for s in runs)
        print(f"whole graph, start-up included: median {statistics.median(runs):.1f} s of {listed} s")
        inside = steps_of_last_run(home)
        for name, seconds in inside:
            print(f"  {name:<45} {seconds:6.2f} s")
        print(f"  {'process start, imports, run bookkeeping':<45} {runs[-1] - sum(s for _, s in inside):6.2f} s")
        reference(statistics.median(runs))


def timed(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr[-3000:]}")
    return time.perf_counter() - started


def store_prices() -> None:
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.prices.calendar import sessions_ending
    from pairs_platform.platform import Platform
    from pairs_platform.settings.loading import load_settings
    from pairs_platform.workflows.ingest import fetch_batch, publish

    platform = Platform(load_settings())
    sessions = sessions_ending(SESSION, platform.settings.lookback_sessions)
    started = time.perf_counter()
    batch = fetch_batch(platform, "technology", sessions)
    for session in sessions:
        publish(platform, batch, PartitionKey(session, "technology"))
    seconds = time.perf_counter() - started
    print(f"stored {len(sessions)} sessions × 23 symbols of {platform.market_data.label} in {seconds:.1f} s")


def prepare_home(folder: Path) -> Path:
    from pairs_platform.defs.instance import open_instance
    from pairs_platform.processes.runtime.dagster_home import prepare_home
    from pairs_platform.settings.loading import load_settings

    home = prepare_home(load_settings())
    open_instance(home).dispose()
    return home


def steps_of_last_run(home: Path) -> list[tuple[str, float]]:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_run_records(limit=1)[0].dagster_run
        seconds: dict[str, float] = defaultdict(float)
        for stats in instance.get_run_step_stats(run.run_id):
            seconds[stats.step_key] += (stats.end_time or 0.0) - (stats.start_time or 0.0)
    return sorted(seconds.items(), key=lambda item: -item[1])


def reference(ours: float) -> None:
    """Time `coint` and `arch` on random pairs of the window; extrapolate to the calls of this graph."""
    from arch import arch_model
    from statsmodels.tsa.stattools import coint

    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
    from pairs_platform.platform import Platform
    from pairs_platform.settings.loading import load_settings
    from pairs_platform.views.windows import load_window

    platform, key = Platform(load_settings()), PartitionKey(SESSION, "technology")
    window = load_window(platform, key)
    screened = platform.lake.read(COINTEGRATED_PAIRS, key)
    placebo = platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"]
    correlated = int(platform.lake.read(CORRELATION_MATRIX, key)["passes_correlation"].sum())
    chosen = screened.sample(REFERENCE_PAIRS, random_state=1)
    started = time.perf_counter()
    for pair in chosen.itertuples():
        y, x = window.log_close[:, window.column(pair.symbol_1)], window.log_close[:, window.column(pair.symbol_2)]
        t_stat, _, _ = coint(y, x)
        if abs(t_stat - pair.t_stat_12) > 1e-8:
            sys.exit(f"{pair.pair}: t {pair.t_stat_12!r}, statsmodels says {t_stat!r}")
    per_test = (time.perf_counter() - started) / REFERENCE_PAIRS
    started = time.perf_counter()
    for pair in chosen.itertuples():
        y, x = window.log_close[:, window.column(pair.y)], window.log_close[:, window.column(pair.x)]
        arch_model(1e4 * (y - pair.alpha - pair.beta * x), mean="AR", lags=1, vol="GARCH", p=1, q=1).fit(disp="off")
    per_fit = (time.perf_counter() - started) / REFERENCE_PAIRS
    tests = 2 * (len(screened) + sum(sum(kind["counts_correlated"]) for kind in placebo.values()))
    fits = 2 * correlated
    theirs = tests * per_test + fits * per_fit
    print(f"reference, {REFERENCE_PAIRS} random pairs {theirs / 60:.0f} min, {theirs / ours:,.0f} times our whole run:")
    print(f"  {tests} statsmodels tests, {per_test:.2f} s each, and {fits} arch fits, {per_fit * 1e3:.0f} ms each")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
