"""Settings of the internal paper broker.

What does not belong here: costs of fills and of borrowing, which are those of the backtest (`core.trading.settings`).
"""

from pairs_platform.core.settings import SettingsGroup, setting


class PaperSettings(SettingsGroup):
    """What an account of the internal paper broker begins with, and how much it may hold."""

    cash: float = setting(
        100_000.0, unit="US dollars", gt=0, le=1_000_000_000_000, description="Cash with which a paper account begins."
    )
    multiplier: float = setting(
        2.0, unit="1", ge=1, le=4, description="Long and short positions together, in multiples of the equity."
    )
