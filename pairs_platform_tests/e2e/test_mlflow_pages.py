"""MLflow's pages in a browser, from the addresses that the platform prints."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from pairs_platform.adapters.mlflow.registry import LIST_VIEW, MlflowRegistry, database_of, served_experiment
from pairs_platform.ports.model_registry import TrackedTraining
from pairs_platform.views.mlflow_pages import runs_page
from pairs_platform_tests.support.browser import browser, page
from pairs_platform_tests.support.bundles import PAIRS, SECTOR, SESSION, record
from pairs_platform_tests.support.waiting import WAIT_SECONDS
from pairs_platform_tests.support.web_servers import running_mlflow

__all__ = ["browser", "page"]

expect.set_options(timeout=1000 * WAIT_SECONDS)


@dataclass(frozen=True)
class Served:
    """An MLflow server over one training of two pairs."""

    address: str
    tracked: TrackedTraining


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("mlflow")
    tracked = MlflowRegistry.embedded(folder).log_training(record(with_bundle=False))
    store = database_of(folder).get_secret_value()
    own = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"}
    words = ["server", "--workers", "1"]
    with running_mlflow(words, folder, "/health", **own, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false") as address:
        yield Served(address, tracked)


def test_the_list_shows_the_session_and_the_figures(served: Served, page: Page):
    experiment = served_experiment(served.address, SECTOR)
    assert served_experiment(served.address, "energy") is None
    page.goto(runs_page(served.address, str(experiment), LIST_VIEW))
    expect(page.get_by_text(f"{SESSION}_GRU_Training_{SECTOR}_20230309T110000Z_v1")).to_be_visible()
    expect(page.get_by_text(f"GRU models of the sector {SECTOR}")).to_be_visible()
    for column in ("session", "pair", "status", "skill"):
        expect(page.get_by_role("columnheader", name=column, exact=True).first).to_be_visible()
    expect(page.get_by_role("gridcell", name=str(SESSION), exact=True).first).to_be_visible()


def test_the_page_of_a_pair_says_what_it_is_and_draws_its_losses(served: Served, page: Page):
    run, name = served.tracked.pair_runs[PAIRS[0]]
    page.goto(f"{served.address}/#/runs/{run}")
    expect(page.get_by_text(name).first).to_be_visible()
    expect(page.get_by_text(re.compile("training of session")).first).to_be_visible()
    expect(page.get_by_text("network.hidden_1").first).to_be_visible()
    page.get_by_role("tab", name="Model metrics").click()
    expect(page.get_by_text("train_loss").first).to_be_visible()
    expect(page.locator(".js-line").first).to_be_attached()


def test_a_table_is_previewed(served: Served, page: Page):
    experiment = served_experiment(served.address, SECTOR)
    run = served.tracked.run_id
    page.goto(f"{served.address}/#/experiments/{experiment}/runs/{run}/artifacts/report/pairs.json")
    for text in ("View as table", "the loss is not finite", "insufficient_data"):
        expect(page.get_by_text(text).first).to_be_visible()
