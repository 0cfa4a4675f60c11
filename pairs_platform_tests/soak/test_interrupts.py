"""Ctrl-C at ten moments of the demo: imports, prices, screening, fits, training, MLflow, replay."""

import pytest

from pairs_platform_tests.e2e.test_interrupts import interrupted

MOMENTS = (
    ("", 0.5), ("", 1.5), ("source  ", 0.0), ("price_history", 0.0), ("session 2023-03-06", 0.3),
    ("session 2023-03-06", 2.0), ("session 2023-03-06", 4.0), ("session 2023-03-07", 1.0), ("Selected: ", 1.0),
    ("Selected: ", 8.0),
)  # fmt: skip
"""What the terminal shows, and the seconds after it."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("words", "wait"), MOMENTS)
def test_the_demo_ends_at_any_moment(tmp_path, words, wait):
    assert interrupted(tmp_path, words, wait).count("stopped") == 1
