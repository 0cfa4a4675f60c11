"""The report of one session: which sectors it is about, and its file.

What does not belong here: the sections on a sector (`sections`), and the formats (`html`, `pdf`).
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pairs_platform.core.errors import ConfigurationError, NoSuchSector, NotFound, NothingRanked
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.views.reports.document import Document
from pairs_platform.views.reports.sections import sector_blocks

if TYPE_CHECKING:
    from pairs_platform.platform import Platform


def write_report(path: Path, document: Document) -> int:
    """Write a report in the format that the path's suffix chooses.

    Parameters
    ----------
    path : Path
        Ends with .html or .pdf; its folder is made when missing, and a file that is there is replaced.
    document : Document

    Returns
    -------
    int
        Bytes of the file.

    Raises
    ------
    ConfigurationError
        Another suffix.
    OSError
        The file cannot be written; what was there stays.
    """
    from pairs_platform.lake.atomic import replace_file

    content = _form(path)(document)
    replace_file(path, content)
    return len(content)


def require_form(path: Path) -> None:
    """Refuse a path whose suffix names no format, before any work.

    Raises
    ------
    ConfigurationError
    """
    _form(path)


def _form(path: Path) -> Callable[[Document], bytes]:
    from pairs_platform.views.reports.html import html_of
    from pairs_platform.views.reports.pdf import pdf_of

    forms = {".html": html_of, ".pdf": pdf_of}
    form = forms.get(path.suffix.lower())
    if form is None:
        raise ConfigurationError(f"{path}: the suffix names no format; valid: {', '.join(forms)}")
    return form


def reported_keys(platform: "Platform", session: date | None, sector: str | None) -> list[PartitionKey]:
    """The partitions that a report is about, in the order of the sectors.

    Parameters
    ----------
    platform : Platform
    session : date or None
        The newest one with a ranking if not given.
    sector : str or None
        Every sector with a ranking of the session if not given.

    Raises
    ------
    NotFound
        The sector is unknown, or there is no such ranking.
    """
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS

    if sector is not None and sector not in SECTORS:
        raise NoSuchSector(f"{sector!r} is no sector; valid: {', '.join(SECTORS)}")
    sectors = [slug for slug in SECTORS if sector in (None, slug)]
    stored = {slug: platform.lake.sessions(COMPOSITE_RANKINGS.table, slug) for slug in sectors}
    days = sorted({stored_day for sessions in stored.values() for stored_day in sessions})
    of_sector = f" of {sector}" if sector else ""
    profile = platform.settings.profile.name
    if not days:
        raise NothingRanked(f"profile {profile} has no ranking{of_sector} yet", sector)
    day = session or days[-1]
    if day not in days:
        raise NotFound(
            f"profile {profile} has no ranking{of_sector} of session {day}; stored: {len(days)} sessions from "
            f"{days[0]} to {days[-1]}; give one of them with --session"
        )
    return [PartitionKey(day, slug) for slug in sectors if day in stored[slug]]


def report_of(platform: "Platform", keys: Sequence[PartitionKey]) -> Document:
    """The report on some sectors of one session.

    Parameters
    ----------
    platform : Platform
    keys : sequence of PartitionKey
        At least one, all of the same session.

    Raises
    ------
    PartitionMissing
        A sector has no ranking. Where another table is not stored, its section is a sentence.
    """
    from pairs_platform.core.prices.calendar import session_close
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS

    session = keys[0].session
    sources = dict.fromkeys(str(platform.lake.metadata(COMPOSITE_RANKINGS, key)["source"]) for key in keys)
    names = ", ".join(key.sector for key in keys)
    return Document(
        title=f"Session report {session}",
        subtitle=f"{names} · {', '.join(sources)} · as of the close of {session}",
        as_of=session_close(session),
        blocks=tuple(block for key in keys for block in sector_blocks(platform, key)),
    )
