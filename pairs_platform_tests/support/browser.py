"""Pages as a person sees them: a headless Chromium for the tests of one file.

What does not belong here: the servers that make the pages, and what stands on them.
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pairs_platform_tests.support.waiting import WAIT_SECONDS

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
"""For a container with a small /dev/shm and without a screen; a page reaches this machine and nothing else."""

SIZE = {"width": 1600, "height": 1200}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium; its tests are skipped where there is none.

    It ends with the file: as long as it runs, `asyncio.run` refuses to work in this process.
    """
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium on the PATH: install the package `chromium` of the system (docs/testing.md)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=FLAGS, chromium_sandbox=False, timeout=1000 * WAIT_SECONDS
        )
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of its own, with nothing stored; what it waits for has `WAIT_SECONDS`."""
    with browser.new_context(viewport=SIZE, timezone_id="America/New_York", locale="en-US") as context:
        context.set_default_timeout(1000 * WAIT_SECONDS)
        yield context.new_page()
