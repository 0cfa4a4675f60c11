"""The cointegration screen against statsmodels, in one run: speed, growth with symbols and bars, memory, compile time.

Every timed pair is checked in both directions against a plain NumPy computation that shares no code with the kernel
(full Gram matrices of the lag regression), and 20 random pairs of each case against statsmodels.

Run: ``python -m benchmarks.cointegration`` (all cases, some ten minutes) or ``--quick``. Each case is timed in a
process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

# One BLAS thread favours the reference: its small regressions only wait for each other on two busy cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

BARS = (252, 1170, 4680)
SYMBOLS = (23, 100, 250, 500)
TOLERANCE = 1e-8
REFERENCE_PAIRS = 20
SEED = 20_240_105
_DIRECTIONS_AT_ONCE = 16


def universe(n_symbols: int, n_bars: int) -> np.ndarray:
    """Log prices (n, T) of a one-factor market; every fifth symbol follows its neighbour with a stationary spread."""
    rng = np.random.default_rng([SEED, n_symbols, n_bars])
    steps = 0.001 * (0.8 * rng.standard_normal((1, n_bars)) + rng.standard_normal((n_symbols, n_bars)))
    prices = np.log(rng.uniform(15.0, 600.0, (n_symbols, 1))) + steps.cumsum(axis=1)
    for follower in range(4, n_symbols, 5):
        spread, shocks = np.zeros(n_bars), 0.002 * rng.standard_normal(n_bars)
        for t in range(1, n_bars):
            spread[t] = 0.95 * spread[t - 1] + shocks[t]
        prices[follower] = 0.4 + 0.9 * prices[follower - 1] + spread
    return prices


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def run_case(n_symbols: int, n_bars: int, repeats: int, output: Path) -> None:
    """Time both directions of all pairs, and the whole screen; figures to stdout, results to `output`."""
    from pairs_platform.core.screening.cointegration import screen_pairs
    from pairs_platform.core.screening.engle_granger import run_tests
    from pairs_platform.core.screening.settings import CointegrationSettings
    from pairs_platform.core.screening.spread import pair_rows

    first, second = pair_rows(n_symbols)
    start, start_cpu = time.perf_counter(), time.process_time()
    run_tests(universe(3, 300), first[:1], second[:1])
    first_call, first_call_cpu = time.perf_counter() - start, time.process_time() - start_cpu
    prices = universe(n_symbols, n_bars)
    base = peak_mib()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        tests = run_tests(prices, first, second)
        seconds.append(time.perf_counter() - start)
    test_peak = peak_mib()
    window = window_of(prices)
    nobody = np.zeros(len(first), dtype=bool)
    screen = partial(
        screen_pairs,
        settings=CointegrationSettings(),
        entry_z=2.0,
        exit_z=0.5,
        round_trip_cost_bps=8.0,
        correlated=nobody,
    )
    screen(window_of(universe(3, 300)), correlated=nobody[:3])
    start = time.perf_counter()
    screen(window)
    screen_seconds = time.perf_counter() - start
    np.savez(output, t_stat=tests.t_stat, lag=tests.lag, p_value=tests.p_value)
    figures = {
        "seconds": seconds,
        "first_call": first_call,
        "first_call_cpu": first_call_cpu,
        "screen": screen_seconds,
        "peak": test_peak,
        "base": base,
    }
    print(json.dumps(figures | {"screen_peak": peak_mib()}))


def window_of(prices: np.ndarray):
    """A daily window of these prices; the calendar does not matter to the screen's work."""
    import pandas as pd

    from pairs_platform.core.prices.bars import Frequency
    from pairs_platform.core.prices.window import PriceWindow

    log_close = np.ascontiguousarray(prices.T)
    n_bars, n_symbols = log_close.shape
    days = np.datetime64(date(2000, 1, 3)) + np.arange(n_bars)
    flags = np.ones(log_close.shape, dtype=bool)
    return PriceWindow(
        symbols=tuple(f"S{i:03d}" for i in range(n_symbols)),
        frequency=Frequency.ONE_DAY,
        ts_utc=pd.DatetimeIndex(days, tz="UTC"),
        session=days,
        bar_of_day=np.zeros(n_bars, dtype=np.int64),
        log_close=log_close,
        log_open=log_close,
        observed=flags,
        ex_action=~flags,
    )


