"""Whether a daily asset is as fresh as the exchange's sessions let it be: pure decisions.

What does not belong here: asking Dagster which partitions there are (`defs.freshness`), and alerts (`alert_causes`).
"""

from collections.abc import Mapping
from datetime import date

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.operations.scheduling import READY_BY
from pairs_platform.core.prices.calendar import session_offset, sessions_between


def up_to_date(newest: Mapping[str, date | None], due: date) -> CheckResult:
    """Whether an asset has the session that is due in every sector that has begun.

    Parameters
    ----------
    newest : mapping of str to date or None
        The newest materialized session of each active sector that has begun: that has a partition of any daily asset.
        None where this asset has none there.
    due : date
        The newest session that must be there by now (`as_of_session` at `READY_BY`).

    Returns
    -------
    CheckResult
        Sessions are counted, not days: no week-end and no holiday makes an asset late.
    """
    lag = {sector: _sessions_behind(session, due) for sector, session in sorted(newest.items())}
    behind = {sector: n for sector, n in lag.items() if n != 0}
    since = f"{session_offset(due, 1)} {READY_BY:%H:%M} New York"
    if not newest:
        summary = "no active sector has begun: nothing is due before its first run"
    else:
        ends = "; ".join(_ends(sector, newest[sector], n) for sector, n in (behind or lag).items())
        summary = f"{ends}; session {due} is due since {since}"
        summary += ": look at the failed and queued daily runs" if behind else ""
    return CheckResult(
        passed=not behind,
        summary=summary,
        figures={
            "due_session": str(due),
            "due_since": since,
            "sectors": len(newest),
            "sectors_behind": len(behind),
            "sessions_behind": max((n for n in behind.values() if n is not None), default=0),
        },
    )


def _sessions_behind(session: date | None, due: date) -> int | None:
    """0 where the session is the one that is due or a later one, None where there is none."""
    return None if session is None else max(len(sessions_between(session, due)) - 1, 0)


def _ends(sector: str, session: date | None, n: int | None) -> str:
    if session is None:
        return f"{sector} has no session"
    late = f", {n} session{'' if n == 1 else 's'} behind" if n else ""
    return f"{sector} ends with {session}{late}"
