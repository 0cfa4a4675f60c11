"""Judging the bars of a source: which rows are accepted, which are quarantined, and why.

What does not belong here: fetching (`adapters`), the contract of what is stored (`contracts`), what is remarkable about
accepted bars (`flags`), repairing prices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import sorted_bars
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import (
    CALENDAR_END,
    CALENDAR_START,
    require_session,
    session_open,
    session_positions,
    session_table,
)
from pairs_platform.core.prices.contracts import OHLC_TOLERANCE, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.prices.flags import (
    disorder_flags,
    flags_frame,
    gap_flags,
    jump_flags,
    repetition_flags,
    spike_flags,
    stale_flags,
    zero_volume_flags,
)
from pairs_platform.core.prices.numbers import numbers
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.spikes import spike_factors
from pairs_platform.core.time import MARKET_TIMEZONE, stamps_ns

_PRICES = ("open", "high", "low", "close")
_NUMBERS = (*_PRICES, "volume")
_PLACEHOLDER_PRICE = 999_999.0
"""US dollars; no share has traded here, and files write it, or more, where they have no price."""
_LARGEST_VOLUME = 2.0**53
"""Shares; sums of whole ones are exact up to here, and no bar comes near it."""

_Reasons = list[tuple[np.ndarray, str]]
"""Rows to which a reason for quarantine applies, and the reason."""


@dataclass(frozen=True, eq=False)
class ValidatedBars:
    """The outcome of `validate_bars`.

    Attributes
    ----------
    accepted : DataFrame with BAR_COLUMNS, sorted by symbol and time
        Satisfies PRICE_HISTORY.
    quarantined : DataFrame
        Satisfies PRICE_QUARANTINE: the rows as given, and the reasons.
    flags : DataFrame
        Satisfies PRICE_FLAGS: symbol, session, kind, detail, remedy.
    missing_symbols : tuple of str
        Expected symbols without an accepted bar.
    symbols : tuple of str
        Expected symbols, sorted.
    sessions : tuple of date
        Expected sessions, ascending.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    flags: pd.DataFrame
    missing_symbols: tuple[str, ...]
    symbols: tuple[str, ...]
    sessions: tuple[date, ...]

    def counts(self) -> dict[str, int]:
        """Rows accepted and quarantined, symbols missing, flags by kind: what a check reports."""
        kinds = self.flags["kind"].value_counts().sort_index()
        return {
            "accepted": len(self.accepted),
            "quarantined": len(self.quarantined),
            "missing_symbols": len(self.missing_symbols),
            **{f"flag_{kind}": int(count) for kind, count in kinds.items()},
        }

    def by_session(self) -> dict[date, "ValidatedBars"]:
        """The outcome of each expected session by itself, for storing one partition per session.

        A quarantined row goes to the newest expected session that had opened at its time, and to the first session
        where there is none or its time is unknown: no row is lost.
        """
        opens = pd.DatetimeIndex([session_open(session) for session in self.sessions]).as_unit("ns").asi8
        of_accepted = np.searchsorted(opens, stamps_ns(self.accepted["ts_utc"]), side="right") - 1
        given = self.quarantined["ts_utc"]
        of_quarantined = np.maximum(np.searchsorted(opens, stamps_ns(given), side="right") - 1, 0)
        of_quarantined[given.isna().to_numpy()] = 0
        flagged = self.flags["session"].to_numpy()
        result = {}
        for i, session in enumerate(self.sessions):
            accepted = self.accepted[of_accepted == i].reset_index(drop=True)
            result[session] = ValidatedBars(
                accepted=accepted,
                quarantined=self.quarantined[of_quarantined == i].reset_index(drop=True),
                flags=self.flags[flagged == np.datetime64(session)].reset_index(drop=True),
                missing_symbols=_missing(self.symbols, accepted),
                symbols=self.symbols,
                sessions=(session,),
            )
        return result


