"""What asset pages and reports draw: arrays for `plots` out of windows and tables.

What does not belong here: the drawing (`plots`).
"""

from functools import partial

import numpy as np
import pandas as pd

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters
from pairs_platform.platform import Platform
from pairs_platform.views.drawing import plots


def fit_drawings(
    window: PriceWindow, fits: pd.DataFrame, pair: str, *, entry_z: float, exit_z: float, label: str
) -> dict[str, plots.Drawing]:
    """Spread with bands, and volatility with its forecast, of one full-window fit; nothing where it failed."""
    from pairs_platform.core.volatility.garch import conditional_variance

    row = fits[fits["pair"] == pair].iloc[0]
    if row["status"] != "ok":
        return {}
    parameters = spread_parameters(row)
    spread = parameters.spread(
        window.log_close[:, window.column(parameters.y)], window.log_close[:, window.column(parameters.x)]
    )
    fit = garch_fit(row)
    scale = np.asarray(fit.diurnal)[window.bar_of_day]
    volatility = scale * np.sqrt(conditional_variance(fit, spread, window.bar_of_day)[:-1])
    shock = np.r_[np.nan, spread[1:] - fit.c - fit.phi * spread[:-1]]
    return {
        "spread_z": partial(
            plots.spread_with_bands,
            pair=pair,
            z=parameters.z(spread),
            session=window.session,
            entry_z=entry_z,
            exit_z=exit_z,
            label=label,
        ),
        "volatility": partial(
            plots.volatility_with_forecast,
            pair=pair,
            shock=shock,
            volatility=volatility,
            session=window.session,
            next_volatility=fit.next_volatility,
            label=label,
        ),
    }


def fit_pictures(
    window: PriceWindow, fits: pd.DataFrame, pair: str, platform: Platform, label: str
) -> dict[str, bytes]:
    """`fit_drawings` with the thresholds of the settings, as PNG images."""
    settings = platform.settings.trading
    drawings = fit_drawings(window, fits, pair, entry_z=settings.entry_z, exit_z=settings.exit_z, label=label)
    return {name: plots.png(drawing) for name, drawing in drawings.items()}
