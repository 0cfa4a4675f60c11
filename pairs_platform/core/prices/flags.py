"""Flags: what is remarkable about accepted bars, in words, with the remedy.

What does not belong here: refusing rows (`validation`) and changing prices (`adjustment`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT
from pairs_platform.core.prices.bars import ACTION_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_positions, session_table
from pairs_platform.core.prices.contracts import PRICE_FLAGS
from pairs_platform.core.prices.settings import COMMON_SPLIT_RATIOS
from pairs_platform.core.time import stamps_ns

_FETCH_AGAIN = "materialize price_history of this session again"
_FETCH_LOOKBACK = "materialize price_history again over the whole lookback"


@dataclass(frozen=True)
class Flag:
    """One remarkable thing about a symbol's session; kinds are listed in `contracts.FLAG_KINDS`."""

    symbol: str
    session: date
    kind: str
    detail: str
    remedy: str


def flags_frame(flags: Iterable[Flag]) -> pd.DataFrame:
    """A frame that satisfies PRICE_FLAGS, sorted by session, symbol and kind."""
    frame = pd.DataFrame([vars(flag) for flag in flags])
    if frame.empty:
        return PRICE_FLAGS.empty()
    frame["session"] = frame["session"].astype("datetime64[ns]")
    return frame.sort_values(["session", "symbol", "kind"], kind="stable").reset_index(drop=True)


def repetition_flags(repeated: pd.DataFrame) -> list[Flag]:
    """One flag per symbol and session of rows that were dropped because they repeat another one exactly."""
    return [
        Flag(
            symbol, session, "identical_duplicates", f"{_count(n, 'row')} dropped, equal to another one", "none needed"
        )
        for symbol, session, n in _per_session(repeated)
    ]


def disorder_flags(rows: pd.DataFrame) -> list[Flag]:
    """One flag per symbol whose rows, as given, go back in time; at the first session concerned."""
    codes, names = pd.factorize(rows["symbol"])
    order = np.argsort(codes, kind="stable")
    ts_ns = stamps_ns(rows["ts_utc"])[order]
    back = np.flatnonzero((np.diff(codes[order]) == 0) & (np.diff(ts_ns) < 0)) + 1
    concerned = pd.DataFrame({"symbol": names[codes[order[back]]], "session": _sessions(ts_ns[back])})
    return [
        Flag(
            str(symbol),
            mine["session"].min(),
            "out_of_order",
            f"{_count(len(mine), 'row')} older than the one before; sorted",
            "none needed",
        )
        for symbol, mine in concerned.groupby("symbol")
    ]


def zero_volume_flags(bars: pd.DataFrame) -> list[Flag]:
    """One flag per symbol and session with bars of no volume."""
    return [
        Flag(
            symbol,
            session,
            "zero_volume",
            f"{_count(n, 'bar')} without volume",
            "none needed: prices are used as given",
        )
        for symbol, session, n in _per_session(bars[bars["volume"] == 0])
    ]


def stale_flags(bars: pd.DataFrame, *, max_identical_bars: int) -> list[Flag]:
    """One flag per symbol and session in which a run of equal bars, longer than `max_identical_bars`, begins.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, sorted by symbol and time
    """
    prices = bars[["open", "high", "low", "close"]].to_numpy()
    symbol = bars["symbol"].to_numpy()
    begins = np.ones(len(bars), dtype=bool)
    begins[1:] = (symbol[1:] != symbol[:-1]) | (prices[1:] != prices[:-1]).any(axis=1)
    first = np.flatnonzero(begins)
    length = np.diff(np.append(first, len(bars)))
    long = length > max_identical_bars
    sessions = _sessions(stamps_ns(bars["ts_utc"])[first[long]])
    runs = pd.DataFrame({"symbol": symbol[first[long]], "session": sessions, "length": length[long]})
    return [
        Flag(
            str(name),
            session,
            "stale_repeats",
            f"{longest} bars in a row with equal open, high, low and close",
            f"check the source for an outage and the symbol for a halt, then {_FETCH_AGAIN}",
        )
        for name, session, longest in _rows(runs.groupby(["symbol", "session"])["length"].max().reset_index())
    ]


