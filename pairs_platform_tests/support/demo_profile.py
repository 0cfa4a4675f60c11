"""A small simulated profile: one run of the demo as a user types it, shared by every test that looks at its results.

The demo runs once for all test processes; tests that change something work on a copy of its lake.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from filelock import FileLock

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.waiting import WAIT_SECONDS

SECTOR = "technology"
SYMBOLS = ("AAPL", "ADI", "AMAT", "AMD", "PDFS", "ROG", "TER", "TXN")
LOOKBACK = 25
SESSION = date(2023, 3, 8)
SESSIONS = tuple(sessions_ending(SESSION, 3))
PRICED = tuple(sessions_ending(SESSION, LOOKBACK + 2))
SCRIPTS = Path(sys.executable).parent

PLATFORM = """
frequency: 1h
lookback: {intraday: 25}
source: {simulated: {planted_pairs_per_sector: 3, max_half_life_bars: 12}}
selection: {gate: 0.2}
gru:
  split: {min_test_labels: 5}
  network: {hidden_1: 6, hidden_2: 4, sequence_length: 3, max_epochs: 2}
  evaluation: {n_bootstrap: 200}
  promotion: {challenger_sessions: 2, max_age_sessions: 4}
"""
UNIVERSE = f"universe: {{technology: {{active: true, symbols: [{', '.join(SYMBOLS)}]}}}}\n"


def key(session: date = SESSION, sector: str = SECTOR) -> PartitionKey:
    return PartitionKey(session, sector)


@dataclass(frozen=True)
class DemoRun:
    """A finished `pairs-platform demo`.

    Attributes
    ----------
    folder : Path
        Holds the configuration folder and the state folder; its name has a space.
    exit_code : int
    output : str
    """

    folder: Path
    exit_code: int
    output: str

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def state(self) -> Path:
        return self.folder / "state"


def run(
    arguments: list[str], folder: Path, *, config: Path, state: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a console script of this environment in `folder`, with nothing of the caller's configuration."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PAIRS_PLATFORM_", "APCA_", "DAGSTER_"))
    }
    own = {CONFIG_VARIABLE: str(config), variable("state_root"): str(state), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [str(SCRIPTS / arguments[0]), *arguments[1:]],
        cwd=folder,
        env={**inherited, **own, **(more or {})},
        capture_output=True,
        text=True,
        timeout=2 * WAIT_SECONDS,
        check=False,
    )


def write_config(folder: Path, platform: str = PLATFORM, universe: str = UNIVERSE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "platform.yaml").write_text(platform)
    (folder / "universe.yaml").write_text(universe)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo for technology and `SESSION`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "a demo"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            config = write_config(folder / "config")
            words = ["pairs-platform", "demo", "--session", str(SESSION)]
            done = run(words, folder, config=config, state=folder / "state")
            (folder / "exit code").write_text(str(done.returncode))
            (folder / "output").write_text(done.stdout + done.stderr)
    return DemoRun(folder, int((folder / "exit code").read_text()), (folder / "output").read_text())


@pytest.fixture
def stored(demo: DemoRun, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The demo's profile, to be read only."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(demo.config))
    monkeypatch.setenv(variable("state_root"), str(demo.state))
    return Platform(load_settings())


@pytest.fixture
def copied(demo: DemoRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Platform]:
    """A copy of the demo's profile without its Dagster instance."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(demo.config))
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "state"))
    shutil.copytree(demo.state, tmp_path / "state", symlinks=True, ignore=shutil.ignore_patterns("dagster"))
    return Platform(load_settings())
