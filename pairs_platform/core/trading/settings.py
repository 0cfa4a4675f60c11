"""Settings of trading: its costs, and when a pair is entered and left; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from dataclasses import dataclass, field

from pairs_platform.core.settings import SettingsGroup, setting
from pairs_platform.core.volatility.settings import GarchSettings

BASIS_POINT = 1e-4
DAYS_PER_YEAR = 365.0
"""Days of the year by which the fee for borrowing is charged."""
SESSIONS_PER_YEAR = 252.0
"""Sessions of the year by which figures of a session or a bar are made yearly ones."""


class CostSettings(SettingsGroup):
    """What trading costs: per leg and fill, and per night on the short leg."""

    commission_bps: float = setting(0.5, unit="basis points", description="Commission per leg and fill.", ge=0, le=100)
    half_spread_bps: float = setting(
        1.0, unit="basis points", description="Half the quoted bid-ask spread, paid per leg and fill.", ge=0, le=500
    )
    slippage_bps: float = setting(
        0.5, unit="basis points", description="Further adverse price move per leg and fill.", ge=0, le=500
    )
    borrow_bps_per_year: float = setting(
        50.0,
        unit="basis points per 365 days",
        description="Fee for borrowing the short leg, charged by calendar night on its value.",
        ge=0,
        le=20_000,
    )

    @property
    def fill_bps(self) -> float:
        """Cost of one fill of one leg in basis points of the value traded."""
        return self.commission_bps + self.half_spread_bps + self.slippage_bps

    @property
    def round_trip_bps(self) -> float:
        """Cost of entering and leaving both legs, in basis points of the gross value at entry (prices unchanged)."""
        return 2.0 * self.fill_bps


class TradingSettings(SettingsGroup):
    """When a pair is entered and left."""

    entry_z: float = setting(2.0, unit="standard deviations", description="Enter at this |z| or beyond.", gt=0, le=10)
    exit_z: float = setting(
        0.5,
        unit="standard deviations",
        description="Exit at this |z| or nearer.",
        ge=0,
        le=5,
        below="entry_z",
        because="a position would be left at once",
    )
    stop_multiple: float = setting(
        4.0, unit="bands", description="Stop beyond this many GARCH-scaled bands from the mean.", gt=0, le=50
    )
    max_half_lives: float = setting(
        3.0, unit="half-lives", description="Close a position that is this old (time stop).", gt=0, le=100
    )
    max_stale_bars: int = setting(
        2, unit="bars", description="No decision when a leg's newest bar is older than this.", ge=0, le=100
    )


@dataclass(frozen=True)
class PairSettings:
    """What a pair is fitted and traded by, wherever both are done: its volatility model, the trading rule, costs."""

    garch: GarchSettings = field(default_factory=GarchSettings)
    trading: TradingSettings = field(default_factory=TradingSettings)
    costs: CostSettings = field(default_factory=CostSettings)
