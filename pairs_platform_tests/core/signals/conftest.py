"""One small simulated session for every test of this folder that needs models."""

import pytest

from pairs_platform_tests.core.signals.live import Market, market


@pytest.fixture(scope="session")
def simulated() -> Market:
    """A session without a missing bar."""
    return market(n_pairs=4, missing=0.0)
