"""Batches on a real Dask cluster of processes on loopback: same bits as local, kills, absence, other versions."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pairs_platform.adapters.dask import backend as dask_backend
from pairs_platform.adapters.dask.backend import open_backend
from pairs_platform.adapters.dask.settings import ComputeBackendSettings
from pairs_platform.core.models.features import pair_datasets
from pairs_platform.core.models.gru.training import chunk_to_bytes, train_pairs
from pairs_platform.core.models.settings import GruSettings, ModelTrainingSettings, NetworkSettings, SplitSettings
from pairs_platform.core.parallel import LOCAL, ComputeBackend, ComputeBackendUnavailable, ComputeBackendUnusable
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import placebo_counts
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PlaceboSettings
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    planted_pairs,
    screened_pairs,
    window_of_legs,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS
from pairs_platform_tests.support.windows import make_window

distributed = pytest.importorskip("distributed")

SMALL = GruSettings(
    network=NetworkSettings(hidden_1=8, hidden_2=4, max_epochs=4, patience=2, learning_rate=3e-3),
    split=SplitSettings(min_test_labels=50),
    training=ModelTrainingSettings(chunk_pairs=2, device="cpu"),
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def window() -> PriceWindow:
    rng = np.random.default_rng(11)
    steps = 0.002 * (rng.standard_normal((600, 1)) + rng.standard_normal((600, 14)))
    prices = 4.0 + steps.cumsum(axis=0)
    prices[:, 1] = 0.3 + 0.9 * prices[:, 0] + 0.003 * rng.standard_normal(600)
    prices[100:140, 5] = np.nan
    return make_window(prices)


def settings(cluster: Any, **changes: Any) -> ComputeBackendSettings:
    given = {"kind": "dask", "scheduler": cluster.scheduler_address, "pairs_per_batch": 10, "fits_per_batch": 4}
    return ComputeBackendSettings(**(given | changes))


def screened(window: PriceWindow, backend: ComputeBackend = LOCAL) -> list[Any]:
    correlation, cointegration = CorrelationSettings(gate=0.3), CointegrationSettings(bootstrap_draws=99)
    pairs = screen_pairs(
        window, settings=cointegration, entry_z=2.0, exit_z=0.5, round_trip_cost_bps=8.0, backend=backend
    )
    placebos = placebo_counts(
        window,
        correlation=correlation,
        cointegration=cointegration,
        placebo=PlaceboSettings(n_draws=50),
        found=1,
        backend=backend,
    )
    return [
        pair_correlations(window, correlation, backend=backend),
        pairs,
        fit_parameter_sets(window, pairs[["pair", "y", "x"]].head(10), backend=backend),
        pd.DataFrame([asdict(one) for one in placebos.values()]),
    ]


def test_two_worker_processes_give_the_same_bits_as_this_process(cluster: Any, window: PriceWindow) -> None:
    with open_backend(settings(cluster)) as backend:
        there = screened(window, backend)
    for here, other in zip(screened(window), there, strict=True):
        pd.testing.assert_frame_equal(here, other, check_exact=True)
    assert len(there[1]) == 91


def _slow_square(offset: np.ndarray, value: int) -> int:
    time.sleep(0.2)
    return int(offset[0]) + value**2


def test_a_worker_killed_while_batches_run_loses_nothing(cluster: Any) -> None:
    killed = threading.Event()

    def kill() -> None:
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        killed.set()

    with open_backend(settings(cluster)) as backend:
        timer = threading.Timer(0.7, kill)
        timer.start()
        found = backend.map(_slow_square, [(n,) for n in range(30)], shared=(np.array([7]),))
        timer.join(WAIT_SECONDS)
    assert killed.is_set()
    assert found == [7 + n**2 for n in range(30)]


def test_what_a_batch_raises_is_raised_here(cluster: Any) -> None:
    with open_backend(settings(cluster)) as backend, pytest.raises(ZeroDivisionError):
        backend.map(divmod, [(0,)], shared=(1,))


def test_other_versions_on_a_worker_are_named(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_backend, "version", lambda name: "0.0.1" if name == "numba" else "1")
    with (
        pytest.raises(ComputeBackendUnusable, match=r"numba [0-9.]+ instead of 0\.0\.1"),
        open_backend(settings(cluster)),
    ):
        pass


def test_a_wrong_address_names_the_setting() -> None:
    wrong = ComputeBackendSettings(kind="dask", scheduler="tcp://127.0.0.1:9", connect_seconds=1.0)
    with (
        pytest.raises(ComputeBackendUnavailable, match=r"compute\.scheduler tcp://127\.0\.0\.1:9"),
        open_backend(wrong),
    ):
        pass


def test_no_worker_within_the_time_is_said() -> None:
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty:
        lonely = settings(empty, connect_seconds=0.5)
        with pytest.raises(ComputeBackendUnavailable, match="has no worker after"), open_backend(lonely):
            pass


def test_all_workers_gone_ends_the_work_within_the_time() -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as leaving:
        threading.Timer(0.5, leaving.scale, [0]).start()
        with (
            open_backend(settings(leaving, no_workers_seconds=1.5)) as backend,
            pytest.raises(ComputeBackendUnavailable, match=r"has no worker since 1\.5 s"),
        ):
            backend.map(_slow_square, [(n,) for n in range(200)], shared=(np.array([0]),))


def test_dask_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"compute\.scheduler names no address"):
        ComputeBackendSettings(kind="dask")


def test_local_opens_nothing() -> None:
    with open_backend(ComputeBackendSettings()) as backend:
        assert backend is LOCAL


def test_models_trained_on_the_workers_are_those_trained_here(cluster: Any) -> None:
    market = window_of_legs(planted_pairs(3, 1170, 3, garch_variance, half_lives=(5.0, 10.0)))
    datasets, plan, _ = pair_datasets(
        market,
        screened_pairs(market),
        settings=SMALL,
        pair_settings=PairSettings(),
    )
    here = train_pairs(datasets, plan, settings=SMALL, seed=1)
    finished: list[int] = []
    with open_backend(settings(cluster)) as backend:
        there = train_pairs(
            datasets,
            plan,
            settings=SMALL,
            seed=1,
            backend=backend,
            listener=lambda progress: finished.append(progress.chunk),
        )
    assert sorted(finished) == list(range(1, len(datasets) // 2 + len(datasets) % 2 + 1))
    assert [chunk_to_bytes([one]) for one in there] == [chunk_to_bytes([one]) for one in here]
