"""Training of many pairs at once: one stacked network, early stopping for each pair, chunk by chunk.

What does not belong here: the network (`network`), features (`features`), and judging a model (`evaluation`).
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import numpy as np
import torch

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.models.baseline import Baseline, choose_baseline
from pairs_platform.core.models.features import PairDataset, usable_rows
from pairs_platform.core.models.gru.inference import WEIGHT_NAMES, GruWeights
from pairs_platform.core.models.gru.network import Parameters, initial_parameters, logits, weights_of
from pairs_platform.core.models.settings import GruSettings, NetworkSettings
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.parallel import LOCAL, ComputeBackend, slices

LOSS_STEPS = 16
"""Steps of a segment that carry a loss, after a warm-up of sequence length − 1: overlapping sequences would pay for
each step ten times."""

SEGMENTS = 8
"""Segments in an update of the weights: 128 labels of each pair."""

COMPACT_BELOW = 0.75
"""Pairs that have stopped are dropped from the stack when fewer than this share of it still learns."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedPair:
    """Outcome of one pair's training.

    Attributes
    ----------
    pair, status, reason : str
        "ok", or "failed" with the reason; then there are no weights.
    baseline : Baseline or None
        What the network's output is added to, chosen on validation.
    weights : GruWeights or None
        Of the epoch with the smallest validation loss.
    best_epoch, epochs : int
        Counted from 1; a best epoch of 0 means that no epoch beat the baseline, which the model then equals.
    curve : tuple of (training loss, validation loss), nats, one for each epoch
    """

    pair: str
    status: Literal["ok", "failed"]
    reason: str = ""
    baseline: Baseline | None = None
    weights: GruWeights | None = None
    best_epoch: int = 0
    epochs: int = 0
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Progress:
    """Where a training stands after an epoch of one chunk.

    `seconds_left` is a bound, as if no pair stopped early and no chunk ran beside this one.
    """

    chunk: int
    chunks: int
    epoch: int
    max_epochs: int
    pairs_active: int
    pairs: int
    seconds_left: float


class Listener(Protocol):
    """Takes in every epoch."""

    def __call__(self, progress: Progress) -> None:
        """Take in the state of one chunk."""


class Checkpoint(Protocol):
    """Keeps finished chunks, so that a killed training loses at most the chunks under way."""

    def load(self, pairs: Sequence[str]) -> list[TrainedPair] | None:
        """The stored outcome of a chunk of these pairs, None where there is none."""

    def save(self, pairs: Sequence[str], trained: Sequence[TrainedPair]) -> None:
        """Store the outcome of a chunk."""


