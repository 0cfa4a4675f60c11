"""Refusals that only Alpaca's adapter tells apart, and how the words of its server are shown.

What does not belong here: failures that the rest of the platform handles (`core.errors`).
"""

from pairs_platform.core.errors import Refused
from pairs_platform.core.masking import masked

_LONGEST_REASON = 200


class SymbolRefused(Refused):
    """The server refuses a request, or its answer cannot be read, because of a symbol in it that nobody names."""


def shown_reason(text: str) -> str:
    """What the server says, on one line and shortened; masked before, so that no part of a key is left over."""
    return " ".join(masked(text).split())[:_LONGEST_REASON] or "no reason given"
