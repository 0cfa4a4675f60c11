"""Fixtures that every test may use."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from pairs_platform.core.masking import forget_secrets
from pairs_platform.database.store import Database
from pairs_platform.processes.runtime.postgres_server import EmbeddedPostgres
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.object_storage import ObjectStorage, new_bucket, running_s3
from pairs_platform_tests.support.postgres import running_postgres
from pairs_platform_tests.support.waiting import SCALE, TEST_SECONDS

DATA_VARIABLE = "PAIRS_PLATFORM_TEST_DATA"
FIRST = [Path(__file__).parent / name for name in ("e2e/test_demo.py", "adapters", "e2e", "processes", "views")]
"""What comes before all other tests, in this order.

One process makes the demo, and no other has to wait for it; then come the folders whose files take long, so that no
process is left alone with one of them at the end.
"""

hypothesis_settings.register_profile("pairs_platform", deadline=None)
hypothesis_settings.load_profile("pairs_platform")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs ends after the seconds of its mark `timeout`, or those of all others; the scale is for both.

    `FIRST` is the order.
    """
    items.sort(key=lambda item: next((n for n, path in enumerate(FIRST) if item.path.is_relative_to(path)), len(FIRST)))
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = SCALE * mark.args[0] if mark else TEST_SECONDS
        item.add_marker(pytest.mark.timeout(seconds), append=False)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test sees the caller's configuration or keys, none writes into the caller's state folder.

    What a command sets for its child processes ends with the test: a fixture of the next module would see it.
    """
    before = dict(os.environ)
    for name in before:
        if (name.startswith("PAIRS_PLATFORM_") and name != DATA_VARIABLE) or name.startswith("APCA_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("PAIRS_PLATFORM__STATE_ROOT", str(tmp_path / "state of a test"))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """No secret of a test is masked in another one."""
    yield
    forget_secrets()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real prices; the test is skipped without it."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} names no folder of real prices")
    return Path(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """URL of a local server that speaks S3."""
    with running_s3() as url:
        yield url


@pytest.fixture
def object_storage(s3_server: str) -> ObjectStorage:
    """An empty bucket of it."""
    return new_bucket(s3_server)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server that runs for these tests.

    Outside of pytest's folder, which another pytest closes for all users but its own: as root the server has one.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pairs-platform-pg-", ignore_cleanup_errors=True) as folder,
        running_postgres(Path(folder) / "postgres") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the current version without rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    Database(f"sqlite:///{path}", "simulated-5min-raw").upgrade()
    return path


@pytest.fixture
def alpaca_settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a test, with an account at Alpaca."""
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    return load_settings()
