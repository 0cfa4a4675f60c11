"""Predicates of the checks on streamed bars and signals.

What does not belong here: reading what they compare.
"""

import numpy as np
import pandas as pd

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.signals.engine import FILLED_ACTIONS
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.core.trading.rule import TradeAction

PRICE_TOLERANCE = 1e-6
"""Relative difference of two prices that counts as none."""

CLOCK_TOLERANCE = pd.Timedelta(seconds=5)
"""By how much the clocks of collector and run may differ."""

SIGNAL_TOLERANCE = 1e-9
"""Largest difference between a stored signal and the batch path."""

STREAM_STATUS = "stream status"
"""Words of the command that shows the collector's health."""


def check_decided_after_data(signals: pd.DataFrame, length: pd.Timedelta) -> CheckResult:
    """No signal rests on a bar that starts at or after the end of its own, or was decided before that end.

    Clocks may differ by `CLOCK_TOLERANCE`. A fast replay publishes its clock behind its bars: there the start counts.
    """
    if signals.empty:
        return CheckResult(passed=True, summary="the session has no signals", figures={"signals": 0, "ahead": 0})
    end = signals["bar_utc"] + length
    earliest = (end - CLOCK_TOLERANCE).where(signals["run_mode"] == "live", signals["bar_utc"])
    ahead = (signals["data_utc"].notna() & (signals["data_utc"] >= end)) | (signals["decided_market_utc"] < earliest)
    summary = f"{int(ahead.sum())} of {len(signals)} signals know bars after their own"
    return CheckResult(
        passed=not ahead.any(), summary=summary, figures={"signals": len(signals), "ahead": int(ahead.sum())}
    )


def check_signals_in_time(signals: pd.DataFrame, *, max_late_share: float, max_skipped_share: float) -> CheckResult:
    """Most bars were decided in time, and most traded pairs could be judged."""
    late_bars = signals.groupby("bar_utc")["late"].any()
    traded = signals[signals["role"] == "selected"]
    skipped = float((traded["action"] == "skip").mean()) if len(traded) else 0.0
    late = float(late_bars.mean()) if len(late_bars) else 0.0
    passed = late <= max_late_share and skipped <= max_skipped_share
    reasons = traded.loc[traded["action"] == "skip", "reason"].str.split(":").str[0].value_counts()
    by_reason = ", ".join(f"{reason} {n}" for reason, n in reasons.items())
    summary = f"{late:.0%} of {len(late_bars)} bars late, {skipped:.0%} of signals of selected pairs skipped"
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary} ({by_reason}); look at the daemon's load and at the collector",
        figures={"late_share": late, "skipped_share": skipped},
        see="" if passed else STREAM_STATUS,
    )


def compare_bars(streamed: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Bars of the same length from the stream and from the vendor that are missing on one side or differ.

    Parameters
    ----------
    streamed, history : DataFrame with BAR_COLUMNS

    Returns
    -------
    DataFrame
        symbol, ts_utc, kind ("not_streamed", "not_in_history", "close_differs"), close_streamed, close_history.
    """
    columns = ["symbol", "ts_utc", "close"]
    both = streamed[columns].merge(
        history[columns], on=["symbol", "ts_utc"], how="outer", suffixes=("_streamed", "_history"), indicator="side"
    )
    differs = (both["close_streamed"] / both["close_history"] - 1.0).abs() > PRICE_TOLERANCE
    kind = np.select(
        [both["side"] == "right_only", both["side"] == "left_only", differs],
        ["not_streamed", "not_in_history", "close_differs"],
        "",
    )
    compared = both.assign(kind=kind).drop(columns="side")
    return compared[compared["kind"] != ""].reset_index(drop=True)


def check_bars_match(differences: pd.DataFrame, n_bars: int, *, max_share: float) -> CheckResult:
    """Streamed bars are those that the vendor's history has for the time that was streamed."""
    share = len(differences) / n_bars if n_bars else 0.0
    kinds = {str(kind): int(n) for kind, n in differences["kind"].value_counts().items()}
    by_kind = ", ".join(f"{kind} {n}" for kind, n in kinds.items()) or "none"
    summary = f"{len(differences)} of {n_bars} bars differ between history and stream, while there was one: {by_kind}"
    passed, first = share <= max_share, _first(differences["symbol"], differences["ts_utc"])
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary}; {first}; look for gaps and reconnects of the collector",
        figures={"share": share, **kinds},
        see="" if passed else STREAM_STATUS,
    )


