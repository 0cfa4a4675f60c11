"""Refusals that only Alpaca's adapter tells apart.

What does not belong here: failures that the rest of the platform handles (`core.errors`).
"""

from pairs_platform.ports.market_data import PermanentSourceError


class SymbolRefused(PermanentSourceError):
    """The server refuses a request because of a symbol in it, without saying reliably which."""
