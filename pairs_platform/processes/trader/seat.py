"""Whose account is traded, with which broker, and by which clocks: what every part of the desk shares.

What does not belong here: any decision, and any state that changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pairs_platform.core.streaming.settings import RunMode
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.risk_events import RiskEvent, store_events
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import Broker
from pairs_platform.settings.model import Settings


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A place at the desk.

    Attributes
    ----------
    settings : Settings
    database : Database
    broker : Broker
    account : str
        Name of the account, part of the ids of orders.
    run_mode : str
    clock : callable
        Time of the market, aware.
    wall : callable
        Time of this machine, aware.
    """

    settings: Settings
    database: Database
    broker: Broker
    account: str
    run_mode: RunMode
    clock: Callable[[], datetime]
    wall: Callable[[], datetime]

    @property
    def key(self) -> AccountKey:
        """The account in its run mode."""
        return AccountKey(self.account, self.run_mode)

    def now(self) -> StoredAt:
        """This moment, by both clocks."""
        return StoredAt(self.clock(), self.wall())

    def note(self, *events: RiskEvent) -> None:
        """Store what risk has to say.

        Raises
        ------
        DatabaseUnavailable
        """
        store_events(self.database, self.key, events, self.now())