def validate_bars(
    bars: pd.DataFrame,
    *,
    symbols: Sequence[str],
    sessions: Sequence[date],
    frequency: Frequency,
    settings: ValidationSettings,
    previous_close: Mapping[str, float] | None = None,
    actions: pd.DataFrame | None = None,
    basis: PriceBasis = PriceBasis.RAW,
) -> ValidatedBars:
    """Separate the bars that may be stored from those that may not, and flag what a person should look at.

    Parameters
    ----------
    bars : DataFrame with at least BAR_COLUMNS
        As a source delivered it: any order, any types.
    symbols, sessions
        What was asked for, in any order.
    frequency : Frequency
        Of `bars`.
    settings : ValidationSettings
    previous_close : mapping of symbol to US dollars per share, optional
        The stored close before the first session, on `basis`.
    actions : DataFrame with ACTION_COLUMNS, optional
        Corporate actions that may explain a jump.
    basis : PriceBasis
        Of `bars`. On a split-adjusted basis a known split explains no jump: earlier prices were not adjusted for it.

    Returns
    -------
    ValidatedBars
        Each given row is accepted, quarantined (with every reason that holds), or dropped and counted in a flag
        because it repeats an accepted one exactly. Rows that contradict each other are all quarantined, and bars that
        stand out by `slip_factor` among normal ones. Zero volume is accepted and flagged.

    Raises
    ------
    DataError
        A column is missing.
    NotFound
        `sessions` holds a day without trading.
    """
    expected = tuple(sorted(set(symbols)))
    days = tuple(sorted(require_session(session) for session in set(sessions)))
    judged = judge_rows(bars, symbols=expected, sessions=days, frequency=frequency)
    given, reasons, wrong = judged.given, list(judged.reasons), judged.wrong
    repeated, contradictory = _repetitions(given, ~wrong)
    reasons.append((contradictory, "contradicts another row of the same symbol and time"))
    wrong = wrong | contradictory
    usable = given[~wrong & ~repeated]
    factors = spike_factors(usable, factor=settings.spike_factor, previous_close=previous_close or {})
    is_slip, slips = factors >= settings.slip_factor, np.zeros(len(given), dtype=bool)
    slips[usable.index[is_slip]] = True
    reasons.append((slips, f"a price is {settings.slip_factor:g} times or more away from those around, which return"))
    wrong, usable = wrong | slips, usable[~is_slip]
    accepted = PRICE_HISTORY.empty() if usable.empty else sorted_bars(usable)
    flags = repetition_flags(given[repeated]) + disorder_flags(usable)
    flags += spike_flags(usable, factors[~is_slip])
    if len(accepted):
        flags += zero_volume_flags(accepted)
        flags += stale_flags(accepted, max_identical_bars=settings.max_identical_bars)
        flags += gap_flags(accepted, sessions=days, frequency=frequency)
        flags += jump_flags(
            accepted,
            sessions=days,
            tolerance=settings.split_tolerance,
            slip_factor=settings.slip_factor,
            previous_close=previous_close or {},
            actions=actions,
            basis=basis,
        )
    return ValidatedBars(
        accepted=accepted,
        quarantined=_quarantined(given, wrong, reasons),
        flags=flags_frame(flags),
        missing_symbols=_missing(expected, accepted),
        symbols=expected,
        sessions=days,
    )


@dataclass(frozen=True, eq=False)
class JudgedRows:
    """Each of n rows by itself; whether rows contradict each other is not judged.

    Attributes
    ----------
    given : DataFrame with BAR_COLUMNS, shape (n, 7)
        In the order of the source; null where a value is not of the column's kind.
    wrong : ndarray of bool, shape (n,)
        Rows that may not be stored.
    reasons : sequence of (ndarray of bool, str)
        Rows to which a reason applies, and the reason.
    """

    given: pd.DataFrame
    wrong: np.ndarray
    reasons: Sequence[tuple[np.ndarray, str]]

    def quarantined(self) -> pd.DataFrame:
        """The wrong rows with every reason that holds; satisfies PRICE_QUARANTINE."""
        return _quarantined(self.given, self.wrong, list(self.reasons))


