"""How far each signal is from its next order and from its stop."""

import pandas as pd
import pytest

from pairs_platform.views.drawing.signal_board import DISTANCE, TO_STOP, signal_board

ROW = {
    "pair": "PDFS_ROG", "role": "selected", "action": "hold", "reason": "", "y": "PDFS", "x": "ROG", "beta": 0.8,
    "bar_utc": pd.Timestamp("2026-03-10 15:00", tz="UTC"), "z": -1.5, "band": 0.008, "size": 1.0, "volatility": 0.002,
    "probability_champion": None, "probability_challenger": None, "confidence": 0.5, "late": False, "position": 0,
    "blocked": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "to_order", "to_stop"),
    [
        ({}, "0.50", "1.70"),
        ({"position": 1}, "1.00", "1.70"),
        ({"position": -1, "z": 3.5}, "3.00", "-0.30"),
        ({"position": -1, "z": -0.2}, "0.00", "3.40"),
        ({"z": None, "band": None}, None, None),
    ],
)
def test_distances_to_order_and_stop(changes, to_order, to_stop):
    """σ = 0.01, the band is 0.008 and the stop has 4 of it: 3.2 σ."""
    board, _ = signal_board(
        pd.DataFrame([ROW | changes]), entry_z=2.0, exit_z=0.5, stop_multiple=4.0, sigmas={"PDFS_ROG": 0.01}
    )
    assert (board[DISTANCE][0], board[TO_STOP][0]) == (to_order, to_stop)


def test_a_pair_without_a_known_sigma_has_no_distance_to_its_stop():
    board, _ = signal_board(pd.DataFrame([ROW]), entry_z=2.0, exit_z=0.5, stop_multiple=4.0, sigmas={})
    assert board[TO_STOP].isna().all()
