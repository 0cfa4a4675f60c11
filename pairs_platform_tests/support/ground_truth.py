"""One sector-day of a simulated market, found by the functions that the assets call, beside the truth.

Bars go through validation, window, correlation, screen, fits, scores, and a ranking of as many scored sessions as are
averaged. Only exactly the planted pairs are true: a leg of one with a third symbol is a false discovery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.adapters.simulated.market import FIRST_SESSION, SimulatedMarket
from pairs_platform.adapters.simulated.paths import PlantedPair
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.prices.calendar import session_offset, sessions_ending
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import placebo_counts
from pairs_platform.core.selection.ranking import rank_pairs
from pairs_platform.core.selection.scores import score_pairs
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform.settings.model import Settings

SECTOR = "technology"
FIRST_AS_OF, SPACING = 80, 65
"""Position of the first as-of session in the market, and sessions from one to the next: more than a window's 62."""

GATES = ("correlated", "cointegrated", "selected")


@dataclass(frozen=True, eq=False)
class SectorDay:
    """What one sector-day found, beside the truth.

    Attributes
    ----------
    pairs : DataFrame, one row per pair of the window
        pair, y, x, beta, half_life_bars, and per gate of `GATES` whether the pair passed it and all gates before.
    planted : tuple of PlantedPair
    expected_by_chance : dict of str to float
        Mean number of pairs past correlation and cointegration in the placebo of each kind; empty without a placebo.
    """

    pairs: pd.DataFrame
    planted: tuple[PlantedPair, ...]
    expected_by_chance: dict[str, float]

    @property
    def is_planted(self) -> pd.Series:
        """Whether each row of `pairs` is a planted pair."""
        return self.pairs["pair"].isin([planted.pair for planted in self.planted])


def simulated_market(settings: Settings, seed: int, **market: Any) -> SimulatedMarket:
    """Technology of the shipped universe in the market of `seed`."""
    return SimulatedMarket(
        settings.listings(SECTOR),
        frequency=settings.frequency,
        settings=SimulatedMarketSettings(seed=seed, **market),
        clock=lambda: datetime(2024, 1, 1, tzinfo=UTC),
    )


def as_of_session(number: int) -> date:
    """The as-of session of the market's window `number`; windows of different numbers do not overlap."""
    return session_offset(FIRST_SESSION, FIRST_AS_OF + SPACING * number)


def identify(market: SimulatedMarket, session: date, settings: Settings, *, placebo: bool = True) -> SectorDay:
    """Send one sector-day through the stages as the assets do, with as many scored sessions as are averaged."""
    symbols = [listing.symbol for listing in market.universe()]
    averaged = settings.selection.sessions_averaged
    sessions = sessions_ending(session, settings.lookback_sessions + averaged - 1)
    actions = market.fetch_actions(symbols, sessions[0], sessions[-1]).actions
    bars = validate_bars(
        market.fetch_bars(symbols, sessions[0], sessions[-1]).bars,
        symbols=symbols,
        sessions=sessions,
        frequency=market.frequency,
        settings=settings.validation,
        actions=actions,
        basis=market.basis,
    ).accepted
    history: list[pd.DataFrame] = []
    for day in sessions[-averaged:]:
        window = build_window(
            bars,
            actions,
            sessions=sessions_ending(day, settings.lookback_sessions),
            frequency=market.frequency,
            basis=market.basis,
            settings=settings.window,
            symbols=symbols,
        )
        correlations = pair_correlations(window, settings.correlation)
        correlated = correlations["passes_correlation"].to_numpy()
        screened = screen_pairs(
            window,
            settings=settings.cointegration,
            entry_z=settings.trading.entry_z,
            exit_z=settings.trading.exit_z,
            round_trip_cost_bps=settings.costs.round_trip_bps,
            correlated=np.zeros_like(correlated),
        )
        candidates = screened[correlated & screened["y"].notna()].reset_index(drop=True)
        scores = score_pairs(
            window,
            fit_parameter_sets(window, candidates, settings=settings.garch),
            session=day,
            scoring=settings.scores,
            pair_settings=settings.pair_settings,
        )
        history.append(scores)
    rankings = rank_pairs(
        correlations,
        screened,
        history[-1],
        pd.concat(history[:-1], ignore_index=True)[["session", "pair", "score"]],
        session=session,
        settings=settings.funnel_settings,
        excluded=window.excluded,
    )
    found = screened[["pair", "y", "x", "beta", "half_life_bars"]].assign(correlated=correlated)
    found["cointegrated"] = found["correlated"] & screened["passes_cointegration"]
    found["selected"] = found["pair"].isin(rankings.loc[rankings["selected"], "pair"])
    expected = {}
    if placebo:
        drawn = placebo_counts(
            window,
            correlation=settings.correlation,
            cointegration=settings.cointegration,
            placebo=settings.placebo,
            found=int(found["cointegrated"].sum()),
        )
        expected = {kind: result.mean for kind, result in drawn.items()}
    return SectorDay(found, market.ground_truth(SECTOR), expected)


def counts(day: SectorDay) -> dict[str, float]:
    """Planted pairs, true and false ones past each gate, and the two placebo expectations of one sector-day."""
    numbers: dict[str, float] = {"planted": len(day.planted)}
    for gate in GATES:
        passed = day.pairs[gate]
        numbers[f"{gate}_true"] = int((passed & day.is_planted).sum())
        numbers[f"{gate}_false"] = int((passed & ~day.is_planted).sum())
    return numbers | {f"chance_{kind}": mean for kind, mean in day.expected_by_chance.items()}


def recovery(day: SectorDay) -> pd.DataFrame:
    """Relative errors of β (in the planted direction) and half-life of the planted pairs past cointegration."""
    found = day.pairs[day.pairs["cointegrated"]].set_index("pair")
    rows = []
    for truth in day.planted:
        if truth.pair in found.index:
            row = found.loc[truth.pair]
            beta = row["beta"] if row["y"] == truth.y else 1.0 / row["beta"]
            rows.append((beta / truth.beta - 1.0, row["half_life_bars"] / truth.half_life_bars - 1.0))
    return pd.DataFrame(rows, columns=["beta_error", "half_life_error"], dtype=np.float64)


def share(days: pd.DataFrame, part: str, whole: Sequence[str]) -> tuple[float, float]:
    """Ratio of the sums of `part` and `whole` over all days, and its standard error with a market as the unit."""
    by_seed = days.groupby("seed").sum()
    top, bottom = by_seed[part], by_seed[list(whole)].sum(axis=1)
    if not bottom.sum():
        return float("nan"), float("nan")
    ratio = float(top.sum() / bottom.sum())
    n = len(by_seed)
    squares = float(((top - ratio * bottom) ** 2).sum())
    return ratio, (n / (n - 1) * squares) ** 0.5 / float(bottom.sum()) if n > 1 else float("nan")
