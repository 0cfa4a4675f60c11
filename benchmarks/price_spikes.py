"""How far bars of real prices stand out from those around them: what a bound for slips must leave alone.

    PAIRS_PLATFORM_TEST_DATA=folder python -m benchmarks.price_spikes

Counts the bars of each intraday file of the folder that stand out by a factor and are followed by normal ones, as
validation finds them. Exit code 1 when a bar of them is quarantined as a slip.
"""

import os
import sys
from pathlib import Path

from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.spikes import spike_factors
from pairs_platform_tests.support.price_samples import real_bars

FACTORS = (1.05, 1.1, 1.5)


def main() -> int:
    settings = ValidationSettings()
    factors = (*FACTORS, settings.spike_factor, settings.slip_factor)
    slips = 0
    for path in sorted(Path(os.environ["PAIRS_PLATFORM_TEST_DATA"]).glob("real_intraday*.parquet")):
        bars = real_bars(path.name)
        found = {factor: spike_factors(bars, factor=factor, previous_close={}) for factor in factors}
        counts = ", ".join(f"{int((away > 1.0).sum())} by {factor:g}" for factor, away in found.items())
        farthest = max(away.max() for away in found.values())
        print(f"{path.name}: {len(bars):,} bars, of which stand out {counts}; the farthest by {farthest:.2f}")
        slips += int((found[settings.slip_factor] > 1.0).sum())
    return int(slips > 0)


if __name__ == "__main__":
    sys.exit(main())
