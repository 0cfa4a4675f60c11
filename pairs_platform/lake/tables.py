"""The contracts of every table that the lake holds, for readers that look at all of them.

What does not belong here: the contracts (`core/<stage>/contracts.py`).
"""

from pairs_platform.core.models.contracts import (
    FEATURE_FITS,
    FEATURE_SCALING,
    GRU_FORECASTS,
    GRU_MODELS,
    PAIR_FEATURES,
    SHADOW_LOSSES,
)
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.trading.contracts import PERFORMANCE_ATTRIBUTION, PORTFOLIO
from pairs_platform.core.volatility.contracts import GARCH_FITS

TABLES = (
    PRICE_HISTORY,
    PRICE_QUARANTINE,
    PRICE_FLAGS,
    CORPORATE_ACTIONS,
    CORRELATION_MATRIX,
    COINTEGRATED_PAIRS,
    GARCH_FITS,
    PAIR_SCORES,
    COMPOSITE_RANKINGS,
    TRADING_CONFIG,
    PAIR_FEATURES,
    FEATURE_FITS,
    FEATURE_SCALING,
    GRU_MODELS,
    GRU_FORECASTS,
    SHADOW_LOSSES,
    STREAMED_BARS,
    PORTFOLIO,
    PERFORMANCE_ATTRIBUTION,
)
"""In the order in which data flows."""
