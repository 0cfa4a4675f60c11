"""Settings of the simulated market.

What does not belong here: the universe and the bar frequency, which the market shares with every other source.
"""

from typing import Literal

from pairs_platform.core.screening.settings import PairNames
from pairs_platform.core.settings import SettingsGroup, setting

Variant = Literal["standard", "t_tails", "beta_breaks", "common_jumps", "missing_bars", "no_pairs"]


class SimulatedMarketSettings(SettingsGroup):
    """What is planted in the simulated market, and which assumption of the models it breaks.

    Variants: ``standard`` obeys the models; ``t_tails`` draws every shock from a Student t; ``beta_breaks`` changes
    each planted β every `beta_break_sessions` sessions; ``common_jumps`` adds sector-wide jumps that hit the planted
    spreads too; ``missing_bars`` loses single bars and a few whole sessions; ``no_pairs`` is independent random walks.
    """

    seed: int = setting(7, unit="1", description="Seed of every random stream; another seed is another market.", ge=0)
    variant: Variant = setting(
        "standard",
        unit="name",
        description="standard, t_tails, beta_breaks, common_jumps, missing_bars or no_pairs.",
    )
    planted_pairs_per_sector: int = setting(
        7,
        unit="pairs",
        description="Cointegrated pairs planted in each sector; a symbol is in one at most.",
        ge=0,
        le=100,
    )
    never_planted: PairNames = setting(
        ("PDFS_ROG",),
        unit="pair names",
        description="Pairs that are never planted, so that a failing one can be watched.",
    )
    min_half_life_bars: float = setting(
        5.0,
        unit="bars",
        description="Shortest half-life of a planted spread.",
        ge=1,
        le=1000,
        not_above="max_half_life_bars",
    )
    max_half_life_bars: float = setting(
        40.0, unit="bars", description="Longest half-life of a planted spread.", ge=1, le=1000
    )
    min_beta: float = setting(
        0.6, unit="1", description="Smallest planted hedge ratio.", ge=0.1, le=5, not_above="max_beta"
    )
    max_beta: float = setting(1.6, unit="1", description="Largest planted hedge ratio.", ge=0.1, le=5)
    spread_innovation_bps: float = setting(
        6.0,
        unit="basis points",
        description="Root mean square innovation of a planted spread per 5 minutes; longer bars: by the root.",
        gt=0,
        le=200,
    )
    min_alpha1: float = setting(
        0.08, unit="1", description="Smallest planted GARCH α₁.", ge=0, lt=1, not_above="max_alpha1"
    )
    max_alpha1: float = setting(
        0.14,
        unit="1",
        description="Largest planted GARCH α₁.",
        ge=0,
        lt=1,
        below="min_persistence",
        because="β₁ is not negative",
    )
    min_persistence: float = setting(
        0.94, unit="1", description="Smallest planted α₁ + β₁.", gt=0, lt=1, not_above="max_persistence"
    )
    max_persistence: float = setting(0.98, unit="1", description="Largest planted α₁ + β₁.", gt=0, lt=1)
    market_volatility: float = setting(0.15, unit="1/√year", description="Volatility of the market factor.", gt=0, le=2)
    sector_volatility: float = setting(
        0.12, unit="1/√year", description="Volatility of each sector factor.", gt=0, le=2
    )
    own_volatility: float = setting(
        0.22, unit="1/√year", description="Volatility of a symbol's own random walk.", gt=0, le=2
    )
    overnight_minutes: float = setting(
        40.0,
        unit="minutes",
        description="The night moves prices as much as this many minutes of trading.",
        ge=0,
        le=1000,
    )
    tail_degrees_of_freedom: float = setting(
        4.0, unit="1", description="Degrees of freedom of the Student t in the variant t_tails.", gt=2, le=100
    )
    beta_break_sessions: int = setting(
        40, unit="sessions", description="Sessions between two changes of β in the variant beta_breaks.", ge=1, le=1000
    )
    jumps_per_session: float = setting(
        0.2,
        unit="1/session",
        description="Expected sector-wide jumps a session in the variant common_jumps.",
        gt=0,
        le=10,
    )
    jump_size: float = setting(
        0.02, unit="1", description="Standard deviation of such a jump, log scale.", gt=0, le=0.5
    )
    missing_share: float = setting(
        0.015, unit="1", description="Share of single bars that are lost in the variant missing_bars.", ge=0, lt=1
    )
    missing_sessions_share: float = setting(
        0.004,
        unit="1",
        description="Share of whole symbol-sessions that are lost in the variant missing_bars.",
        ge=0,
        lt=1,
    )
    dividend_yield: float = setting(
        0.02, unit="1/year", description="Dividend of a paying symbol (half of them pay, quarterly).", ge=0, le=0.5
    )
    splits_per_year: float = setting(
        0.5,
        unit="1/year",
        description="Expected split decisions per symbol; none at prices of 10 to 40 dollars.",
        ge=0,
        le=12,
    )
