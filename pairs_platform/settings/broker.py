"""Which account is traded, and what follows from how its broker fills: by bars, at any moment, or in a replay.

What does not belong here: what a broker says (`ports.broker`), and the settings of one that has an adapter.
"""

from typing import Literal

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.paper.settings import PaperSettings
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.settings import SettingsGroup, setting
from pairs_platform.core.trading.execution_settings import ExecutionSettings

FILL_BARS = 3
"""Bars in which a broker that fills by bars is given the time to fill: a symbol may lack some."""


_OF_WALL = ("difference_seconds",)
"""Times that are measured by the clock of this machine, whatever the market's says."""

_QUESTIONS_PER_MINUTE = 10_000
"""Of the simulated broker, which limits nobody beside the stream."""


class SimulatedBrokerSettings(SettingsGroup):
    """The simulated broker that the platform starts for its own trader, on this machine alone."""

    port: int = setting(8766, unit="port", ge=1, le=65535, description="Port that the simulated broker listens on.")
    faults: str = setting(
        "none",
        unit="names",
        description="What goes wrong with it: presets or faults with commas between, or the path of a file of them.",
    )
    seed: int = setting(1, unit="1", ge=0, description="Of the faults and partial fills: the same one fails the same.")
    cash: float = setting(
        100_000.0, unit="US dollars", ge=0, le=1_000_000_000_000, description="Cash with which its account begins."
    )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


class BrokerSettings(SettingsGroup):
    """Whose account is traded, and the settings of each broker."""

    kind: Literal["paper", "simulated", "alpaca"] = setting(
        "paper",
        unit="name",
        description="paper: the platform's own account, filled from streamed bars; simulated: a broker beside the "
        "stream that speaks Alpaca's protocol and fails on request, which `live` takes in a replay where nobody sets "
        "another; alpaca: an account at Alpaca, the paper account unless broker.alpaca says otherwise.",
    )
    paper: PaperSettings = PaperSettings()
    simulated: SimulatedBrokerSettings = SimulatedBrokerSettings()
    alpaca: AlpacaTradingSettings = AlpacaTradingSettings()

    @property
    def is_chosen(self) -> bool:
        """Whether somebody has set the kind."""
        return "kind" in self.model_fields_set

    @property
    def simulated_account(self) -> AlpacaTradingSettings:
        """The settings by which the simulated broker is asked."""
        return self.alpaca.model_copy(
            update={
                "base_url": self.simulated.url,
                "real_money": "",
                "questions_per_minute": _QUESTIONS_PER_MINUTE,
            }
        )

    @property
    def takes_opposite_orders(self) -> bool:
        """Whether two orders of a symbol may work in both directions, so that pairs need not wait for each other."""
        return self.kind == "paper"


def filled_by_bars(execution: ExecutionSettings, bar_seconds: float) -> ExecutionSettings:
    """Settings of execution for a broker that fills at the next bar's open, as a backtest does.

    Both legs go at once and at any price, and what takes time takes bars: the fill of a bar is known at its end.
    """
    some = min(FILL_BARS * bar_seconds, 86_400.0)
    return execution.model_copy(
        update={
            "legging": "simultaneous",
            "order_type": "market",
            "entry_seconds": bar_seconds,
            "leg_timeout_seconds": some,
            "naked_seconds": some,
            "max_quote_age_seconds": some,
            "unresolved_seconds": some,
        }
    )


def at_speed(execution: ExecutionSettings, speed: float) -> ExecutionSettings:
    """Settings of execution for a broker that takes its real time while a replay's market goes faster.

    Parameters
    ----------
    speed : float
        Market seconds in a second, > 0: a time-out of 15 s is one of 15 real seconds.
    """
    factor = max(1.0, speed)
    names = [name for name in type(execution).model_fields if name.endswith("_seconds") and name not in _OF_WALL]
    return execution.model_copy(update={name: factor * getattr(execution, name) for name in names})


def judged_at_speed(risk: RiskSettings, speed: float) -> RiskSettings:
    """Settings of risk beside such a broker: a signal's way takes its real time, too."""
    age = max(1.0, speed) * risk.entries.max_signal_age_seconds
    return risk.model_copy(update={"entries": risk.entries.model_copy(update={"max_signal_age_seconds": age})})


def decided_by_bars(risk: RiskSettings, bar_seconds: float) -> RiskSettings:
    """Settings of risk for such a broker: until the next bar ends, an order is filled at that bar's open."""
    return risk.model_copy(update={"entries": risk.entries.model_copy(update={"max_signal_age_seconds": bar_seconds})})
