"""Settings of the compute backend for batches of pairs; light enough to be read while definitions load.

What does not belong here: the backend (`backend`).
"""

from typing import Literal, Self

from pydantic import model_validator

from pairs_platform.core.settings import SettingsGroup, setting


class ComputeBackendSettings(SettingsGroup):
    """Where the batches of one partition are worked on."""

    kind: Literal["local", "dask"] = setting(
        "local",
        unit="name",
        description="local: threads of the run's own process. dask: the workers of the scheduler at `scheduler`.",
    )
    scheduler: str | None = setting(
        None,
        unit="address",
        form="an address written tcp://host:port or tls://host:port",
        pattern=r"^(tcp|tls)://[^\s/]+:\d+$",
        description="Address of the Dask scheduler, tcp://host:port or tls://host:port.",
    )
    connect_seconds: float = setting(
        15.0, unit="seconds", gt=0.0, le=600.0, description="Time for the scheduler to answer and to have a worker."
    )
    no_workers_seconds: float = setting(
        60.0,
        unit="seconds",
        gt=0.0,
        le=3600.0,
        description="Time without any worker after which the work under way fails.",
    )
    pairs_per_batch: int = setting(
        8192, unit="pairs", ge=1, le=1_000_000, description="Pairs in a batch of correlations, tests and placebos."
    )
    fits_per_batch: int = setting(
        64, unit="pairs", ge=1, le=100_000, description="Pairs in a batch of GARCH fits and of bootstraps."
    )

    @model_validator(mode="after")
    def _scheduler_is_named(self) -> Self:
        if self.kind == "dask" and self.scheduler is None:
            raise ValueError("kind is dask, and compute.scheduler names no address; set it to tcp://host:port")
        return self
