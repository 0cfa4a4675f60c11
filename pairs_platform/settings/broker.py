"""Which account is traded, and what follows from how its broker fills: by bars, or at any moment.

What does not belong here: what a broker says (`ports.broker`), and the settings of one (its adapter).
"""

from typing import Literal

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.paper.settings import PaperSettings
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.settings import SettingsGroup, setting
from pairs_platform.core.trading.execution_settings import ExecutionSettings

FILL_BARS = 3
"""Bars in which a broker that fills by bars is given the time to fill: a symbol may lack some."""


class BrokerSettings(SettingsGroup):
    """Whose account is traded, and the settings of each broker."""

    kind: Literal["paper", "alpaca"] = setting(
        "paper",
        unit="name",
        description="paper: the platform's own account, filled from streamed bars; alpaca: an account at Alpaca, the "
        "paper account unless broker.alpaca says otherwise.",
    )
    paper: PaperSettings = PaperSettings()
    alpaca: AlpacaTradingSettings = AlpacaTradingSettings()

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


def decided_by_bars(risk: RiskSettings, bar_seconds: float) -> RiskSettings:
    """Settings of risk for such a broker: until the next bar ends, an order is filled at that bar's open."""
    return risk.model_copy(update={"entries": risk.entries.model_copy(update={"max_signal_age_seconds": bar_seconds})})
