"""Decisions that tests put into a database."""

from collections.abc import Sequence
from datetime import date

from pairs_platform.core.time import utc_now
from pairs_platform.database.models import Decision, add_decisions
from pairs_platform.database.store import Database
from pairs_platform.platform import Platform
from pairs_platform_tests.support.demo_profile import SECTOR


def store_decisions(database: Database, decisions: Sequence[Decision]) -> None:
    with database.begin() as connection:
        add_decisions(connection, decisions)


def promote(platform: Platform, version: int, session: date) -> None:
    """Make a version of the demo's sector champion, as the rules do."""
    store_decisions(
        platform.database,
        [
            Decision(
                sector=SECTOR,
                session=session,
                action="promote_first",
                alias="champion",
                version_after=version,
                reason="a test",
                figures={},
                actor="a test",
                decided_utc=utc_now(),
            )
        ],
    )
    platform.registry.set_alias(SECTOR, "champion", version)
