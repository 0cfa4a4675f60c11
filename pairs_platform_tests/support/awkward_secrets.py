"""Secrets that go wrong somewhere: what people paste, and what generators make; and files of secrets."""

from pathlib import Path

CORES = (
    "Tr4de-p@ss:w/rd%1",
    "a b c-plain-blank",
    "hash#question?bracket[x]",
    "per%40cent-encoded",
    "hundred%sure-of-it",
    "d0llar$VAR-and-${HOME}",
    "br4ces{}{0}{name!r}",
    "pct-%s-%d-%(name)s",
    "back\\slash\\n\\x41-word",
    "reg.ex+(.*)[^a]$|^-Z9",
    'dquote"inside"quote-7',
    "squote'inside'quote-7",
    "ünïcödé-pässwörd-ß",
    "日本語-secret-パス",
    "emoji-🔑-key-🔒-77",
    '{"json": "in \\"json\\""}',
    "<html>&amp;secret;</html>",
    "semi;colon,comma=equals&amp",
    "tilde~^caret`backtick`-4",
    "0123456789abcdef" * 40,
    "base64+/=slashes+Zm9vYmFy==",
    "colon:colon:colon-12",
)
"""Without anything around them."""

AROUND = ("\n", "\r\n", "\r", " ", "\t", "\u00a0", "\u200b", "\ufeff", " \r\n\u200b\ufeff")
"""What stands at the end of a copied secret, or before it."""

MARK = "M4rk1n9"
"""Letters and digits that no encoding but base 64 changes: what holds them holds a part of a planted secret."""


def planted() -> list[str]:
    """The secrets of `CORES` with `MARK` within."""
    return [f"{core}{MARK}{core}" for core in CORES]


def private_file(path: Path, content: str | bytes) -> str:
    """Write a file that its owner alone may use, as that of a secret must be; its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return str(path)
