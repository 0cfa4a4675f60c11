"""Reads the settings from the shipped YAML, the user's folder and the environment.

Later sources override earlier ones: the YAML shipped in the package, the user's folder named by
``PAIRS_PLATFORM_CONFIG`` (``platform.yaml`` and ``universe.yaml``, each optional), the profile that
``PAIRS_PLATFORM_PROFILE`` names, then variables such as ``PAIRS_PLATFORM__SOURCE__KIND``. What does not belong here:
which settings there are (`model`), what a profile's name means (`profiles`), how a document is read (`documents`), and
how what is refused is put into words (`explanations`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.masking import keep_secret
from pairs_platform.settings.documents import parse_document, read_text
from pairs_platform.settings.explanations import (
    LONGEST_VALUE,
    Layer,
    explained,
    origin,
    set_in,
    short_text,
    shown_value,
)
from pairs_platform.settings.model import SECRET_FIELDS, Settings
from pairs_platform.settings.names import all_names, given_type, is_json, kind_at, nearest_name, setting_at
from pairs_platform.settings.profiles import choice_of, require_profile
from pairs_platform.settings.renamed import new_path
from pairs_platform.settings.secrets import AROUND, mask_secret
from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE, shipped_document
from pairs_platform.settings.valid_values import valid_values
from pairs_platform.settings.variables import (
    FROM_FILE,
    PREFIX,
    named_profile,
    names_of_variables,
    secret_in_file,
    user_folder,
    variable,
)

SECRETS_OF_LIBRARIES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
)
"""Variables that are no settings, and that libraries beneath the platform read: masked like its own."""


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the packaged YAML, the user's folder, the environment and `overrides` (which win over the files).

    Raises
    ------
    SettingsError
        With one line per wrong field: its path, where it was set, the value and what is valid.
    """
    folder = user_folder()
    names = (PLATFORM_FILE, UNIVERSE_FILE)
    layers = [Layer(f"package {name}", shipped_document(name)) for name in names]
    if folder:
        _refuse_other_spellings(folder)
        layers += [_written(folder / name) for name in names if os.path.lexists(folder / name)]
    name = named_profile()
    if name is not None:
        layers.append(Layer(f"profile {name}", choice_of(_state_root(layers, overrides), name)))
    layers += [Layer("environment", secrets_from_environment()), Layer("", dict(overrides or {}))]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merged(merged, layer.content)
    _require_sound_variables()
    for setting in merged:
        if setting.startswith("_"):  # an argument of pydantic-settings
            raise SettingsError(f"{setting} is no setting{set_in(origin([setting], layers))}")
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise SettingsError(explained(error, layers)) from None
    _require_folder(settings.state_root, origin(["state_root"], layers))
    if name is not None:
        require_profile(name, settings.profile)
    return settings


def _written(path: Path) -> Layer:
    text = read_text(path)
    return Layer(str(path), parse_document(text, str(path)), text)


def _state_root(layers: Sequence[Layer], overrides: Mapping[str, Any] | None) -> Path:
    """The state folder, before the settings of the profile in it are known."""
    written = names_of_variables().get(variable("state_root"))
    named = [layer.content["state_root"] for layer in layers if layer.content.get("state_root")]
    root = (overrides or {}).get("state_root") or (os.environ[written] if written else named[-1])
    return Path(os.path.expanduser(str(root)))


def secrets_from_environment() -> dict[str, str]:
    """Every secret setting that a variable holds, or that is in the file that the variable with ``_FILE`` names.

    Raises
    ------
    SettingsError
        Both are set, or the file cannot be read, is empty, or can be read by everybody.
    """
    for name in SECRETS_OF_LIBRARIES:
        keep_secret(os.environ.get(name, ""))
    secrets, written = {}, names_of_variables()
    for field in sorted(SECRET_FIELDS):
        name = variable(field)
        value, path = (os.environ.get(written.get(name + suffix, ""), "") for suffix in ("", FROM_FILE))
        if path and value.strip(AROUND):
            raise SettingsError(f"{name} and {name}{FROM_FILE} are both set: remove one of them")
        if path:
            value = secret_in_file(path, name + FROM_FILE)
        if value:
            mask_secret(field, value)
            secrets[field] = value
    return secrets