def spike_flags(bars: pd.DataFrame, factors: np.ndarray) -> list[Flag]:
    """One flag per symbol and session with bars that stand out from those around them.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, shape (n, 7)
    factors : ndarray, shape (n,)
        As `spikes.spike_factors`.
    """
    sessions = _sessions(stamps_ns(bars["ts_utc"]))
    places = pd.DataFrame({"symbol": bars["symbol"].to_numpy(), "session": sessions, "factor": factors})
    found = places[factors > 1.0].groupby(["symbol", "session"])["factor"].agg(["size", "max"]).reset_index()
    return [
        Flag(
            str(symbol),
            session,
            "spike",
            f"{_count(n, 'bar')} away by up to {factor:.3g} times from the prices around, which return",
            f"compare the bars with another source; if they are wrong, correct them there, then {_FETCH_AGAIN}",
        )
        for symbol, session, n, factor in _rows(found)
    ]


def gap_flags(bars: pd.DataFrame, *, sessions: Sequence[date], frequency: Frequency) -> list[Flag]:
    """One flag per symbol and session that lacks bars of the calendar's grid.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, all of them on the grid of `sessions`
    sessions : sequence of date, ascending
    """
    days = np.array(sessions, dtype="datetime64[D]")
    full = np.bincount(np.searchsorted(days, bar_grid(list(sessions), frequency).session))
    codes, names = pd.factorize(bars["symbol"], sort=True)
    present = np.zeros((len(names), len(days)), dtype=np.int64)
    np.add.at(present, (codes, np.searchsorted(days, _sessions(stamps_ns(bars["ts_utc"])))), 1)
    flags = []
    for i, j in np.argwhere(present < full):
        kind = "missing_bars" if present[i, j] else "missing_session"
        detail = f"{full[j] - present[i, j]} of {_count(full[j], 'bar')} missing"
        flags.append(
            Flag(str(names[i]), sessions[j], kind, detail, f"{_FETCH_AGAIN}; a bar without a trade stays absent")
        )
    return flags


def jump_flags(
    bars: pd.DataFrame,
    *,
    sessions: Sequence[date],
    tolerance: float,
    slip_factor: float,
    previous_close: Mapping[str, float],
    actions: pd.DataFrame | None,
    basis: PriceBasis,
) -> list[Flag]:
    """Overnight moves that look like a split nobody reported or are too large to be one, and reported splits that the
    prices do not show.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, sorted by symbol and time
    sessions : sequence of date, ascending
        The first one's open is compared with `previous_close`.
    tolerance : float
        Distance from a common split ratio, in log terms.
    slip_factor : float
        From how many times the close before, or what part of it, on an unexplained open is too much.
    previous_close : mapping of symbol to US dollars per share
    actions : DataFrame with ACTION_COLUMNS, or None
        Those that `basis` does not contain explain a move of their size.
    basis : PriceBasis
    """
    steps = _overnight_steps(bars, sessions, previous_close)
    expected, split_due = _expected_moves(steps, actions, basis)
    move = np.log(steps["open"].to_numpy() / steps["previous_close"].to_numpy())
    unexplained = np.abs(move - expected)
    near = np.abs(unexplained[:, None] - np.log(COMMON_SPLIT_RATIOS)) <= tolerance
    leaps = ~near.any(axis=1) & (unexplained >= np.log(slip_factor))
    flags = []
    for i in np.flatnonzero(near.any(axis=1) | leaps):
        step = steps.iloc[i]
        ratio = COMMON_SPLIT_RATIOS[int(np.argmax(near[i]))]
        detail = f"open {step['open']:g} after a close of {step['previous_close']:g}"
        if split_due[i] and basis is PriceBasis.RAW:
            kind, detail = "split_without_jump", f"{detail}, although a split was reported"
            remedy = f"compare the source's price basis and the ex-date, then {_FETCH_LOOKBACK}"
        elif split_due[i]:
            kind, detail = "split_like_jump", f"{detail}: earlier prices are on the basis before the split"
            remedy = _FETCH_LOOKBACK
        elif leaps[i]:
            kind, detail = "split_like_jump", f"{detail}: {np.exp(unexplained[i]):.4g} to 1, and no action is known"
            remedy = f"compare the price with another source; if it is wrong, correct it there, then {_FETCH_AGAIN}"
        else:
            kind, detail = "split_like_jump", f"{detail}, about {ratio:g} to 1, and no split is known"
            remedy = f"if the company did split its shares, {_FETCH_LOOKBACK}; otherwise the move is real"
        flags.append(Flag(step["symbol"], session_table().day[step["at"]].item(), kind, detail, remedy))
    return flags


