"""Which sessions of trading are due to be looked at: asked once a minute, so that nothing here imports much.

What does not belong here: looking at them (`trading_results`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.database.equity import newest_equity_rows
from pairs_platform.database.signals import SignalKey, last_signal_moment
from pairs_platform.database.spread_orders import trades_of_session

if TYPE_CHECKING:
    from pairs_platform.platform import Platform


@dataclass(frozen=True, kw_only=True)
class DueResults:
    """A session of a sector whose results are to be looked at, and a name that tells it from the time before."""

    key: PartitionKey
    name: str


def due_results(platform: "Platform") -> list[DueResults]:
    """Sectors that trade in the newest session of the configured run mode: after each bar's signals, and at the close.

    A replay that begins again makes its signals at another time, and so other names.
    """
    mode, database = platform.settings.stream.run_mode, platform.database
    newest = max((row["at_utc"] for row in newest_equity_rows(database, [mode])), default=None)
    if newest is None:
        return []
    session = market_day(moment_ns(newest))
    is_closed = newest >= session_close(session)
    due = []
    for sector in platform.settings.active_sectors:
        signals = last_signal_moment(database, SignalKey(run_mode=mode, sector=sector, session=session))
        if signals is None or not (is_closed or trades_of_session(database, mode, sector, session)):
            continue
        name = f"trading|{mode}|{sector}|{signals:%Y-%m-%dT%H:%M:%S.%f}" + ("|close" if is_closed else "")
        due.append(DueResults(key=PartitionKey(session, sector), name=name))
    return due
