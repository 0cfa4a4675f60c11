"""The AR(1)-GARCH(1,1) fits against arch, in one run: speed, likelihood, compile time.

Ours is the whole of `fit_many` on two threads: the fit, both rivals, the three residual tests, the state at the last
bar. arch only fits, one series after another, on 20 random series of each case; the time of all 253 is extrapolated
from their mean. The likelihood of EVERY timed fit is recomputed from its parameters by
plain NumPy, and on the 20 it must not be below arch's by more than 1e-3. Exit code 1 when a check fails or the ratio
at 4,680 bars is below 15.

Run: ``python -m benchmarks.garch`` (some three minutes) or ``--quick``.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

# One BLAS thread favours the reference: its small products only wait for each other on two busy cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import numpy as np

BARS = (252, 1170, 4680)
SPREADS = 253
REFERENCE_SERIES = 20
TOLERANCE = 1e-3
REQUIRED_RATIO = 15.0
REQUIRED_SHARE = 0.995
SEED = 20_240_106
CASES = {
    # φ, and of the variance: α₁, β₁ from these ranges.
    "clustering": ((0.90, 1.0), (0.04, 0.15), (0.75, 0.84)),
    "constant variance": ((0.90, 1.0), (0.0, 0.0), (0.0, 0.0)),
}


def simulate(case: str, n_bars: int) -> np.ndarray:
    """Spreads (n_bars, SPREADS) in ln units, innovations of about 6 basis points."""
    rng = np.random.default_rng([SEED, n_bars, list(CASES).index(case)])
    phi, alpha1, beta1 = (rng.uniform(*span, SPREADS) for span in CASES[case])
    s, h = np.zeros(SPREADS), np.ones(SPREADS)
    out = np.empty((n_bars + 300, SPREADS))
    for t in range(len(out)):
        u = np.sqrt(h) * rng.standard_normal(SPREADS)
        s = phi * s + u
        h = 1.0 - alpha1 - beta1 + alpha1 * u**2 + beta1 * h
        out[t] = 6e-4 * s
    return out[300:]


def fit(spreads: np.ndarray) -> list:
    from pairs_platform.core.volatility.garch import fit_many

    return fit_many(spreads, bar_of_day=np.zeros(len(spreads), dtype=np.int64), bars_per_session=1)


def plain_log_likelihoods(spreads: np.ndarray, fits: list) -> np.ndarray:
    """ln L of every fit from its parameters alone: one loop over time, no code of ours."""
    c, phi, omega, alpha1, beta1, backcast = (
        np.array([getattr(one, name) for one in fits]) for name in ("c", "phi", "omega", "alpha1", "beta1", "backcast")
    )
    e = spreads[1:] - c - phi * spreads[:-1]
    h = omega + (alpha1 + beta1) * backcast
    total = np.zeros(len(fits))
    for shock in e:
        total -= 0.5 * (math.log(2.0 * math.pi) + np.log(h) + shock**2 / h)
        h = omega + alpha1 * shock**2 + beta1 * h
    return total


def arch_fit(spread: np.ndarray) -> tuple[float, float, float]:
    """Wall and CPU seconds and ln L of arch on one series, scaled to suit it."""
    from arch import arch_model

    scale = 1.0 / float(np.std(np.diff(spread)))
    start, start_cpu = time.perf_counter(), time.process_time()
    model = arch_model(spread * scale, mean="AR", lags=1, vol="GARCH", p=1, q=1, rescale=False)
    result = model.fit(disp="off", show_warning=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return seconds, cpu, float(result.loglikelihood) + (len(spread) - 1) * math.log(scale)


def run_case(case: str, n_bars: int, repeats: int) -> dict[str, float]:
    """Time ours and arch in turns, so that a busy moment of the machine hits both, and check every fit."""
    spreads = simulate(case, n_bars)
    chosen = np.random.default_rng(SEED).choice(SPREADS, REFERENCE_SERIES, replace=False)
    arch_fit(spreads[:, 0])
    seconds, cpu, reference = [], [], []
    for turn in np.array_split(chosen, repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        fits = fit(spreads)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
        reference += [arch_fit(spreads[:, j]) for j in turn]
    failed = [f"{one.status}: {one.reason}" for one in fits if one.status != "ok"]
    if failed:
        raise SystemExit(f"{len(failed)} of {SPREADS} fits failed, the first: {failed[0]}")
    log_likelihoods = np.array([one.log_likelihood for one in fits])
    gap = float(np.abs(plain_log_likelihoods(spreads, fits) - log_likelihoods).max())
    if gap > 1e-6:
        raise SystemExit(f"a log-likelihood differs by {gap:.1e} from the plain computation")
    excess = log_likelihoods[chosen] - np.array([value for *_, value in reference])
    return {
        "ours_s": statistics.median(seconds),
        "ours_cpu_s": statistics.median(cpu),
        "arch_ms": 1e3 * statistics.median(one for one, *_ in reference),
        "arch_all_s": SPREADS * statistics.mean(one for one, *_ in reference),
        "arch_all_cpu_s": SPREADS * statistics.mean(one for _, one, _ in reference),
        "not_below_arch": float(np.mean(excess >= -TOLERANCE)),
        "worst": float(excess.min()),
        "best": float(excess.max()),
        "own": float(np.mean([one.fitter == "numba" for one in fits])),
        "gap": gap,
    }


def first_call() -> None:
    """Seconds of the first fit of a process, without its import; figures to stdout."""
    spreads = simulate("clustering", 252)[:, :1]
    start = time.perf_counter()
    import pairs_platform.core.volatility.garch  # noqa: F401

    imported, cpu = time.perf_counter(), time.process_time()
    fit(spreads)
    print(
        json.dumps(
            {"fit": time.perf_counter() - imported, "cpu": time.process_time() - cpu, "import": imported - start}
        )
    )


def compile_times() -> list[dict[str, float]]:
    """The first call on an empty cache, and again in a new process on the cache that the first call left."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, __file__, "--first-call"]
        return [
            json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
            for _ in range(2)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="clustering spreads only, fewer repeats")
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_call:
        first_call()
        return 0
    cold, warm = compile_times()
    print(f"first fit of a process: {cold['fit']:.1f} s ({cold['cpu']:.1f} s CPU) on an empty compile cache,", end=" ")
    print(f"{warm['fit']:.2f} s on a filled one")
    print(f"\n{SPREADS} spreads: ours all, median of repeats; arch {REFERENCE_SERIES} random ones, extrapolated to all")
    print("case               bars   ours s  (CPU)  arch ms  arch all s   (CPU)  ratio  (CPU)", end="")
    print("  not below arch  ln L − arch: worst, best  own fitter  recomputed")
    fit(simulate("clustering", 252)[:, :2])
    failures = []
    for case in list(CASES)[: 1 if options.quick else None]:
        for n_bars in BARS:
            found = run_case(case, n_bars, 3 if options.quick else 7)
            ratio, cpu_ratio = found["arch_all_s"] / found["ours_s"], found["arch_all_cpu_s"] / found["ours_cpu_s"]
            print(f"{case:<17} {n_bars:>5}  {found['ours_s']:>7.3f} {found['ours_cpu_s']:>6.2f}", end="")
            print(f"  {found['arch_ms']:>7.1f}  {found['arch_all_s']:>10.2f} {found['arch_all_cpu_s']:>7.2f}", end="")
            print(f"  {ratio:>5.1f}  {cpu_ratio:>5.1f}  {found['not_below_arch']:>14.1%}", end="")
            print(f"  {found['worst']:>17.5f} {found['best']:>7.3f}  {found['own']:>10.1%}  {found['gap']:>10.1e}")
            if found["not_below_arch"] < REQUIRED_SHARE:
                failures.append(f"{case} at {n_bars}: below arch on {1 - found['not_below_arch']:.1%}")
            if n_bars == max(BARS) and case == "clustering" and ratio < REQUIRED_RATIO:
                failures.append(f"{case} at {n_bars}: {ratio:.1f} times as fast as arch, {REQUIRED_RATIO:.0f} required")
    print("\n" + ("\n".join(failures) or "all checks hold"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
