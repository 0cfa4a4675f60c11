"""From scores to the sector-day's ranking: gates, ranking score over time, watch list, funnel and monitoring.

What does not belong here: how a score comes about (`scores`), and what is written for trading (`trading_config`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.prices.window import ExcludedSymbol
from pairs_platform.core.screening.pair_names import pair_of
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, GATES
from pairs_platform.core.selection.settings import COMPONENTS, FunnelSettings, ScoreSettings, SelectionSettings
from pairs_platform.core.trading.sharpe import SharpeMoments, deflated_sharpe_ratio

NOT_IN_WINDOW = "not_in_window"
"""Status of a pinned pair of which a symbol has no place in the window."""


def ranking_scores(
    scores: pd.DataFrame, history: pd.DataFrame, *, session: date, settings: SelectionSettings
) -> pd.DataFrame:
    """Mean of each pair's newest scores within the lookback.

    Parameters
    ----------
    scores : DataFrame
        Today's `pair_scores`: pair, score (NaN where none could be given).
    history : DataFrame
        Earlier `pair_scores`: session, pair, score. Rows of today, of later sessions or from before the lookback, and
        rows without a score, do not count.
    session : date
        Today.

    Returns
    -------
    DataFrame
        Indexed by pair: ranking_score, n_scored_sessions (at most `sessions_averaged`); pairs without any are absent.
    """
    first = pd.Timestamp(session_offset(session, 1 - settings.lookback_sessions))
    today = pd.Timestamp(session)
    earlier = history.loc[:, ["session", "pair", "score"]].assign(session=pd.to_datetime(history["session"]))
    earlier = earlier[(earlier["session"] >= first) & (earlier["session"] < today)]
    current = scores.loc[:, ["pair", "score"]].assign(session=today)
    everything = pd.concat([part for part in (earlier, current) if len(part)] or [current]).dropna(subset=["score"])
    newest = everything.sort_values("session").groupby("pair").tail(settings.sessions_averaged).groupby("pair")["score"]
    return pd.DataFrame({"ranking_score": newest.mean(), "n_scored_sessions": newest.count()})


def rank_pairs(
    correlations: pd.DataFrame,
    cointegrated: pd.DataFrame,
    scores: pd.DataFrame,
    history: pd.DataFrame,
    *,
    session: date,
    settings: FunnelSettings,
    excluded: Sequence[ExcludedSymbol] = (),
) -> pd.DataFrame:
    """Every pair of the window, every pinned pair of the sector: the gates it passed, its rank and why it stopped.

    Parameters
    ----------
    correlations : DataFrame
        `correlation_matrix` of today: one row per pair.
    cointegrated : DataFrame
        `cointegrated_pairs` of today.
    scores : DataFrame
        `pair_scores` of today: the pairs past the correlation gate; may be empty.
    history : DataFrame
        `pair_scores` of earlier sessions, at least session, pair, score; may be empty.
    session : date
        The as-of session.
    excluded : sequence of ExcludedSymbol
        Symbols that did not enter the window: the reason shown for pinned pairs that hold one.

    Returns
    -------
    DataFrame
        Columns and meaning: `COMPOSITE_RANKINGS`. Sorted by gates passed, ranking score and
        name; ranks go to the scored pairs in this order, so that a pair that only lacks score stands before one that is
        not cointegrated.
    """
    selection = settings.selection
    frame = _join(correlations, cointegrated, scores, selection.pinned_pairs, excluded)
    frame.insert(0, "session", pd.Timestamp(session))
    frame = frame.join(ranking_scores(scores, history, session=session, settings=selection), on="pair")
    frame["n_scored_sessions"] = frame["n_scored_sessions"].fillna(0).astype(np.int64)
    frame["passes_fit"] = frame["score_status"] == "ok"
    frame["passes_score"] = frame["score"] > selection.gate
    frame["passes_ranking"] = frame["ranking_score"] > selection.gate
    passed = frame[[f"passes_{gate}" for gate in GATES]].to_numpy(bool)
    frame["gates_passed"] = np.logical_and.accumulate(passed, axis=1).sum(axis=1)
    frame["first_failed_gate"] = [GATES[n] if n < len(GATES) else None for n in frame["gates_passed"]]
    frame["selected"] = frame["gates_passed"] == len(GATES)
    frame["provisional"] = (frame["n_scored_sessions"] > 0) & (frame["n_scored_sessions"] < selection.sessions_averaged)
    frame["size"] = frame["selected"].map({True: 1.0, False: 0.0}) * frame["provisional"].map(
        {True: selection.provisional_size, False: 1.0}
    )
    frame["weakest_component"] = _weakest(frame, settings.scores)
    frame = frame.sort_values(
        ["gates_passed", "ranking_score", "pair"], ascending=[False, False, True], na_position="last", ignore_index=True
    )
    ranked = frame["score"].notna()
    frame["rank"] = ranked.cumsum().where(ranked).astype("Int64")
    candidates = frame.index[ranked & ~frame["selected"]][: selection.watchlist_size]
    frame["watched"] = frame.index.isin(candidates)
    frame["explanation"] = [_explain(row, settings) for row in frame.itertuples(index=False)]
    return frame.loc[:, list(COMPOSITE_RANKINGS.columns)]


_FROM_CORRELATIONS = ("corr_log_price", "corr_log_return", "passes_correlation")
_FROM_SCREEN = (
    *("status", "reason", "p_cal", "q_value", "half_life_bars", "half_life_days", "beta", "sigma"),
    *("expected_move_bps", "round_trip_cost_bps", "passes_amplitude", "passes_cointegration"),
)
_FROM_SCORES = (
    "score",
    *COMPONENTS,
    "volatility_status",
    "trading_status",
    "n_entries",
    "net_return",
    "sharpe_ann",
    "break_even_cost_multiple",
)


def _join(
    correlations: pd.DataFrame,
    cointegrated: pd.DataFrame,
    scores: pd.DataFrame,
    pinned: Sequence[str],
    excluded: Sequence[ExcludedSymbol],
) -> pd.DataFrame:
    """One row per pair of the window and per pinned pair; one outside the window says which symbol is missing.

    A pinned pair of which the sector does not have both symbols is none of its rows.
    """
    names = ["pair", "symbol_1", "symbol_2"]
    inside = set(correlations["symbol_1"]) | set(correlations["symbol_2"])
    why = {item.symbol: item.reason for item in excluded}
    absent = [
        pair for pair in pinned if pair not in set(correlations["pair"]) and {*pair_of(pair)} <= inside | set(why)
    ]
    extra = pd.DataFrame([(pair, *pair_of(pair)) for pair in absent], columns=names, dtype=object)
    frame = pd.concat([correlations[names], extra], ignore_index=True)
    scored = scores[["pair", "status", "reason", *_FROM_SCORES]].rename(
        columns={"status": "score_status", "reason": "score_reason"}
    )
    for part in (correlations[["pair", *_FROM_CORRELATIONS]], cointegrated[["pair", *_FROM_SCREEN]], scored):
        frame = frame.merge(part, on="pair", how="left", validate="1:1")
    for row in range(len(correlations), len(frame)):
        legs = [symbol for symbol in pair_of(absent[row - len(correlations)]) if symbol not in inside]
        missing = [f"{symbol} ({why[symbol]})" for symbol in legs]
        frame.loc[row, "status"] = NOT_IN_WINDOW
        frame.loc[row, "reason"] = f"not in the window: {', '.join(missing) or 'the window holds no pair'}"
    for gate in ("passes_correlation", "passes_cointegration", "passes_amplitude"):
        frame[gate] = frame[gate].eq(True).astype(bool)
    return frame.assign(pinned=frame["pair"].isin(list(pinned)))


def _weakest(frame: pd.DataFrame, scoring: ScoreSettings) -> np.ndarray:
    """Component that costs each pair's score most: the largest weight × (1 − component)."""
    values = frame[list(COMPONENTS)].to_numpy(np.float64)
    lost = np.array([scoring.weights[name] for name in COMPONENTS]) * (1.0 - values)
    worst = np.asarray(COMPONENTS, dtype=object)[np.argmax(lost, axis=1)]
    worst[~np.isfinite(lost).all(axis=1)] = None
    return worst


