"""Where batches of work are done: the compute backend that numerics ask, and the one of this process.

What does not belong here: backends elsewhere (`adapters.dask.backend`), and what is done with a batch (the modules that
take a `ComputeBackend`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from pairs_platform.core.errors import ConfigurationError, Unavailable

Result = TypeVar("Result")
Work = Literal["tests", "fits"]
"""How long a pair takes: a correlation or a test, or a GARCH fit or a bootstrap, some hundred times as long."""


class ComputeBackendUnavailable(Unavailable):
    """A compute backend that does not answer, or has no worker left; the message names it and the remedy."""


class ComputeBackendUnusable(ConfigurationError):
    """A compute backend that is not installed, or whose workers are; the message names the remedy."""


class ComputeBackend(Protocol):
    """Cuts work into batches and works on them.

    Functions are called as ``function(*shared, *batch)``. They are module-level functions, and their arguments can be
    pickled, unless `in_process` says that they stay here.
    """

    @property
    def in_process(self) -> bool:
        """Whether batches stay in this process, so that callbacks and a device of this machine reach them."""
        ...

    def split(self, n_items: int, work: Work, *, pairs_per_item: int = 1) -> list[slice]:
        """`n_items` consecutive items in batches, at least one, which is empty where there is no item."""
        ...

    def map(
        self, function: Callable[..., Result], batches: Sequence[tuple[Any, ...]], *, shared: tuple[Any, ...] = ()
    ) -> list[Result]:
        """Result of every batch, in their order. A batch may use every thread that `numba.get_num_threads` allows.

        Raises
        ------
        ComputeBackendUnavailable
            The backend is gone, or has no worker left.
        Exception
            What a batch raised; the others are cancelled.
        """
        ...

    def completed(
        self,
        function: Callable[..., Result],
        batches: Sequence[tuple[Any, ...]],
        *,
        shared: tuple[Any, ...] = (),
        threads: int,
    ) -> Iterator[tuple[int, Result]]:
        """Position and result of every batch as soon as it is there; a batch uses one thread.

        `threads` batches are under way at a time where they stay in this process. Raises as `map`.
        """
        ...


class LocalBackend:
    """This process: one batch holds everything, and its function shares it among threads."""

    @property
    def in_process(self) -> bool:
        """True."""
        return True

    def split(self, n_items: int, work: Work, *, pairs_per_item: int = 1) -> list[slice]:
        """Everything in one batch."""
        return [slice(0, n_items)]

    def map(
        self, function: Callable[..., Result], batches: Sequence[tuple[Any, ...]], *, shared: tuple[Any, ...] = ()
    ) -> list[Result]:
        """Work on one batch after another, in the calling thread."""
        return [function(*shared, *batch) for batch in batches]

    def completed(
        self,
        function: Callable[..., Result],
        batches: Sequence[tuple[Any, ...]],
        *,
        shared: tuple[Any, ...] = (),
        threads: int,
    ) -> Iterator[tuple[int, Result]]:
        """Work on `threads` batches at a time."""
        with ThreadPoolExecutor(threads) as pool:
            position = {pool.submit(function, *shared, *batch): n for n, batch in enumerate(batches)}
            try:
                for future in as_completed(position):
                    yield position[future], future.result()
            finally:
                for future in position:
                    future.cancel()


LOCAL = LocalBackend()


def slices(n_items: int, size: int) -> list[slice]:
    """`n_items` items in consecutive slices of `size`, the last one shorter."""
    return [slice(start, min(start + size, n_items)) for start in range(0, n_items, size)]


def concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The results of batches in one array, without a copy where there is one batch."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
