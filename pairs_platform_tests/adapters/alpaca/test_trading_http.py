"""What each failure of Alpaca's trading API means for a question, an order and a cancelation."""

import json
import socket
from datetime import UTC, datetime

import pytest
import requests

from pairs_platform.adapters.alpaca.trading_http import TradingHttp, reject_reason
from pairs_platform.adapters.vendors.retry import AskedToWait
from pairs_platform.core.errors import AnswerLost, NotFound, Refused, Unavailable
from pairs_platform.core.masking import forget_secrets, keep_secret
from pairs_platform.ports.broker import (
    AccessRefused,
    NotCancelable,
    OrderRejected,
    RejectReason,
    Throttled,
)

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
METHODS = ("GET", "POST", "DELETE")
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"


@pytest.fixture
def answered(monkeypatch):
    """What a method raises, or returns, for an answer."""

    def ask(method: str, status: int, body: str, **headers: str) -> object:
        reply = requests.Response()
        reply.status_code, reply._content, reply.url = status, body.encode(), "http://alpaca/v2/orders?x=1"
        reply.headers.update(headers)
        monkeypatch.setattr(requests.Session, "request", lambda *_, **__: reply)
        session = TradingHttp(connect_timeout_s=1, read_timeout_s=1, now=lambda: NOW)
        try:
            return session.request(method, "http://alpaca/v2/orders")
        except Exception as error:  # noqa: BLE001 - the test asserts its type
            return error

    return ask


def refused(code: int | None, message: str, **fields: object) -> str:
    return json.dumps({**({} if code is None else {"code": code}), "message": message, **fields})


@pytest.mark.parametrize(
    ("status", "body", "question", "order", "cancelation"),
    [
        (401, refused(None, "unauthorized."), AccessRefused, AccessRefused, AccessRefused),
        (403, refused(None, "forbidden."), AccessRefused, AccessRefused, AccessRefused),
        (403, refused(40310000, "insufficient buying power"), Refused, OrderRejected, Refused),
        (404, refused(40410000, "order not found"), NotFound, OrderRejected, NotFound),
        (404, "<html>not here</html>", Refused, Refused, Refused),
        (301, "", Refused, Refused, Refused),
        (422, refused(42210000, "order is not cancelable"), Refused, OrderRejected, NotCancelable),
        (429, refused(None, "too many requests."), AskedToWait, Throttled, Throttled),
        (429, "slow down", AskedToWait, Throttled, Throttled),
        (408, "", Unavailable, AnswerLost, AnswerLost),
        (500, refused(50010000, "internal server error"), Unavailable, AnswerLost, AnswerLost),
        (502, PAGE, Unavailable, AnswerLost, AnswerLost),
        (503, "", Unavailable, AnswerLost, AnswerLost),
        (504, PAGE, Unavailable, AnswerLost, AnswerLost),
        (200, PAGE, Unavailable, AnswerLost, AnswerLost),
        (200, '{"id": "cut of', Unavailable, AnswerLost, AnswerLost),
    ],
)
def test_each_answer_is_what_it_is(answered, status, body, question, order, cancelation):
    errors = [answered(method, status, body) for method in METHODS]
    assert [type(error) for error in errors] == [question, order, cancelation]
    assert all(str(status) in str(error) or status == 200 for error in errors)


def test_an_answer_that_was_lost_is_nothing_that_is_asked_again(answered):
    assert not isinstance(answered("POST", 504, PAGE), Unavailable)


def test_a_readable_answer_passes_and_so_does_an_empty_one(answered):
    assert answered("GET", 200, "[]").json() == []
    assert answered("DELETE", 204, "").status_code == 204


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"Retry-After": "3"}, 3.0), ({"X-RateLimit-Reset": str(NOW.timestamp() + 7)}, 7.0), ({}, None)],
)
def test_how_long_to_stay_away(answered, headers, wait_s):
    assert [answered(method, 429, "", **headers).wait_s for method in METHODS] == [wait_s] * 3


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (40310000, "insufficient buying power", "buying_power"),
        (40310000, "insufficient qty available for order (requested: 5, available: 4)", "quantity_held"),
        (40310000, "potential wash trade detected. use complex orders", "wash_trade"),
        (42210000, "potential wash trade detected", "wash_trade"),
        (40310000, "cannot open a short sell while a long buy order is open", "opposite_order"),
        (40310000, "cannot open a long buy while a short sell order is open", "opposite_order"),
        (40310000, "account is not allowed to short", "shorting_disabled"),
        (40310000, 'asset "GME" cannot be sold short', "borrow_refused"),
        (42210000, 'asset "GME" cannot be sold short', "borrow_refused"),
        (42210000, "fractional orders cannot be sold short", "invalid"),
        (42210000, "fractional orders must be DAY orders", "invalid"),
        (42210000, "sub-penny increment does not fulfill minimum pricing criteria", "invalid"),
        (42210000, 'asset "ZZZ" not found', "unknown_symbol"),
        (40010001, "symbol is required", "invalid"),
        (40010001, "client_order_id must be unique", "id_taken"),
        (40310000, "new orders are rejected by user request", "account_blocked"),
        (40310000, "something that nobody has seen", "other"),
        (None, "something that nobody has seen", "other"),
    ],
)
def test_the_words_decide_why_an_order_is_refused(code, message, reason):
    assert reject_reason(code, message) is RejectReason(reason)


def test_a_refusal_keeps_its_other_fields(answered):
    body = refused(40310000, "potential wash trade detected", existing_order_id="x", reject_reason="opposite side")
    assert answered("POST", 403, body).details == {"existing_order_id": "x", "reject_reason": "opposite side"}


def test_no_key_that_a_server_repeats_is_shown(answered):
    keep_secret("PKVERYSECRET")
    try:
        assert "PKVERYSECRET" not in str(answered("POST", 403, refused(None, "bad key PKVERYSECRET")))
    finally:
        forget_secrets()


class TestWithoutAnAnswer:
    @pytest.fixture
    def session(self) -> TradingHttp:
        return TradingHttp(connect_timeout_s=0.5, read_timeout_s=0.1, now=lambda: NOW)

    @pytest.mark.parametrize("method", METHODS)
    def test_where_nothing_listens_nothing_was_sent(self, session, method):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            with pytest.raises(Unavailable, match="nothing was sent"):
                session.request(method, f"http://127.0.0.1:{held.getsockname()[1]}/v2/orders")

    def test_a_name_that_leads_nowhere(self, session):
        with pytest.raises(Unavailable, match="nothing was sent"):
            session.request("POST", "http://alpaca.invalid/v2/orders")

    @pytest.mark.parametrize(("method", "error"), [("GET", Unavailable), ("POST", AnswerLost), ("DELETE", AnswerLost)])
    def test_silence_after_a_connection_leaves_open_what_became_of_it(self, session, method, error):
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            with pytest.raises(error, match="no complete answer"):
                session.request(method, f"http://127.0.0.1:{mute.getsockname()[1]}/v2/orders")
