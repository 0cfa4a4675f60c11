"""The signals of a session from its state and its bars up to now: every pair at once, bar by bar.

Nothing of bar t depends on a bar that starts at or after its end. Where a pair stands follows from its stored
signals alone. What does not belong here: the rule (`core.trading.rule`), the session's state (`session_state`,
`session_setup`), storing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pairs_platform.core.models.baseline import excess_of
from pairs_platform.core.models.gru.inference import logits_stacked
from pairs_platform.core.models.inputs import CLIP, feature_matrix
from pairs_platform.core.prices.settings import COMMON_SPLIT_RATIOS
from pairs_platform.core.signals.session_state import ModelArrays, SessionState, SpreadArrays
from pairs_platform.core.streaming.intervals import BarInterval
from pairs_platform.core.streaming.revisions import MergedBars
from pairs_platform.core.trading.rule import TradeAction, TradeState, after_fill, at_close, stop_band

SignalAction = Literal["enter_long", "enter_short", "exit", "stop", "hold", "skip"]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One pair at one bar.

    Attributes
    ----------
    pair, role : str
    start_ns : int
        Start of the bar.
    action : str
        What the rule asks for at the bar's close, to be filled at the next open; "skip" with a reason where the pair
        cannot be judged.
    reason : str
        Empty, why it is skipped, or "time_stop".
    y, x : str
    beta : float
        Legs, long y and short beta of x when the position is +1.
    spread, z, band, volatility : float
        s [ln], (s − μ)/σ, band of the stop [ln], standard deviation of the next bar's innovation [ln]; NaN if unknown.
    probability_champion, probability_challenger : float
        That the spread moves towards its mean in the next bar; NaN where the model is not asked.
    champion_version, challenger_version : int or None
    confidence : float
        2·max(0, P − ½), in [0, 1], with the champion's P, or without one the AR(1)'s, Φ of the expected move
        towards μ over `volatility`. NaN where the pair is skipped.
    size : float
        Share of a full position; 0 for pairs that are followed, not traded.
    position, bars_held : int
    blocked : bool
        Where the pair stands at this close, before `action` is filled.
    late : bool
        Decided when a later bar was complete already: never filled.
    data_ns : int
        Start of the newest bar of the leg whose newest bar is older; 0 without one in the session.
    """

    pair: str
    role: str
    start_ns: int
    action: SignalAction
    reason: str
    y: str
    x: str
    beta: float
    spread: float
    z: float
    band: float
    volatility: float
    probability_champion: float
    probability_challenger: float
    champion_version: int | None
    challenger_version: int | None
    confidence: float
    size: float
    position: int
    bars_held: int
    blocked: bool
    late: bool
    data_ns: int


@dataclass(frozen=True, eq=False)
class SessionMatrix:
    """Streamed bars of a session's symbols on the grid of T bars; n symbols.

    Attributes
    ----------
    intervals : tuple of BarInterval, length T
    log_close : ndarray, shape (T, n)
        Filled as in the window of history; NaN in a longer hole.
    observed : ndarray of bool, shape (T, n)
    newest_ns : ndarray of int, shape (T, n)
        Start of the newest streamed bar up to each bar; 0 before the first.
    """

    intervals: tuple[BarInterval, ...]
    log_close: np.ndarray
    observed: np.ndarray
    newest_ns: np.ndarray


def session_matrix(state: SessionState, bars: MergedBars, intervals: Sequence[BarInterval]) -> SessionMatrix:
    """The bars of a session's symbols in `intervals`, the first ones of its session.

    Bars after the last interval take no part.
    """
    shape = (len(intervals), len(state.symbols))
    log_close, newest = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    if intervals and len(bars):
        inside = (bars.ts_ns >= intervals[0].start_ns) & (bars.ts_ns < intervals[-1].end_ns)
        used = bars.where(inside)
        at = _column_of_each(used.symbol, state.symbols)
        used, at = used.where(at >= 0), at[at >= 0]
        row = np.searchsorted([interval.end_ns for interval in intervals], used.ts_ns, side="right")
        # Sorted by symbol and time: the last streamed bar within a bar is the one that stays.
        log_close[row, at] = np.log(used.close)
        newest[row, at] = used.ts_ns
    observed = np.isfinite(log_close)
    position = np.arange(len(intervals))[:, None]
    last = np.maximum.accumulate(np.where(observed, position, -1), axis=0)
    fill = ~observed & (last >= 0) & (position - last <= state.max_fill_bars)
    row, at = np.nonzero(fill)
    log_close[row, at] = log_close[last[row, at], at]
    return SessionMatrix(tuple(intervals), log_close, observed, np.maximum.accumulate(newest, axis=0))


