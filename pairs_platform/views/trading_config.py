"""Reading the trading configuration of a session: the one place that knows where it is stored.

What does not belong here: what a configuration contains (`core.selection.trading_config`) and making one
(`workflows.selection`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.core.selection.trading_config import TradingConfig

TRADING_CONFIG = "trading_config"


def read_trading_config(platform: Platform, key: PartitionKey) -> "TradingConfig":
    """The configuration made at the close of `key.session`, checked against its hash.

    Raises
    ------
    PartitionMissing
        It is not stored.
    PartitionUnreadable
        The file is damaged.
    DataError
        The document is no configuration, or was edited.
    """
    return checked(trading_document(platform, key))


def checked(document: Mapping[str, Any]) -> "TradingConfig":
    """The configuration that a stored document holds; imports pandas.

    Raises
    ------
    DataError
        The document is no configuration, or was edited.
    """
    from pairs_platform.core.selection.trading_config import TradingConfig

    return TradingConfig.from_document(document)


def trading_document(platform: Platform, key: PartitionKey) -> dict[str, Any]:
    """The document as it is stored, unchecked: for the run after a bar, which imports no pandas, and for its check.

    Raises
    ------
    PartitionMissing
        It is not stored.
    PartitionUnreadable
        The file is damaged.
    """
    return platform.documents.read_document(TRADING_CONFIG, key)
