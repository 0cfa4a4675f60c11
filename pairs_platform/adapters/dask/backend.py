"""Batches of pairs in other processes, behind a standard executor; on a Dask cluster, whose client gives one.

Scheduler and workers are the user's own. Functions and arguments go to them pickled, so the scheduler's port must be
closed to everybody else: `tls://` with certificates from Dask's own configuration. What does not belong here: what the
batches do (`core`), and work in this process (`core.parallel`).

References
----------
https://distributed.dask.org/en/stable/tls.html
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import TYPE_CHECKING, Any, TypeVar

from pairs_platform.adapters.dask.settings import ComputeBackendSettings
from pairs_platform.core.parallel import (
    LOCAL,
    ComputeBackend,
    ComputeBackendUnavailable,
    ComputeBackendUnusable,
    Work,
    slices,
)

if TYPE_CHECKING:
    from distributed import Client

_COMPARED = ("pairs-platform", "numpy", "scipy", "numba", "pandas", "torch", "distributed")
_ANSWER_SECONDS = 5.0
_CHECK_SECONDS = 1.0
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class ExecutorBackend:
    """A `ComputeBackend` whose batches go to the processes of an executor, each to one thread there.

    Attributes
    ----------
    executor : concurrent.futures.Executor
        Takes module-level functions and arguments that can be pickled.
    share : callable
        Puts a value where the work is, once; what it returns stands for the value as an argument of `executor.submit`.
    check : callable
        Called every second while batches are under way; raises `ComputeBackendUnavailable` when none can be finished.
    pairs_per_batch : int
        Correlations or tests in a batch.
    fits_per_batch : int
        GARCH fits or bootstraps in a batch.
    """

    executor: Executor
    share: Callable[[Any], Any]
    check: Callable[[], None]
    pairs_per_batch: int
    fits_per_batch: int

    @property
    def in_process(self) -> bool:
        """False."""
        return False

    def split(self, n_items: int, work: Work, *, pairs_per_item: int = 1) -> list[slice]:
        """Batches of the configured number of pairs, or of one item where it has more."""
        pairs = self.pairs_per_batch if work == "tests" else self.fits_per_batch
        return slices(n_items, max(1, pairs // max(1, pairs_per_item))) or [slice(0, 0)]

    def map(
        self, function: Callable[..., Value], batches: Sequence[tuple[Any, ...]], *, shared: tuple[Any, ...] = ()
    ) -> list[Value]:
        """Results in the order of the batches; see `completed`."""
        results = dict(self.completed(function, batches, shared=shared))
        return [results[n] for n in range(len(batches))]

    def completed(
        self,
        function: Callable[..., Value],
        batches: Sequence[tuple[Any, ...]],
        *,
        shared: tuple[Any, ...] = (),
        threads: int = 1,
    ) -> Iterator[tuple[int, Value]]:
        """Position and result of every batch as soon as it is there; `threads` is the executor's own affair.

        Raises
        ------
        ComputeBackendUnavailable
            The executor is gone, or has no worker left.
        Exception
            What a batch raised; the others are cancelled.
        """
        if not batches:
            return
        shared_there = self.share(shared)
        position = {self.executor.submit(_alone, function, shared_there, *batch): n for n, batch in enumerate(batches)}
        pending = set(position)
        try:
            while pending:
                done, pending = wait(pending, timeout=_CHECK_SECONDS, return_when="FIRST_COMPLETED")
                for future in done:
                    yield position[future], future.result()
                self.check()
        except CancelledError as error:
            self.check()
            raise ComputeBackendUnavailable(
                "the compute backend cancelled batches under way; run the partition again"
            ) from error
        finally:
            for future in pending:
                future.cancel()


def _alone(function: Callable[..., Value], shared: tuple[Any, ...], *batch: Any) -> Value:
    """One batch in one thread: the executor runs as many batches at a time as it has threads."""
    import numba

    numba.set_num_threads(1)
    return function(*shared, *batch)


@contextmanager
def open_backend(settings: ComputeBackendSettings) -> Iterator[ComputeBackend]:
    """Connect to the configured compute backend, and leave it again; `LOCAL` needs no connection.

    Raises
    ------
    ComputeBackendUnavailable
        Nobody answers at the address, or there is no worker.
    ComputeBackendUnusable
        Dask is not installed, or a worker has other versions of what decides the numbers.
    """
    if settings.kind == "local" or settings.scheduler is None:
        yield LOCAL
        return
    with _connect(settings) as client:
        _check_versions(client)
        yield ExecutorBackend(
            # Batches are not looked up by their content: hashing the prices would cost more than it finds.
            executor=client.get_executor(pure=False),
            share=lambda value: _share(client, value),
            check=_Watch(client, settings),
            pairs_per_batch=settings.pairs_per_batch,
            fits_per_batch=settings.fits_per_batch,
        )


def installed_versions() -> dict[str, str]:
    """Versions of this process by package, Python's own among them."""
    return {"python": python_version(), **{name: version(name) for name in _COMPARED}}


