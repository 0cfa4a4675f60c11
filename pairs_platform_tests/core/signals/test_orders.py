import pytest

from pairs_platform.core.signals.orders import signal_order

SIGNAL = {"role": "selected", "y": "PDFS", "x": "AVGO", "beta": 1.05, "position": 0, "action": "hold", "late": False}


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ({"action": "enter_long"}, "buy PDFS, sell 1.05 AVGO"),
        ({"action": "enter_short"}, "sell PDFS, buy 1.05 AVGO"),
        ({"action": "exit", "position": 1}, "close: sell PDFS, buy AVGO"),
        ({"action": "stop", "position": -1}, "close: buy PDFS, sell AVGO"),
        ({"action": "hold"}, "wait"),
        ({"action": "hold", "position": -1}, "hold: short PDFS, long 1.05 AVGO"),
        ({"action": "skip"}, "skipped"),
        ({"action": "skip", "position": 1}, "hold: long PDFS, short 1.05 AVGO"),
        ({"action": "skip", "beta": None}, "skipped"),
        ({"action": "skip", "beta": float("nan"), "position": 1}, "hold: both legs"),
        ({"action": "exit", "beta": None, "position": 1, "role": "closing"}, "close: both legs"),
        ({"action": "enter_long", "role": "watchlist"}, "watch: buy PDFS, sell 1.05 AVGO"),
        ({"action": "exit", "position": 1, "role": "pinned"}, "watch: close: sell PDFS, buy AVGO"),
        ({"action": "hold", "position": -1, "role": "watchlist"}, "watch: short PDFS, long 1.05 AVGO"),
        ({"action": "hold", "role": "watchlist"}, "wait"),
        ({"action": "skip", "role": "pinned"}, "skipped"),
        ({"action": "enter_long", "late": True}, "too late: buy PDFS, sell 1.05 AVGO"),
        ({"action": "hold", "late": True, "position": 1}, "hold: long PDFS, short 1.05 AVGO"),
    ],
)
def test_each_action_names_the_legs(signal, words):
    assert signal_order(SIGNAL | signal) == words
