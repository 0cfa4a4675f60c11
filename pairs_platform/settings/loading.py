"""Reads the settings from the shipped YAML, the user's folder and the environment.

Later sources override earlier ones: the YAML shipped in the package, the user's folder named by
``PAIRS_PLATFORM_CONFIG`` (``platform.yaml`` and ``universe.yaml``, each optional), then variables such as
``PAIRS_PLATFORM__SOURCE__KIND``. What does not belong here: which settings there are (`model`).
"""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError as UnreadableVariableError

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.model import SECRET_FIELDS, Settings
from pairs_platform.settings.renamed import new_path
from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE, read_yaml, shipped_document
from pairs_platform.settings.variables import FROM_FILE, PREFIX, secret_in_file, user_folder, variable


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the packaged YAML, the user's folder, the environment and `overrides` (which win over the files).

    Raises
    ------
    SettingsError
        With one line per wrong field: its path, where it was set, the value and what is valid.
    """
    folder = user_folder()
    names = (PLATFORM_FILE, UNIVERSE_FILE)
    layers = [(f"package {name}", shipped_document(name)) for name in names]
    if folder:
        layers += [(str(folder / name), read_yaml(folder / name)) for name in names if (folder / name).exists()]
    layers += [("environment", secrets_from_environment()), ("call", dict(overrides or {}))]
    merged: dict[str, Any] = {}
    for _, layer in layers:
        merged = _merged(merged, layer)
    _refuse_unknown_variables()
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, layers)) from None
    except UnreadableVariableError as error:
        raise SettingsError(
            f"{error}: a variable that sets a list or a group of settings holds JSON, for example "
            f"""{variable("source.files.paths")}='["prices.parquet"]'"""
        ) from None


def secrets_from_environment() -> dict[str, SecretStr]:
    """Every secret setting that a variable holds, or that is in the file that the variable with ``_FILE`` names.

    Raises
    ------
    SettingsError
        Both are set, or the file cannot be read, is empty, or can be read by everybody.
    """
    secrets = {}
    for field in sorted(SECRET_FIELDS):
        name = variable(field)
        path = os.environ.get(name + FROM_FILE)
        value = os.environ.get(name)
        if path and value:
            raise SettingsError(f"{name} and {name}{FROM_FILE} are both set: remove one of them")
        if path:
            value = secret_in_file(path, name + FROM_FILE)
        if value:
            secrets[field] = SecretStr(value)
    return secrets


def _refuse_unknown_variables() -> None:
    groups = {variable(name) for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX):
            suffix = FROM_FILE if name.upper().endswith(FROM_FILE) else ""
            path = name.upper().removeprefix(PREFIX).removesuffix(suffix).lower().replace("__", ".")
            if new_path(path) != path:
                raise SettingsError(f"variable {name} is called {variable(new_path(path))}{suffix} now: rename it")
        head = PREFIX + name.upper().removeprefix(PREFIX).split("__")[0]
        is_secret_file = name.upper().removesuffix(FROM_FILE) in {variable(field) for field in SECRET_FIELDS}
        if name.upper().startswith(PREFIX) and head not in groups and not is_secret_file:
            raise SettingsError(f"variable {name} sets nothing; the settings begin with {', '.join(sorted(groups))}")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        result[name] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _explain(error: ValidationError, layers: list[tuple[str, dict[str, Any]]]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        path = tuple(str(part) for part in problem["loc"])
        if new_path(".".join(path)) != ".".join(path):
            lines.append(
                f"{'.'.join(path)} is called {new_path('.'.join(path))} now: rename it in {_origin(path, layers)}"
            )
            continue
        shown = f" (value {problem['input']!r})" if isinstance(problem["input"], str | int | float | bool) else ""
        if path and path[0] in SECRET_FIELDS:
            shown = ""
        lines.append(f"{'.'.join(path) or 'settings'}: {problem['msg']}{shown}, set in {_origin(path, layers)}")
    return "\n".join(lines)


def _origin(path: tuple[str, ...], layers: list[tuple[str, dict[str, Any]]]) -> str:
    names = [variable(".".join(path[:n])) for n in range(len(path), 0, -1)]
    for name in names:
        if name in os.environ:
            return f"variable {name}"
    for name, layer in reversed(layers):
        node: Any = layer
        for part in path:
            if not isinstance(node, Mapping) or part not in node:
                break
            node = node[part]
        else:
            return name
        if path and path[0] in layer:
            return name
    return "no file"
