"""Addresses of MLflow's pages: a link where a server shows them, and never a password."""

import pytest
from pydantic import SecretStr

from pairs_platform.defs.models.metadata import mlflow_run
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.mlflow_pages import run_page


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/#/runs/abc"),
        ("https://trader:secret@models.example", None),
        ("postgresql+psycopg2://mlflow:secret@127.0.0.1/mlflow_db", None),
        (None, None),
    ],
)
def test_a_run_is_a_link_where_a_server_shows_it(uri, expected):
    settings = load_settings().model_copy(update={"mlflow_uri": None if uri is None else SecretStr(uri)})
    assert run_page(settings, "abc") == expected
    assert mlflow_run(settings, "abc").value == (expected or "abc")
