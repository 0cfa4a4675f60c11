"""Sending messages to the receivers that URLs name: Slack, e-mail, SMS gateways, webhooks and others, by Apprise.

What does not belong here: which messages there are, and when a failed one is tried again (`database.alerts`).

References
----------
URLs of every service: https://github.com/caronc/apprise/wiki
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pydantic import SecretStr

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.masking import keep_url, masked

URLS_VARIABLE = "PAIRS_PLATFORM__ALERT_URLS"


def receivers(urls: SecretStr | None) -> dict[str, SecretStr]:
    """URLs by a name that can be shown: its kind, and a digest by which another URL is another receiver.

    Parameters
    ----------
    urls : SecretStr or None
        Separated by blanks or line ends.
    """
    unnamed = urls.get_secret_value().split() if urls else []
    return {f"{urlsplit(url).scheme} {hashlib.sha256(url.encode()).hexdigest()[:8]}": SecretStr(url) for url in unnamed}


def send(name: str, url: SecretStr, title: str, body: str) -> str:
    """Send one message to one receiver.

    Returns
    -------
    Why it was not sent, without the URL; empty where it was.

    Raises
    ------
    ConfigurationError
        The URL is none that Apprise understands.
    """
    import apprise

    service = apprise.Apprise()
    if not service.add(url.get_secret_value()):
        raise ConfigurationError(
            f"receiver {name}: no URL that Apprise understands; see {URLS_VARIABLE} and docs/alerts.md"
        )
    keep_url(url.get_secret_value(), every_part=True)
    with _captured_warnings() as warnings:
        sent = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    if sent:
        return ""
    reason = "; ".join(warnings) or "it gave no reason"
    return masked(reason)


@contextmanager
def _captured_warnings() -> Iterator[list[str]]:
    """What Apprise logs as warnings meanwhile: its only account of why something was not sent."""
    warnings: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    logger, listener = logging.getLogger("apprise"), Listener(logging.WARNING)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield warnings
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