def _column_of_each(symbol: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Column of each row's symbol, −1 where there is none; rows are sorted by symbol."""
    starts = np.flatnonzero(np.r_[True, symbol[1:] != symbol[:-1]]) if len(symbol) else np.empty(0, dtype=np.int64)
    column = {name: j for j, name in enumerate(symbols)}
    columns = np.array([column.get(symbol[start], -1) for start in starts], dtype=np.int64)
    return np.repeat(columns, np.diff(np.r_[starts, len(symbol)]))


def split_bars(state: SessionState, matrix: SessionMatrix) -> np.ndarray:
    """Bar from which on each symbol's prices look split, shape (n,); the number of bars where they do not."""
    seen, n_bars = matrix.observed, len(matrix.intervals)
    if not n_bars:
        return np.zeros(len(state.symbols), dtype=np.int64)
    first = seen.argmax(axis=0)
    opening = np.take_along_axis(matrix.log_close, first[None, :], axis=0)[0]
    move = np.abs(opening - state.last_log_close)
    near = (np.abs(move[:, None] - np.log(COMMON_SPLIT_RATIOS)) < state.split_tolerance).any(axis=1)
    return np.where(near & seen.any(axis=0), first, n_bars)


@dataclass(frozen=True, eq=False)
class SpreadPath:
    """k spreads over T bars, arrays (T, k): s, h of the next bar, GARCH residual (NaN without a shock)."""

    spread: np.ndarray
    next_variance: np.ndarray
    residual: np.ndarray


def spread_path(state: SessionState, spreads: SpreadArrays, matrix: SessionMatrix) -> SpreadPath:
    """Spreads and their GARCH recursion from the state before the session.

    Filled bars, and the bar after one, give no shock, as in `PriceWindow.shock_excluded`.
    """
    y, x = _columns(state, spreads.y), _columns(state, spreads.x)
    s = matrix.log_close[:, y] - spreads.alpha - spreads.beta * matrix.log_close[:, x]
    seen = np.vstack([state.last_observed[None, :], matrix.observed])
    both = seen[:, y] & seen[:, x]
    before = np.vstack([spreads.last_spread[None, :], s[:-1]])
    u = (s - spreads.c - spreads.phi * before) / spreads.diurnal.T[: len(s)]
    u[~(both[1:] & both[:-1])] = np.nan
    h = spreads.variance.copy()
    following, residual = np.empty_like(s), np.empty_like(s)
    for t in range(len(s)):
        residual[t] = u[t] / np.sqrt(h)
        h = np.where(np.isnan(u[t]), h, spreads.omega + spreads.alpha1 * u[t] * u[t] + spreads.beta1 * h)
        following[t] = h
    return SpreadPath(s, following, residual)


def next_volatility(spreads: SpreadArrays, path: SpreadPath, t: int, n_bars: int) -> np.ndarray:
    """d √h of the bar after bar t, shape (k,) [ln]; `n_bars` is the length of the whole session."""
    return spreads.diurnal[:, t + 1 if t + 1 < n_bars else 0] * np.sqrt(path.next_variance[t])


def probabilities(model: ModelArrays, path: SpreadPath, t: int, n_bars: int) -> np.ndarray:
    """What a model says at the close of bar t about each of its m pairs; NaN where it has not seen enough.

    Parameters
    ----------
    path : SpreadPath
        Of the model's own spreads.
    """
    lead, length = len(model.tail_spread), model.sequence_length

    def rows(tail: np.ndarray, today: np.ndarray) -> np.ndarray:
        return np.concatenate([tail, today])[-lead:]

    today = np.arange(t + 1)
    bar_of_day = rows(model.tail_bar_of_day, today)
    following = rows(model.tail_following, np.where(today + 1 < n_bars, today + 1, 0))
    variance = rows(model.tail_next_variance, path.next_variance[: t + 1])
    features = feature_matrix(
        rows(model.tail_spread, path.spread[: t + 1]),
        mu=model.spreads.mu,
        sigma=model.spreads.sigma,
        next_volatility=model.spreads.diurnal.T[following] * np.sqrt(variance),
        residual=rows(model.tail_residual, path.residual[: t + 1]),
        bar_of_day=bar_of_day,
        bars_per_session=model.bars_per_session,
    )[-length:].astype(np.float32)
    has_features = np.isfinite(features).all(axis=(0, 2))
    scaled = np.clip((features.astype(np.float64) - model.centre) / model.scale, -CLIP, CLIP).astype(np.float32)
    added = logits_stacked(model.weights, scaled.transpose(1, 0, 2)[:, None])[:, 0]
    logit = model.intercept + model.slope * excess_of(features[-1]) + added
    return np.where(has_features, 1.0 / (1.0 + np.exp(-logit)), np.nan)


def session_signals(
    state: SessionState,
    matrix: SessionMatrix,
    *,
    first: int,
    previous: Mapping[str, Signal],
    n_bars: int,
    late: Sequence[bool],
    target_volatility: float,
    actions: Iterable[str] = (),
) -> list[list[Signal]]:
    """The signals of the bars from `first` to the last one of `matrix`.

    Parameters
    ----------
    previous : mapping of pair to Signal
        Each pair's signal of the bar before `first`; of the session before where `first` is 0.
    n_bars : int
        Bars of the whole session.
    late : sequence of bool, one for each of these bars
    target_volatility : float
        Volatility of a spread [ln] up to which it is traded in full.
    actions : iterable of str
        Symbols with a split or dividend that falls ex in this session: their pairs are skipped.

    Returns
    -------
    list of list of Signal
        One list for each bar, pairs in the order of the session state, then those that left the configuration with a
        position.
    """
    session = _Session(state, matrix, n_bars, target_volatility, frozenset(actions))
    # What was decided at the last close of the session before is not filled overnight.
    before = {pair: replace(signal, action="hold") if first == 0 else signal for pair, signal in previous.items()}
    result = []
    for t in range(first, len(matrix.intervals)):
        signals = session.at(t, before, late=late[t - first])
        before = {signal.pair: signal for signal in signals}
        result.append(signals)
    return result


_ACTIONS: dict[TradeAction, SignalAction] = {
    TradeAction.HOLD: "hold",
    TradeAction.ENTER_LONG: "enter_long",
    TradeAction.ENTER_SHORT: "enter_short",
    TradeAction.EXIT: "exit",
    TradeAction.STOP: "stop",
    TradeAction.TIME_STOP: "stop",
}


FILLED_ACTIONS = {
    "enter_long": TradeAction.ENTER_LONG,
    "enter_short": TradeAction.ENTER_SHORT,
    "exit": TradeAction.EXIT,
    "stop": TradeAction.STOP,
}
"""What a stored action does to a position when it is filled."""


def _after(signal: Signal, *, filled: bool) -> TradeState:
    """Where a pair stands after a signal whose order could be filled or not; that of a late one never is."""
    trade = TradeState(signal.position, signal.bars_held, signal.blocked)
    return (
        after_fill(trade, FILLED_ACTIONS.get(signal.action, TradeAction.HOLD)) if filled and not signal.late else trade
    )


class _Session:
    """Everything of a session that all its bars share."""

    def __init__(
        self, state: SessionState, matrix: SessionMatrix, n_bars: int, target: float, actions: frozenset[str]
    ) -> None:
        self.state, self.matrix, self.n_bars, self.target = state, matrix, n_bars, target
        self.path = spread_path(state, state.traded, matrix)
        self.models = [
            None if model is None else (model, spread_path(state, model.spreads, matrix))
            for model in (state.champion, state.challenger)
        ]
        self.y, self.x = _columns(state, state.traded.y), _columns(state, state.traded.x)
        self.threshold = np.full(len(state.pairs), np.nan)
        if state.champion is not None:
            self.threshold[state.champion.pair] = state.champion.threshold
        self.challenged = np.zeros(len(state.pairs), dtype=bool)
        if state.challenger is not None:
            self.challenged[state.challenger.pair] = True
        self.split_at = split_bars(state, matrix)
        self.actions = actions

    def _refusal(self, t: int, k: int, age: int) -> str:
        """Why a pair cannot be judged at bar t; empty where it can."""
        pair, legs = self.state.pairs[k], (self.state.traded.y[k], self.state.traded.x[k])
        if pair.reason:
            return pair.reason
        fallen = sorted(set(legs) & self.actions)
        if fallen:
            return f"corporate_action: {', '.join(fallen)} falls ex"
        split = [leg for leg, j in zip(legs, (self.y[k], self.x[k]), strict=True) if self.split_at[j] <= t]
        if split:
            return f"split_like_jump: {', '.join(split)}"
        if age > self.state.trading.max_stale_bars:
            return f"stale: {age} bars since both legs had one"
        return "" if math.isfinite(self.path.spread[t, k]) else "gap: a leg has no price"

    def _ages(self, t: int) -> np.ndarray:
        """Bars since both legs had one, shape (k,)."""
        seen = self.matrix.observed[: t + 1]
        since = np.where(seen.any(axis=0), seen[::-1].argmax(axis=0), t + 1 + self.state.bars_since)
        return np.maximum(since[self.y], since[self.x])

    def _trade_state(self, previous: Signal | None, t: int, k: int) -> TradeState:
        """Where a pair stands once the signal before has been filled, if it could be; its legs as they are now."""
        if previous is None:
            return TradeState()
        trade = _after(previous, filled=bool(self.matrix.observed[t, self.y[k]] and self.matrix.observed[t, self.x[k]]))
        return replace(trade, position=-trade.position) if previous.y != self.state.traded.y[k] else trade

    def _asked(self, model: tuple[ModelArrays, SpreadPath] | None, t: int) -> np.ndarray:
        """A model's probabilities at the place of each pair of the session state; NaN where it is not asked."""
        answer = np.full(len(self.state.pairs), np.nan)
        if model is not None:
            answer[model[0].pair] = probabilities(*model, t, self.n_bars)
        return answer

    def _confidence(self, spread: float, k: int, champion: float, volatility: float) -> float:
        traded = self.state.traded
        if not math.isfinite(champion):
            move = float(traded.c[k]) + (float(traded.phi[k]) - 1.0) * spread
            towards = -math.copysign(move, move * (spread - float(traded.mu[k])))
            champion = 0.5 * (1.0 + math.erf(towards / volatility / math.sqrt(2.0)))
        return 2.0 * max(0.0, champion - 0.5)

    def _leaving(self, before: Mapping[str, Signal], t: int, *, late: bool) -> list[Signal]:
        """An exit for every open position whose pair is not in the configuration any more, until it is filled.

        Bars of its legs are not looked at: what was decided in time is taken for filled.
        """
        configured = {pair.pair for pair in self.state.pairs}
        open_trades = [
            (signal, _after(signal, filled=True)) for signal in before.values() if signal.pair not in configured
        ]
        unknown = dict.fromkeys(
            ("spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence"),
            math.nan,
        )
        return [
            replace(
                signal,
                **unknown,  # type: ignore[arg-type]
                role="closing",
                start_ns=self.matrix.intervals[t].start_ns,
                action="exit",
                reason="left_configuration",
                champion_version=None,
                challenger_version=None,
                size=0.0,
                position=trade.position,
                bars_held=trade.bars_held + 1,
                blocked=trade.blocked,
                late=late,
                data_ns=0,
            )
            for signal, trade in open_trades
            if trade.position != 0
        ]

    def at(self, t: int, before: Mapping[str, Signal], *, late: bool) -> list[Signal]:
        """Every pair's signal at the close of bar t."""
        traded = self.state.traded
        ages = self._ages(t)
        volatilities = next_volatility(traded, self.path, t, self.n_bars)
        bands = stop_band(1.0, self.path.next_variance[t], 1.0) * traded.sigma / np.sqrt(traded.reference_variance)
        champion, challenger = (self._asked(model, t) for model in self.models)
        versions = [None if model is None else model.version for model in (self.state.champion, self.state.challenger)]
        signals = []
        for k, pair in enumerate(self.state.pairs):
            reason = self._refusal(t, k, int(ages[k]))
            spread = math.nan if reason else float(self.path.spread[t, k])
            volatility = float(volatilities[k])
            modelled = pair.model_reason == ""
            action, trade = at_close(
                self._trade_state(before.get(pair.pair), t, k),
                spread=spread,
                mu=float(traded.mu[k]),
                sigma=float(traded.sigma[k]),
                band=float(bands[k]),
                max_hold=float(traded.max_hold[k]),
                settings=self.state.trading,
                may_enter=not modelled or bool(champion[k] >= self.threshold[k]),
            )
            signals.append(
                Signal(
                    pair=pair.pair,
                    role=pair.role,
                    start_ns=self.matrix.intervals[t].start_ns,
                    action="skip" if reason else _ACTIONS[action],
                    reason=reason or ("time_stop" if action is TradeAction.TIME_STOP else ""),
                    y=traded.y[k],
                    x=traded.x[k],
                    beta=float(traded.beta[k]),
                    spread=spread,
                    z=(spread - float(traded.mu[k])) / float(traded.sigma[k]),
                    band=math.nan if reason else float(bands[k]),
                    volatility=math.nan if reason else volatility,
                    probability_champion=math.nan if reason else float(champion[k]),
                    probability_challenger=math.nan if reason else float(challenger[k]),
                    champion_version=versions[0] if modelled else None,
                    challenger_version=versions[1] if self.challenged[k] else None,
                    confidence=math.nan if reason else self._confidence(spread, k, float(champion[k]), volatility),
                    size=0.0 if reason else pair.size * min(1.0, self.target / volatility),
                    position=trade.position,
                    bars_held=trade.bars_held,
                    blocked=trade.blocked,
                    late=late,
                    data_ns=0
                    if pair.reason
                    else int(min(self.matrix.newest_ns[t, self.y[k]], self.matrix.newest_ns[t, self.x[k]])),
                )
            )
        return signals + self._leaving(before, t, late=late)


def _columns(state: SessionState, legs: Sequence[str]) -> np.ndarray:
    """Column of each leg in the matrix, shape (k,); 0 for a leg that is not there, whose pair has a reason."""
    at = {symbol: j for j, symbol in enumerate(state.symbols)}
    return np.array([at.get(leg, 0) for leg in legs], dtype=np.int64)
