"""The desk of a trader on the profile's own paper account, in this process: it looks when a test says so.

What does not belong here: streaming bars and computing signals (the tests).
"""

from dataclasses import dataclass
from datetime import datetime

from pairs_platform.core.time import moment_utc
from pairs_platform.platform import Platform
from pairs_platform.processes.trader.brokers import OpenAccount, open_account
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import StreamedMarket
from pairs_platform.processes.trader.seat import Seat


@dataclass(frozen=True)
class StreamedDesk:
    """A desk, what it is told by, and its account."""

    desk: Desk
    inbox: Inbox
    account: OpenAccount

    def look(self, n: int = 3) -> None:
        """Look so many times; nobody follows the account, which is asked instead."""
        self.inbox.connected()
        for _ in range(n):
            self.desk.step()


def streamed_desk(platform: Platform) -> StreamedDesk:
    """A new one, on bars and clock of the profile's replay."""
    market = StreamedMarket(platform)

    def clock() -> datetime:
        return moment_utc(platform.streams.clock.now_ns())

    account = open_account(platform, clock, lambda session: market.facts(session).actions)
    market.receive = account.receive
    inbox = Inbox(platform.clock)
    seat = Seat(
        settings=platform.settings, database=platform.database, broker=account.broker, account=account.account,
        run_mode="replay", clock=clock, wall=platform.clock,
    )  # fmt: skip
    return StreamedDesk(Desk(seat, market, inbox), inbox, account)
