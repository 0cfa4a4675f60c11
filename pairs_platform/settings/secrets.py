"""What a secret may be: how it is cleaned, and why one is refused, without a part of it in any message.

A secret that is read here is masked from then on in whatever the process says (`core.masking`), refused ones too.

What does not belong here: where secrets come from (`variables`, `loading`), and opening what they name.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from pydantic import SecretStr

from pairs_platform.core.masking import keep_secret, keep_url

AROUND = "".join(
    [
        *" \t\r\n\v\f\x00\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000",
        *map(chr, range(0x2000, 0x2010)),
        *"\u2060\ufeff\ufffe",
    ]
)
"""What is taken away at both ends: blanks, line ends, characters without width, byte order marks."""

_KEYS = ("alpaca_key_id", "alpaca_secret_key")
_SQL_SCHEMES = ("sqlite", "postgresql+psycopg2")
_HOW = (
    "write SCHEME://USER:PASSWORD@HOST:PORT/NAME with user and password percent-encoded (@ is %40, : is %3A, / is %2F, "
    "% is %25), as urllib.parse.quote(password, safe='') does"
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"


def _one_of(more: str) -> str:
    """A pattern of one character of a part of a URL: percent-encoded, or one that stands for itself, `more` with it."""
    return rf"(?:[A-Za-z0-9._~!$&'()*+,;={more}-]|%[0-9A-Fa-f]{{2}})"


_USERINFO = re.compile(f"{_one_of(':')}*")
_HOST = re.compile(r"[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]")
_QUERY = re.compile(f"{_one_of(':/?')}*")
_PATH_OF = {
    "http": re.compile(f"{_one_of('/')}*"),
    "redis": re.compile(r"/?\d*"),
    "unix": re.compile(f"/{_one_of(':/')}+"),
    "sql": re.compile(f"(?:/{_one_of('')}*)?"),
}
_PUBLIC_OPTIONS = ("acl", "addressing_style", "endpoint_url", "region_name", "signature_version")


def usable_secret(setting: str, value: str) -> SecretStr | None:
    """A secret setting as it is used: without blanks and invisible characters around it; None where nothing is left.

    Raises
    ------
    ValueError
        Why it cannot be used; the message holds no part of it, and the caller adds where it comes from.
    """
    secret = value.strip(AROUND)
    if not secret:
        return None
    mask_secret(setting, secret)
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise ValueError("holds bytes that are no text in UTF-8") from None
    if any(character < " " or "\x7f" <= character < "\xa0" for character in secret if character not in "\t\r\n"):
        raise ValueError("holds a control character: remove it")
    CHECKS[setting](secret)
    return SecretStr(secret)


def mask_secret(setting: str, value: str) -> None:
    """Mask what is secret in the value of a setting from now on, whether it can be used or not."""
    secret = value.strip(AROUND)
    if setting in _KEYS:
        keep_secret(secret)
    elif setting == "alert_urls":
        for url in secret.split():
            keep_url(url, every_part=True)
    elif setting == "lake_options":
        keep_secret(secret)
        for _, text in _texts(_parsed(secret)):
            keep_secret(text)
    else:
        keep_url(secret)


def _require_key(key: str) -> None:
    """What an HTTP header takes, and nothing that only comes from copying."""
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        raise ValueError("is in quotation marks: remove them")
    if any(character.isspace() for character in key):
        raise ValueError("has a blank or a line end in it: give the key alone")
    if not all("!" <= character <= "~" for character in key):
        raise ValueError("has a character that no key has (an accent, or one that cannot be seen): copy it again")


def _require_url(*schemes: str) -> Callable[[str], None]:
    """A check of URLs of these schemes: user, password, host and port are what everybody reads in them."""

    def check(url: str) -> None:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in schemes:
            raise ValueError(f"does not begin with {', '.join(f'{name}://' for name in schemes)}: {_HOW}")
        if scheme != "sqlite":
            _require_authority(scheme, rest)

    return check


def _require_authority(scheme: str, rest: str) -> None:
    kind = {"https": "http", "rediss": "redis"}.get(scheme, scheme)
    kind = kind if kind in _PATH_OF else "sql"
    authority, path, query = re.fullmatch(r"([^/?]*)([^?]*)\??(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    userinfo, _, place = authority.rpartition("@")
    host, port = _host_and_port(place)
    problem = ""
    if not _USERINFO.fullmatch(userinfo):
        problem = "user or password hold a character that must be percent-encoded"
    elif not _is_text(userinfo):
        problem = "a percent sign in user or password begins no encoded character"
    elif not _HOST.fullmatch(host):
        problem = "the host has a character that no host has"
    elif port is not None and not (re.fullmatch(r"\d{1,5}", port, re.ASCII) and 0 < int(port) < 65536):
        problem = "the port is no number from 1 to 65535"
    elif not host and kind == "http":
        problem = "it names no host"
    elif (host and kind == "unix") or not _PATH_OF[kind].fullmatch(path):
        problem = "what follows host and port cannot stand there"
    elif not _QUERY.fullmatch(query):
        problem = "what follows the question mark holds a character that must be percent-encoded"
    if problem:
        raise ValueError(f"is no URL that can be used ({problem}): {_HOW}")


def _host_and_port(place: str) -> tuple[str, str | None]:
    if place.startswith("["):
        host, bracket, port = place.partition("]")
        return host + bracket, port.removeprefix(":") if port else None
    host, colon, port = place.partition(":")
    return host, port if colon else None


def _is_text(encoded: str) -> bool:
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def _require_receivers(urls: str) -> None:
    for number, url in enumerate(urls.split(), start=1):
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", url):
            raise ValueError(
                f"entry {number} is no URL: write them as Apprise does, blanks between them, %20 for a blank in one"
            )


def _require_options(document: str) -> None:
    options = _parsed(document)
    if not isinstance(options, dict):
        raise ValueError('no JSON object; write it like {"endpoint_url": "https://…"}')
    for name, text in _texts(options):
        if text != text.strip(AROUND):
            raise ValueError(f'the value of "{name}" begins or ends with a blank or an invisible character: remove it')
        if any(character < " " or character > "\xff" or "\x7f" <= character <= "\xa0" for character in text):
            raise ValueError(f'the value of "{name}" has a character that cannot be sent: copy it again')


def _parsed(document: str) -> Any:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def _texts(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON document that may be secret, with the name that it has there."""
    if isinstance(node, str) and name not in _PUBLIC_OPTIONS:
        yield name, node
    elif isinstance(node, Mapping):
        for below, value in node.items():
            yield from _texts(value, below)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, name)


CHECKS: dict[str, Callable[[str], None]] = {
    "alpaca_key_id": _require_key,
    "alpaca_secret_key": _require_key,
    "mlflow_uri": _require_url("http", "https", *_SQL_SCHEMES, "postgresql"),
    "database_url": _require_url(*_SQL_SCHEMES),
    "database_owner_url": _require_url(*_SQL_SCHEMES),
    "dagster_url": _require_url("postgresql+psycopg2", "postgresql"),
    "lake_options": _require_options,
    "alert_urls": _require_receivers,
    "redis_url": _require_url("redis", "rediss", "unix"),
}
"""What refuses a value of each secret setting."""
