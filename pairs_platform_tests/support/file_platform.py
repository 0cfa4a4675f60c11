"""A platform of daily prices that a test writes into a file.

What does not belong here: files in the forms that people have (`price_files`), and how each form is read.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_of, sessions_ending
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.price_samples import make_bars

LAST = date(2025, 11, 20)


def daily_rows(n_sessions: int, symbols: Sequence[str] = ("AAA", "BBB"), last: date = LAST) -> pd.DataFrame:
    """The rows of `make_bars` as a daily file has them: dates as text, of the sessions up to `last`."""
    bars = make_bars(sessions_ending(last, n_sessions), symbols=symbols, frequency=Frequency.ONE_DAY)
    return bars.assign(ts_utc=session_of(bars["ts_utc"]).dt.strftime("%Y-%m-%d"))


def file_platform(
    path: Path, bars: pd.DataFrame | None = None, *, frequency: str = "1d", origin: str = "source", **files: Any
) -> Platform:
    """The platform over a path, which is written first where there are `bars`; windows of daily bars have 100 sessions.

    `files` are settings of the source.
    """
    if bars is not None:
        bars.to_csv(path, index=False)
    overrides = {
        "source": {"kind": "files", "files": {"paths": [str(path)], **files}},
        "universe_origin": origin,
        "frequency": frequency,
        "lookback": {"daily": 100},
    }
    return Platform(load_settings(overrides))
