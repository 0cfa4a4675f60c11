"""What a lake holds, and its documents, without a Parquet library, whose import takes longer than a run of signals.

What does not belong here: writing anything, and reading tables (`store`).
"""

import json
import re
from collections import Counter
from datetime import date
from typing import Any

from pairs_platform.core.errors import PartitionMissing, PartitionUnreadable
from pairs_platform.core.partition_key import SLUG, PartitionKey
from pairs_platform.lake.files import LakePath, names_in, read_file, sizes_below

_FILE = re.compile(r"(?P<session>\d{4}-\d{2}-\d{2})(?P<suffix>\.parquet|\.json)")


class Documents:
    """The JSON documents below the folder of a lake, which sessions it has of a table, and how large it is.

    Parameters
    ----------
    root : Path or UPath
        On a disk it is made by the first write.
    """

    def __init__(self, root: LakePath) -> None:
        self.root = root

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
            content = read_file(path)
        except FileNotFoundError:
            raise PartitionMissing(name, [key], asset=name) from None
        try:
            return dict(json.loads(content))
        except ValueError as error:
            raise PartitionUnreadable(path, str(error), asset=name, key=key) from error

    def sessions(self, table: str, sector: str) -> list[date]:
        """The stored sessions of a sector, ascending; empty where nothing is stored."""
        return self._stored(table, sector, ".parquet")

    def document_sessions(self, name: str, sector: str) -> list[date]:
        """The sessions of a sector for which document `name` is stored, ascending."""
        return self._stored(name, sector, ".json")

    def sizes(self) -> dict[str, int]:
        """Bytes of each table and of each kind of document."""
        sizes: Counter[str] = Counter()
        for name, size in sizes_below(self.root).items():
            table, _, below = name.partition("/")
            if below:
                sizes[table] += size
        return dict(sorted(sizes.items()))

    def document_path(self, name: str, key: PartitionKey) -> LakePath:
        """Where the document `name` of partition `key` is, or would be."""
        return self._stem(name, key).with_suffix(".json")

    def _stored(self, name: str, sector: str, suffix: str) -> list[date]:
        matches = (_FILE.fullmatch(file) for file in names_in(self.root / name / f"sector={sector}"))
        return [date.fromisoformat(match["session"]) for match in matches if match and match["suffix"] == suffix]

    def _stem(self, name: str, key: PartitionKey) -> LakePath:
        if not SLUG.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a table: lower-case letters, digits and underscores")
        return self.root / name / f"sector={key.sector}" / key.session.isoformat()
