"""Training every pair of a sector together, against a plain loop over pairs in torch.

    python -m benchmarks.gru_training                    # 253 pairs, 20 of them by the loop: about seven minutes
    python -m benchmarks.gru_training --quick            # 128 pairs, 8 of them by the loop: about three minutes

Both sides train the same network (default settings) on the same planted pairs and split, with the same early stopping.
The loop takes one pair after the other: windows of ten bars, shuffled batches of 32, one thread. Its time for all pairs
is extrapolated from the pairs that it trained in full; the output says so. Exit code 1 when a requirement is missed:
at least 20 times faster, at most 6 minutes and 4 GiB for 253 pairs, test log-loss not worse than the loop's.
"""

import argparse
import sys
import time

import numpy as np
import psutil
import torch

from pairs_platform.core.models.baseline import log_loss
from pairs_platform.core.models.features import PairDataset, pair_datasets, usable_rows
from pairs_platform.core.models.gru.inference import predict
from pairs_platform.core.models.gru.training import choose_device, train_pairs
from pairs_platform.core.models.settings import GruSettings, NetworkSettings
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    planted_pairs,
    screened_pairs,
    window_of_legs,
)

BARS = 4680
BATCH = 32


class Plain(torch.nn.Module):
    """The same network as anybody would write it."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.first = torch.nn.GRU(13, settings.hidden_1, batch_first=True)
        self.second = torch.nn.GRU(settings.hidden_1, settings.hidden_2, batch_first=True)
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.out = torch.nn.Linear(settings.hidden_2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.first(x)
        x, _ = self.second(self.dropout(x))
        return self.out(self.dropout(x[:, -1])).squeeze(1)


def train_plain(dataset: PairDataset, plan: SplitPlan, settings: NetworkSettings) -> tuple[float, int]:
    """Test log-loss and number of epochs of one pair by the plain loop."""
    torch.manual_seed(7)
    length = settings.sequence_length
    scaled = dataset.scaled()
    usable = usable_rows(scaled, dataset.label, length)
    parts = plan.parts()

    def part(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        rows = np.flatnonzero(usable & (parts == name))
        windows = scaled[rows[:, None] + np.arange(1 - length, 1)]
        return torch.from_numpy(windows), torch.from_numpy(dataset.label[rows].astype(np.float32))

    (x, y), (x_held, y_held), (x_test, y_test) = part("train"), part("validation"), part("test")
    model, loss_of = Plain(settings), torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    best, best_epoch, kept, epoch = np.inf, 0, model.state_dict(), 0
    for epoch in range(1, settings.max_epochs + 1):
        model.train()
        for rows in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            held = float(loss_of(model(x_held), y_held))
        if held < best:
            best, best_epoch = held, epoch
            kept = {name: value.clone() for name, value in model.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(kept)
    model.eval()
    with torch.no_grad():
        return float(loss_of(model(x_test), y_test)), epoch


def test_loss(dataset: PairDataset, plan: SplitPlan, trained, length: int) -> float:
    found = predict(trained.weights, trained.baseline, dataset.scaling, dataset.features, length)
    rows = usable_rows(dataset.features, dataset.label, length) & (plan.parts() == "test")
    return float(log_loss(found[rows], dataset.label[rows]).mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n_pairs, n_plain = (128, 8) if quick else (253, 20)
    settings = GruSettings()
    window = window_of_legs(planted_pairs(n_pairs, BARS, 21, garch_variance, half_lives=(5.0, 40.0)))
    datasets, plan, _ = pair_datasets(
        window,
        screened_pairs(window),
        settings=settings,
        pair_settings=PairSettings(),
    )
    datasets = [one for one in datasets if one.status == "ok"]
    device = choose_device(settings.training.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{len(datasets)} pairs of {BARS} bars on {name}", flush=True)
    started = time.perf_counter()
    trained = train_pairs(datasets, plan, settings=settings, seed=settings.training.seed)
    ours = time.perf_counter() - started
    memory = psutil.Process().memory_info().rss / 2**30
    epochs = sum(one.epochs for one in trained)
    print(f"together: {ours:.0f} s, {epochs} epochs of a pair, {memory:.2f} GiB", flush=True)
    chosen = np.random.default_rng(5).choice(len(datasets), n_plain, replace=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    losses, seconds = [], []
    for k in chosen:
        started = time.perf_counter()
        plain, plain_epochs = train_plain(datasets[k], plan, settings.network)
        seconds.append(time.perf_counter() - started)
        losses.append((test_loss(datasets[k], plan, trained[k], settings.network.sequence_length), plain))
        print(f"  loop, {datasets[k].pair}: {seconds[-1]:.1f} s, {plain_epochs} epochs", flush=True)
    torch.set_num_threads(threads)
    every = float(np.mean(seconds)) * len(datasets)
    difference = np.array([own - plain for own, plain in losses])
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    print(
        f"loop: {sum(seconds):.0f} s for {n_plain} pairs, {every:.0f} s for all of them (extrapolated): "
        f"{every / ours:.1f} times as long\n"
        f"test log-loss, ours less the loop's: {difference.mean():+.5f} ± {error:.5f} "
        f"nats (mean over {n_plain} pairs, standard error)"
    )
    late = ours / len(datasets) * 253 > 360
    missed = every / ours < 20 or late or memory > 4 or difference.mean() > 2 * error
    print("a requirement is missed" if missed else "every requirement is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
