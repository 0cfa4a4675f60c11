"""Settings of Yahoo Finance; light enough to be read while definitions load.

What does not belong here: which frequencies Yahoo has (`history`).
"""

from pairs_platform.core.settings import SettingsGroup, setting


class YahooSettings(SettingsGroup):
    """How Yahoo is asked: how often and how patiently."""

    requests_per_minute: int = setting(
        60,
        unit="requests per minute",
        ge=1,
        le=1000,
        description="Own limit; Yahoo publishes none and blocks for hours.",
    )
    timeout_s: float = setting(20.0, unit="seconds", gt=0, le=600, description="Longest duration of one request.")
    max_attempts: int = setting(4, unit="requests", ge=1, le=20, description="Attempts per symbol, the first included.")
    first_wait_s: float = setting(
        5.0,
        unit="seconds",
        gt=0,
        le=600,
        description="Back-off after the first failure, doubled after each further one.",
        not_above="longest_wait_s",
    )
    longest_wait_s: float = setting(
        120.0, unit="seconds", gt=0, le=3600, description="Longest wait between two attempts; asked for more, stop."
    )
