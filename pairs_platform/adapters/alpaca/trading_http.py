"""The HTTP session beneath Alpaca's trading client: time-outs, and what each failure means for an order.

A question that fails may be asked again; an order or a cancelation whose answer is lost may have been carried out, and
is never repeated here. What does not belong here: what is asked (`trading`) and what answers say (`trading_records`).

References
----------
Errors: https://docs.alpaca.markets/reference/postorder
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import requests
import urllib3

from pairs_platform.adapters.alpaca.errors import shown_reason
from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES
from pairs_platform.adapters.vendors.retry import AskedToWait, wait_asked_for_s
from pairs_platform.core.errors import AnswerLost, NotFound, PlatformError, Refused, Unavailable
from pairs_platform.ports.broker import (
    AccessRefused,
    NotCancelable,
    OrderRejected,
    RejectReason,
    Throttled,
)

_PHRASES: tuple[tuple[str, RejectReason], ...] = (
    ("fractional", RejectReason.INVALID),  # before "cannot be sold short", which it says, too
    ("insufficient buying power", RejectReason.BUYING_POWER),
    ("insufficient qty", RejectReason.QUANTITY_HELD),
    ("wash trade", RejectReason.WASH_TRADE),
    ("cannot open a", RejectReason.OPPOSITE_ORDER),
    ("not allowed to short", RejectReason.SHORTING_DISABLED),
    ("cannot be sold short", RejectReason.BORROW_REFUSED),
    ("rejected by user request", RejectReason.ACCOUNT_BLOCKED),
    ("not allowed to trade", RejectReason.ACCOUNT_BLOCKED),
    ("trading is blocked", RejectReason.ACCOUNT_BLOCKED),
    ("must be unique", RejectReason.ID_TAKEN),
)
_INVALID_CODES = (40010000, 40010001, 42210000)


class TradingHttp(requests.Session):
    """A session that raises the platform's errors.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s : float
    now : callable
        Returns the aware time.
    """

    def __init__(self, *, connect_timeout_s: float, read_timeout_s: float, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._timeout, self._now = (connect_timeout_s, read_timeout_s), now

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """One request, sent once.

        Raises
        ------
        AnswerLost
            No readable answer to what changes something: it may have been done.
        OrderRejected, NotCancelable, NotFound, Refused, AccessRefused
            It was not done, and will not be.
        Unavailable, Throttled
            It was not done, or it was a question.
        """
        method = str(method).upper()
        try:
            reply = super().request(method, url, *args, **{**kwargs, "timeout": self._timeout})
        except requests.RequestException as error:
            if _was_never_sent(error):
                raise Unavailable(f"Alpaca cannot be reached ({type(error).__name__}): nothing was sent") from error
            raise _without_answer(method, f"no complete answer from Alpaca ({type(error).__name__})") from error
        if not 200 <= reply.status_code < 300:
            raise self._failure(method, reply)
        if reply.text and _content(reply) is None:
            raise _without_answer(method, f"Alpaca's answer is no JSON: {shown_reason(reply.text)}")
        return reply

    def _failure(self, method: str, reply: requests.Response) -> PlatformError:
        status, content = reply.status_code, _content(reply)
        fields: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        code, message = fields.get("code"), fields.get("message")
        reason = shown_reason(message if isinstance(message, str) else reply.text)
        said = f"({status}{f', code {code}' if code else ''}: {reason})"
        if status == 408 or status >= 500:
            return _without_answer(method, f"Alpaca fails at the moment {said}")
        if status == 429:
            return self._too_often(method, reply, said)
        if status in (401, 403) and code is None:
            return AccessRefused(
                f"Alpaca refuses access {said}: check the variables {' and '.join(KEY_VARIABLES)}; keys of the paper "
                "account and of the live one differ"
            )
        if not isinstance(message, str):
            return Refused(f"there is no trading API of Alpaca at {reply.url.split('?')[0]} {said}: check base_url")
        if status == 404 and method != "POST":
            return NotFound(f"Alpaca does not know it {said}")
        if method == "POST":
            details = {name: value for name, value in fields.items() if name not in ("code", "message")}
            return OrderRejected(reject_reason(code, message), f"Alpaca refuses the order {said}", details)
        if method == "DELETE" and status == 422:
            return NotCancelable(f"Alpaca does not cancel the order {said}")
        return Refused(f"Alpaca refuses the request {said}")

    def _too_often(self, method: str, reply: requests.Response, said: str) -> Unavailable:
        wait_s = wait_asked_for_s(reply.headers, self._now())
        message = f"Alpaca's rate limit is reached {said}"
        return AskedToWait(message, wait_s) if method == "GET" else Throttled(message, wait_s)


def reject_reason(code: object, message: str) -> RejectReason:
    """Why an order was refused. The words decide, because one code stands for half a dozen reasons."""
    lower = message.lower()
    for phrase, reason in _PHRASES:
        if phrase in lower:
            return reason
    if lower.startswith("asset") and ("not found" in lower or "not tradable" in lower or "not active" in lower):
        return RejectReason.UNKNOWN_SYMBOL
    return RejectReason.INVALID if code in _INVALID_CODES else RejectReason.OTHER


def _without_answer(method: str, message: str) -> PlatformError:
    return Unavailable(message) if method == "GET" else AnswerLost(message)


def _was_never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing can have arrived."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, urllib3.exceptions.MaxRetryError) else cause
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _content(reply: requests.Response) -> Any:
    """The JSON of a reply; None where it is none."""
    try:
        return reply.json()
    except (ValueError, RecursionError):
        return None
