"""Options that say where the Dagster UI of a command listens.

They become environment variables, so that what links to the UI (the demo, alerts) finds it there.

What does not belong here: the addresses of other processes (`settings.processes`).
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from pairs_platform.settings.model import Settings
from pairs_platform.settings.processes import ServiceSettings
from pairs_platform.settings.variables import set_variable


def address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--host` and `--port`, below `profile_options`; without them the settings say where."""

    @wraps(command)
    def with_address(*words: Any, settings: Settings, host: str | None, port: int | None, **more: Any) -> Any:
        services = settings.services
        for name, value in (("host", host), ("ui_port", port)):
            if value is not None:
                set_variable(f"services.{name}", str(value))
                services = services.model_copy(update={name: value})
        settings = settings.model_copy(update={"services": services})
        return command(*words, settings=settings, host=services.host, port=services.ui_port, **more)

    decorated: Callable[..., Any] = with_address
    for option in (
        click.option("--port", type=click.IntRange(1, 65535), help=f"Port of the UI.  {_default('ui_port')}"),
        click.option("--host", help=f"Address that the UI listens on.  {_default('host')}"),
    ):
        decorated = option(decorated)
    return decorated


def _default(name: str) -> str:
    return f"[default: services.{name}, {ServiceSettings.model_fields[name].default}]"
