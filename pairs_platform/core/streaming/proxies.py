"""How a bar is marked that stands in for a symbol without bars of its own: by its source.

What does not belong here: which symbols have a proxy (`processes.replay.playlist`), and whether their bars may be used
(`core.signals.settings`).
"""

PROXY = "proxy:"
"""Beginning of the source of a proxy's bar; the proxy's symbol follows."""


def is_proxy(source: str) -> bool:
    """Whether a bar of this source is a proxy's."""
    return source.startswith(PROXY)