def choose_device(wanted: str) -> torch.device:
    """The device named, or with "auto" the GPU where there is one.

    Raises
    ------
    ConfigurationError
        When a GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("gru.training.device is cuda, and torch sees no GPU: set it to auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def train_pairs(
    datasets: Sequence[PairDataset],
    plan: SplitPlan,
    *,
    settings: GruSettings,
    seed: int,
    listener: Listener | None = None,
    checkpoint: Checkpoint | None = None,
    backend: ComputeBackend = LOCAL,
) -> list[TrainedPair]:
    """Train every pair on the training part, with early stopping on the validation part.

    Parameters
    ----------
    datasets : sequence of PairDataset
        With status "ok"; T rows each.
    seed : int
        Decides initial weights, the cut of each epoch and dropout. They are the same for every pair, so the outcome of
        a pair does not depend on the pairs beside it.
    backend : ComputeBackend, optional
        Where chunks are trained; in the threads of this process if not given. From elsewhere the listener hears of
        finished chunks alone.

    Returns
    -------
    list of TrainedPair
        In the order of `datasets`. A pair whose loss is not finite, or that has no labels, is "failed" with the reason;
        the others go on.

    Notes
    -----
    A CPU works on one chunk of `settings.training.chunk_pairs` pairs in each of its threads, a GPU on all pairs at
    once. On one machine and one device the same seed gives the same bits.
    """
    on_gpu = backend.in_process and choose_device(settings.training.device).type == "cuda"
    size = max(1, len(datasets)) if on_gpu else settings.training.chunk_pairs
    chunks = [datasets[part] for part in slices(len(datasets), size)]
    names = [[dataset.pair for dataset in chunk] for chunk in chunks]
    outcomes = [checkpoint.load(pairs) if checkpoint else None for pairs in names]
    missing = [n for n, outcome in enumerate(outcomes) if outcome is None]
    max_epochs = settings.network.max_epochs

    def reporter(n: int) -> Reporter | None:
        if listener is None or not backend.in_process:
            return None

        def report(epoch: int, active: int, seconds: float) -> None:
            left = seconds * (max_epochs * (len(chunks) - n) - epoch)
            listener(Progress(n + 1, len(chunks), epoch, max_epochs, active, len(chunks[n]), left))

        return report

    batches = [(chunks[n], reporter(n)) for n in missing]
    with _one_thread_each() as threads:
        for position, trained in backend.completed(
            _train_batch, batches, shared=(plan, settings, seed), threads=threads
        ):
            n = missing[position]
            outcomes[n] = trained
            if checkpoint:
                checkpoint.save(names[n], trained)
            if listener and not backend.in_process:
                listener(Progress(n + 1, len(chunks), max_epochs, max_epochs, 0, len(chunks[n]), 0.0))
    return [trained for outcome in outcomes for trained in outcome or ()]


Reporter = Callable[[int, int, float], None]
"""Is told the epoch, the pairs that still learn, and the seconds of an epoch so far."""


def _train_batch(
    plan: SplitPlan, settings: GruSettings, seed: int, chunk: Sequence[PairDataset], report: Reporter | None
) -> list[TrainedPair]:
    with _one_thread_each():
        # Gradients start near zero, because the output does; numbers too small for full precision would be slow.
        torch.set_flush_denormal(True)
        try:
            return _train_chunk(chunk, plan, settings, seed, choose_device(settings.training.device), report)
        finally:
            # The thread works on other batches after this one, whose numbers must not depend on it.
            torch.set_flush_denormal(False)


@contextmanager
def _one_thread_each() -> Iterator[int]:
    """Let each worker run its operations in one thread: they are too small to be worth splitting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    try:
        yield max(1, min(before, 8))
    finally:
        torch.set_num_threads(before)


@dataclass(eq=False)
class _Stack:
    """The pairs of a chunk that still learn, with all that belongs to them."""

    index: np.ndarray
    x: torch.Tensor
    y: torch.Tensor
    offset: torch.Tensor
    train: torch.Tensor
    validation: torch.Tensor
    parameters: Parameters
    optimiser: torch.optim.Adam

    def keep(self, positions: torch.Tensor, settings: NetworkSettings) -> "_Stack":
        """The stack of some of its pairs; the optimiser's moments, where it has any yet, go with them."""
        parameters = {name: value.detach()[positions].requires_grad_() for name, value in self.parameters.items()}
        optimiser = _optimiser(parameters, settings)
        for name, value in parameters.items():
            state = self.optimiser.state.get(self.parameters[name], {})
            if state:
                optimiser.state[value] = {
                    key: held[positions] if held.dim() else held.clone() for key, held in state.items()
                }
        tables = {name: getattr(self, name)[:, positions] for name in ("x", "y", "offset", "train", "validation")}
        return _Stack(index=self.index[positions.cpu().numpy()], parameters=parameters, optimiser=optimiser, **tables)


def _optimiser(parameters: Parameters, settings: NetworkSettings) -> torch.optim.Adam:
    return torch.optim.Adam(list(parameters.values()), lr=settings.learning_rate, fused=True)


def _stack(
    chunk: Sequence[PairDataset],
    plan: SplitPlan,
    settings: NetworkSettings,
    generator: torch.Generator,
    device: torch.device,
) -> tuple[_Stack, list[Baseline | None]]:
    scaled = [dataset.scaled() for dataset in chunk]
    usable = [usable_rows(x, dataset.label, settings.sequence_length) for x, dataset in zip(scaled, chunk, strict=True)]
    parts = plan.parts()
    train, validation = ([rows & (parts == name) for rows in usable] for name in ("train", "validation"))
    baselines = [
        choose_baseline(dataset.excess, dataset.label, seen, held) if seen.any() and held.any() else None
        for dataset, seen, held in zip(chunk, train, validation, strict=True)
    ]
    offsets = [
        dataset.label * np.nan if baseline is None else baseline.logit(dataset.excess)
        for dataset, baseline in zip(chunk, baselines, strict=True)
    ]

    def tensor(columns: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.nan_to_num(np.stack(columns, axis=1), nan=0.0).astype(np.float32)).to(device)

    parameters = {
        name: value.to(device).requires_grad_()
        for name, value in initial_parameters(len(chunk), settings, generator).items()
    }
    stack = _Stack(
        index=np.arange(len(chunk)),
        x=tensor(scaled),
        y=tensor([dataset.label for dataset in chunk]),
        offset=tensor(offsets),
        train=tensor(train),
        validation=tensor(validation),
        parameters=parameters,
        optimiser=_optimiser(parameters, settings),
    )
    return stack, baselines


