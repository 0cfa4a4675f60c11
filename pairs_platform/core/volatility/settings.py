"""Settings of the volatility stage and the statuses that its rows may have.

What does not belong here: anything that computes, so that reading the settings imports no numerics.
"""

from typing import Literal

from pairs_platform.core.settings import SettingsGroup, setting

FitStatus = Literal["ok", "too_few_shocks", "constant_spread", "not_converged", "no_direction", "no_spread"]


class GarchSettings(SettingsGroup):
    """Settings of the volatility stage."""

    distribution: Literal["normal", "t"] = setting(
        "normal", unit="name", description="Distribution of the standardised shocks: normal, or t (Student, joint ν)."
    )
    in_sample_fraction: float = setting(
        0.8,
        unit="1",
        description="First part of the window that the in-sample parameters see.",
        ge=0.5,
        le=0.95,
    )
    min_sessions_diurnal: int = setting(
        20, unit="sessions", description="With fewer sessions the diurnal factors are smoothed.", ge=2, le=250
    )
    min_shocks: int = setting(
        50, unit="bars", description="With fewer valid shocks a pair is not fitted.", ge=25, le=10_000
    )
    max_evaluations: int = setting(
        300, unit="evaluations", description="Bound on the optimiser before arch is asked instead.", ge=1, le=10_000
    )
    ewma_decay: float = setting(
        0.94, unit="1", description="Decay of the rival EWMA variance forecast.", gt=0.0, lt=1.0
    )
    min_forecasts: int = setting(
        200,
        unit="bars",
        description="With fewer held-out forecasts the volatility skill is `short_sample`.",
        ge=20,
        le=10_000,
    )
