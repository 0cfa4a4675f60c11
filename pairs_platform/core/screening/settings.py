"""Settings of the screening stage; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from pairs_platform.core.errors import PlatformError
from pairs_platform.core.screening.pair_names import named_pairs
from pairs_platform.core.settings import SettingsGroup, setting


def _names(pairs: object) -> object:
    try:
        return named_pairs(pairs)
    except PlatformError as error:
        raise ValueError(str(error)) from None


PairNames = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Pairs in a setting, each in any form that `named_pairs` takes; the values are their names."""


class CorrelationSettings(SettingsGroup):
    """When two symbols are correlated enough for their pair to go on."""

    gate: float = setting(0.8, unit="1", description="Smallest correlation of a pair that goes on.", ge=-1.0, lt=1.0)
    basis: Literal["log_price", "log_return"] = setting(
        "log_price",
        unit="name",
        description="What the gate looks at: log prices over the window, or log returns bar by bar. On unrelated "
        "random walks a gate on log prices raises the rate of false cointegrated pairs behind it about fourfold.",
    )


class CointegrationSettings(SettingsGroup):
    """When two symbols are cointegrated enough for their pair to go on."""

    gate: float = setting(
        0.05, unit="1", description="A pair goes on when its calibrated p is below this.", gt=0.0, lt=1.0
    )
    min_beta: float = setting(
        0.1, unit="1", description="Smallest hedge ratio that is traded.", gt=0.0, not_above="max_beta"
    )
    max_beta: float = setting(10.0, unit="1", description="Largest hedge ratio that is traded.", gt=0.0)
    min_bars: int = setting(
        126,
        unit="bars",
        description="Common bars that a pair needs to be tested; calibrated p-values are too small below 126.",
        ge=60,
    )
    min_amplitude_multiple: float = setting(
        2.0,
        unit="round-trip costs",
        description="Expected move from entry to exit that a selected pair needs, as a multiple of that cost.",
        ge=0.0,
    )
    bootstrap_draws: int = setting(
        499, unit="draws", description="Wild bootstrap draws for a pair past both gates.", ge=99
    )
    bootstrap_seed: int = setting(20_240_103, unit="1", description="Seed of the wild bootstrap.", ge=0)


class PlaceboSettings(SettingsGroup):
    """How the null calibration is drawn."""

    n_draws: int = setting(50, unit="draws", description="Placebo universes of each kind.", ge=50)
    seed: int = setting(20_240_104, unit="1", description="Seed of both kinds of placebo.", ge=0)
