"""A simulated session with its configuration and models: what the tests of signals start from."""

import dataclasses
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.models.baseline import Baseline
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.features import pair_datasets
from pairs_platform.core.models.gru.inference import GruWeights
from pairs_platform.core.models.inputs import FEATURES
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_offset, sessions_ending
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.selection.trading_config import ConfigOrigin, TradingConfig, build_trading_config
from pairs_platform.core.signals.engine import SessionMatrix, Signal, session_matrix, session_signals
from pairs_platform.core.signals.session_setup import make_session_state
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import BarInterval, bar_intervals
from pairs_platform.core.streaming.revisions import MergedBars, merge_revisions
from pairs_platform.core.trading.settings import CostSettings, PairSettings, TradingSettings
from pairs_platform.core.volatility.garch import GarchSettings
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform_tests.support.simulated_pairs import (
    LAST_SESSION,
    garch_variance,
    planted_pairs,
    screened_pairs,
    window_of_legs,
    with_missing_bars,
)

SESSION = LAST_SESSION
BARS = 78
RULES = GruSettings.model_validate({"split": {"min_test_labels": 5}, "network": {"hidden_1": 5, "hidden_2": 4}})
UNTRADED = 1
"""Position of a pair that the champion does not hold."""


@dataclass(frozen=True, eq=False)
class Market:
    """A window that ends with the live session, what was configured at the close before, and two models."""

    session: date
    window: PriceWindow
    config: TradingConfig
    champion: SectorBundle
    challenger: SectorBundle

    @property
    def before(self) -> PriceWindow:
        """The bars up to the close before the session."""
        return window_until(self.window, session_offset(self.session, -1))

    def state(self, *, champion: bool = True, challenger: bool = True) -> SessionState:
        return make_session_state(
            self.config,
            self.before,
            champion=(3, self.champion) if champion else None,
            challenger=(4, self.challenger) if challenger else None,
            champion_reason="" if champion else "no model has been promoted",
            max_fill_bars=3,
            split_tolerance=0.05,
        )

    def bars(self) -> MergedBars:
        """The streamed bars of the session."""
        rows = np.flatnonzero(self.window.session == np.datetime64(self.session))
        found = [
            StreamBar(symbol, int(self.window.ts_utc[t].value), *[float(np.exp(self.window.log_close[t, j]))] * 4, 100)
            for t in rows
            for j, symbol in enumerate(self.window.symbols)
            if self.window.observed[t, j]
        ]
        return merge_revisions(found)


def window_until(window: PriceWindow, session: date) -> PriceWindow:
    """The bars of a window up to the end of a session."""
    stop = int((window.session <= np.datetime64(session)).sum())
    return window.first_bars(stop)


def market(
    *, session: date = SESSION, n_pairs: int = 6, n_sessions: int = 24, seed: int = 4, missing: float = 0.02
) -> Market:
    days = bar_grid(sessions_ending(session, n_sessions), Frequency.FIVE_MINUTES)
    legs = planted_pairs(n_pairs, len(days.ts_utc), seed, garch_variance, half_lives=(4.0, 12.0))
    window = dataclasses.replace(
        window_of_legs(legs, seed=seed), ts_utc=days.ts_utc, session=days.session, bar_of_day=days.bar_of_day
    )
    if missing:
        window = with_missing_bars(window, seed, share=missing, holes=2)
    before = window_until(window, session_offset(session, -1))
    pairs = screened_pairs(before)
    config = configured(before, pairs)
    models = [bundle(window_until(window, session_offset(session, -age)), pairs, seed=age) for age in (4, 1)]
    champion = dataclasses.replace(models[0], pairs=tuple(m for k, m in enumerate(models[0].pairs) if k != UNTRADED))
    return Market(session, window, config, champion, models[1])


