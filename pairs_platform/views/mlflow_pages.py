"""Where a person sees MLflow's pages: addresses of its list of runs and of one run.

What does not belong here: what stands on the pages (`adapters.mlflow`).
"""

from pairs_platform.settings.model import Settings

MODEL_TRAINING = "workflowType=machine_learning"
"""MLflow opens on its pages for generative models otherwise, whatever an experiment's kind says."""


def mlflow_address(settings: Settings) -> str | None:
    """The server that hands out MLflow's pages; None where none is named, or one with a password in its address."""
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else ""
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) and "@" not in uri else None


def run_page(settings: Settings, run_id: str) -> str | None:
    """The page of a run; None where no server shows it."""
    address = mlflow_address(settings)
    return None if address is None else f"{address}/#/runs/{run_id}"


def runs_page(address: str, experiment_id: str, view: str) -> str:
    """The list of an experiment's runs, with the columns of one of its shared views."""
    return f"{address}/#/experiments/{experiment_id}/runs?{MODEL_TRAINING}&viewStateShareKey={view}"
