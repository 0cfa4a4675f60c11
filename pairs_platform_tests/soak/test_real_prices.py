"""The demo on real prices as a user types it."""

import re
from pathlib import Path

from pairs_platform_tests.support.demo_profile import SECTOR, run, write_config


def test_real_hourly_prices_as_they_are(real_data: Path, tmp_path: Path) -> None:
    """Columns, sector labels and universe come from the file; zero selected pairs is a good end."""
    small = "gru: {network: {max_epochs: 2}, evaluation: {n_bootstrap: 200}}\n"
    config = write_config(tmp_path / "config", "lookback: {intraday: 40}\n" + small, "{}\n")
    data = str(real_data / "real_intraday_1h.parquet")
    words = ["pairs-platform", "demo", "--data", data, "--sector", SECTOR, "--session", "2025-07-02"]
    done = run(words, tmp_path, config=config, state=tmp_path / "state")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "technology (6 symbols)" in done.stdout
    assert "lookback 40 sessions of 1h bars" in done.stdout
    assert re.search(r"^ *pairs +15 ", done.stdout, flags=re.MULTILINE)
    assert "SIMULATED" not in done.stdout
    assert "Selected: " in done.stdout
