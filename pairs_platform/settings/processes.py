"""Settings of the production processes; light enough to be read while definitions load.

What does not belong here: the processes (`pairs_platform.processes.runtime.topology`), and URLs that may hold a
password (`pairs_platform.settings.model`).
"""

from pairs_platform.core.settings import SettingsGroup, setting


class ServiceSettings(SettingsGroup):
    """Where the servers listen: all of `pairs-platform up`, and the UI of `ui` and `live`."""

    host: str = setting(
        "127.0.0.1",
        unit="address",
        description="Address that the UI and MLflow listen on; neither asks for a password.",
    )
    ui_port: int = setting(3000, unit="port", ge=1, le=65535, description="Port of the Dagster UI.")
    mlflow_port: int = setting(5000, unit="port", ge=1, le=65535, description="Port of the MLflow server.")
    mlflow_workers: int = setting(1, unit="processes", ge=1, le=32, description="Processes that answer for MLflow.")
    code_port: int = setting(
        4266, unit="port", ge=1, le=65535, description="Port of the code location server, on loopback alone."
    )
    postgres_port: int = setting(
        5432, unit="port", ge=1, le=65535, description="Port of the platform's own PostgreSQL, on loopback alone."
    )


def reached(host: str) -> str:
    """The address, as it stands in a URL, by which this machine reaches what listens on `host`."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host).strip("[]")
    return f"[{address}]" if ":" in address else address
