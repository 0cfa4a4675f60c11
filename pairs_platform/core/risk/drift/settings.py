"""Settings of the drift of a pair; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from pairs_platform.core.settings import SettingsGroup, setting


class DriftSettings(SettingsGroup):
    """From when on a pair counts as changed, and how often an unchanged one may be taken for changed."""

    horizon_bars: int = setting(
        78,
        unit="bars",
        description="Bars over which the rates of false alarms hold: a session of 5-minute bars.",
        ge=1,
        le=10_000,
    )
    correlation_bars: int = setting(
        39, unit="bars", description="Length of each of the two windows of recent returns.", ge=10, le=1000
    )
    correlation_p: float = setting(
        0.01, unit="1", description="A window's correlation is low where its one-sided p is below this.", gt=0, lt=0.5
    )
    cusum_reference: float = setting(
        0.5, unit="standard deviations", description="Innovation that CUSUM takes for none (k).", gt=0, le=2
    )
    cusum_bound: float = setting(
        5.0, unit="standard deviations", description="CUSUM of innovations that is a shifted mean (h).", gt=0, le=50
    )
    beta_walk: float = setting(
        0.002, unit="1/√bar", description="Standard deviation of a bar's step of β in the Kalman filter.", gt=0, le=0.1
    )
    beta_bound: float = setting(
        3.0, unit="standard deviations", description="Distance of β from its estimate that is a change.", gt=0, le=20
    )
    half_life_multiple: float = setting(
        3.0, unit="1", description="Multiple of the estimated half-life that is a change.", gt=1, le=100
    )
    half_life_p: float = setting(
        0.01, unit="1", description="And only where the one-sided p of a slower reversion is below this.", gt=0, lt=0.5
    )
    half_life_window: float = setting(
        20.0, unit="half-lives", description="Bars from which the recent half-life is estimated.", ge=2, le=500
    )
    unit_root_window: float = setting(
        60.0, unit="half-lives", description="Bars on which cointegration is tested again, 126 at least.", ge=5, le=500
    )
    unit_root_p: float = setting(
        0.10, unit="1", description="The pair is no longer cointegrated where the calibrated p is above.", gt=0, lt=1
    )
    variance_multiple: float = setting(
        4.0, unit="1", description="Multiple of the mean variance h̄ that is a change.", gt=1, le=1000
    )
    false_discovery_rate: float = setting(
        0.10,
        unit="1",
        description="Expected share of unchanged pairs among those that take no entries.",
        gt=0,
        lt=0.5,
    )
    family_wise_rate: float = setting(
        0.05,
        unit="1",
        description="Largest probability that any unchanged pair of the book is left within the horizon.",
        gt=0,
        lt=0.5,
    )