@dataclass(eq=False)
class _Record:
    """What is known of each pair of a chunk while it learns."""

    best: Parameters
    best_loss: np.ndarray
    reasons: list[str]
    best_epoch: np.ndarray
    epochs: np.ndarray
    active: np.ndarray
    curves: list[list[tuple[float, float]]]

    def note(
        self, stack: _Stack, epoch: int, train_loss: np.ndarray, validation_loss: np.ndarray, patience: int
    ) -> None:
        """Take in one epoch: better weights are kept, pairs out of patience or out of numbers stop."""
        for row, j in enumerate(stack.index):
            if not self.active[j]:
                continue
            self.epochs[j] = epoch
            self.curves[j].append((float(train_loss[row]), float(validation_loss[row])))
            if not np.isfinite(validation_loss[row]) or not np.isfinite(train_loss[row]):
                self.reasons[j], self.active[j] = f"the loss is not finite in epoch {epoch}", False
            elif validation_loss[row] < self.best_loss[j]:
                self.best_loss[j], self.best_epoch[j] = validation_loss[row], epoch
                for name, value in stack.parameters.items():
                    self.best[name][j] = value.detach()[row]
            elif epoch - self.best_epoch[j] >= patience:
                self.active[j] = False


def _train_chunk(
    chunk: Sequence[PairDataset],
    plan: SplitPlan,
    settings: GruSettings,
    seed: int,
    device: torch.device,
    report: Reporter | None,
) -> list[TrainedPair]:
    network, n = settings.network, len(chunk)
    generator = torch.Generator().manual_seed(seed)
    stack, baselines = _stack(chunk, plan, network, generator, device)
    reasons = ["" if baseline else "no usable label in the training or validation part" for baseline in baselines]
    record = _Record(
        best={name: value.detach().clone() for name, value in stack.parameters.items()},
        best_loss=_validate(stack, plan, network),
        reasons=reasons,
        best_epoch=np.zeros(n, dtype=int),
        epochs=np.zeros(n, dtype=int),
        active=np.array([not reason for reason in reasons]),
        curves=[[] for _ in chunk],
    )
    started = time.monotonic()
    for epoch in range(1, network.max_epochs + 1):
        alive = np.flatnonzero(record.active[stack.index])
        if not len(alive):
            break
        if len(alive) < COMPACT_BELOW * len(stack.index):
            stack = stack.keep(torch.from_numpy(alive).to(device), network)
        train_loss = _epoch(stack, plan, network, generator)
        record.note(stack, epoch, train_loss, _validate(stack, plan, network), network.patience)
        if report:
            report(epoch, int(record.active.sum()), (time.monotonic() - started) / epoch)
    return [
        TrainedPair(
            pair=dataset.pair,
            status="failed" if record.reasons[j] else "ok",
            reason=record.reasons[j],
            baseline=baselines[j],
            weights=None if record.reasons[j] else weights_of(record.best, j),
            best_epoch=int(record.best_epoch[j]),
            epochs=int(record.epochs[j]),
            curve=tuple(record.curves[j]),
        )
        for j, dataset in enumerate(chunk)
    ]


def _rows(start: int, stop: int, warm_up: int, offset: int) -> np.ndarray:
    """Rows (steps, segments) of segments that cover [start, stop); −1 outside the window and after stop."""
    firsts = np.arange(start - offset, stop, LOSS_STEPS)
    rows = firsts[None, :] + np.arange(-warm_up, LOSS_STEPS)[:, None]
    return np.where((rows >= 0) & (rows < stop), rows, -1)


