"""The shared demo and the console script for the tests of this folder."""

import pytest

from pairs_platform.lake.profile import claim_profile
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.console import console
from pairs_platform_tests.support.demo_profile import copied, demo, stored

__all__ = ["console", "copied", "demo", "stored"]


@pytest.fixture
def begun() -> None:
    """A profile of the test's own that was begun and holds nothing."""
    settings = load_settings()
    claim_profile(settings.profile_root, settings.profile)
