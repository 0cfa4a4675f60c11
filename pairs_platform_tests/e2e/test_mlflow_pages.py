"""`pairs-platform models ui`: MLflow's pages in a browser, from the addresses that the command prints, and its end."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from pairs_platform.adapters.mlflow.registry import (
    LIST_VIEW,
    MlflowRegistry,
    hide_default_experiment,
    served_experiment,
)
from pairs_platform.lake.profile import claim_profile
from pairs_platform.ports.model_registry import TrackedTraining
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.mlflow_pages import runs_page
from pairs_platform_tests.support.browser import browser, page
from pairs_platform_tests.support.bundles import PAIRS, SECTOR, SESSION, record
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS

__all__ = ["browser", "page"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")

expect.set_options(timeout=1000 * WAIT_SECONDS)


@dataclass(frozen=True)
class Served:
    """MLflow's server over one training of two pairs, and what the command that started it shows."""

    address: str
    tracked: TrackedTraining
    shown: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The command in a terminal; Ctrl-C ends it with one line and leaves no process."""
    from pairs_platform_tests.support.terminal import Terminal

    folder, profile = tmp_path_factory.mktemp("mlflow"), load_settings().profile
    root = claim_profile(folder / "state" / profile.name, profile)
    tracked = MlflowRegistry.embedded(root / "mlflow").log_training(record(with_bundle=False))
    port = free_port()
    with Terminal("models", "ui", "--port", str(port), folder=folder) as terminal:
        terminal.read_until("Ctrl-C stops it")
        shown = terminal.text
        yield Served(f"http://127.0.0.1:{port}", tracked, shown)
        terminal.interrupt()
        assert terminal.text.removeprefix(shown).replace("^C", "").split() == ["stopped"]
        assert terminal.process.returncode == 0
        assert terminal.left() == []


def list_page(served: Served) -> str:
    """The address that the command prints."""
    return re.search(rf"models of {SECTOR}:\s+(\S+)", served.shown).group(1)


def test_the_list_shows_the_session_and_the_figures(served: Served, page: Page):
    experiment = served_experiment(served.address, SECTOR)
    assert list_page(served) == runs_page(served.address, str(experiment), LIST_VIEW)
    assert served_experiment(served.address, "energy") is None
    page.goto(list_page(served))
    expect(page.get_by_text(f"{SESSION}_GRU_Training_{SECTOR}_20230309T110000Z_v1")).to_be_visible()
    expect(page.get_by_text(f"GRU models of the sector {SECTOR}")).to_be_visible()
    for column in ("session", "pair", "status", "skill"):
        expect(page.get_by_role("columnheader", name=column, exact=True).first).to_be_visible()
    expect(page.get_by_role("gridcell", name=str(SESSION), exact=True).first).to_be_visible()
    page.get_by_role("gridcell").filter(has_text=f"{SESSION}_GRU_Training").get_by_role("button").first.click()
    expect(page.get_by_text(f"GRU_Training_{PAIRS[0]}_20230309T110000Z_v1").first).to_be_visible()
    expect(page.get_by_role("gridcell", name=PAIRS[0], exact=True).first).to_be_visible()


def test_the_experiments_are_those_of_the_platform_alone(served: Served, page: Page):
    page.goto(f"{served.address}/#/experiments")
    expect(page.get_by_role("link", name=f"pairs_trading/{SECTOR}").first).to_be_visible()
    expect(page.get_by_role("link", name="Default", exact=True)).to_have_count(0)
    hide_default_experiment(served.address)


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