def _require_folder(root: Path, place: str) -> None:
    """Refuse a state folder that is a file, or below one."""
    for path in (root, *root.parents):
        try:
            if path.is_dir():
                return
            is_other = os.path.lexists(path) and not path.is_dir()  # another process may have made it by now
        except OSError as error:  # a name that is too long
            raise SettingsError(f"state_root: {path} cannot be used: {error.strerror}{set_in(place)}") from None
        if is_other:
            raise SettingsError(
                f"state_root: {path} is no folder, name another one (value {shown_value(str(root))}){set_in(place)}"
            )


def _refuse_other_spellings(folder: Path) -> None:
    """Refuse a file that is named almost like those that are read, and would be passed over."""
    names = {name.removesuffix(".yaml"): name for name in (PLATFORM_FILE, UNIVERSE_FILE)}
    for name in sorted(os.listdir(folder)):
        stem, _, suffix = name.lower().partition(".")
        if stem in names and name != names[stem] and suffix in ("yaml", "yml", "yaml.txt", "yml.txt"):
            raise SettingsError(f"{folder / name} is not read: rename it to {names[stem]}")


def _require_sound_variables() -> None:
    """Refuse a variable that names no setting, or that holds no JSON where its setting is a list or a group."""
    for name, written in sorted(names_of_variables().items()):
        if name in _SECRET_VARIABLES:
            continue
        path = name.removeprefix(PREFIX).lower().split("__") if name.startswith(PREFIX) else []
        if not path:
            _refuse_single_underscore(name, written)
            continue
        kind = kind_at(path) if variable(".".join(path)) == name else None
        if kind is None:
            raise SettingsError(_sets_nothing(name, written, path))
        if is_json(kind):
            _require_json(written, ".".join(path))


_SECRET_VARIABLES = {variable(field) + suffix for field in SECRET_FIELDS for suffix in ("", FROM_FILE)}


def _refuse_single_underscore(name: str, written: str) -> None:
    """Refuse a setting's variable with ``_`` in the place of ``__``."""
    plain = {variable(path).replace("_", ""): variable(path) for path in all_names()}
    meant = plain.get(name.replace("_", ""))
    if meant and name != meant:
        raise SettingsError(f"variable {written} sets nothing: it is written {meant}, with two underscores")


def _sets_nothing(name: str, written: str, path: list[str]) -> str:
    dotted = ".".join(path)
    suffix = FROM_FILE if name.endswith(FROM_FILE) else ""
    plain = dotted.removesuffix(suffix.lower())
    if new_path(plain) != plain:
        return f"variable {written} is called {variable(new_path(plain))}{suffix} now: rename it"
    near, in_file = nearest_name(path), nearest_name(plain.split("."))
    if suffix and in_file in SECRET_FIELDS:
        meant = variable(in_file) + suffix
    else:
        meant = " or ".join(variable(one) for one in near.split(" or ")) if near else ""
    if meant:
        return f"variable {written} sets nothing; {meant} is perhaps meant"
    return f"variable {written} sets nothing: `pairs-platform config show --describe` lists every setting"


def _require_json(written: str, path: str) -> None:
    value, twice = os.environ[written], list[str]()

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    try:
        json.loads(value, object_pairs_hook=each_once)
        reason = f"sets {short_text(twice[0], LONGEST_VALUE)} twice" if twice else ""
    except (ValueError, RecursionError):
        reason = "is no JSON"
    if reason:
        setting, valid = setting_at(path.split(".")), valid_values(path.split("."))
        is_list = setting is not None and get_origin(given_type(setting.annotation)) is tuple
        one = [value] if value and "[" not in value and "{" not in value else ["…"]
        example = json.dumps(one if is_list else {"…": "…"}, ensure_ascii=False)
        raise SettingsError(
            f"{path}: {shown_value(value)} {reason}: {valid}; a variable holds it as JSON, such as "
            f"{written}='{short_text(example, LONGEST_VALUE)}', set in variable {written}"
        )


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(below, Mapping) and value is None:  # a group without an entry changes nothing
            continue
        result[name] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
