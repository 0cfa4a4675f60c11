"""MLflow's pages in a browser, from the addresses that the platform prints."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pairs_platform.adapters.mlflow.registry import LIST_VIEW, MlflowRegistry, database_of, served_experiment
from pairs_platform.ports.model_registry import TrackedTraining
from pairs_platform.views.mlflow_pages import runs_page
from pairs_platform_tests.support.browser import browser, page
from pairs_platform_tests.support.bundles import PAIRS, SECTOR, SESSION, record
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

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
    address = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "mlflow"),
            *("server", "--workers", "1", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]),
        ],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": database_of(folder).get_secret_value(),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
    )

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=WAIT_SECONDS) as reply:
                return reply.status == 200
        except OSError:
            return False

    try:
        until(answers)
        yield Served(address, tracked)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(WAIT_SECONDS)


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
