"""Refusals that only Alpaca's adapter tells apart.

What does not belong here: failures that the rest of the platform handles (`core.errors`).
"""

from pairs_platform.core.errors import Refused


class SymbolRefused(Refused):
    """The server refuses a request, or its answer cannot be read, because of a symbol in it that nobody names."""
