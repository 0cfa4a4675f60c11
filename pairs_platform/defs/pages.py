"""What the asset pages draw: arrays for `plots` out of windows and tables.

What does not belong here: the drawing (`plots`).
"""

import numpy as np
import pandas as pd

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.volatility.parameters import garch_fit, spread_parameters
from pairs_platform.defs import plots
from pairs_platform.defs.resources import Platform


def fit_pictures(
    window: PriceWindow, production: pd.DataFrame, pair: str, platform: Platform, source: str
) -> dict[str, bytes]:
    """Spread with bands, and volatility with its forecast, of one fitted pair; nothing where the fit failed."""
    from pairs_platform.core.volatility.garch import conditional_variance

    row = production[production["pair"] == pair].iloc[0]
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
    rules = platform.settings.trading
    return {
        "spread": plots.spread_with_bands(
            pair, parameters.z(spread), window.session, entry_z=rules.entry_z, exit_z=rules.exit_z, label=source
        ),
        "volatility": plots.volatility_with_forecast(
            pair, shock, volatility, window.session, next_volatility=fit.next_volatility, label=source
        ),
    }
