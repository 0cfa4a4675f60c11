"""Settings of the signals; light enough to be read while definitions load.

What does not belong here: the code that obeys them, and the rule that trades
(`core.trading.settings.TradingSettings`).
"""

from pairs_platform.core.settings import SettingsGroup, setting


class SignalSettings(SettingsGroup):
    """How signals are sized and what they may rest on."""

    target_volatility_bps: float = setting(
        10.0,
        unit="basis points per bar",
        gt=0,
        le=1000,
        description="Forecast volatility of a spread at which it is traded in full; above it, in inverse proportion.",
    )
    allow_proxy: bool = setting(
        False, unit="true or false", description="Whether bars of a proxy symbol give signals; for tests alone."
    )