def plain_tests(prices: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Engle-Granger t and lag of rows y[k] on x[k] by full Gram matrices and LAPACK: slow, simple, independent."""
    n_bars = prices.shape[1]
    max_lag = min(int(np.ceil(12.0 * (n_bars / 100.0) ** 0.25)), n_bars // 2 - 1)
    centred = prices - prices.mean(axis=1, keepdims=True)
    t_stat, lag = np.empty(len(y)), np.empty(len(y), np.int64)
    for begin in range(0, len(y), _DIRECTIONS_AT_ONCE):
        part = slice(begin, begin + _DIRECTIONS_AT_ONCE)
        a, b = centred[y[part]], centred[x[part]]
        u = a - ((a * b).sum(axis=1) / (b * b).sum(axis=1))[:, None] * b
        factor = np.linalg.cholesky(_gram(u, max_lag))[:, -1, :]
        left = (factor[:, ::-1] ** 2).cumsum(axis=1)[:, ::-1][:, 1:]  # sum of squares left after 1, 2, … regressors
        aic = (n_bars - 1 - max_lag) * np.log(left) + 2.0 * np.arange(1, max_lag + 2)
        lag[part] = aic.argmin(axis=1)
        for chosen in np.unique(lag[part]):
            rows = np.flatnonzero(lag[part] == chosen)
            gram = _gram(u[rows], int(chosen))
            inverse = np.linalg.inv(gram[:, :-1, :-1])
            slopes = (inverse @ gram[:, :-1, -1:])[:, :, 0]
            rest = gram[:, -1, -1] - (slopes * gram[:, :-1, -1]).sum(axis=1)
            freedom = n_bars - 1 - chosen - (chosen + 1)
            t_stat[begin + rows] = slopes[:, 0] / np.sqrt(inverse[:, 0, 0] * rest / freedom)
    return t_stat, lag


def _gram(u: np.ndarray, lag: int) -> np.ndarray:
    """Moments of level, `lag` lagged differences and the difference itself, shape (k, lag + 2, lag + 2)."""
    d = np.diff(u, axis=1)
    n = d.shape[1]
    columns = [u[:, lag:-1], *(d[:, lag - j : n - j] for j in range(1, lag + 1)), d[:, lag:]]
    x = np.stack(columns, axis=1)
    return x @ x.transpose(0, 2, 1)


def check_all(prices: np.ndarray, found: dict[str, np.ndarray]) -> float:
    """Largest |Δt| over all pairs and directions against `plain_tests`; every lag must be the same."""
    first, second = np.triu_indices(len(prices), 1)
    worst = 0.0
    for direction, (y, x) in enumerate([(first, second), (second, first)]):
        t_stat, lag = plain_tests(prices, y, x)
        if (lag != found["lag"][:, direction]).any():
            raise SystemExit(f"{(lag != found['lag'][:, direction]).sum()} lags differ from the plain computation")
        worst = max(worst, float(np.abs(t_stat - found["t_stat"][:, direction]).max()))
    return worst


def check_reference(prices: np.ndarray, found: dict[str, np.ndarray]) -> tuple[float, list[float]]:
    """Largest |Δt| against statsmodels on random pairs, both directions, and its seconds for each pair."""
    from statsmodels.tsa.stattools import coint

    first, second = np.triu_indices(len(prices), 1)
    worst, seconds = 0.0, []
    for k in np.random.default_rng(SEED).choice(len(first), REFERENCE_PAIRS, replace=False):
        start = time.perf_counter()
        expected = [coint(prices[i], prices[j]) for i, j in ((first[k], second[k]), (second[k], first[k]))]
        seconds.append(time.perf_counter() - start)
        worst = max(worst, *(abs(e[0] - t) for e, t in zip(expected, found["t_stat"][k], strict=True)))
        worst = max(worst, *(abs(e[1] - p) for e, p in zip(expected, found["p_value"][k], strict=True)))
    return worst, seconds


def child(arguments: list[str], **environment: str) -> dict:
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="23 and 100 symbols only, fewer repeats")
    parser.add_argument("--case", nargs=4, metavar=("SYMBOLS", "BARS", "REPEATS", "OUTPUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        run_case(*(int(value) for value in options.case[:3]), Path(options.case[3]))
        return
    symbols, repeats = ((23, 100), 3) if options.quick else (SYMBOLS, 5)
    with tempfile.TemporaryDirectory() as folder:
        report(symbols, repeats, Path(folder))


def report(symbols: tuple[int, ...], repeats: int, folder: Path) -> None:
    """Run, check and print all cases; exit with a reason where a statistic differs."""
    output, cache = folder / "results.npz", str(folder / "cache")
    cold, warm = (child(["--case", "3", "300", "1", str(output)], NUMBA_CACHE_DIR=cache) for _ in range(2))
    for words, case in (("compiling", cold), ("from the compiled cache", warm)):
        print(
            f"first test of a process, {words}: {case['first_call']:.2f} s, {case['first_call_cpu']:.2f} s of processor"
        )
    print("\nmedian seconds for all pairs, both directions; screen adds every column but the bootstrap")
    print(" bars symbols   pairs   test s  us/pair screen s peak MiB coint ms/pair   ratio  |dt| all |d| coint")
    raw, worst = [], 0.0
    for n_bars in BARS:
        for n_symbols in symbols:
            case = child(["--case", str(n_symbols), str(n_bars), str(repeats), str(output)])
            found = dict(np.load(output))
            prices = universe(n_symbols, n_bars)
            all_differ = check_all(prices, found)
            coint_differs, seconds = check_reference(prices, found)
            worst = max(worst, all_differ, coint_differs)
            pairs = len(found["t_stat"])
            ours, reference = statistics.median(case["seconds"]), statistics.median(seconds)
            print(
                f"{n_bars:>5} {n_symbols:>7} {pairs:>7} {ours:>8.3f} {1e6 * ours / pairs:>8.1f} {case['screen']:>8.2f} "
                f"{case['screen_peak']:>8.0f} {1e3 * reference:>13.1f} {reference * pairs / ours:>7.0f} "
                f"{all_differ:>9.1e} {coint_differs:>9.1e}",
                flush=True,
            )
            raw.append(
                f"T={n_bars} n={n_symbols}: ours s {[round(s, 4) for s in case['seconds']]}; memory MiB before "
                f"{case['base']:.0f}, after the tests {case['peak']:.0f}; coint s per pair, both directions "
                f"{[round(s, 4) for s in seconds]}"
            )
    print("\nraw times", *raw, sep="\n")
    if worst > TOLERANCE:
        raise SystemExit(f"a statistic differs by {worst:.1e}, more than {TOLERANCE}")


if __name__ == "__main__":
    main()
