from datetime import date

from pairs_platform.core.streaming.bars import StreamBar

START = 1711632600 * 10**9  # the open of 2024-03-28
STEP = 300 * 10**9


def test_the_session_of_a_bar_is_its_new_york_date():
    first, last = (StreamBar("AAA", START + place * STEP, 10.0, 10.0, 10.0, 10.0, 100) for place in (0, 77))
    assert first.session == last.session == date(2024, 3, 28)
