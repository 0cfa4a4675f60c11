"""Names of folders that are legal, and that a URL, a pattern, YAML, a shell or a terminal gives a meaning."""

EVERY_CHARACTER = "a b#c?d%20&'\"[e]@:;=+,~$HOME{home}`x`*!|<>\nü é😀. "
"""All of them in one name."""

ODD_NAMES = (
    "a b", "a#b",
    "a?b", "a%20b", "100%", "a&b", "a'b", 'a"b', "a: b", "a@b", "a[b]", "a*", "{home}", "$HOME", "ü", "😀",
    "a\nb", "a\x07b", "a\u2028b", "dot.", "-x", "~", " lead", "trail ", "a//b", "x" * 200, EVERY_CHARACTER,
)  # fmt: skip