def _overnight_steps(bars: pd.DataFrame, sessions: Sequence[date], previous_close: Mapping[str, float]) -> pd.DataFrame:
    """First bar of each symbol's session beside the close before it; `before`, `at`: positions of the sessions."""
    symbol = bars["symbol"].to_numpy()
    position = session_positions(stamps_ns(bars["ts_utc"]))
    new_symbol = np.ones(len(bars), dtype=bool)
    new_symbol[1:] = symbol[1:] != symbol[:-1]
    new_session = new_symbol.copy()
    new_session[1:] |= np.diff(position) != 0
    first = np.flatnonzero(new_session)
    is_start = new_symbol[first]
    stored = np.array([previous_close.get(name, np.nan) for name in symbol[first[is_start]]], dtype=np.float64)
    close = bars["close"].to_numpy()[first - 1]
    close[is_start] = np.where(stored > 0.0, stored, np.nan)
    before = position[first - 1]
    before[is_start] = np.searchsorted(session_table().day, np.datetime64(sessions[0])) - 1
    return pd.DataFrame(
        {
            "symbol": symbol[first],
            "before": before,
            "at": position[first],
            "previous_close": close,
            "open": bars["open"].to_numpy()[first],
        }
    )


def _expected_moves(
    steps: pd.DataFrame, actions: pd.DataFrame | None, basis: PriceBasis
) -> tuple[np.ndarray, np.ndarray]:
    """Log move that known actions make each step take, and whether a split falls into it."""
    expected, split_due = np.zeros(len(steps)), np.zeros(len(steps), dtype=bool)
    if actions is None:
        return expected, split_due
    symbol, before, at = (steps[name].to_numpy() for name in ("symbol", "before", "at"))
    previous_close = steps["previous_close"].to_numpy()
    for name, ex_date, kind, value in _rows(actions[list(ACTION_COLUMNS[:4])].drop_duplicates()):
        ex = int(np.searchsorted(session_table().day, np.datetime64(ex_date, "D")))
        hit = (symbol == name) & (before < ex) & (ex <= at)
        if kind == SPLIT:
            split_due |= hit
            if basis is PriceBasis.RAW:
                expected[hit] -= np.log(value)
        elif kind == DIVIDEND and basis is not PriceBasis.FULLY_ADJUSTED:
            hit &= previous_close > value
            expected[hit] += np.log1p(-value / previous_close[hit])
    return expected, split_due


def _per_session(bars: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Symbol, session and number of rows."""
    sessions = _sessions(stamps_ns(bars["ts_utc"]))
    places = pd.DataFrame({"symbol": bars["symbol"].to_numpy(), "session": sessions})
    return _rows(places.groupby(["symbol", "session"], as_index=False).size())


def _rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame.itertuples(index=False, name=None))


def _sessions(ts_ns: np.ndarray) -> np.ndarray:
    """Session of each stamp as a date object; every stamp lies in regular hours."""
    return session_table().day[session_positions(ts_ns)].astype(object)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
