"""Reading documents of the lake without a Parquet library, whose import takes longer than a run of signals.

What does not belong here: writing them, and tables (`store`).
"""

import json
from pathlib import Path
from typing import Any

from pairs_platform.lake.atomic import while_locked
from pairs_platform.lake.errors import PartitionMissing, PartitionUnreadable
from pairs_platform.lake.keys import SLUG, PartitionKey


class Documents:
    """The JSON documents below the folder of a lake.

    Parameters
    ----------
    root : Path
        Made by the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def read_document(self, name: str, key: PartitionKey) -> dict[str, Any]:
        """The JSON document `name` of partition `key`.

        Raises
        ------
        PartitionMissing
            It is not stored.
        PartitionUnreadable
            The file is damaged.
        """
        path = self.document_path(name, key)
        try:
            content = while_locked(path.read_bytes)
        except FileNotFoundError:
            raise PartitionMissing(name, [key], asset=name) from None
        try:
            return dict(json.loads(content))
        except ValueError as error:
            raise PartitionUnreadable(path, str(error), asset=name, key=key) from error

    def document_path(self, name: str, key: PartitionKey) -> Path:
        """Where the document `name` of partition `key` is, or would be."""
        return self._stem(name, key).with_suffix(".json")

    def _stem(self, name: str, key: PartitionKey) -> Path:
        if not SLUG.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a table: lower-case letters, digits and underscores")
        return self.root / name / f"sector={key.sector}" / key.session.isoformat()
