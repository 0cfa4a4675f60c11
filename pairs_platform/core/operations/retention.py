"""How long logs are kept, and the forecast of storage usage.

What does not belong here: measuring (`workflows.storage`) and removing (`defs.housekeeping.purge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pairs_platform.core.settings import SettingsGroup, setting


class HousekeepingSettings(SettingsGroup):
    """When old logs are removed, and how early a full disk is warned of."""

    event_days: int = setting(
        90,
        unit="days",
        ge=7,
        le=3650,
        description="Then steps and log lines of a run go; what it made and checked stays.",
    )
    compute_log_days: int = setting(30, unit="days", ge=1, le=3650, description="Then standard output of a run goes.")
    warn_sessions: int = setting(
        20, unit="sessions", ge=1, le=504, description="A forecast of fewer sessions until the disk is full is a WARN."
    )
    forecast_sessions: int = setting(
        20, unit="sessions", ge=5, le=252, description="Newest measured sessions from which growth is taken."
    )


FEWEST_SESSIONS = 5
"""Measured sessions without which nothing is forecast."""


@dataclass(frozen=True)
class Growth:
    """How a total grows.

    Attributes
    ----------
    bytes_per_session : float
        Slope of the least-squares line; NaN where too few sessions are measured.
    low, high : float
        95 % interval of the slope, by Student's t.
    sessions_left : float
        Until `free_bytes` are used, at the interval's upper end; infinite where nothing grows, NaN where unknown.
    """

    bytes_per_session: float
    low: float
    high: float
    sessions_left: float


def growth(sizes: Sequence[tuple[date, int]], free_bytes: float, sessions: int) -> Growth:
    """Growth by session of the newest `sessions` measurements, one for each session.

    Parameters
    ----------
    sizes : sequence of (date, int)
        Session and bytes, in order.
    free_bytes : float
        Free bytes.
    sessions : int
    """
    newest = sizes[-sessions:]
    if len(newest) < FEWEST_SESSIONS:
        return Growth(*[float("nan")] * 4)
    import numpy as np
    from scipy.stats import linregress, t

    fitted = linregress(np.arange(len(newest)), [float(size) for _, size in newest])
    margin = float(t.ppf(0.975, len(newest) - 2)) * float(fitted.stderr)
    slope, high = float(fitted.slope), float(fitted.slope) + margin
    return Growth(slope, slope - margin, high, free_bytes / high if high > 0 else float("inf"))