_WORDS = {
    "fit": "an AR(1)-GARCH spread is hardly better than a random walk or a constant variance",
    "volatility": "GARCH forecasts the variance hardly better than EWMA or a constant",
    "trading": "the backtest on the last part of the window does not earn its costs with certainty",
    "diagnostics": "the fitted model leaves structure in its residuals",
    "short_sample": "too few held-out bars to compare variance forecasts",
    "flat_held_out": "the spread stands still on the held-out bars, so that there is no variance to forecast",
    "same_forecasts": "GARCH forecasts exactly what a simpler model does",
    "no_trade": "the backtest on the last part of the window made no trade",
    "few_entries": "the backtest on the last part of the window made too few trades",
    "not_cointegrated_on_training": "not cointegrated on the first part of the window alone",
    "no_half_life": "no half-life on the first part of the window, so nothing to trade",
}


def _weakness(row: Any) -> str:
    """The weakest component of a scored pair, its value, and what lies behind it."""
    own = {"volatility": row.volatility_status, "trading": row.trading_status}.get(row.weakest_component, "")
    cause = _WORDS.get(str(own), _WORDS[row.weakest_component])
    return f"weakest component {row.weakest_component} ({getattr(row, row.weakest_component):.2f}): {cause}"


def _explain(row: Any, settings: FunnelSettings) -> str:
    """Where a pair stopped and why, or that it was selected, in words; `row` is a named tuple of the joined frame."""
    correlation, cointegration, selection = settings.correlation, settings.cointegration, settings.selection
    if row.selected:
        if not row.provisional:
            return "selected"
        return (
            f"selected, provisional at size {row.size:g}: {row.n_scored_sessions} of {selection.sessions_averaged}"
            " scores"
        )
    stopped = f"stopped at {row.first_failed_gate}: "
    if row.status == NOT_IN_WINDOW:
        return row.reason
    if row.first_failed_gate == "correlation":
        value = row.corr_log_price if correlation.basis == "log_price" else row.corr_log_return
        if pd.isna(value):
            return stopped + "unknown, because a leg does not move or fewer than three bars are common"
        what = "log prices" if correlation.basis == "log_price" else "log returns"
        return stopped + f"{value:.2f} of {what}, at least {correlation.gate:.2f} is needed"
    if row.first_failed_gate == "cointegration":
        if row.status != "ok":
            return stopped + str(row.reason)
        return stopped + f"calibrated p {row.p_cal:.3f}, below {cointegration.gate:.3f} is needed"
    if row.first_failed_gate == "amplitude":
        needed = cointegration.min_amplitude_multiple * row.round_trip_cost_bps
        return (
            stopped + f"a trade is expected to move {row.expected_move_bps:.1f} bp, at least {needed:.1f} bp is needed"
        )
    if row.first_failed_gate == "fit":
        return stopped + (str(row.score_reason) if isinstance(row.score_reason, str) else "the pair was not fitted")
    if row.first_failed_gate == "score":
        return stopped + f"{row.score:.2f}, above {selection.gate:.2f} is needed; {_weakness(row)}"
    return stopped + (
        f"mean {row.ranking_score:.2f} of {row.n_scored_sessions} scored sessions, above {selection.gate:.2f} is needed"
    )


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """How many pairs of a sector-day passed every gate up to and with each one."""

    n_symbols: int
    n_pairs: int
    n_correlated: int
    n_cointegrated: int
    n_wide_enough: int
    n_fitted: int
    n_scored_above_gate: int
    n_selected: int


