"""One sector of 500 and of 3,000 symbols: wall time, CPU time and memory of each stage, local and on two Dask workers.

A stage is measured on a sample of its pairs and its CPU time extrapolated to all pairs; the table has both. Results of
the workers must equal the local ones bit for bit.

Run: ``python -m benchmarks.scaling``, or ``--quick`` for 100 and 200 symbols.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.cointegration import universe, window_of
from pairs_platform.adapters.dask.backend import open_backend
from pairs_platform.adapters.dask.settings import ComputeBackendSettings
from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.bootstrap import wild_bootstrap_p
from pairs_platform.core.screening.correlation import pair_correlations, pairwise_correlation
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.settings import CorrelationSettings
from pairs_platform.core.screening.spread import pair_rows
from pairs_platform.core.volatility.parameters import fit_parameter_sets

if TYPE_CHECKING:
    from distributed import Client

BARS = 4680
TABLE_BARS = 252
SAMPLE_PAIRS = 32_768
FITS = 128
BOOTSTRAPS = 8
DRAWS = 199


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def sample(n_symbols: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs spread evenly over all of them."""
    first, second = pair_rows(n_symbols)
    chosen = np.unique(np.linspace(0, len(first) - 1, min(len(first), SAMPLE_PAIRS)).astype(int))
    return first[chosen], second[chosen]


def stages(window: PriceWindow, backend: ComputeBackend) -> dict[str, tuple[Callable[[], object], int]]:
    """Work of each stage on its sample, and the size of the sample."""
    prices = np.ascontiguousarray(window.log_close.T)
    first, second = sample(len(prices))
    symbols = window.symbols
    legs = [(symbols[i], symbols[j]) for i, j in zip(first[:FITS], second[:FITS], strict=True)]
    pairs = pd.DataFrame([(f"{y}_{x}", y, x) for y, x in legs], columns=["pair", "y", "x"])
    found: dict[str, tuple[Callable[[], object], int]] = {
        "correlation": (lambda: pairwise_correlation(prices, first, second, backend=backend), len(first)),
        "Engle–Granger": (lambda: run_tests(prices, first, second, backend=backend), len(first)),
        "GARCH, both fits": (lambda: fit_parameter_sets(window, pairs, backend=backend), len(pairs)),
    }
    if backend is LOCAL:
        found["wild bootstrap"] = (
            lambda: [wild_bootstrap_p(window, *one, n_draws=DRAWS, seed=1) for one in legs[:BOOTSTRAPS]],
            BOOTSTRAPS,
        )
    return found


def check_equal(window: PriceWindow, backend: ComputeBackend) -> None:
    prices = np.ascontiguousarray(window.log_close.T)
    first, second = sample(len(prices))
    here = run_tests(prices, first[:20_000], second[:20_000])
    there = run_tests(prices, first[:20_000], second[:20_000], backend=backend)
    np.testing.assert_array_equal(here.t_stat, there.t_stat)


def load_kernels() -> None:
    """Load the kernels in a process."""
    for work, _ in stages(window_of(universe(12, 300)), LOCAL).values():
        work()


def report(n_symbols: int, where: str, window: PriceWindow, backend: ComputeBackend, client: "Client") -> None:
    n_pairs = n_symbols * (n_symbols - 1) // 2
    for name, (work, size) in stages(window, backend).items():
        there = sum(client.run(time.process_time).values())
        wall, cpu = timed(work)
        if backend is not LOCAL:
            cpu += sum(client.run(time.process_time).values()) - there
        # What Dask sends is paid once, so its CPU time does not grow with the pairs.
        whole = f"{cpu / size * n_pairs / 3600:.2f} h for {n_pairs:,}" if backend is LOCAL else "–"
        micro = 1e6 * cpu / size
        print(
            f"| {n_symbols:,} | {name} | {where} | {size:,} | {wall:.1f} | {cpu:.1f} | {micro:,.0f} | {whole} |",
            flush=True,
        )


def main() -> None:
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 and 200 symbols")
    sizes = (100, 200) if parser.parse_args().quick else (500, 3000)
    small = window_of(universe(12, 300))
    for work, _ in stages(small, LOCAL).values():  # compiles the kernels
        work()
    print(
        "| symbols | stage | where | pairs measured | wall s | CPU s | CPU µs a pair | CPU of all pairs, extrapolated |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        settings = ComputeBackendSettings(
            kind="dask", scheduler=cluster.scheduler_address, pairs_per_batch=2048, fits_per_batch=16
        )
        with Client(cluster) as client, open_backend(settings) as backend:
            check_equal(small, backend)
            for n_symbols in sizes:
                window = window_of(universe(n_symbols, BARS))
                report(n_symbols, "local", window, LOCAL, client)
                check_equal(window, backend)  # also loads the kernels in both workers
                backend.map(load_kernels, [()] * 16)
                report(n_symbols, "Dask", window, backend, client)
    for n_symbols in sizes:
        window = window_of(universe(n_symbols, TABLE_BARS))
        before = peak_mib()
        wall, cpu = timed(lambda window=window: pair_correlations(window, CorrelationSettings()))
        print(
            f"correlation table of all pairs of {n_symbols:,} symbols, {TABLE_BARS} bars, measured: {wall:.1f} s wall, "
            f"{cpu:.1f} s CPU, peak {peak_mib():.0f} MiB ({before:.0f} before)",
            flush=True,
        )


if __name__ == "__main__":
    main()
