"""Blocks of pairs on a Dask cluster, through the standard executor that its client gives.

Scheduler and workers are the user's own. Functions and arguments go to them pickled, so the scheduler's port must be
closed to everybody else: `tls://` with certificates from Dask's own configuration. What does not belong here: what the
blocks do (`core`).

References
----------
https://distributed.dask.org/en/stable/tls.html
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from platform import python_version
from typing import TYPE_CHECKING, Any, TypeVar

from pairs_platform.adapters.dask.settings import ExecutorSettings
from pairs_platform.core.parallel import Blocks, ExecutorError

if TYPE_CHECKING:
    from distributed import Client

_COMPARED = ("pairs-platform", "numpy", "scipy", "numba", "pandas", "torch", "distributed")
_ANSWER_SECONDS = 5.0
Value = TypeVar("Value")


@contextmanager
def open_blocks(settings: ExecutorSettings) -> Iterator[Blocks | None]:
    """Connect to the configured engine, and leave it again; None where the threads of this process do the work.

    Raises
    ------
    ExecutorError
        Nobody answers at the address, there is no worker, or a worker has other versions of what decides the numbers.
    """
    if settings.kind == "local" or settings.scheduler is None:
        yield None
        return
    with _connect(settings) as client:
        _check_versions(client)
        yield Blocks(
            # Blocks are not looked up by their content: hashing the prices would cost more than it finds.
            executor=client.get_executor(pure=False),
            share=lambda value: _share(client, value),
            check=_Watch(client, settings),
            pairs=settings.pair_block,
            fits=settings.fit_block,
        )


def installed_versions() -> dict[str, str]:
    """Versions of this process by package, Python's own among them."""
    return {"python": python_version(), **{name: version(name) for name in _COMPARED}}


class _Watch:
    """Raises once there has been no worker for as long as the rules allow."""

    def __init__(self, client: "Client", settings: ExecutorSettings) -> None:
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
            raise ExecutorError(
                f"the Dask scheduler at {self._settings.scheduler} {what} since "
                f"{self._settings.no_workers_seconds:g} s "
                f"(executor.no_workers_seconds): start workers with\n  dask worker {self._settings.scheduler}"
            )


def _connect(settings: ExecutorSettings) -> "Client":
    try:
        from distributed import Client
    except ImportError as error:
        raise ExecutorError(
            "executor.kind is dask, and dask is not installed: pip install 'pairs-platform[dask]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # `_check_versions` says the same of more packages, and refuses.
            warnings.filterwarnings("ignore", message="Mismatched versions")
            client = Client(settings.scheduler, timeout=settings.connect_seconds, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"no Dask scheduler answers at executor.scheduler {settings.scheduler} within "
            f"{settings.connect_seconds:g} s "
            f"({type(error).__name__}): correct the address, or start one with\n  dask scheduler --host 127.0.0.1"
        ) from error
    try:
        client.wait_for_workers(1, timeout=settings.connect_seconds)
    except TimeoutError as error:
        client.close()
        raise ExecutorError(
            f"the Dask scheduler at executor.scheduler {settings.scheduler} has no worker after "
            f"{settings.connect_seconds:g} s: start one with\n  dask worker {settings.scheduler}"
        ) from error
    return client


def _check_versions(client: "Client") -> None:
    ours = installed_versions()
    for worker, answer in client.run(installed_versions, on_error="return").items():
        if isinstance(answer, Exception):
            raise ExecutorError(
                f"worker {worker} cannot run the platform ({answer!r}): install the same packages there"
            )
        other = [f"{name} {answer[name]} instead of {own}" for name, own in ours.items() if answer[name] != own]
        if other:
            raise ExecutorError(f"worker {worker} has {', '.join(other)}: install the same packages there")


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