def judge_rows(
    bars: pd.DataFrame, *, symbols: Sequence[str], sessions: Sequence[date] | None, frequency: Frequency
) -> JudgedRows:
    """Judge every row by itself: types, symbol, time and values.

    Parameters
    ----------
    bars : DataFrame with at least BAR_COLUMNS
        As a source delivered it: any order, any types.
    symbols
        What was asked for.
    sessions
        What was asked for; None allows every session of the exchange.
    frequency : Frequency
        Of `bars`.

    Raises
    ------
    DataError
        A column is missing.
    """
    absent = [name for name in BAR_COLUMNS if name not in bars.columns]
    if absent:
        has = ", ".join(map(str, bars.columns)) or "none"
        raise DataError(f"bars lack the columns {', '.join(absent)}; the columns are: {has}")
    given, reasons = _typed(bars)
    reasons += _place_reasons(given, symbols, sessions, frequency) + _value_reasons(given)
    wrong = np.zeros(len(given), dtype=bool)
    for where, _ in reasons:
        wrong |= where
    return JudgedRows(given, wrong, reasons)


def _missing(symbols: tuple[str, ...], accepted: pd.DataFrame) -> tuple[str, ...]:
    present = set(accepted["symbol"].unique())
    return tuple(symbol for symbol in symbols if symbol not in present)


def _typed(bars: pd.DataFrame) -> tuple[pd.DataFrame, _Reasons]:
    """The columns in their types, null where a value is of another kind, and the rows where one is."""
    bars = bars.reset_index(drop=True)
    codes, names = pd.factorize(bars["symbol"])
    is_text = np.append([isinstance(name, str) and bool(name) for name in names], False).astype(bool)[codes]
    stamps, has_zone = _stamps(bars["ts_utc"])
    reasons: _Reasons = [
        (~is_text, "symbol is not a text"),
        (stamps.isna().to_numpy() & has_zone, "ts_utc is not a time"),
        (~has_zone, "ts_utc has no time zone"),
    ]
    given = pd.DataFrame({"symbol": bars["symbol"].astype(object).where(is_text, None), "ts_utc": stamps})
    for name in _NUMBERS:
        given[name] = _numeric(bars[name])
        reasons.append((~np.isfinite(given[name].to_numpy()), f"{name} is not a number"))
    return given, reasons


def _numeric(column: pd.Series) -> np.ndarray:
    is_plain = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    return column.to_numpy(dtype=np.float64, na_value=np.nan) if is_plain else numbers(column.tolist())