def check_session_streamed(
    n_bars: int,
    n_session: int,
    *,
    first_utc: pd.Timestamp,
    end_utc: pd.Timestamp,
    run_mode: str,
    min_share: float,
) -> CheckResult:
    """A live session was streamed from its beginning to its end; a replay plays as much of one as it is asked to.

    Parameters
    ----------
    n_bars, n_session : int
        Bars of the vendor's history while the session was streamed, and in all of it.
    first_utc, end_utc : Timestamp
        From when to when it was streamed.
    min_share : float
        Smallest `n_bars` / `n_session` of a live session that passes.
    """
    share = n_bars / n_session if n_session else 1.0
    begin, end = (moment.tz_convert(MARKET_TIMEZONE) for moment in (first_utc, end_utc))
    kind = "replayed" if run_mode == "replay" else "streamed"
    summary = f"{kind} from {begin:%H:%M} to {end:%H:%M} New York, {share:.0%} of the session's bars"
    passed = run_mode == "replay" or share >= min_share
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary}; outside of it no signal was made",
        figures={"streamed_share": share},
        see="" if passed else STREAM_STATUS,
    )


def compare_signals(stored: pd.DataFrame, batch: pd.DataFrame) -> pd.DataFrame:
    """Stored signals that differ from the batch path, of the pairs and bars that both have and that were judged.

    Actions and positions are compared for pairs without a late bar, whose orders the batch path would have filled.
    """
    punctual = ~stored.groupby("pair")["late"].transform("any")
    kept = stored.assign(punctual=punctual)[stored["action"] != "skip"]
    both = kept.merge(batch, on=["pair", "bar_utc"], suffixes=("", "_batch"))
    numbers = ("spread", "z", "band", "probability_champion", "probability_challenger")
    differs = np.zeros(len(both), dtype=bool)
    for name in numbers:
        ours, theirs = (both[column].to_numpy(dtype=float) for column in (name, f"{name}_batch"))
        differs |= ~(np.isclose(ours, theirs, rtol=0.0, atol=SIGNAL_TOLERANCE) | (np.isnan(ours) & np.isnan(theirs)))
    asked = both["action_batch"].map({int(action): name for name, action in FILLED_ACTIONS.items()})
    stop = both["action_batch"] == int(TradeAction.TIME_STOP)
    asked = asked.mask(stop, "stop").fillna("hold")
    moved = (both["action"] != asked) | (both["position"] != both["position_batch"])
    return both[differs | (moved & both["punctual"]).to_numpy()].reset_index(drop=True)


def check_signals_match(differences: pd.DataFrame, n_signals: int) -> CheckResult:
    """Stored signals are those that the vendor's history gives."""
    summary = f"{len(differences)} of {n_signals} signals differ from what the vendor's bars give"
    first = _first(differences["pair"], differences["bar_utc"])
    remedy = (
        "" if differences.empty else f"; {first}; see the check matches_price_history of streamed_bars for the bars"
    )
    return CheckResult(
        passed=differences.empty, summary=summary + remedy, figures={"signals": n_signals, "differ": len(differences)}
    )


def _first(names: pd.Series, stamps: pd.Series) -> str:
    """The first three rows as a phrase."""
    rows = [f"{name} {stamp:%Y-%m-%d %H:%M} UTC" for name, stamp in zip(names[:3], stamps[:3], strict=True)]
    return f"first: {', '.join(rows)}"
