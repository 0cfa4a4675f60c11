"""The HTTP session beneath Alpaca's client library: timeout, pace, retry of single pages, the platform's errors.

A module of its own because it needs the HTTP library when it is imported; the definitions load without it. What does
not belong here: what is asked and what the answers mean (`history`), how often to ask again (`vendors.retry`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import requests

from pairs_platform.adapters.alpaca.errors import SymbolRefused
from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES
from pairs_platform.adapters.vendors.retry import AskedToWait, Pacer, RetryPolicy, wait_asked_for_s
from pairs_platform.core.errors import Refused, Unavailable
from pairs_platform.core.masking import masked


class AlpacaHttp(requests.Session):
    """The HTTP session beneath the client library: timeout, pace, retry, and the platform's errors."""

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        pacer: Pacer,
        timeout_s: float,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._policy, self._pacer, self._timeout_s, self._now = policy, pacer, timeout_s, now

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """One page, asked again while that may help."""
        return self._policy.call(lambda: self._once(method, url, *args, **kwargs))

    def _once(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        self._pacer.wait()
        try:
            reply = super().request(method, url, *args, **{**kwargs, "timeout": self._timeout_s})
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise Unavailable(f"no complete answer from Alpaca ({type(error).__name__})") from error
        if reply.status_code != 200:
            raise self._refusal(reply)
        _require_page(reply, kwargs.get("params") or {})
        return reply

    def _refusal(self, reply: requests.Response) -> Exception:
        status, reason = reply.status_code, self._reason(reply)
        if status == 429:
            return AskedToWait(f"Alpaca's rate limit is reached (429: {reason})", self._asked_wait_s(reply))
        if status == 408 or status >= 500:
            return AskedToWait(f"Alpaca fails at the moment ({status}: {reason})", self._asked_wait_s(reply))
        if status in (401, 403):
            return Refused(
                f"Alpaca refuses access ({status}: {reason}): check the variables {' and '.join(KEY_VARIABLES)}, and "
                "whether the account may read this feed (setting source.alpaca.feed; iex needs no subscription)"
            )
        if status in (400, 422) and "symbol" in reason.lower():
            return SymbolRefused(f"refused by Alpaca ({status}: {reason})")
        return Refused(f"Alpaca refuses the request ({status}: {reason})")

    def _asked_wait_s(self, reply: requests.Response) -> float | None:
        return wait_asked_for_s(reply.headers, self._now())

    @staticmethod
    def _reason(reply: requests.Response) -> str:
        """What the server says, shortened; masked before, so that no part of a key is left over."""
        try:
            reason = str(reply.json()["message"])
        except (ValueError, TypeError, KeyError):
            reason = reply.text
        return " ".join(masked(reason).split())[:200] or "no reason given"


def _require_page(reply: requests.Response, params: Mapping[str, Any]) -> None:
    """Raise `Unavailable` unless the reply is a whole page, and not the one whose successor we asked for."""
    try:
        page = reply.json()
    except ValueError as error:
        raise Unavailable("Alpaca's answer is not JSON") from error
    if not isinstance(page, dict) or not isinstance(page.get("bars", page.get("corporate_actions")), dict):
        raise Unavailable("Alpaca's answer holds neither bars nor corporate actions")
    token = page.get("next_page_token")
    if token is not None and token == params.get("page_token"):
        raise Unavailable("Alpaca's page names itself as the next one")
