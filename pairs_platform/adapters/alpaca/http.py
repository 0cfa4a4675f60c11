"""The HTTP session beneath Alpaca's client library: timeout, pace, retry of single pages, the platform's errors.

A module of its own because it needs the HTTP library when it is imported; the definitions load without it. What does
not belong here: what is asked and what the answers mean (`history`), how often to ask again (`vendors.retry`).
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from pairs_platform.adapters.alpaca.errors import SymbolRefused, shown_reason
from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES
from pairs_platform.adapters.vendors.retry import AskedToWait, Pacer, RetryPolicy, wait_asked_for_s
from pairs_platform.core.errors import DataError, Refused, Unavailable

_MOST_PAGES = 10_000


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
        self._tokens: set[str] = set()

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """One page, asked again while that may help.

        Raises
        ------
        Unavailable, Refused, SymbolRefused
            There is no page.
        DataError
            The pages go round in a circle, or do not end.
        """
        token = (kwargs.get("params") or {}).get("page_token")
        self._tokens = self._tokens | {token} if token else set()
        if len(self._tokens) > _MOST_PAGES:
            raise DataError(f"Alpaca's answer has more than {_MOST_PAGES} pages")
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
        page = _page_of(reply, is_first=not (kwargs.get("params") or {}).get("page_token"))
        if page["next_page_token"] in self._tokens:
            raise Unavailable("Alpaca's page names itself, or one before it, as the next one")
        # The library reads the reply and takes no page of ours (0.44).
        reply._content, reply.encoding = json.dumps(page).encode(), "utf-8"
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
        """What the server says."""
        try:
            reason = str(reply.json()["message"])
        except (ValueError, TypeError, KeyError, RecursionError):
            reason = reply.text
        return shown_reason(reason)


def _page_of(reply: requests.Response, *, is_first: bool) -> dict[str, Any]:
    """The page that a reply is, with a list for every symbol or kind of action.

    The library joins the lists of a symbol's pages, and loses them where one is none. Null is an empty list; anything
    else that is none becomes an element, which no reader takes for a bar or an action. A first page that is null has
    nothing; on a later one something was promised.
    """
    try:
        page = reply.json()
    except (ValueError, RecursionError) as error:
        raise Unavailable("Alpaca's answer is not JSON") from error
    name = "corporate_actions" if isinstance(page, dict) and "corporate_actions" in page else "bars"
    content = page.get(name, "missing") if isinstance(page, dict) else "missing"
    if not (isinstance(content, dict) or (content is None and is_first)):
        raise Unavailable("Alpaca's answer holds neither bars nor corporate actions")
    token = page.get("next_page_token")
    if token is not None and not isinstance(token, str):
        raise Unavailable("Alpaca's answer names a next page that is no text")
    lists = {
        key: each if isinstance(each, list) else [[each]] for key, each in (content or {}).items() if each is not None
    }
    return {name: lists, "next_page_token": token or None}
