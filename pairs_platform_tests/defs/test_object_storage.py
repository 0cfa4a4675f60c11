"""Assets, queries, sizes, backup and restore with the lake on a server that speaks S3."""

import pytest
from click.testing import CliRunner

from pairs_platform.cli import cli
from pairs_platform.core.errors import SettingsError
from pairs_platform.core.models.contracts import PAIR_FEATURES
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.lake.documents import Documents
from pairs_platform.lake.files import read_file, remove_below, replace, sizes_below
from pairs_platform.lake.profile import MANIFEST
from pairs_platform.platform import Platform, open_documents
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.storage import measure_storage, on_disk
from pairs_platform_tests.processes.runtime.test_backup import console, with_streams
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.runs import execute

AGAIN = (CORRELATION_MATRIX, COINTEGRATED_PAIRS, GARCH_FITS, PAIR_SCORES, COMPOSITE_RANKINGS, TRADING_CONFIG)


@pytest.fixture
def remote(copied, object_storage, monkeypatch) -> Platform:
    """The demo's profile with its lake moved to object storage, and none on the disk."""
    monkeypatch.setenv(variable("lake_url"), object_storage.url)
    monkeypatch.setenv(variable("lake_options"), object_storage.options_json)
    platform = Platform(load_settings())
    for name in sizes_below(copied.lake.root):
        replace(platform.lake.root / name, read_file(copied.lake.root / name))
    copied.lake.root.rename(copied.lake.root.with_name("the lake of before"))
    return platform


def objects(platform: Platform) -> dict[str, bytes]:
    return {name: read_file(platform.lake.root / name) for name in sizes_below(platform.lake.root) if name != MANIFEST}


def test_assets_store_there_what_they_store_on_a_disk(remote):
    before = {contract.table: remote.lake.read(contract, key()) for contract in AGAIN}
    document = remote.lake.read_document("trading_config", key())
    for contract in AGAIN:
        remove_below(remote.lake.path(contract.table, key()))
        assert not remote.lake.exists(contract.table, key())
    result = execute(remote, [contract.table for contract in AGAIN], session=SESSION)
    assert result.success
    for contract in AGAIN:
        assert remote.lake.read(contract, key()).equals(before[contract.table]), contract.table
    assert remote.lake.read_document("trading_config", key())["content_hash"] == document["content_hash"]
    assert all(check.passed for check in result.get_asset_check_evaluations() if check.check_name.startswith("schema"))
    assert not (remote.settings.profile_root / "lake").exists()


def test_documents_are_read_without_a_parquet_library(remote):
    documents = open_documents(remote.settings)
    assert type(documents) is Documents
    assert documents.read_document("trading_config", key())["sector"] == SECTOR


def test_queries_and_sizes(remote):
    done = CliRunner().invoke(cli, ["sql", "SELECT count(*) AS n FROM pair_features"])
    assert done.exit_code == 0, done.output
    keys = [key(day) for day in remote.lake.sessions("pair_features", SECTOR)]
    assert str(len(remote.lake.read_many(PAIR_FEATURES, keys))) in done.output
    usage = measure_storage(remote)
    assert usage.sizes["objects/pair_features"] == remote.lake.sizes()["pair_features"] > 0
    assert not any(part.startswith("lake/") for part in usage.sizes)
    assert on_disk(usage.sizes) + sum(remote.lake.sizes().values()) <= sum(usage.sizes.values())
    for words in (["doctor"], ["config", "show"], ["storage"]):
        assert "planted-" not in CliRunner().invoke(cli, words).output


def test_a_backup_holds_the_lake_and_comes_back_to_either_place(remote, object_storage, tmp_path, monkeypatch):
    saved = objects(remote)
    target = tmp_path / "state.tar.gz"
    with with_streams(remote.settings.profile_root):
        code, said = console("backup", str(target))
    assert code == 0, said
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "another"))
    code, said = console("restore", str(target))
    assert (code, "is not empty: name another lake_url" in said) == (1, True)
    assert objects(remote) == saved
    monkeypatch.setenv(variable("lake_url"), f"{object_storage.url}-restored")
    code, said = console("restore", str(target))
    assert code == 0, said
    again = Platform(load_settings())
    assert objects(again) == saved
    assert not (again.settings.profile_root / "lake").exists()
    monkeypatch.delenv(variable("lake_url"))
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "on a disk"))
    code, said = console("restore", str(target))
    assert code == 0, said
    assert objects(Platform(load_settings())) == saved


@pytest.mark.parametrize("url", ["file:///tmp/lake", "s3://key:secret@bucket/x", "s3://", "https://host/bucket"])
def test_urls_that_cannot_be_used_are_refused(url, monkeypatch):
    monkeypatch.setenv(variable("lake_url"), url)
    with pytest.raises(SettingsError, match=r"lake_url: .* is not allowed: an address written s3://bucket"):
        load_settings()


@pytest.mark.parametrize("options", ["planted-secret", "[1]", '"planted-secret"'])
def test_options_that_are_no_object_are_refused_unseen(options, monkeypatch):
    monkeypatch.setenv(variable("lake_options"), options)
    with pytest.raises(SettingsError, match=r"lake_options: .*no JSON object") as raised:
        load_settings()
    assert "planted" not in str(raised.value)
