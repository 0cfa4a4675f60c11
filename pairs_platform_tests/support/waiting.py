"""How long tests wait for what must come: one generous bound, so that a loaded machine fails no test.

What does not belong here: bounds and pauses that are themselves under test.
"""

import os
import time
from collections.abc import Callable
from typing import Any

SCALE_VARIABLE = "PAIRS_PLATFORM_TEST_WAIT_SCALE"
SCALE = float(os.environ.get(SCALE_VARIABLE, "1"))
WAIT_SECONDS = 180.0 * SCALE
TEST_SECONDS = 5 * WAIT_SECONDS
"""A test without a mark `timeout` of its own that takes longer hangs."""


def until(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """The first truthy value of `condition`; an assertion fails after `seconds`.

    What takes minutes by itself is waited for in multiples of `WAIT_SECONDS`.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"did not become true within {seconds:.0f} s"
        time.sleep(0.02)
    return value
