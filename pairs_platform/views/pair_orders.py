"""Which leg of a ranked pair is bought and which is sold, for the tables that name pairs.

What does not belong here: the words (`core.trading.legs`), and what signals ask for (`core.signals.orders`).
"""

from typing import TYPE_CHECKING

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.trading.legs import Legs

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

LOW_Z, HIGH_Z = "order_at_low_z", "order_at_high_z"
"""Columns of words: the entry far below the mean, and far above it."""


def with_orders(pairs: pd.DataFrame) -> pd.DataFrame:
    """A table of pairs and the words of both entries; columns y, x and beta, null words where one of them is null."""
    legs = [
        None if pd.isna(y) or pd.isna(x) or pd.isna(beta) else Legs(str(y), str(x), float(beta))
        for y, x, beta in zip(pairs["y"], pairs["x"], pairs["beta"], strict=True)
    ]
    words = {
        name: pd.Series([each and each.entry(side) for each in legs], index=pairs.index, dtype=object)
        for name, side in ((LOW_Z, 1), (HIGH_Z, -1))
    }
    return pairs.assign(**words)


def with_orders_of_screen(platform: "Platform", key: PartitionKey, pairs: pd.DataFrame) -> pd.DataFrame:
    """A table with a row for each pair, and the words of both entries; y, x and beta it lacks are those of the screen.

    Raises
    ------
    PartitionMissing
        The session's `cointegrated_pairs` is not stored.
    """
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS

    lacking = [name for name in ("y", "x", "beta") if name not in pairs]
    legs = platform.lake.read(COINTEGRATED_PAIRS, key, ["pair", *lacking])
    return with_orders(pairs.merge(legs, on="pair", how="left", validate="1:1"))
