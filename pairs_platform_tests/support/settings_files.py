"""YAML files of settings in the forms that people write, and what is wrong in how `config show` takes them.

A file sets a few settings whose values are known, each in a way of its own, and may hold one thing that no file of
settings holds. What does not belong here: examples of one kind (`settings/test_documents.py`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import yaml
from click.testing import CliRunner

from pairs_platform.cli.config import command
from pairs_platform.core.errors import PlatformError
from pairs_platform.settings.variables import CONFIG_VARIABLE

VALUES: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("stream.replay.start", "10:00", ("10:00", '"10:00"', "'10:00'", "10:00   # New York")),
    ("lookback.daily", 300, ("300", "'300'", "!!int 300", "+300", "300.0", "3e2", "0x12C", "0o454", "3_00")),
    ("backfill_start", "2019-01-02", ("2019-01-02", '"2019-01-02"')),
    ("correlation.gate", 0.75, ("0.75", ".75", "7.5e-1", "'0.75'", "0.750")),
    ("costs.commission_bps", 1.0, ("1", "1.0", "1e0", "'1'")),
    ("automation.run_retries", 2, ("2", "'2'", "02")),
    ("gru.training.scope", "top_n", ("top_n", '"top_n"', "\n      top_n")),
    ("universe_origin", "config", ("config", "'config'", "  config  ", ">-\n  config")),
    ("selection.pinned_pairs", ["PDFS_ROG"], ("[PDFS_ROG]", "['PDFS_ROG',]", "\n    - PDFS_ROG")),
    ("services.ui_port", 3100, ("3100", "'3100'")),
)
"""A setting, its value as `config show` has it, and texts that mean this value and nothing else."""

WRONG_VALUES: tuple[tuple[str, str], ...] = (
    ("lookback.daily", "1e400"), ("lookback.daily", "9" * 400), ("lookback.daily", ".nan"), ("lookback.daily", "[300]"),
    ("lookback.daily", "{a: 1}"), ("lookback.daily", "-300"), ("lookback.daily", "300.5"), ("lookback.daily", "ON"),
    ("correlation.gate", ".inf"), ("correlation.gate", "'"), ("correlation.gate", "0,75"), ("correlation.gate", "null"),
    ("backfill_start", "2019-02-30"), ("backfill_start", "01/02/2019"), ("backfill_start", "99999-01-01"),
    ("frequency", "5"), ("frequency", "1M"), ("stream.replay.start", "25:00"),
    ("stream.replay.start", "600"), ("universe", "[]"), ("universe", "technology"), ("source", "files"),
)  # fmt: skip
"""Values that a setting cannot have."""

SYMBOLS = ("ON", "NO", "Y", "TRUE", "F", "IT", "AAPL", "BRK.B", "O", "E", "OFF", "YES", "N", "T")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "utf-16-le")
ODDITIES = (
    "", "", "", "duplicate name", "duplicate group", "tab", "unknown name", "unknown group", "odd name", "anchor",
    "bomb", "second document", "list", "nothing", "comment in another script", "wrong value", "wrong value",
    "control character", "tag", "unclosed", "deep", "windows lines", "number as name", "non-text name", "bytes",
    "long line",
)  # fmt: skip


@dataclass
class SettingsForm:
    """One folder of settings.

    Attributes
    ----------
    texts : dict of file name to bytes
    expected : mapping of setting to its value as `config show` has it
    oddity : str
        What no file of settings holds; empty where the file is sound.
    refusable : bool
        Whether the files may be refused.
    """

    texts: dict[str, bytes]
    expected: dict[str, Any] = field(default_factory=dict)
    oddity: str = ""
    encoding: str = "utf-8"
    refusable: bool = False

    def differences(self) -> dict[str, str]:
        """What tells it from others of its kind."""
        return {"oddity": self.oddity, "encoding": self.encoding}


def drawn_settings(seed: int) -> SettingsForm:
    """The files with this number."""
    rng = Random(seed)
    chosen = rng.sample(VALUES, rng.choice([0, 1, 2, 3]))
    oddity = rng.choice(ODDITIES)
    expected = {path: value for path, value, _ in chosen}
    tree: dict[str, Any] = {}
    for path, _, texts in chosen:
        _put(tree, path, rng.choice(texts))
    wrong = None
    if oddity == "wrong value":
        wrong = rng.choice(WRONG_VALUES)
        if not any(path.startswith(wrong[0]) for path in expected):
            _put(tree, *wrong)
        else:
            oddity = ""
    lines = _lines(tree)
    lines = _odd(oddity, lines, rng)
    encoding = rng.choice(["utf-8"] * 4 + list(ENCODINGS))
    end = "\r\n" if oddity == "windows lines" else "\n"
    platform = _encoded(end.join([*lines, ""]), encoding)
    if oddity == "bytes":
        platform = rng.randbytes(rng.choice([1, 10, 300]))
    texts = {"platform.yaml": platform}
    if rng.random() < 0.4 and wrong is None:
        names = rng.sample(SYMBOLS, rng.choice([2, 3, 5]))
        written = [rng.choice([name, f'"{name}"', f"'{name}'"]) for name in names]
        block = f"[{', '.join(written)}]" if rng.random() < 0.5 else "".join(f"\n      - {name}" for name in written)
        texts["universe.yaml"] = f"universe:\n  energy:\n    symbols: {block}\n".encode(rng.choice(["utf-8", "utf-16"]))
        expected["universe.energy.symbols"] = names
    harmless = {"", "windows lines", "comment in another script", "anchor", "nothing", "long line"}
    refusable = oddity not in harmless or encoding in ("cp1252", "utf-16-le")
    if oddity in ("nothing", "bytes"):
        expected = {name: value for name, value in expected.items() if name.startswith("universe.")}
    return SettingsForm(texts, expected, oddity, encoding, refusable or any(_is_unusual(tree, p) for p, _, _ in chosen))


def _is_unusual(tree: Mapping[str, Any], path: str) -> bool:
    """Whether a value is written as YAML has it and few people do; it may be refused, and never be another value."""
    value: Any = tree
    for part in path.split("."):
        value = value[part]
    return str(value).startswith(("!!", "+", "0x", "0o", "3_", "02", "3e2"))


def _put(tree: dict[str, Any], path: str, text: str) -> None:
    *groups, name = path.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
    tree[name] = text


def _lines(tree: Mapping[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, below in tree.items():
        if isinstance(below, Mapping):
            lines += [f"{indent}{name}:", *_lines(below, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {below}")
    return lines


def _odd(oddity: str, lines: list[str], rng: Random) -> list[str]:
    bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    bomb += [
        f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    added: dict[str, list[str]] = {
        "duplicate name": ["backfill_start: 2020-01-02", "backfill_start: 2021-01-04"],
        "duplicate group": ["window: {min_coverage: 0.9}", "window: {max_fill_bars: 2}"],
        "tab": ["window:", "\tmin_coverage: 0.9"],
        "unknown name": ["window: {min_covrage: 0.9}"],
        "unknown group": ["windows: {min_coverage: 0.9}"],
        "odd name": ["wind\u00f6w\u200b: 1"],
        "anchor": ["window: &w {min_coverage: 0.9}"],
        "bomb": bomb,
        "second document": ["---", "frequency: 1d"],
        "comment in another script": ["# \u4e2d\u6587 \U0001f600 \u0416"],
        "control character": ["frequency: 1d\x07"],
        "tag": ["frequency: !!python/name:os.system 1d"],
        "unclosed": ["window: {min_coverage: 0.9"],
        "deep": ["window: " + "[" * 200],
        "number as name": ["1: 2", "1.5: 2"],
        "non-text name": ["? [a, b]", ": 1"],
        "long line": ["# " + "x" * 50_000],
    }
    if oddity == "list":
        return ["- frequency: 1d"]
    if oddity == "nothing":
        return rng.choice([[], ["# only a comment"], ["~"], ["---"], ["", "  ", ""]])
    return [*lines, *added.get(oddity, [])]


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, errors="replace")


def settings_findings(form: SettingsForm, folder: Path) -> list[str]:
    """What `config show` does wrong with the files: another error than the platform's, or another value."""
    for name, data in form.texts.items():
        (folder / name).write_bytes(data)
    with mock.patch.dict(os.environ, {CONFIG_VARIABLE: str(folder)}):
        result = CliRunner().invoke(command, ["show"])
    if isinstance(result.exception, PlatformError):
        message = str(result.exception)
        problems = [] if form.refusable else [f"refused: {message}"]
        return problems + ([f"{len(message)} characters of message"] if len(message) > 5_000 else [])
    if result.exception is not None:
        return [f"raw error: {type(result.exception).__name__}: {result.exception}"]
    shown = yaml.load(result.stdout, Loader=yaml.SafeLoader)
    problems = []
    for path, value in form.expected.items():
        got: Any = shown
        for part in path.split("."):
            got = got[part]
        if got != value:
            problems.append(f"{path} is {got!r} and was written as {value!r}")
    if form.oddity in (
        "wrong value",
        "unknown name",
        "unknown group",
        "duplicate name",
        "duplicate group",
        "list",
        "bomb",
    ):
        problems.append(f"accepted: {form.oddity}")
    return problems
