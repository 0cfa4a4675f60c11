"""One small simulated session for every test of this folder that needs models."""

import pytest

from pairs_platform_tests.support.live_session import Market, market


@pytest.fixture(scope="session")
def simulated() -> Market:
    """A session without a missing bar."""
    return market(n_pairs=4, missing=0.0)
