"""Small windows, pairs and settings for the tests of this folder."""

import dataclasses
from datetime import date

import pandas as pd

from pairs_platform.core.models.features import PairDataset, pair_datasets
from pairs_platform.core.models.settings import GruSettings, LabelSettings, NetworkSettings, SplitSettings
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.pair_names import pair_name
from pairs_platform.core.trading.settings import CostSettings, PairSettings
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    planted_pairs,
    random_walks,
    window_of_legs,
)

RULES = GruSettings(
    split=SplitSettings(min_test_labels=50),
    network=NetworkSettings(hidden_1=6, hidden_2=4, sequence_length=5, max_epochs=3, patience=2),
)
"""A network and parts that are small enough for tests."""

FREE = CostSettings(commission_bps=0, half_spread_bps=0, slippage_bps=0, borrow_bps_per_year=0)
EARLY_CLOSE = date(2022, 11, 25)
BY_BAR = ("ts_utc", "session", "bar_of_day", "log_close", "log_open", "observed", "ex_action")


def planted_window(n_pairs: int = 2, n_bars: int = 1_014, seed: int = 1) -> PriceWindow:
    """Pairs whose spread reverts with a half-life of 5 to 20 bars; 13 complete sessions by default."""
    return window_of_legs(planted_pairs(n_pairs, n_bars, seed, garch_variance, half_lives=(5.0, 20.0)), seed=seed)


def walk_window(n_pairs: int = 2, n_bars: int = 1_014, seed: int = 1) -> PriceWindow:
    """Pairs of unrelated random walks."""
    return window_of_legs(random_walks(n_pairs, n_bars, seed, garch_variance), seed=seed)


def window_ending(last: date, n_sessions: int, *, n_pairs: int = 1, seed: int = 1) -> PriceWindow:
    """Planted pairs on the last sessions up to `last`, whatever their length: early closes are kept."""
    grid = bar_grid(sessions_ending(last, n_sessions), Frequency.FIVE_MINUTES)
    window = planted_window(n_pairs, len(grid.ts_utc), seed)
    return dataclasses.replace(window, ts_utc=grid.ts_utc, session=grid.session, bar_of_day=grid.bar_of_day)


def bars_of(window: PriceWindow, start: int, stop: int) -> PriceWindow:
    """Bars `start` to `stop` − 1 of a window."""
    return dataclasses.replace(window, **{name: getattr(window, name)[start:stop] for name in BY_BAR})


def pairs_of(window: PriceWindow) -> pd.DataFrame:
    """Pair, y, x: columns 2j + 1 on 2j of a window."""
    legs = [(window.symbols[j + 1], window.symbols[j]) for j in range(0, len(window.symbols), 2)]
    return pd.DataFrame([(pair_name(y, x), y, x) for y, x in legs], columns=["pair", "y", "x"])


def prepared(
    window: PriceWindow, *, pairs: pd.DataFrame | None = None, settings: GruSettings = RULES
) -> tuple[list[PairDataset], SplitPlan, pd.DataFrame]:
    """`pair_datasets` of a window under the shipped settings of the other stages."""
    chosen = pairs_of(window) if pairs is None else pairs
    return pair_datasets(window, chosen, settings=settings, pair_settings=PairSettings())


def with_label(**label: object) -> GruSettings:
    """`RULES` with other settings of the label."""
    return RULES.model_copy(update={"label": LabelSettings(**label)})
