"""Files of one sector-day: tables for other programs, the session report for people.

In the profile's folder `exports/<sector>/<session>`. What does not belong here: what the files contain
(`views.reports`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
from pairs_platform.platform import Platform
from pairs_platform.views.reports.files import write_export
from pairs_platform.views.reports.session import report_of, write_report
from pairs_platform.views.reports.tables import EXPORTS, exported


@dataclass(frozen=True)
class WrittenFiles:
    """What was written.

    Attributes
    ----------
    source : str
        Where the prices come from.
    folder : str
        Inside the profile's folder.
    sizes : mapping of str to int
        Rows of each table, or bytes of each file by its path inside the profile's folder.
    """

    source: str
    folder: str
    sizes: Mapping[str, int]


def export_partition(platform: Platform, key: PartitionKey) -> WrittenFiles:
    """Write every exported table in every configured format; one without rows is a file with a heading."""
    folder, rows = _folder(key), {}
    for name in EXPORTS:
        frame = exported(platform, name, key.sector, key.session, key.session)
        for kind in platform.settings.exports.formats:
            write_export(platform.settings.profile_root / folder / f"{name}.{kind}", frame, kind)
        rows[name] = len(frame)
    return WrittenFiles(_source(platform, key), folder.as_posix(), rows)


def report_partition(platform: Platform, key: PartitionKey) -> WrittenFiles:
    """Write the session report as HTML and PDF; the same state gives the same bytes."""
    document, folder = report_of(platform, [key]), _folder(key)
    paths = [folder / "report.html", folder / "report.pdf"]
    sizes = {path.as_posix(): write_report(platform.settings.profile_root / path, document) for path in paths}
    return WrittenFiles(_source(platform, key), folder.as_posix(), sizes)


def _folder(key: PartitionKey) -> Path:
    return Path("exports", key.sector, str(key.session))


def _source(platform: Platform, key: PartitionKey) -> str:
    return str(platform.lake.metadata(COMPOSITE_RANKINGS, key)["source"])
