"""The one spelling of a symbol: files, settings, arguments and vendors' replies are brought to it here.

What does not belong here: a vendor's own spelling (its adapter translates at its edge), names of pairs
(`core.screening.pair_names`).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pairs_platform.core.errors import DataError
from pairs_platform.core.folding import shortened

LONGEST_SYMBOL = 12
"""Characters: the width of the database's columns."""

_MISSING = {"", "nan", "NaN", "null", "NULL", "None", "NaT", "<NA>", "N/A", "n/a", "#N/A", "-", "--"}
_SHAPE = re.compile(r"\^?[A-Z0-9]+(?:[._=&][A-Z0-9]+)*")
_EXCHANGE = re.compile(r"(?:NASDAQ|NYSE|AMEX|NYSEARCA|NYSEAMERICAN|ARCA|BATS|CBOE)\s*:\s*(.+)|(.+):US", re.IGNORECASE)
_UNITED_STATES = re.compile(r"(.+?)(?:(?:[./ -]US)+| U[SNQWRAPFV] EQUITY)", re.IGNORECASE)
_PREFERRED = (
    re.compile(r"([A-Z]{1,5})p([A-Z])"),
    re.compile(r"([A-Z]{1,5})[$^]([A-Z])", re.IGNORECASE),
    re.compile(r"([A-Z]{1,5})-P([A-Z])", re.IGNORECASE),
    re.compile(r"([A-Z]{1,5})[ ./-]PR?[ ./-]([A-Z])", re.IGNORECASE),
)
_AFTER_A_BLANK = re.compile(r"[A-Z]|PR[A-Z]?|WS|WT|RT")
_QUOTES = "\"'`\u00b4\u2018\u2019\u201c\u201d"


class NoSymbol(DataError):
    """A text that is no symbol, or could be several.

    Attributes
    ----------
    reason : str
        Why, without the text.
    """

    def __init__(self, text: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{shortened(text, 60)!r} is no symbol: {reason}")


def normal_symbol(text: str) -> str:
    """The spelling of a symbol that the platform stores and shows.

    Letters are capital; blanks, quotes and invisible characters around a symbol do not belong to it; full-width letters
    are letters. A share class, unit or right follows a dot, however it was separated (``BRK-B``, ``BRK/B``,
    ``BRK B``: ``BRK.B``); so does a series of preferred shares, as PR and its letter (``BAC-PL``, ``BACpL``, ``BAC^L``,
    ``BAC PR L``: ``BAC.PRL``), and a warrant is WS. ``AAPL.US``, ``NASDAQ:AAPL`` and ``AAPL UW Equity`` are ``AAPL``.

    Raises
    ------
    NoSymbol
        When the text is no symbol, or could be several; says why.
    """
    plain = _visible(text)
    if plain in _MISSING:
        raise NoSymbol(text, "it is empty or stands for a missing value")
    strange = next((character for character in plain if not character.isascii()), None)
    if strange is not None:
        name = unicodedata.name(strange, f"U+{ord(strange):04X}")
        raise NoSymbol(text, f"it holds {strange!r} ({name}); write Latin letters and digits")
    plain = _without_market(plain)
    for preferred in _PREFERRED:
        if match := preferred.fullmatch(plain):
            return f"{match[1]}.PR{match[2]}".upper()
    symbol = _dotted(plain.upper(), text)
    if not _SHAPE.fullmatch(symbol):
        raise NoSymbol(
            text,
            "write letters and digits, a share class after a dot as in BRK.B; _ = & may stand "
            "between them and ^ before an index",
        )
    if len(symbol) > LONGEST_SYMBOL:
        raise NoSymbol(text, f"it has {len(symbol)} characters, {LONGEST_SYMBOL} are the most")
    if re.fullmatch(r"\d+(?:\.\d+)+", symbol):
        raise NoSymbol(text, "it is a number with decimals or a date; store symbols as text")
    return symbol


@dataclass(frozen=True)
class Spellings:
    """How the spellings of a file were understood.

    Attributes
    ----------
    symbols : mapping of spelling to symbol
    refused : mapping of spelling to the error that says why it is no symbol
    """

    symbols: Mapping[str, str]
    refused: Mapping[str, NoSymbol]

    @property
    def respelled(self) -> dict[str, str]:
        """Spellings that differ from their symbol, with it."""
        return {spelling: symbol for spelling, symbol in self.symbols.items() if spelling != symbol}


def read_spellings(texts: Iterable[str]) -> Spellings:
    """The symbol of each text, or why it is none."""
    symbols, refused = {}, {}
    for text in dict.fromkeys(texts):
        try:
            symbols[text] = normal_symbol(text)
        except NoSymbol as error:
            refused[text] = error
    return Spellings(symbols, refused)


def _visible(text: str) -> str:
    """`text` without invisible characters and quotes around it; each run of blanks is one, each dash a hyphen."""
    characters = []
    for character in text:
        if 0xFF01 <= ord(character) <= 0xFF5E:
            character = chr(ord(character) - 0xFEE0)
        kind = unicodedata.category(character)
        if character.isspace() or kind == "Zs":
            characters.append(" ")
        elif kind == "Pd" or character == "\N{MINUS SIGN}":
            characters.append("-")
        elif kind not in ("Cf", "Cc", "Mn"):
            characters.append(character)
    return " ".join("".join(characters).strip(_QUOTES + " ").split())


def _without_market(plain: str) -> str:
    """Without the name of a US exchange, or of the United States, before or after the symbol."""
    if match := _EXCHANGE.fullmatch(plain):
        return str(match[1] or match[2])
    if match := _UNITED_STATES.fullmatch(plain):
        return str(match[1])
    return plain


def _dotted(plain: str, text: str) -> str:
    """With a dot before each part."""
    if plain.endswith("+"):
        plain = plain.removesuffix("+") + ".WS"
    elif plain.endswith("="):
        plain = plain.removesuffix("=") + ".U"
    plain = re.sub(r" ?([./-]) ?", r"\1", plain)
    if " " in plain and not all(_AFTER_A_BLANK.fullmatch(word) for word in plain.split(" ")[1:]):
        raise NoSymbol(text, "it has several words, and the last is no share class")
    root, *parts = re.split(r"[./ -]", plain)
    if parts and parts[-1] == "WT":
        parts[-1] = "WS"
    return ".".join([root, *parts])
