"""A read-only Dagster UI of a finished demo: what it refuses, and what a person sees on its pages in a real browser.

What does not belong here: the UI with its daemon (`test_ui`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from playwright.sync_api import Page, expect

from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.browser import browser, page
from pairs_platform_tests.support.demo_profile import SCRIPTS, SECTOR, SESSION, SESSIONS, DemoRun
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until
from pairs_platform_tests.support.web_servers import answers, graphql

__all__ = ["browser", "page"]

LOCATION = "/locations/__repository__@pairs_platform"
DAILY = "daily_pair_identification"
expect.set_options(timeout=1000 * WAIT_SECONDS)


@dataclass(frozen=True)
class Served:
    """The process of a UI, and its address."""

    process: psutil.Popen
    url: str


@pytest.fixture(scope="module")
def served(demo: DemoRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A read-only UI of the demo's profile, which ends with all its processes."""
    port = free_port()
    environment = {**os.environ, CONFIG_VARIABLE: str(demo.config), variable("state_root"): str(demo.state)}
    words = [str(SCRIPTS / "pairs-platform"), "ui", "--read-only", "--port", str(port)]
    with (tmp_path_factory.mktemp("ui") / "output").open("w") as output:
        process = psutil.Popen(words, cwd=demo.folder, env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{url}/server_info", process))
        yield Served(process, url)
    finally:
        family = [*process.children(recursive=True), process] if process.is_running() else []
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=WAIT_SECONDS)
        for member in alive:
            member.kill()
        assert alive == []


@pytest.fixture
def ui(served: Served) -> str:
    return served.url


def test_it_has_no_daemon_and_refuses_to_change_anything(served):
    family = served.process.children(recursive=True)
    assert not any("dagster-daemon" in " ".join(member.cmdline()) for member in family)
    mutation = """mutation { startSchedule(scheduleSelector: {
        repositoryName: "__repository__", repositoryLocationName: "pairs_platform",
        scheduleName: "weekly_network_tuning"
    }) { __typename } }"""
    assert graphql(served.url, mutation)["startSchedule"]["__typename"] == "UnauthorizedError"


def shows(page: Page, *words: str) -> None:
    for word in words:
        expect(page.locator("body")).to_contain_text(word)


class TestRuns:
    def test_the_runs_of_the_demo_are_those_of_the_daily_job(self, ui, page):
        page.goto(f"{ui}{LOCATION}/jobs/{DAILY}/runs")
        shows(page, f"{SESSION}|{SECTOR}", "Success")
        assert page.get_by_text("Success", exact=True).count() > len(SESSIONS)

    def test_the_timeline_draws_the_daily_job(self, ui, page):
        page.goto(f"{ui}/runs-feed/timeline")
        shows(page, DAILY)


class TestAssets:
    def test_partitions_are_those_that_the_settings_can_make(self, ui, page):
        page.goto(f"{ui}/assets/trading_config?view=partitions")
        shows(page, "Materialized (3)", "healthcare", SECTOR)
        assert "energy" not in page.inner_text("body")

    def test_the_checks_of_an_asset_are_listed_with_what_they_found(self, ui, page):
        page.goto(f"{ui}/assets/trading_config?view=checks")
        shows(page, "Checks (5)", "schema_and_uniqueness", "Succeeded", f"{SESSION}|{SECTOR}: no model")
