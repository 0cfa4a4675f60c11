"""Time and storage of tracking and registering the models of a sector-day in the embedded MLflow store.

    python -m benchmarks.mlflow_logging

Required for 253 pairs of the default network: 15 s, and 7 MB in addition to the weights, whose size follows from their
number; learning curves and params of each pair, for MLflow's pages, are in the 7 MB. The store is written to a
temporary folder and read back. Exit code 1 when a requirement is missed.
"""

import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pairs_platform.adapters.mlflow.registry import PAIR_PARAMS, MlflowRegistry
from pairs_platform.core.models.bundle import WEIGHTS_FILE, bundle_files
from pairs_platform.core.models.contracts import GRU_MODELS, REGISTERED
from pairs_platform.core.models.gru.network import initial_parameters, weights_of
from pairs_platform.core.models.settings import NetworkSettings
from pairs_platform_tests.support.bundles import SECTOR, bundle, record

PAIRS = 253
EPOCHS = 16


def main() -> int:
    rng = np.random.default_rng(1)
    names = [f"AA{k:03d}_BB{k:03d}" for k in range(PAIRS)]
    weights = weights_of(initial_parameters(1, NetworkSettings(), torch.Generator().manual_seed(1)), 0)
    models = bundle()
    one = replace(models.pairs[0], weights=weights, fit=replace(models.pairs[0].fit, diurnal=tuple(rng.random(78))))
    models = replace(models, sequence_length=10, pairs=tuple(replace(one, pair=name) for name in names))
    numbers = [name for name in GRU_MODELS.columns if GRU_MODELS.dtype(name) == "float64" and name not in REGISTERED]
    rows = pd.DataFrame(rng.random((PAIRS, len(numbers))), columns=numbers)
    rows = rows.assign(pair=names, status="ok", reason=None)
    curves = pd.DataFrame(
        {"pair": np.repeat(names, EPOCHS), "epoch": np.tile(np.arange(EPOCHS), PAIRS), "train_loss": 0.69}
    ).assign(validation_loss=0.69)
    params = {name: "0.0003" for name in PAIR_PARAMS}
    given = replace(
        record(), params=params, pairs=rows, tables={"curves": curves}, bundle=models, trained_utc=datetime.now(UTC)
    )
    with tempfile.TemporaryDirectory() as folder:
        registry = MlflowRegistry.embedded(Path(folder))
        registry.versions(SECTOR)
        before = registry.storage_bytes()
        started = time.perf_counter()
        tracked = registry.log_training(given)
        seconds = time.perf_counter() - started
        grown = registry.storage_bytes() - before
        assert tracked.version is not None
        started = time.perf_counter()
        again = registry.load(SECTOR, tracked.version.version)
        loading = time.perf_counter() - started
        assert len(again.pairs) == PAIRS
    held = len(bundle_files(models)[WEIGHTS_FILE])
    rest = grown - held
    print(
        f"{PAIRS} pairs: logged in {seconds:.1f} s; weights {held / 1e6:.1f} MB, all else {rest / 1e6:.1f} MB; "
        f"read back in {loading:.2f} s"
    )
    missed = seconds > 15 or rest > 7e6
    print("a requirement is missed" if missed else "every requirement is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
