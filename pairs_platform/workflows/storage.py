"""Storage usage: how large every part of the state is, how it grows, and when the disk is full.

What does not belong here: the forecast (`core.operations.retention`) and removing anything
(`defs.housekeeping.purge`).
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pairs_platform.core.errors import Refused, StreamUnavailable
from pairs_platform.core.operations.retention import FEWEST_SESSIONS, Growth, growth
from pairs_platform.core.operations.scheduling import as_of_session
from pairs_platform.database.sizes import database_sizes, sizes_by_session, store_sizes
from pairs_platform.lake.files import sizes_below
from pairs_platform.platform import Platform
from pairs_platform.views.remedies import with_remedy

REDIS_MEMORY = "redis memory"
OBJECTS = "objects"
"""First part of the names of what lies on object storage."""


@dataclass(frozen=True)
class StorageUsage:
    """How large the state is.

    Attributes
    ----------
    sizes : dict of str to int
        Bytes by part.
    free_bytes : int
        Of the disk that holds the profile.
    growth : Growth
        Of the total.
    by_part : dict of str to float
        Growth by session of each part [bytes]; NaN where too few sessions are measured.
    missing : list of str
        Parts that could not be measured, with the reason.
    n_sessions : int
        Sessions that are measured, this one included.
    """

    sizes: dict[str, int]
    free_bytes: int
    growth: Growth
    by_part: dict[str, float]
    missing: list[str]
    n_sessions: int

    def growth_of(self, part: str) -> str:
        """Growth of a part by session [MB] in words; why there is none yet."""
        grown = self.by_part[part]
        if not math.isnan(grown):
            return f"{grown / 1e6:+.3f}"
        return "no earlier measurement" if self.n_sessions < 2 else f"from {FEWEST_SESSIONS} measured sessions on"

    @property
    def total(self) -> int:
        """Bytes of what lies on the disk of the profile."""
        return on_disk(self.sizes)


def on_disk(sizes: Mapping[str, int]) -> int:
    """Total without what is counted twice, in memory or elsewhere: tables of the database, Redis' memory."""
    return sum(size for part, size in sizes.items() if not part.startswith(("database/", f"{OBJECTS}/", REDIS_MEMORY)))


def measure_storage(platform: Platform) -> StorageUsage:
    """Measure every part of the state, keep the sizes for the newest closed session, and forecast.

    In a database that may only be read nothing is kept.
    """
    sizes, missing = _sizes(platform)
    session = as_of_session(platform.clock())
    if platform.database.is_writable:
        store_sizes(platform.database, session, sizes, platform.clock())
    history = {**sizes_by_session(platform.database), session: sizes}
    free_bytes = shutil.disk_usage(platform.settings.profile_root).free
    n_sessions = platform.settings.housekeeping.forecast_sessions
    total = growth([(session, on_disk(parts)) for session, parts in history.items()], free_bytes, n_sessions)
    by_part = {}
    for part in sizes:
        measured = [(session, parts[part]) for session, parts in history.items() if part in parts]
        by_part[part] = growth(measured, free_bytes, n_sessions).bytes_per_session
    return StorageUsage(sizes, free_bytes, total, by_part, missing, len(history))


def _sizes(platform: Platform) -> tuple[dict[str, int], list[str]]:
    """Bytes by part, and the parts that could not be measured, with the reason."""
    root = platform.settings.profile_root
    place = "lake" if platform.settings.lake_url is None else OBJECTS
    sizes = {f"{place}/{table}": size for table, size in platform.documents.sizes().items()}
    for path in sorted(root.iterdir()):
        if path.name == "production":
            sizes |= {f"production/{below.name}": size_of(below) for below in sorted(path.iterdir()) if below.is_dir()}
        elif path.name != "lake":
            sizes[path.name] = size_of(path)
    sizes |= {f"database/{name}": size for name, size in database_sizes(platform.database).items()}
    try:
        sizes[REDIS_MEMORY] = platform.streams.connection.memory_bytes()
    except (StreamUnavailable, Refused) as error:
        return sizes, [f"{REDIS_MEMORY}: {with_remedy(error, stored=True)}"]
    return sizes, []


def size_of(path: Path) -> int:
    """Bytes of a file, or of everything below a folder."""
    return path.stat().st_size if path.is_file() else sum(sizes_below(path).values())
