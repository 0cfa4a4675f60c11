"""The shared demo for the tests of this folder."""

from pairs_platform_tests.support.demo_profile import copied, demo, stored

__all__ = ["copied", "demo", "stored"]