def _stamps(column: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """UTC stamps, NaT where there is none, and whether each value names its time zone (True where it is no time)."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.as_unit("ns"), np.ones(len(column), dtype=bool)
    parsed = [_stamp(value) for value in column]
    stamps = pd.Series(pd.DatetimeIndex([stamp for stamp, _ in parsed], dtype="datetime64[ns, UTC]"))
    return stamps, np.array([zoned for _, zoned in parsed], dtype=bool)


def _stamp(value: object) -> tuple[pd.Timestamp, bool]:
    nothing = pd.Timestamp("NaT")
    if isinstance(value, (int, float)):
        return nothing, True
    try:
        stamp = pd.Timestamp(value)  # type: ignore[arg-type]
        return (nothing, stamp is pd.NaT) if stamp.tzinfo is None else (stamp.tz_convert("UTC").as_unit("ns"), True)
    except (ValueError, TypeError, OverflowError):
        return nothing, True


def _place_reasons(
    given: pd.DataFrame, symbols: Sequence[str], sessions: Sequence[date] | None, frequency: Frequency
) -> _Reasons:
    """Rows of another symbol or session, outside trading hours, or between two bar starts."""
    stray = given["symbol"].notna().to_numpy() & ~given["symbol"].isin(symbols).to_numpy()
    has_stamp = given["ts_utc"].notna().to_numpy()
    ts_ns = stamps_ns(given["ts_utc"])
    position = np.where(has_stamp, session_positions(ts_ns), -1)
    inside = position >= 0
    local = given["ts_utc"].dt.tz_convert(MARKET_TIMEZONE).dt.tz_localize(None)
    day = local.to_numpy().astype("datetime64[D]")
    trades = np.isin(day, session_table().day)
    early, late = day < np.datetime64(CALENDAR_START), day > np.datetime64(CALENDAR_END)
    asked = trades if sessions is None else np.isin(day, np.array(sessions, dtype="datetime64[D]"))
    since_open = np.where(inside, ts_ns - session_table().open_ns[position], 0)
    step_ns = frequency.length_ns
    off_grid = since_open != 0 if frequency is Frequency.ONE_DAY else since_open % step_ns != 0
    return [
        (stray, "symbol was not asked for"),
        (has_stamp & early, f"before {CALENDAR_START}, where the calendar begins"),
        (has_stamp & late, f"after {CALENDAR_END}, where the calendar ends"),
        (has_stamp & ~trades & ~early & ~late, "not a session of the exchange"),
        (has_stamp & trades & ~inside, "outside the regular session"),
        (inside & ~asked, "session was not asked for"),
        (off_grid, f"not at the start of a {frequency.value} bar"),
    ]


def _value_reasons(given: pd.DataFrame) -> _Reasons:
    """Rows with impossible numbers; a NaN compares as False and has its own reason already."""
    opened, high, low, close, volume = (given[name].to_numpy() for name in _NUMBERS)
    reasons: _Reasons = [(given[name].to_numpy() <= 0.0, f"{name} is not positive") for name in _PRICES]
    for name in _PRICES:
        price = given[name].to_numpy()
        reasons.append((np.isfinite(price) & (price >= _PLACEHOLDER_PRICE), f"{name} is implausibly large"))
    return [
        *reasons,
        (high * (1 + OHLC_TOLERANCE) < np.maximum(opened, close), "high is below open or close"),
        (low * (1 - OHLC_TOLERANCE) > np.minimum(opened, close), "low is above open or close"),
        (low * (1 - OHLC_TOLERANCE) > high, "low is above high"),
        (volume < 0.0, "volume is negative"),
        (np.isfinite(volume) & (volume > _LARGEST_VOLUME), "volume is implausibly large"),
    ]


def _repetitions(given: pd.DataFrame, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Usable rows that repeat an earlier one exactly, and usable rows of a symbol and time with different values."""
    repeated, contradictory = np.zeros(len(given), dtype=bool), np.zeros(len(given), dtype=bool)
    place = ["symbol", "ts_utc"]
    rows = given[usable]
    rows = rows[rows.duplicated(place, keep=False)]
    if len(rows):
        again = rows.duplicated(list(BAR_COLUMNS)).to_numpy()
        versions = rows[~again]
        contested = pd.MultiIndex.from_frame(versions.loc[versions.duplicated(place), place])
        is_contested = pd.MultiIndex.from_frame(rows[place]).isin(contested)
        contradictory[rows.index[is_contested]] = True
        repeated[rows.index[again & ~is_contested]] = True
    return repeated, contradictory


def _quarantined(given: pd.DataFrame, wrong: np.ndarray, reasons: _Reasons) -> pd.DataFrame:
    if not wrong.any():
        return PRICE_QUARANTINE.empty()
    texts: list[list[str]] = [[] for _ in range(int(wrong.sum()))]
    for where, reason in reasons:
        for i in np.flatnonzero(where[wrong]):
            texts[i].append(reason)
    rows = given[wrong].assign(reason=["; ".join(text) for text in texts])
    return rows.sort_values(["symbol", "ts_utc"], kind="stable", na_position="first").reset_index(drop=True)