def selection_funnel(rankings: pd.DataFrame, *, n_symbols: int) -> Funnel:
    """Count `composite_rankings` by how far its pairs got; pinned pairs that are not in the window are not counted."""
    inside = rankings[rankings["status"] != NOT_IN_WINDOW]
    reached = [int((inside["gates_passed"] >= n).sum()) for n in range(len(GATES) + 1)]
    return Funnel(
        n_symbols=n_symbols,
        n_pairs=reached[0],
        n_correlated=reached[1],
        n_cointegrated=reached[2],
        n_wide_enough=reached[3],
        n_fitted=reached[4],
        n_scored_above_gate=reached[5],
        n_selected=reached[6],
    )


@dataclass(frozen=True, kw_only=True)
class ScoreMonitor:
    """Distribution of a sector-day's scores, and what its best Sharpe ratio is worth after that many trials.

    Attributes
    ----------
    n_scored : int
        Pairs with a score.
    score_quantiles : tuple of float
        0, 25, 50, 75 and 100 % of the scores; empty without any.
    decile_gap : float or None
        Mean score of the top tenth less that of the bottom tenth; None with fewer than ten scores.
    correlation_versus_score : float or None
        Spearman's rank correlation of |level correlation| and score over scored pairs; None with fewer than three.
    n_trials : int
        Backtests of the sector-day, those without a trade included. Pairs share legs, so this overstates the number of
        independent trials and the deflated ratio is conservative.
    best_pair : str or None
        Pair with the highest net Sharpe ratio per bar.
    best_sharpe_ann : float or None
        Its annualised Sharpe ratio.
    best_deflated_sharpe : float or None
        Probability that it beats the best of `n_trials` worthless strategies; None with fewer than two Sharpe ratios.
    """

    n_scored: int
    score_quantiles: tuple[float, ...]
    decile_gap: float | None
    correlation_versus_score: float | None
    n_trials: int
    best_pair: str | None
    best_sharpe_ann: float | None
    best_deflated_sharpe: float | None


