"""Replaces secrets in texts: a list of those that this process knows, and every form in which a text may show one.

Whatever leaves the process as a text passes `masked`: errors of the tree when they are made (`core.errors`), log
records and uncaught errors (`settings.output`), Dagster's events (`defs.masking`), and what is stored about failures.

A secret of fewer than four characters is masked only together with what surrounds it in its URL: alone it would hide
half of every text. One of four to seven letters or digits is masked where it is a word of its own.

What does not belong here: which secrets there are, and which are refused (`settings.secrets`).
"""

import base64
import html
import json
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"
SHORTEST = 4
"""Characters of the shortest text that is masked."""

_WORD = 8
"""Shorter letters and digits are masked only where they are a word of their own."""

_SECRET_NAMES = re.compile(r"pass|pwd|secret|token|key|auth|credential|signature", re.IGNORECASE)

_EVERYDAY = frozenset(
    {"alert", "alerts", "hook", "hooks", "html", "insecure", "markdown", "message", "messages", "notify"}
    | {"pairs-platform", "platform", "services", "starttls", "text", "webhook", "webhooks", "workflows"}
)
"""Words in URLs of Apprise that are no token, and would hide half of every text."""

_KEPT: set[str] = set()
"""The secrets that this process knows."""


def keep_secret(value: str) -> None:
    """Mask a value from now on, however it is written."""
    if value.strip() and value not in _KEPT:
        _KEPT.add(value)
        _known.cache_clear()


def keep_url(url: str, *, every_part: bool = False) -> None:
    """Mask what is secret in a URL from now on: user and password together, the password, words of its query.

    Where the server is stays readable, and so does a user without a password, but in HTTP, where it is a token.

    Parameters
    ----------
    url : str
        It need not parse.
    every_part : bool
        Whether its host, its path and every value of its query may be tokens too, as in URLs of Apprise.
    """
    if every_part:
        keep_secret(url)
    is_http = url.startswith(("http://", "https://"))
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    for whole in {url.partition("://")[2], authority}:  # a password may hold what ends the authority
        userinfo, at, _ = whole.rpartition("@")
        user, colon, password = userinfo.partition(":")
        if at and (colon or is_http or every_part):
            keep_secret(f"{userinfo}@")
            keep_secret(password if colon else user)
            keep_secret(base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode(errors="replace")).decode())
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    for name, value in parse_qsl(parts.query):
        if (every_part and value not in _EVERYDAY) or (_SECRET_NAMES.search(name) and not value.startswith("/")):
            keep_secret(value)
    if every_part:
        host = authority.rpartition("@")[2].partition(":")[0]
        tokens = {parts.username or "", *parts.path.split("/"), *parts.fragment.split("/")}
        if "." not in host:  # of Slack, Discord and others a token stands there
            tokens.add(host)
        for token in tokens - _EVERYDAY:
            keep_secret(token)


def forget_secrets() -> None:
    """Mask nothing from now on."""
    _KEPT.clear()
    _known.cache_clear()


def masked(text: str) -> str:
    """The text with every form of every known secret replaced."""
    forms, encoded = _known()
    for form in forms:
        if form in text:
            is_word = len(form) < _WORD and re.fullmatch(r"\w+", form)
            text = re.sub(rf"(?<!\w){form}(?!\w)", MASK, text) if is_word else text.replace(form, MASK)
    for part, pattern in encoded:
        if part in text:
            text = pattern.sub(MASK, text)
    return text


@cache
def _known() -> tuple[tuple[str, ...], tuple[tuple[str, re.Pattern[str]], ...]]:
    """Forms of the secrets, the longest first, so that no part of it is left over, and patterns of encoded ones."""
    plain = {text for value in _KEPT for text in _texts(value) if len(text.strip()) >= SHORTEST}
    forms = {form for text in plain for form in _forms(text)}
    special = sorted((text for text in plain if not re.fullmatch(r"\w+", text, re.ASCII)), key=len, reverse=True)
    return tuple(sorted(forms, key=lambda form: (-len(form), form))), tuple(map(_percent_encoded, special))


def _texts(value: str) -> set[str]:
    return {value, value.strip(), " ".join(value.split()), unquote(value), value.lower()}


def _forms(text: str) -> set[str]:
    """A secret as libraries write it: as it is, escaped in Python, JSON and HTML, in base 64."""
    data = text.encode("utf-8", "surrogatepass")
    forms = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    escaped = {text, html.escape(text), repr(data)[2:-1]}
    for _ in range(2):  # a text that shows an escaped text is escaped itself where it is shown
        escaped = {escape(form) for form in escaped for escape in _ESCAPES}
        forms |= escaped
    return forms


def _percent_encoded(text: str) -> tuple[str, re.Pattern[str]]:
    """A part that stands in the text however it is encoded, and a pattern: libraries differ in what they encode."""
    pattern = "".join(
        character if character.isascii() and character.isalnum() else f"(?:{'|'.join(_ways(character))})"
        for character in text
    )
    return max(re.findall(r"[A-Za-z0-9]*", text), key=len), re.compile(pattern)


def _ways(character: str) -> list[str]:
    octets = character.encode("utf-8", "surrogatepass")
    ways = [re.escape(character), "".join(f"%(?:25)*(?i:{octet:02x})" for octet in octets)]
    return [*ways, r"\+"] if character == " " else ways


_ESCAPES: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: repr(text)[1:-1],
    lambda text: repr("'\"" + text)[4:-1],  # where the other quotation mark stands in the text, too
    lambda text: ascii(text)[1:-1],
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
)
