"""The base of every rules model: typed, bounded, described settings that live beside the code that obeys them.

What does not belong here: any particular rule, and how settings are read (`pairs_platform.settings.loading`).
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SettingsGroup(BaseModel):
    """A frozen group of settings; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(default: Any, *, unit: str, description: str, **bounds: Any) -> Any:
    """Declare one setting with its default, its unit, what it means and what is valid.

    Parameters
    ----------
    default
        Value where the user gives none; `...` where the user must give one.
    unit
        Unit of the value, for example ``"bars"``, ``"basis points"``, ``"1"`` for a pure number.
    description
        One sentence for the reader of ``pairs-platform config show``.
    bounds
        Pydantic's constraints (``ge``, ``gt``, ``le``, ``lt``, ``min_length``, …).
    """
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)