def monitor_scores(scores: pd.DataFrame, correlations: pd.DataFrame) -> ScoreMonitor:
    """Monitoring figures of one sector-day from its `pair_scores` and `correlation_matrix`; both may be empty."""
    scored = scores.dropna(subset=["score"])
    values = np.sort(scored["score"].to_numpy(np.float64))
    tenth = len(values) // 10
    level = scored["pair"].map(correlations.set_index("pair")["corr_log_price"]).abs()
    relation = level.rank().corr(scored["score"].rank()) if len(scored) >= 3 else float("nan")
    trials = scored.dropna(subset=["sharpe_per_bar"])
    best = trials.iloc[int(trials["sharpe_per_bar"].argmax())] if len(trials) else None
    deflated = None
    if best is not None and len(trials) >= 2:
        moments = SharpeMoments(
            n_returns=int(best["n_returns"]),
            sharpe=float(best["sharpe_per_bar"]),
            skewness=float(best["return_skewness"]),
            kurtosis=float(best["return_kurtosis"]),
        )
        deflated = deflated_sharpe_ratio(
            moments, n_trials=len(scored), trial_variance=float(trials["sharpe_per_bar"].var(ddof=1))
        )
    return ScoreMonitor(
        n_scored=len(scored),
        score_quantiles=tuple(float(q) for q in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])) if len(values) else (),
        decile_gap=float(values[-tenth:].mean() - values[:tenth].mean()) if tenth else None,
        correlation_versus_score=float(relation) if np.isfinite(relation) else None,
        n_trials=len(scored),
        best_pair=str(best["pair"]) if best is not None else None,
        best_sharpe_ann=float(best["sharpe_ann"]) if best is not None else None,
        best_deflated_sharpe=deflated,
    )
