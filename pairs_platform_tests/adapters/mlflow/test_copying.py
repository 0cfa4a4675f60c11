"""An embedded registry in a PostgreSQL database of MLflow: runs, versions, aliases and files as they were."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.copying import copy_registry
from pairs_platform.adapters.mlflow.registry import MlflowRegistry, experiment_tags
from pairs_platform.core.errors import Refused
from pairs_platform.core.models.bundle import bundle_files
from pairs_platform.processes.runtime.postgres_server import SUPERUSER
from pairs_platform_tests.support.bundles import PAIRS, SECTOR, record
from pairs_platform_tests.support.postgres import new_database


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embedded") / "mlflow"
    embedded = MlflowRegistry.embedded(path)
    embedded.log_training(record())
    embedded.log_training(record(date(2023, 3, 9)))
    embedded.set_alias(SECTOR, "champion", 1)
    client = embedded._client
    experiment = client.get_experiment_by_name(f"pairs_trading/{SECTOR}").experiment_id
    client.delete_experiment_tag(experiment, "mlflow.experimentKind")  # as an earlier version made it
    return path


@pytest.fixture
def target(postgres) -> Iterator[SecretStr]:
    with new_database(postgres) as name:
        yield postgres.url(name, SUPERUSER)


def test_without_a_server_it_is_the_same_registry_which_goes_on(folder, target):
    embedded, production = MlflowRegistry.embedded(folder), MlflowRegistry(target, folder=folder)
    assert production.versions(SECTOR) == []
    assert copy_registry(folder, target, None) == 6
    assert production.versions(SECTOR) == embedded.versions(SECTOR)
    assert production.alias(SECTOR, "champion").version == 1
    assert bundle_files(production.load(SECTOR, 2)) == bundle_files(embedded.load(SECTOR, 2))
    run = embedded.versions(SECTOR)[0].run_id
    assert production._client.get_run(run).to_dictionary() == embedded._client.get_run(run).to_dictionary()
    experiment = production._client.get_experiment_by_name(f"pairs_trading/{SECTOR}")
    assert experiment.tags == experiment_tags(SECTOR)
    assert copy_registry(folder, target, None) == 0
    assert production.log_training(record(date(2023, 3, 10))).version.version == 3
    with pytest.raises(Refused, match=r"MLflow's database of production has trainings of its own already .3, such as"):
        copy_registry(folder, target, None)


def test_a_server_hands_out_copies_of_the_files(folder, target, tmp_path):
    MlflowRegistry(target, folder=folder).versions(SECTOR)
    served = tmp_path / "served"
    copy_registry(folder, target, served)
    production = MlflowRegistry(target, folder=folder)
    version = production._client.search_model_versions(f"run_id = '{production.versions(SECTOR)[0].run_id}'")[0]
    assert version.source == f"mlflow-artifacts:/{SECTOR}/{version.run_id}/artifacts/model"
    files = served / SECTOR / version.run_id / "artifacts"
    assert (files / "report" / "pairs.json").read_text().startswith('{"columns":["pair"')
    assert PAIRS[0] in (files / "report" / "pairs.json").read_text()
    assert list(files.glob("model/data/files/*"))
