"""Where a person sees MLflow's pages: addresses of its list of runs and of one run.

What does not belong here: what stands on the pages (`adapters.mlflow`).
"""

from pairs_platform.settings.model import Settings

MODEL_TRAINING = "workflowType=machine_learning"
"""MLflow opens on its pages for generative models otherwise, whatever an experiment's kind says."""


def is_served(settings: Settings) -> bool:
    """Whether the settings name an MLflow server, which hands out its pages itself."""
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else ""
    return uri.startswith(("http://", "https://"))


def mlflow_address(settings: Settings) -> str | None:
    """The server that hands out MLflow's pages; None where none is named, or one with a password in its address."""
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri and is_served(settings) else ""
    return uri.rstrip("/") if uri and "@" not in uri else None


def run_page(settings: Settings, run_id: str) -> str | None:
    """The page of a run; None where no server shows it."""
    address = mlflow_address(settings)
    return None if address is None else f"{address}/#/runs/{run_id}"


def runs_page(address: str, experiment_id: str, view: str) -> str:
    """The list of an experiment's runs, with the columns of one of its shared views."""
    return f"{address}/#/experiments/{experiment_id}/runs?{MODEL_TRAINING}&viewStateShareKey={view}"


def pages_of_sectors(settings: Settings, address: str) -> list[str]:
    """Lines on where a server shows the trainings of each active sector that has some; its own address without any."""
    from pairs_platform.adapters.mlflow.registry import LIST_VIEW, served_experiment

    experiments = {sector: served_experiment(address, sector) for sector in settings.active_sectors}
    pages = [
        f"MLflow, models of {sector}: {runs_page(address, experiment, LIST_VIEW)}"
        for sector, experiment in experiments.items()
        if experiment is not None
    ]
    return pages or [f"MLflow at {address}"]


def served_pages(settings: Settings) -> list[str]:
    """`pages_of_sectors` of the MLflow server that the settings name; none where they name none.

    One whose address holds a password is not shown.
    """
    address = mlflow_address(settings)
    if address is not None:
        return pages_of_sectors(settings, address)
    return ["MLflow at the address that mlflow_uri names, which holds a password"] if is_served(settings) else []
