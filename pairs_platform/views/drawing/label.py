"""What every drawing says about where its figures come from.

What does not belong here: the drawings.
"""

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.platform import Platform


def drawing_label(platform: Platform, key: PartitionKey, source: str) -> str:
    """Sector, session, source and profile: "technology 2023-03-08 · SIMULATED market, … · simulated-5min-raw"."""
    return f"{key.sector} {key.session} · {source} · {platform.settings.profile.name}"