def configured(window: PriceWindow, pairs: pd.DataFrame) -> TradingConfig:
    """Every pair of a window: the first half selected, the others watched."""
    fits = fit_parameter_sets(window, pairs, settings=GarchSettings())
    half = np.arange(len(pairs)) < (len(pairs) + 1) // 2
    legs = pairs["pair"].str.split("_", expand=True)
    rankings = pd.DataFrame(
        {
            "pair": pairs["pair"],
            "symbol_1": legs[0],
            "symbol_2": legs[1],
            "selected": half,
            "pinned": False,
            "watched": ~half,
            "size": np.where(half, 1.0, 0.0),
            "provisional": False,
            "rank": np.arange(1, len(pairs) + 1),
            "score": 0.9,
            "ranking_score": 0.9,
            "explanation": "planted",
        }
    )
    return build_trading_config(
        rankings,
        fits,
        ConfigOrigin(
            session=window.session[-1].astype(object),
            sector="technology",
            source_label="simulated",
            frequency=Frequency.FIVE_MINUTES,
            price_basis=PriceBasis.RAW,
        ),
        trading=TradingSettings(entry_z=1.2),
        costs=CostSettings(),
        model=None,
        model_reason="a test",
    )


def bundle(window: PriceWindow, pairs: pd.DataFrame, *, seed: int) -> SectorBundle:
    """Models with random weights on real spreads, GARCH states and scaling."""
    datasets, _, _ = pair_datasets(window, pairs, settings=RULES, pair_settings=PairSettings())
    rng = np.random.default_rng(seed)
    h1, h2 = RULES.network.hidden_1, RULES.network.hidden_2
    shapes = {
        "weight_ih_1": (3 * h1, len(FEATURES)), "weight_hh_1": (3 * h1, h1), "bias_ih_1": (3 * h1,),
        "bias_hh_1": (3 * h1,), "weight_ih_2": (3 * h2, h1), "weight_hh_2": (3 * h2, h2), "bias_ih_2": (3 * h2,),
        "bias_hh_2": (3 * h2,), "weight_out": (h2,), "bias_out": (1,),
    }  # fmt: skip
    models = [
        PairModel.of(
            one,
            Baseline("ar1_logit", 0.5, 0.1, 0.2),
            GruWeights(**{name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}),
            0.52,
            {},
        )
        for one in datasets
    ]
    return SectorBundle(
        sector="technology",
        source_label="simulated",
        code_version="1",
        dagster_run_id="run",
        first_session=window.session[0].astype(object),
        session=window.session[-1].astype(object),
        frequency=Frequency.FIVE_MINUTES,
        label="reverts_next",
        sequence_length=RULES.network.sequence_length,
        bars_per_session=BARS,
        pairs=tuple(models),
    )


def grid(session: date = SESSION) -> list[BarInterval]:
    return bar_intervals(session, Frequency.FIVE_MINUTES)


def bar_by_bar(state: SessionState, bars: MergedBars, n: int | None = None) -> list[list[Signal]]:
    """The live path: at every bar the bars so far, and the signals stored before."""
    previous: dict[str, Signal] = {}
    result = []
    for t in range(len(grid(state.session)) if n is None else n):
        intervals = grid(state.session)[: t + 1]
        matrix = session_matrix(state, bars.before(intervals[-1].end_ns), intervals)
        (signals,) = run(state, matrix, first=t, previous=previous)
        previous = {signal.pair: signal for signal in signals}
        result.append(signals)
    return result


def run(state: SessionState, matrix: SessionMatrix, *, first: int = 0, previous=None, late=None, actions=()):
    return session_signals(
        state,
        matrix,
        first=first,
        previous=previous or {},
        n_bars=len(grid(state.session)),
        late=late or [False] * (len(matrix.intervals) - first),
        target_volatility=10e-4,
        actions=actions,
    )


def frame_of(bars: list[list[Signal]]) -> pd.DataFrame:
    """Signals as the database gives them back."""
    frame = pd.DataFrame([vars(signal) for signals in bars for signal in signals])
    return frame.assign(bar_utc=pd.DatetimeIndex(frame["start_ns"], tz="UTC"))
