"""What the trader reports about itself; written to Redis every second.

What does not belong here: showing it (the console), and what it did (the database).
"""

import os
import time
from dataclasses import dataclass, field


@dataclass
class Health:
    """State and counters of a running trader.

    Attributes
    ----------
    state : str
        "starting", the trading state, or what keeps the desk from looking: "waiting", "access_refused".
    detail : str
        Why, in a sentence.
    broker, account : str
    looks : int
        Looks of the desk that ended.
    failures : int
        Looks that did not.
    longest_look_seconds : float
        Of the looks since the last report.
    """

    state: str = "starting"
    detail: str = ""
    broker: str = ""
    account: str = ""
    started_wall_ns: int = field(default_factory=time.time_ns)
    looks: int = 0
    failures: int = 0
    longest_look_seconds: float = 0.0

    def values(self, wall_ns: int) -> dict[str, str]:
        """As texts, with this process and the time of the report."""
        longest, self.longest_look_seconds = self.longest_look_seconds, 0.0
        return {
            "state": self.state,
            "detail": self.detail,
            "broker": self.broker,
            "account": self.account,
            "pid": str(os.getpid()),
            "started_wall_ns": str(self.started_wall_ns),
            "heartbeat_wall_ns": str(wall_ns),
            "looks": str(self.looks),
            "failures": str(self.failures),
            "longest_look_seconds": f"{longest:.3f}",
        }
