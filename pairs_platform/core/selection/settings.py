"""Settings of the selection stage; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from dataclasses import dataclass, field

from pydantic import model_validator

from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PairNames
from pairs_platform.core.settings import SettingsGroup, setting

COMPONENTS = ("fit", "volatility", "trading", "diagnostics")
"""Components of the composite score."""


class ScoreSettings(SettingsGroup):
    """Weights and constants of the composite score."""

    weight_fit: float = setting(0.4, unit="1", description="Weight of the fit component.", ge=0, le=1)
    weight_volatility: float = setting(0.3, unit="1", description="Weight of the volatility component.", ge=0, le=1)
    weight_trading: float = setting(0.2, unit="1", description="Weight of the trading component.", ge=0, le=1)
    weight_diagnostics: float = setting(0.1, unit="1", description="Weight of the diagnostics component.", ge=0, le=1)
    fit_offset: float = setting(
        10.0,
        unit="evidence",
        description="Evidence below zero at which the fit component starts to rise.",
        ge=0,
        le=100,
    )
    fit_scale: float = setting(
        40.0, unit="evidence", description="Evidence over which the fit component rises by 1 − 1/e.", gt=0, le=1000
    )
    few_entries: int = setting(3, unit="entries", description="A backtest with fewer entries is capped.", ge=1, le=100)
    capped_trading: float = setting(
        0.5, unit="1", description="Largest trading component of a capped backtest.", ge=0, le=1
    )
    training_p: float = setting(
        0.10,
        unit="1",
        description="The backtest is capped unless the calibrated cointegration p on the training part is below this.",
        gt=0,
        le=1,
    )
    diagnostics_level: float = setting(
        0.05, unit="1", description="A diagnostic test is passed when its p is above this.", gt=0, lt=1
    )

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> "ScoreSettings":
        total = sum(self.weights.values())
        if abs(total - 1.0) > 1e-9:
            given = ", ".join(f"weight_{name} {weight:g}" for name, weight in self.weights.items())
            raise ValueError(
                f"the weights must sum to 1, but {given} sum to {total:g}: change them by {1 - total:+g} in all"
            )
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each component, in the order of `COMPONENTS`."""
        return {name: getattr(self, f"weight_{name}") for name in COMPONENTS}


class SelectionSettings(SettingsGroup):
    """Which scored pairs are traded, and which are watched."""

    gate: float = setting(
        0.7, unit="1", description="Score of today and ranking score that a selected pair must exceed.", ge=0, lt=1
    )
    sessions_averaged: int = setting(
        3,
        unit="scored sessions",
        description="Newest scores that the ranking score averages.",
        ge=1,
        le=60,
        not_above="lookback_sessions",
        because="no pair would ever have so many scores, and all would stay provisional",
    )
    lookback_sessions: int = setting(
        10, unit="sessions", description="How far back, today included, a score may count.", ge=1, le=250
    )
    provisional_size: float = setting(
        0.5, unit="1", description="Size of a selected pair with fewer scored sessions than are averaged.", gt=0, le=1
    )
    watchlist_size: int = setting(
        10, unit="pairs", description="Best pairs that were not selected and are followed with size 0.", ge=0, le=1000
    )
    pinned_pairs: PairNames = setting(
        (),
        unit="pairs",
        description="Pairs of the universe that are always shown with the gate where they stopped, as SYMBOL_SYMBOL "
        "or a list of two symbols; in the simulated market those that it never plants if not given.",
    )


@dataclass(frozen=True)
class FunnelSettings:
    """What decides how far a pair comes: the gates of the screening, the score's weights, and the selection."""

    correlation: CorrelationSettings = field(default_factory=CorrelationSettings)
    cointegration: CointegrationSettings = field(default_factory=CointegrationSettings)
    scores: ScoreSettings = field(default_factory=ScoreSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
