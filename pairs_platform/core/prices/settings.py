"""Settings of the price stage; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from pairs_platform.core.settings import SettingsGroup, setting

COMMON_SPLIT_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0)
"""New shares per old one; reverse splits are their inverses."""


class ValidationSettings(SettingsGroup):
    """From when on bars are flagged, and one that stands out is quarantined."""

    max_identical_bars: int = setting(
        12, unit="bars", ge=1, description="Longest run of equal bars (open, high, low, close) that is not flagged."
    )
    spike_factor: float = setting(
        2.0,
        unit="1",
        gt=1.0,
        le=100.0,
        description="How many times away from the prices around, up or down, a bar is flagged as a spike.",
        not_above="slip_factor",
        because="a bar is flagged before it is quarantined",
    )
    slip_factor: float = setting(
        8.0,
        unit="1",
        ge=2.0,
        le=1000.0,
        description="How many times away from the prices around, up or down, a bar is quarantined: a slip of the "
        "decimal point.",
    )
    split_tolerance: float = setting(
        0.05,
        unit="1",
        gt=0.0,
        lt=0.15,
        description="How far, in log terms, an overnight move may be from a common split ratio to look like a split.",
    )


class WindowSettings(SettingsGroup):
    """Which symbols enter a window, and how its holes are treated."""

    min_coverage: float = setting(
        0.95, unit="1", ge=0.0, le=1.0, description="Smallest share of the window's bars that a symbol must have."
    )
    min_session_coverage: float = setting(
        0.80,
        unit="1",
        ge=0.0,
        le=1.0,
        description="Smallest share of a session's bars that a symbol must have in each session in which it has any.",
    )
    max_missing_sessions: int = setting(
        1, unit="sessions", ge=0, le=20, description="Longest run of sessions without any bar that a symbol may have."
    )
    max_fill_bars: int = setting(
        3,
        unit="bars",
        ge=0,
        le=12,
        description="First bars of a hole that take the previous close.",
    )
