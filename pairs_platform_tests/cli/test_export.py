"""`pairs-platform export` and the asset over the demo's results."""

import pandas as pd
import pytest
from click.testing import CliRunner

from pairs_platform.cli import cli
from pairs_platform.core.errors import PlatformError
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
from pairs_platform.database.models import read_performance
from pairs_platform.views.reports.tables import EXPORTS
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.runs import execute


def console(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    return done.stdout or done.output


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_rankings_are_those_of_the_lake(stored, tmp_path, kind):
    path = tmp_path / f"rankings.{kind}"
    said = console("export", "rankings", str(path), "--session", str(SESSION), "--sector", SECTOR)
    read = {"csv": pd.read_csv, "xlsx": pd.read_excel, "parquet": pd.read_parquet}[kind]
    found, expected = read(path), stored.lake.read(COMPOSITE_RANKINGS, key())
    assert said == f"{len(expected)} rows: {path}\n"
    ours = found.set_index("pair")["ranking_score"].dropna()
    theirs = expected.set_index("pair")["ranking_score"].dropna()
    pd.testing.assert_series_equal(ours.sort_index(), theirs.sort_index(), check_dtype=False, check_index_type=False)


def test_performance_and_signals_of_a_range(stored, tmp_path):
    path = tmp_path / "performance.parquet"
    console("export", "performance", str(path), "--from", str(SESSIONS[0]), "--to", str(SESSIONS[-1]))
    found = pd.read_parquet(path)
    assert len(found) == len(read_performance(stored.database, SECTOR))
    assert console("export", "signals", str(tmp_path / "signals.csv")).startswith(tuple("123456789"))


def test_rows_that_name_a_pair_to_trade_say_the_order(stored, tmp_path):
    for table, column in (
        ("rankings", "order_at_low_z"), ("configurations", "order_at_high_z"), ("signals", "order_words"),
    ):  # fmt: skip
        console("export", table, str(tmp_path / f"{table}.parquet"), "--session", str(SESSION))
        rows = pd.read_parquet(tmp_path / f"{table}.parquet")
        words = rows.loc[rows["beta"].notna(), column]
        assert len(words)
        assert words.str.contains("^(?:buy|sell|close:|hold:|wait|skipped)").all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "out.csv"], "'nothing' is no export; valid: rankings"),
        (["rankings", "out/of/place.csv"], "there is no folder out/of; make it"),
        (["rankings", "out.doc"], ": the suffix names no format"),
        (["rankings", "out.csv", "--sector", "banking"], "unknown sector 'banking'"),
    ],
)
def test_mistakes_are_named(stored, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlatformError, match=message):
        console("export", *words)
    assert list(tmp_path.glob("out*")) == []


def test_the_asset_writes_every_table_in_every_form(copied):
    assert execute(copied, ["exports"], session=SESSION).success
    folder = copied.settings.profile_root / "exports" / SECTOR / str(SESSION)
    kinds = {".csv", ".xlsx", ".parquet"}
    assert len([path for path in folder.iterdir() if path.suffix in kinds]) == len(EXPORTS) * 3
    assert len(pd.read_csv(folder / "rankings.csv")) == len(copied.lake.read(COMPOSITE_RANKINGS, key()))
