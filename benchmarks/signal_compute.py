"""Computing the signals of one bar: every pair with champion and challenger, against the batch path.

    python -m benchmarks.signal_compute            # 253 pairs: about a minute
    python -m benchmarks.signal_compute --quick    # 40 pairs

Both sides compute the last bar of a session from the same bars, state and models (networks of the default size,
random weights). Ours: matrix of the session, spreads, GARCH recursion, both models, rule. The reference: the code that
a whole session goes through. The values must agree. Exit code 1 when 253 pairs take more than 100 ms.
"""

import argparse
import sys
import time

import numpy as np

from pairs_platform.core.signals.batch import batch_signals
from pairs_platform.core.signals.checks import compare_signals
from pairs_platform.core.signals.engine import session_matrix
from pairs_platform.core.signals.session_state import state_from_bytes, state_to_bytes
from pairs_platform_tests.support import live_session as live

LIMIT_MS = 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n_pairs = 40 if quick else 253
    live.RULES = live.RULES.model_copy(
        update={"network": live.RULES.network.model_copy(update={"hidden_1": 64, "hidden_2": 32})}
    )
    market = live.market(n_pairs=n_pairs, missing=0.0)
    content = state_to_bytes(market.state())
    bars, grid = market.bars(), live.grid()
    started = time.perf_counter()
    state = state_from_bytes(content)
    loaded = 1e3 * (time.perf_counter() - started)
    *_, before = live.run(state, session_matrix(state, bars, grid[:-1]))
    previous = {signal.pair: signal for signal in before}
    ours = []
    for _ in range(15):
        started = time.perf_counter()
        (signals,) = live.run(state, session_matrix(state, bars, grid), first=len(grid) - 1, previous=previous)
        ours.append(1e3 * (time.perf_counter() - started))
    held = {model.pair for model in market.champion.pairs}
    pairs = {pair.pair: pair.pair in held for pair in market.config.pairs}
    started = time.perf_counter()
    batch = batch_signals(
        market.config, market.window, champion=market.champion, challenger=market.challenger, pairs=pairs
    )
    reference = 1e3 * (time.perf_counter() - started)
    stored = live.frame_of([signals]).assign(late=True)
    differ = len(compare_signals(stored, batch))
    median = float(np.median(ours))
    print(
        f"{n_pairs} pairs, {len(state.symbols)} symbols, champion and challenger of 64 and 32 units\n"
        f"ours: {median:.0f} ms (median of {len(ours)}, largest {max(ours):.0f}); the session state's file, "
        f"{len(content) / 1e6:.0f} MB, is read in {loaded:.0f} ms\n"
        f"reference, the whole session by the batch path: {reference:.0f} ms, {reference / median:.0f} times as long\n"
        f"values that differ: {differ} of {len(stored)}"
    )
    missed = differ > 0 or (not quick and median > LIMIT_MS)
    print("a requirement is missed" if missed else "every requirement is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
