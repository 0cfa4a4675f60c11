"""Chronological splits with purges: no label of one part shares a bar with a feature or label of the next.

What does not belong here: what is computed on the parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.settings import GruSettings, SplitSettings

PARTS = ("train", "validation", "test", "purge")
FEATURE_LOOKBACK_BARS = 20
"""Longest lookback of a feature: row t rests on bars t − 20 to t."""


@dataclass(frozen=True)
class SplitPlan:
    """Rows (bars t) of a window of T bars whose labels each part uses.

    Attributes
    ----------
    n_bars, purge_bars : int
        T, and the bars left out between two parts: sequence length + longest feature lookback + horizon.
    train, validation, test : slice
    """

    n_bars: int
    purge_bars: int
    train: slice
    validation: slice
    test: slice

    def parts(self) -> np.ndarray:
        """Name of each row's part, shape (T,); "purge" between them."""
        names = np.full(self.n_bars, "purge", dtype=object)
        for name in ("train", "validation", "test"):
            names[getattr(self, name)] = name
        return names


def purge_bars(settings: GruSettings, horizon_bars: int) -> int:
    """Bars left out between two parts."""
    return settings.network.sequence_length + FEATURE_LOOKBACK_BARS + horizon_bars


def split_plan(n_bars: int, *, settings: GruSettings, horizon_bars: int) -> SplitPlan:
    """60 % training | purge | 20 % validation | purge | 20 % test with the shipped settings.

    The purges are taken from the beginning of the later part.

    Parameters
    ----------
    n_bars : int
        T.
    horizon_bars : int
        Longest horizon of a label in the sector.
    """
    split = settings.split
    seen = split.train_fraction + split.validation_fraction
    first, second = math.floor(split.train_fraction * n_bars), math.floor(seen * n_bars + 1e-9)
    return _plan(n_bars, first, second, purge_bars(settings, horizon_bars))


def n_test_sessions(lookback: int, split: SplitSettings) -> int:
    """Sessions that the test part of a window of `lookback` sessions touches."""
    return math.ceil((1.0 - split.train_fraction - split.validation_fraction) * lookback - 1e-9)


def _plan(n_bars: int, first: int, second: int, purge: int) -> SplitPlan:
    return SplitPlan(
        n_bars=n_bars,
        purge_bars=purge,
        train=slice(0, first),
        validation=slice(min(first + purge, second), second),
        test=slice(min(second + purge, n_bars), n_bars),
    )


def plan_of_parts(parts: Sequence[str] | np.ndarray) -> SplitPlan:
    """The plan whose `parts` were stored.

    Raises
    ------
    DataError
        When a part is missing or not contiguous.
    """
    names = np.asarray(parts, dtype=object)
    slices = {}
    for name in ("train", "validation", "test"):
        rows = np.flatnonzero(names == name)
        if not len(rows) or rows[-1] - rows[0] + 1 != len(rows):
            raise DataError(f"the rows of the {name} part are not contiguous: write pair_features again")
        slices[name] = slice(int(rows[0]), int(rows[-1]) + 1)
    return SplitPlan(len(names), slices["validation"].start - slices["train"].stop, **slices)


@dataclass(frozen=True)
class Fold:
    """One walk-forward fold: everything is estimated on bars before `n_seen`, and judged on `n_seen` to `n_bars`."""

    n_seen: int
    n_bars: int


def walk_forward(n_bars: int, n_folds: int) -> list[Fold]:
    """Consecutive test parts over the second half of the window, each after all bars that its models see.

    References
    ----------
    ``sklearn.model_selection.TimeSeriesSplit`` gives the parts; the purge lies inside each fold's own split.
    """
    from sklearn.model_selection import TimeSeriesSplit

    size = n_bars // (2 * n_folds)
    folds = TimeSeriesSplit(n_splits=n_folds, test_size=size).split(np.empty((n_bars, 0)))
    return [Fold(n_seen=int(test[0]), n_bars=int(test[-1]) + 1) for _, test in folds]
