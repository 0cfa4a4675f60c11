"""Where a person sees MLflow's pages: addresses of its list of runs and of one run.

What does not belong here: what stands on the pages (`adapters.mlflow`).
"""

from pairs_platform.settings.model import Settings
from pairs_platform.settings.processes import reached

MODEL_TRAINING = "workflowType=machine_learning"
"""MLflow opens on its pages for generative models otherwise, whatever an experiment's kind says."""


def mlflow_address(settings: Settings) -> str | None:
    """The server that hands out MLflow's pages; None where it is named with a password.

    Without a named server it is the one that `pairs-platform up` starts, and `pairs-platform models ui`.
    """
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else ""
    if uri.startswith(("http://", "https://")):
        return None if "@" in uri else uri.rstrip("/")
    return f"http://{reached(settings.services.host)}:{settings.services.mlflow_port}"


def run_page(settings: Settings, run_id: str) -> str | None:
    """The page of a run; None where the server is named with a password."""
    address = mlflow_address(settings)
    return None if address is None else f"{address}/#/runs/{run_id}?{MODEL_TRAINING}"


def runs_page(address: str, experiment_id: str, view: str) -> str:
    """The list of an experiment's runs, with the columns of one of its shared views."""
    return f"{address}/#/experiments/{experiment_id}/runs?{MODEL_TRAINING}&viewStateShareKey={view}"
