"""The shared demo and the console script for the tests of this folder."""

from pairs_platform_tests.support.console import console
from pairs_platform_tests.support.demo_profile import copied, demo, stored

__all__ = ["console", "copied", "demo", "stored"]