def _take(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """`values` (T, P, …) at rows (S, B), zero where a row is −1: (S, P, B, …)."""
    taken = values[rows.clamp(min=0)] * (rows >= 0).to(values.dtype).view(*rows.shape, *([1] * (values.dim() - 1)))
    return taken.transpose(1, 2)


def _epoch(stack: _Stack, plan: SplitPlan, settings: NetworkSettings, generator: torch.Generator) -> np.ndarray:
    """One pass over the training part; mean loss of each pair."""
    device = stack.x.device
    warm_up = settings.sequence_length - 1
    offset = int(torch.randint(LOSS_STEPS, (1,), generator=generator))
    rows = torch.from_numpy(_rows(plan.train.start, plan.train.stop, warm_up, offset))
    order = torch.randperm(rows.shape[1], generator=generator)
    keep = 1.0 - settings.dropout
    total = torch.zeros(len(stack.index), device=device)
    count = torch.zeros(len(stack.index), device=device)
    for batch in order.split(SEGMENTS):
        steps = rows[:, batch].to(device)
        masks = tuple(
            (torch.empty(len(rows), 1, len(batch), units).bernoulli_(keep, generator=generator) / keep).to(device)
            for units in (settings.hidden_1, settings.hidden_2)
        )
        x = _take(stack.x, steps)
        y, weight = _take(stack.y, steps)[warm_up:], _take(stack.train, steps)[warm_up:]
        given = logits(stack.parameters, x, (masks[0], masks[1]))[warm_up:] + _take(stack.offset, steps)[warm_up:]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(given, y, weight, reduction="none")
        labels = weight.sum(dim=(0, 2))
        summed = losses.sum(dim=(0, 2))
        stack.optimiser.zero_grad(set_to_none=True)
        (summed / labels.clamp(min=1.0)).sum().backward()
        stack.optimiser.step()
        total += summed.detach()
        count += labels
    return (total / count.clamp(min=1.0)).cpu().numpy()


@torch.no_grad()
def _validate(stack: _Stack, plan: SplitPlan, settings: NetworkSettings) -> np.ndarray:
    """Mean loss of each pair on the validation part, with a context of at least one sequence for every bar."""
    warm_up = settings.sequence_length - 1
    rows = torch.from_numpy(_rows(plan.validation.start, plan.validation.stop, warm_up, 0)).to(stack.x.device)
    y, weight = _take(stack.y, rows)[warm_up:], _take(stack.validation, rows)[warm_up:]
    given = (logits(stack.parameters, _take(stack.x, rows)) + _take(stack.offset, rows))[warm_up:]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(given, y, weight, reduction="none")
    return (losses.sum(dim=(0, 2)) / weight.sum(dim=(0, 2)).clamp(min=1.0)).cpu().numpy()


def chunk_to_bytes(trained: Sequence[TrainedPair]) -> bytes:
    """A finished chunk as one safetensors file; `chunk_from_bytes` gives it back, and executes nothing."""
    from safetensors.numpy import save

    arrays = {
        f"{k}/{name}": array
        for k, pair in enumerate(trained)
        if pair.weights is not None
        for name, array in pair.weights.arrays().items()
    }
    header = [
        {
            **{name: getattr(pair, name) for name in ("pair", "status", "reason", "best_epoch", "epochs", "curve")},
            "baseline": asdict(pair.baseline) if pair.baseline else None,
        }
        for pair in trained
    ]
    return save(arrays or {"empty": np.zeros(1, np.float32)}, metadata={"pairs": json.dumps(header)})


def chunk_from_bytes(content: bytes) -> list[TrainedPair]:
    """The chunk whose `chunk_to_bytes` this is."""
    from safetensors.numpy import load

    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    arrays = load(content)
    return [
        TrainedPair(
            **{name: pair[name] for name in ("pair", "status", "reason", "best_epoch", "epochs")},
            curve=tuple((float(train), float(validation)) for train, validation in pair["curve"]),
            baseline=Baseline(**pair["baseline"]) if pair["baseline"] else None,
            weights=GruWeights(**{name: arrays[f"{k}/{name}"] for name in WEIGHT_NAMES})
            if pair["status"] == "ok"
            else None,
        )
        for k, pair in enumerate(json.loads(header["__metadata__"]["pairs"]))
    ]
