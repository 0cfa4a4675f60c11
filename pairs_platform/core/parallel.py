"""Blocks of pairs that processes elsewhere work on, behind a standard executor.

Without `Blocks` the threads of this process do the work. What does not belong here: any engine
(`adapters.dask.executor`), and what is done with a block (the modules that take a `Blocks`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")
_CHECK_SECONDS = 1.0


class ExecutorError(RuntimeError):
    """Blocks that cannot be worked on; the message names the engine and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Where blocks are worked on, and how large they are.

    Attributes
    ----------
    executor : concurrent.futures.Executor
        Takes module-level functions and arguments that can be pickled.
    share : callable
        Puts a value where the work is, once; what it returns stands for the value as an argument of `executor.submit`.
    check : callable
        Called every second while blocks are under way; raises `ExecutorError` when none can be finished.
    pairs : int
        Pairs in a block of the screening.
    fits : int
        Pairs in a block of GARCH fits and of bootstraps.
    """

    executor: Executor
    share: Callable[[Any], Any]
    check: Callable[[], None]
    pairs: int
    fits: int

    def run(
        self, work: Callable[..., Result], shared: tuple[Any, ...], tasks: Sequence[tuple[Any, ...]]
    ) -> list[Result]:
        """Results of ``work(*shared, *task)`` in the order of `tasks`; see `finished`."""
        found = dict(self.finished(work, shared, tasks))
        return [found[index] for index in range(len(tasks))]

    def finished(
        self, work: Callable[..., Result], shared: tuple[Any, ...], tasks: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Result]]:
        """Position and result of each task, as soon as it is there. A block has one thread to itself.

        Raises
        ------
        ExecutorError
            The engine is gone, or has nobody left who works.
        Exception
            What a block raised; the others are cancelled.
        """
        if not tasks:
            return
        held = self.share(shared)
        position = {self.executor.submit(_alone, work, held, *task): n for n, task in enumerate(tasks)}
        pending = set(position)
        try:
            while pending:
                done, pending = wait(pending, timeout=_CHECK_SECONDS, return_when="FIRST_COMPLETED")
                for future in done:
                    yield position[future], future.result()
                self.check()
        except CancelledError as error:
            self.check()
            raise ExecutorError("the engine cancelled blocks under way; run the partition again") from error
        finally:
            for future in pending:
                future.cancel()


def slices(n_rows: int, size: int) -> list[slice]:
    """`n_rows` rows in consecutive slices of `size`, the last one shorter."""
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _alone(work: Callable[..., Result], shared: tuple[Any, ...], *task: Any) -> Result:
    """One block in one thread: the engine runs as many blocks at a time as it has threads."""
    import numba

    numba.set_num_threads(1)
    return work(*shared, *task)
