"""Finished chunks of a training as files, so that a killed one goes on where it stopped.

What does not belong here: when chunks are stored and read (`core.models.gru.training`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pairs_platform.lake.atomic import replace_file

if TYPE_CHECKING:
    from pairs_platform.core.models.gru.training import TrainedPair


@dataclass(frozen=True)
class ChunkFiles:
    """Finished chunks of one training as files (`training.Checkpoint`); other data or settings have other names."""

    folder: Path
    fingerprint: str

    def load(self, pairs: Sequence[str]) -> "list[TrainedPair] | None":
        """The stored outcome of a chunk, None where there is none."""
        from pairs_platform.core.models.gru.training import chunk_from_bytes

        path = self._path(pairs)
        return chunk_from_bytes(path.read_bytes()) if path.is_file() else None

    def save(self, pairs: Sequence[str], trained: "Sequence[TrainedPair]") -> None:
        """Store the outcome of a chunk."""
        from pairs_platform.core.models.gru.training import chunk_to_bytes

        replace_file(self._path(pairs), chunk_to_bytes(trained))

    def clear(self) -> None:
        """Remove the chunks of this training and of older attempts at it."""
        for path in self.folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)

    def _path(self, pairs: Sequence[str]) -> Path:
        name = hashlib.sha256(f"{self.fingerprint}|{'|'.join(pairs)}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.safetensors"
