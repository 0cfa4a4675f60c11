import logging
from datetime import UTC, datetime

import pytest
from requests.structures import CaseInsensitiveDict

from pairs_platform.adapters.vendors.retry import AskedToWait, Pacer, RetryPolicy, wait_asked_for_s
from pairs_platform.core.errors import Refused, Unavailable

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


class Source:
    """Fails with each of `failures` in turn, then answers."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.times_asked = 0

    def __call__(self):
        self.times_asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def policy(slept, **settings):
    return RetryPolicy(**{"max_attempts": 4, "sleep": slept.append} | settings)


def test_a_transient_failure_is_asked_again():
    slept, source = [], Source(Unavailable("a"), Unavailable("b"))
    assert policy(slept).call(source) == "answer"
    assert source.times_asked == 3
    assert len(slept) == 2


def test_patience_is_bounded_and_the_last_failure_is_raised_as_it_was():
    slept, failures = [], [Unavailable(str(n)) for n in range(9)]
    source = Source(*failures)
    with pytest.raises(Unavailable) as raised:
        policy(slept).call(source)
    assert raised.value is failures[3]
    assert source.times_asked == 4
    assert len(slept) == 3


@pytest.mark.parametrize("failure", [Refused("bad key"), KeyError("bug")])
def test_what_will_not_pass_is_not_asked_again(failure):
    slept, source = [], Source(failure)
    with pytest.raises(type(failure)):
        policy(slept).call(source)
    assert source.times_asked == 1
    assert slept == []


def test_backoff_doubles_is_jittered_and_capped():
    waits = [[] for _ in range(200)]
    for slept in waits:
        with pytest.raises(Unavailable):
            policy(slept, max_attempts=6, first_wait_s=2.0, longest_wait_s=10.0).call(Source(*[Unavailable("x")] * 6))
    for position, upper in enumerate([2.0, 4.0, 8.0, 10.0, 10.0]):
        drawn = [slept[position] for slept in waits]
        assert upper / 2 <= min(drawn) < 0.6 * upper
        assert 0.9 * upper < max(drawn) <= upper
        assert len(set(drawn)) > 100


def test_a_wait_that_the_source_asks_for_is_honoured():
    slept = []
    assert policy(slept).call(Source(AskedToWait("429", 17.0))) == "answer"
    assert 17.0 <= slept[0] <= 18.0


def test_a_wait_beyond_patience_ends_it_at_once():
    slept, source = [], Source(AskedToWait("429", 3600.0))
    with pytest.raises(AskedToWait):
        policy(slept, longest_wait_s=60.0).call(source)
    assert source.times_asked == 1
    assert slept == []


def test_every_retry_is_logged_with_its_reason(caplog):
    with caplog.at_level(logging.WARNING):
        policy([]).call(Source(Unavailable("the line is dead")))
    assert "attempt 1 of 4 failed" in caplog.text
    assert "the line is dead" in caplog.text


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"Retry-After": "Fri, 01 Mar 2024 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Fri, 01 Mar 2024 11:00:00 GMT"}, 0.0),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 45)}, 45.0),
        ({"Retry-After": "3", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 45)}, 3.0),
        ({"Retry-After": "soon"}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers, expected):
    assert wait_asked_for_s(CaseInsensitiveDict(headers), NOW) == expected


class Clock:
    def __init__(self):
        self.now_s = 0.0
        self.slept = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds


def test_the_pacer_lets_no_minute_see_more_requests_than_allowed():
    clock = Clock()
    pacer = Pacer(5, clock=clock, sleep=clock.sleep)
    sent = []
    for _ in range(23):
        pacer.wait()
        sent.append(clock.now_s)
        clock.now_s += 2.0
    assert all(sent[n] - sent[n - 5] >= 60.0 for n in range(5, 23))
    assert sent[-1] < 5 * 60.0
    assert clock.slept


def test_the_pacer_does_not_hold_back_what_is_slow_enough():
    clock = Clock()
    pacer = Pacer(5, clock=clock, sleep=clock.sleep)
    for _ in range(20):
        pacer.wait()
        clock.now_s += 12.0
    assert clock.slept == []