class _Watch:
    """Raises once there has been no worker for as long as the settings allow."""

    def __init__(self, client: "Client", settings: ComputeBackendSettings) -> None:
        self._client = client
        self._settings = settings
        self._last_seen = time.monotonic()

    def __call__(self) -> None:
        workers = _workers(self._client)
        if workers:
            self._last_seen = time.monotonic()
            return
        if time.monotonic() - self._last_seen >= self._settings.no_workers_seconds:
            what = "does not answer" if workers is None else "has no worker"
            raise ComputeBackendUnavailable(
                f"the Dask scheduler at {self._settings.scheduler} {what} since "
                f"{self._settings.no_workers_seconds:g} s "
                f"(compute.no_workers_seconds): start workers with\n  dask worker {self._settings.scheduler}"
            )


def _connect(settings: ComputeBackendSettings) -> "Client":
    try:
        from distributed import Client
    except ImportError as error:
        raise ComputeBackendUnusable(
            "compute.kind is dask, and dask is not installed: pip install 'pairs-platform[dask]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # `_check_versions` says the same of more packages, and refuses.
            warnings.filterwarnings("ignore", message="Mismatched versions")
            client = Client(settings.scheduler, timeout=settings.connect_seconds, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ComputeBackendUnavailable(
            f"no Dask scheduler answers at compute.scheduler {settings.scheduler} within "
            f"{settings.connect_seconds:g} s "
            f"({type(error).__name__}): correct the address, or start one with\n  dask scheduler --host 127.0.0.1"
        ) from error
    try:
        client.wait_for_workers(1, timeout=settings.connect_seconds)
    except TimeoutError as error:
        client.close()
        raise ComputeBackendUnavailable(
            f"the Dask scheduler at compute.scheduler {settings.scheduler} has no worker after "
            f"{settings.connect_seconds:g} s: start one with\n  dask worker {settings.scheduler}"
        ) from error
    return client


def _check_versions(client: "Client") -> None:
    ours = installed_versions()
    for worker, answer in client.run(installed_versions, on_error="return").items():
        if isinstance(answer, Exception):
            raise ComputeBackendUnusable(
                f"worker {worker} cannot run the platform ({answer!r}): install the same packages there"
            )
        other = [f"{name} {answer[name]} instead of {own}" for name, own in ours.items() if answer[name] != own]
        if other:
            raise ComputeBackendUnusable(f"worker {worker} has {', '.join(other)}: install the same packages there")


def _share(client: "Client", value: Any) -> Any:
    """A future of `value`, sent once and passed on by the workers; scattered data would be lost with its worker."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_same, value, pure=False)


def _same(value: Value) -> Value:
    return value


def _workers(client: "Client") -> int | None:
    """Number of workers; None where the scheduler does not answer."""
    try:
        return len(client.sync(client.scheduler.ncores, callback_timeout=_ANSWER_SECONDS))
    except (OSError, TimeoutError):
        return None
