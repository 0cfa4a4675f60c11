"""A read-only Dagster UI of a finished demo: what it refuses, and what a person sees on its pages in a real browser.

What does not belong here: the UI with its daemon (`test_ui`).
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from pairs_platform.defs.freshness.sensors import freshness_watch
from pairs_platform.defs.instance import open_instance
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.settings.loading import load_settings
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


def judge_freshness(config: Path, state: Path) -> None:
    """Let the sensor look once at a profile, as a daemon does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG_VARIABLE, str(config))
        patch.setenv(variable("state_root"), str(state))
        settings = load_settings()
        with open_instance(prepare_home(settings)) as instance:
            context = dg.build_sensor_context(instance, resources={"platform": Platform(settings)})
            for evaluation in freshness_watch(context).asset_events:
                instance.report_runless_asset_event(evaluation)


@pytest.fixture(scope="module")
def served(demo: DemoRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A read-only UI of a copy of the demo's profile, which ends with all its processes."""
    port, folder = free_port(), tmp_path_factory.mktemp("ui")
    state = shutil.copytree(demo.state, folder / "state", symlinks=True)
    judge_freshness(demo.config, state)
    environment = {**os.environ, CONFIG_VARIABLE: str(demo.config), variable("state_root"): str(state)}
    words = [str(SCRIPTS / "pairs-platform"), "ui", "--read-only", "--port", str(port)]
    with (folder / "output").open("w") as output:
        process = psutil.Popen(words, cwd=folder, env=environment, stdout=output, stderr=output)
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

    def test_the_list_of_jobs_says_when_each_ran_last(self, ui, page):
        page.goto(f"{ui}/jobs")
        for job in (DAILY, "five_minute_signals"):
            expect(
                page.get_by_text(re.compile(rf"{job}\s*(a few|an?|\d+) (second|minute|hour)s? ago")).first
            ).to_be_visible()

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

    def test_the_page_of_an_asset_says_how_fresh_it_is(self, ui, page):
        page.goto(f"{ui}/assets/garch_fits?view=checks&checkDetail=up_to_date")
        shows(page, "Week-ends and holidays make nothing late", f"{SECTOR} ends with {SESSION}", "sessions behind")

    def test_the_overview_says_what_to_look_at_and_what_the_asset_is(self, ui, page):
        page.goto(f"{ui}/assets/garch_fits?view=overview")
        shows(page, "Look at the spread of the best pair: AR(1)-GARCH(1,1) of every pair")
        shows(page, "Standard deviation of the next bar's innovation [ln US dollars].")
        shows(
            page, "lake.simulated_", "_1h_raw.garch_fits", "domain: volatility", "storage: lake", "profile: simulated_"
        )
        link = page.get_by_role("link").filter(has_text="in editor")
        expect(link).to_have_attribute("href", re.compile(r"vscode://.*/defs/volatility/assets\.py:\d+"))

    def test_the_key_table_stands_inline_in_the_newest_materialization(self, ui, page):
        page.goto(f"{ui}/assets/trading_config?view=events")
        (row,) = [cells for cells in inline_rows(page, "orders") if cells[0] == "AAPL_ADI"]
        assert any(cell.startswith("buy AAPL, sell ") for cell in row)
        shows(page, "2 pairs to trade", "An order's amounts are US dollars at entry")

    def test_a_plot_is_an_image_beside_its_table(self, ui, page):
        page.goto(f"{ui}/assets/garch_fits?view=events")
        assert len(inline_rows(page, "fits")) > 1
        row_of(page, "plot_spread_z").get_by_text("[Show Markdown]").click()
        image = page.get_by_role("dialog").locator("img")
        expect(image).to_be_visible()
        assert image.evaluate("image => image.complete && image.naturalWidth") > 300


def row_of(page: Page, key: str) -> Locator:
    """The row of a key among the metadata that a page shows."""
    return page.locator("tr").filter(has=page.get_by_role("cell", name=key, exact=True)).first


def inline_rows(page: Page, key: str) -> list[list[str]]:
    """The cells of each row of a table that stands inline."""
    table = row_of(page, key).locator("table")
    expect(table).to_be_visible()
    return [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
