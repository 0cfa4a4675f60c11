"""Batches of pairs in the threads of one process, the local compute backend, against processes.

The processes are a `concurrent.futures.ProcessPoolExecutor` with as many workers as there are threads, warm, their
kernels loaded, with the same batches that Dask gets. Results must be equal bit for bit; both run in turn.

Run: ``python -m benchmarks.local_backend``, or ``--quick`` for fewer pairs.
"""

import argparse
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import numba
import numpy as np
import pandas as pd

from benchmarks.cointegration import universe, window_of
from benchmarks.scaling import BARS, load_kernels
from pairs_platform.adapters.dask.backend import ExecutorBackend
from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.spread import pair_rows
from pairs_platform.core.volatility.parameters import fit_parameter_sets

REPEATS = 5
PAIRS_PER_BATCH, FITS_PER_BATCH = 2048, 16


def tests(window: PriceWindow, n_pairs: int, backend: ComputeBackend) -> np.ndarray:
    """Statistics of Engle–Granger of the first pairs."""
    prices = np.ascontiguousarray(window.log_close.T)
    first, second = (rows[:n_pairs] for rows in pair_rows(len(prices)))
    return run_tests(prices, first, second, backend=backend).t_stat


def fits(window: PriceWindow, n_pairs: int, backend: ComputeBackend) -> np.ndarray:
    """Log-likelihoods of the GARCH fits of the first pairs."""
    rows = zip(*(rows[:n_pairs] for rows in pair_rows(len(window.symbols))), strict=True)
    legs = [(window.symbols[i], window.symbols[j]) for i, j in rows]
    pairs = pd.DataFrame([(f"{y}_{x}", y, x) for y, x in legs], columns=["pair", "y", "x"])
    found = fit_parameter_sets(window, pairs, backend=backend)
    return found["log_likelihood"].to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    quick = parser.parse_args().quick
    window = window_of(universe(60 if quick else 250, BARS))
    n_tests, n_fits = (1_500, 32) if quick else (30_000, 256)
    workers = numba.get_num_threads()
    load_kernels()
    context = multiprocessing.get_context("spawn")
    print(f"{workers} threads against {workers} processes, {BARS} bars, medians of {REPEATS}")
    print("| stage | pairs | threads s | processes s | processes ÷ threads |")
    print("| --- | --- | --- | --- | --- |")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        processes = ExecutorBackend(
            executor=pool,
            share=lambda value: value,
            check=lambda: None,
            pairs_per_batch=PAIRS_PER_BATCH,
            fits_per_batch=FITS_PER_BATCH,
        )
        processes.map(load_kernels, [()] * 8 * workers)
        for name, work, n_pairs in (("Engle–Granger", tests, n_tests), ("GARCH, both fits", fits, n_fits)):
            seconds: dict[str, list[float]] = {"threads": [], "processes": []}
            results = {}
            for _ in range(REPEATS):
                for where, backend in (("threads", LOCAL), ("processes", processes)):
                    begun = time.perf_counter()
                    results[where] = work(window, n_pairs, backend)
                    seconds[where].append(time.perf_counter() - begun)
            np.testing.assert_array_equal(results["threads"], results["processes"])
            here, there = (statistics.median(seconds[where]) for where in ("threads", "processes"))
            print(f"| {name} | {n_pairs:,} | {here:.2f} | {there:.2f} | {there / here:.2f} |", flush=True)


if __name__ == "__main__":
    main()
