"""Make the table behind `calibrated_p`: quantiles of the smaller raw p of both directions on independent random walks.

Run: ``python -m benchmarks.make_calibration_table`` (about ten minutes on two cores; writes the CSV into the package).
"""

import argparse
import time
from pathlib import Path

import numpy as np

from pairs_platform.core.screening import calibration
from pairs_platform.core.screening.engle_granger import run_tests

BARS = (126, 252, 504, 1170, 2340, 4680)
SEED = 20_240_102
LEVELS = np.unique(
    np.concatenate(
        [
            np.geomspace(2e-5, 1e-3, 30),
            np.geomspace(1e-3, 0.1, 80),
            np.linspace(0.1, 0.99, 90),
            [0.995, 0.999, 0.9999],
        ]
    )
)


def smaller_p(n_bars: int, n_draws: int) -> np.ndarray:
    """The smaller raw p of `n_draws` pairs of independent Gaussian random walks of `n_bars` bars."""
    rng = np.random.default_rng([SEED, n_bars])
    batch = min(n_draws, 10_000_000 // n_bars)
    parts = []
    for begin in range(0, n_draws, batch):
        pairs = min(batch, n_draws - begin)
        walks = rng.standard_normal((2 * pairs, n_bars)).cumsum(axis=1)
        rows = 2 * np.arange(pairs)
        parts.append(run_tests(walks, rows, rows + 1).p_value.min(axis=1))
    values = np.concatenate(parts)
    # Pairs that cannot be tested count as the least evidence; on random walks there is practically none.
    return np.where(np.isnan(values), 1.0, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500_000)
    parser.add_argument("--output", type=Path, default=Path(calibration.__file__).with_name(calibration.TABLE_NAME))
    options = parser.parse_args()
    columns = []
    for n_bars in BARS:
        start = time.perf_counter()
        values = smaller_p(n_bars, options.draws)
        columns.append(np.quantile(values, LEVELS))
        print(
            f"T = {n_bars}: raw size {np.mean(values < 0.05):.4f}, 5 % quantile {np.quantile(values, 0.05):.4f}, "
            f"{time.perf_counter() - start:.0f} s"
        )
    rows = ["probability," + ",".join(str(n) for n in BARS)]
    for level, quantiles in zip([*LEVELS, 1.0], [*np.stack(columns, axis=1), np.ones(len(BARS))], strict=True):
        rows.append(",".join([f"{level:.6g}", *(f"{q:.6g}" for q in quantiles)]))
    options.output.write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
