"""Rankings of models and how a pair's models have done over time, from rows of performance.

What does not belong here: storing them (`pairs_platform.database`).
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from pairs_platform.core.prices.calendar import sessions_ending

SHORT_SESSIONS, LONG_SESSIONS = 7, 30
"""Sessions, the newest included, over which a trend averages."""

RANKING_COLUMNS = ("pair", "rank_by_lift", "rank_by_f1", "lift", "f1", "skill")
TREND_COLUMNS = (
    *("session", "pair", "lift_7", "lift_30", "f1_7", "f1_30", "n_7", "n_30"),
    *("best_lift", "best_lift_session", "best_f1", "n_trainings"),
)


def rank_models(performance: pd.DataFrame) -> pd.DataFrame:
    """Ranks of the judged pairs of one training, 1 the best, ties in alphabetical order.

    Parameters
    ----------
    performance : DataFrame
        pair, status, lift, f1, skill; only rows with status "ok" are ranked.

    Returns
    -------
    DataFrame of `RANKING_COLUMNS`, by lift
    """
    judged = performance[performance["status"] == "ok"].sort_values("pair")
    ranks = {
        f"rank_by_{name}": judged[name].rank(method="first", ascending=False).astype("int64") for name in ("lift", "f1")
    }
    return judged.assign(**ranks).sort_values("rank_by_lift")[list(RANKING_COLUMNS)].reset_index(drop=True)


def model_trends(history: pd.DataFrame, sessions: Sequence[date]) -> pd.DataFrame:
    """Trend of every pair that was judged on each of `sessions`.

    Parameters
    ----------
    history : DataFrame
        session (date), pair, lift, f1: the judged pairs of the newest training of each session, of all sessions.
    sessions : sequence of date
        Sessions whose trends are wanted; later rows of `history` do not count for them.

    Returns
    -------
    DataFrame of `TREND_COLUMNS`
        Means over the trainings of the last 7 and 30 exchange sessions and how many these were; best lift with its
        session, best F1 and number of trainings up to the session.
    """
    rows = []
    for session in sessions:
        recent = sessions_ending(session, LONG_SESSIONS)
        up_to_now = history[history["session"] <= session]
        today = set(up_to_now.loc[up_to_now["session"] == session, "pair"])
        for pair, past in up_to_now[up_to_now["pair"].isin(today)].groupby("pair"):
            long = past[past["session"] >= recent[0]]
            short = past[past["session"] >= recent[-SHORT_SESSIONS]]
            best = past.iloc[int(past["lift"].to_numpy().argmax())]
            rows.append(
                {
                    "session": session,
                    "pair": pair,
                    "lift_7": short["lift"].mean(),
                    "lift_30": long["lift"].mean(),
                    "f1_7": short["f1"].mean(),
                    "f1_30": long["f1"].mean(),
                    "n_7": len(short),
                    "n_30": len(long),
                    "best_lift": best["lift"],
                    "best_lift_session": best["session"],
                    "best_f1": past["f1"].max(),
                    "n_trainings": len(past),
                }
            )
    return pd.DataFrame(rows, columns=list(TREND_COLUMNS))
