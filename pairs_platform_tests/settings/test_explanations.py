import json
from typing import Any, get_args, get_origin

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.settings import explanations
from pairs_platform.settings.explanations import explained
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import SECRET_FIELDS, described_fields
from pairs_platform.settings.names import given_type, nearest_name
from pairs_platform.settings.shipped import PLATFORM_FILE
from pairs_platform.settings.valid_values import choices_of, unit_of
from pairs_platform.settings.variables import variable

FIELDS = {path.replace("SECTOR", "technology"): info for path, info in described_fields()}
OF_PYDANTIC = ("Input should", "should be", "should have", "should match", "type=", "For further information",
               "validation error", "Field required", "Extra inputs", "unable to", "Value error")  # fmt: skip
ROUNDS = 8


@pytest.fixture(autouse=True)
def _every_line(monkeypatch):
    monkeypatch.delenv(variable("state_root"), raising=False)
    monkeypatch.setattr(explanations, "_MOST_LINES", 10_000)
    monkeypatch.setattr(explanations, "_LONGEST_MESSAGE", 1_000_000)


def bounds(info) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    return {name: getattr(each, name) for each in info.metadata for name in names if hasattr(each, name)}


def wrong_values(info) -> list[Any]:
    """What the setting cannot be, as a person would write it in YAML or JSON."""
    kind, bound = given_type(info.annotation), bounds(info)
    others: list[Any] = [["A"], {"a": "b"}]
    if kind in (int, float):
        low = [bound["ge"] - 1] if "ge" in bound else [bound["gt"], bound["gt"] - 0.5] if "gt" in bound else []
        high = [bound["le"] + 1] if "le" in bound else [bound["lt"]] if "lt" in bound else []
        numbers = [number if kind is float else int(number) for number in low + high]
        return [*numbers, "high", "", "nan", "1e999", "12 %", *(["1.5"] if kind is int else []), *others]
    if choices_of(kind) or kind is bool:
        return ["nonsense", "", "7", *others]
    if get_origin(kind) is tuple:
        few = [["AAPL"] * (bound["min_length"] - 1)] if "min_length" in bound else []
        many = [[f"A{n}" for n in range(601)]] if "max_length" in bound else []
        word = [] if info is FIELDS["source.files.paths"] else ["word"]  # one path needs no list
        return [*few, *many, *word, {"a": "b"}]
    if unit_of(info) == "date":
        out = [f"{day}" for day in ("2017-12-29", "2031-01-02") if "ge" in bound]
        return [*out, "20180102", "2018-1-2", "2018-02-30", "yesterday", "", *others]
    pattern = ["a b @ ?"] if any(hasattr(each, "pattern") for each in info.metadata) else []
    return [*pattern, *others]


def shown(value: Any, info) -> str:
    if given_type(info.annotation) is SecretStr:
        return "its value"
    if isinstance(value, dict):
        return "a group of settings"
    return f"a list of {len(value)}" if isinstance(value, list) else str(value) or "''"


def of_round(n: int) -> dict[str, Any]:
    """For each setting its wrong value of this round, from the first again where it has fewer."""
    return {path: values[n % len(values)] for path, info in FIELDS.items() if (values := wrong_values(info))}


def refused() -> dict[str, str]:
    """The line of each setting."""
    with pytest.raises(SettingsError) as error:
        load_settings()
    return {line.partition(": ")[0]: line for line in str(error.value).splitlines()}


def check(line: str, path: str, value: Any, place: str) -> None:
    info = FIELDS[path]
    assert line.startswith(f"{path}: {shown(value, info)} is not allowed: "), line
    assert line.endswith(f", set in {place}"), line
    valid = line.partition(" is not allowed: ")[2]
    assert not any(phrase in line for phrase in OF_PYDANTIC), line
    kind, unit = given_type(info.annotation), unit_of(info)
    for name, bound in bounds(info).items():
        least, written = name in ("ge", "gt"), f"{bound:g}" if isinstance(bound, float) else str(bound)
        assert f" {written}" in valid, line
        if name == "gt":
            assert f"above {written}" in valid, line
        if not least and kind in (int, float):
            assert any(f"{word} {written}" in valid for word in (("below",) if name == "lt" else ("up to", "to"))), line
    if kind in (int, float):
        assert ("whole number" in valid) == (kind is int), line
        assert unit == "1" or unit in valid, line
    of = get_args(kind)[0] if get_origin(kind) is tuple else kind
    assert all(choice in valid for choice in choices_of(of)), line


def written(values: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """A YAML document of settings, and the line of each."""
    lines: list[str] = []
    where: dict[str, int] = {}
    groups: list[str] = []
    for path, value in sorted(values.items()):
        *above, name = path.split(".")
        common = next((n for n, pair in enumerate(zip(above, groups, strict=False)) if pair[0] != pair[1]), None)
        common = min(len(above), len(groups)) if common is None else common
        lines += [f"{'  ' * n}{above[n]}:" for n in range(common, len(above))]
        lines.append(f"{'  ' * len(above)}{name}: {json.dumps(value)}")
        groups, where[path] = above, len(lines)
    return "\n".join(lines), where


@pytest.mark.parametrize("n", range(ROUNDS))
def test_every_setting_of_a_file_is_refused_with_value_line_and_both_bounds(folder, n):
    values = of_round(n)
    text, where = written(values)
    (folder / PLATFORM_FILE).write_text(text, encoding="utf-8")
    lines = refused()
    assert set(lines) == set(values)
    for path, value in values.items():
        check(lines[path], path, value, f"{folder / PLATFORM_FILE}, line {where[path]}")


@pytest.mark.parametrize("n", range(ROUNDS))
def test_every_setting_of_a_variable_is_refused_with_value_name_and_both_bounds(monkeypatch, n):
    in_json = {path for path, info in FIELDS.items() if get_origin(given_type(info.annotation)) is tuple}
    values = {
        path: value for path, value in of_round(n).items() if path in in_json or not isinstance(value, list | dict)
    }
    for path, value in values.items():
        monkeypatch.setenv(variable(path), json.dumps(value) if path in in_json else str(value))
    lines = refused()
    assert set(lines) - {"source.files.paths"} == set(values) - {"source.files.paths"}
    for path, value in values.items():
        check(lines[path], path, value, f"variable {variable(path)}")


def test_the_rounds_reach_every_wrong_value():
    assert max(len(wrong_values(info)) for info in FIELDS.values()) <= ROUNDS + 2  # list and group are two of many
    without = [path for path, info in FIELDS.items() if len(wrong_values(info)) < 2]
    assert not without


def test_an_empty_setting_is_refused_as_nothing(folder):
    optional = {path for path, info in FIELDS.items() if given_type(info.annotation) is not info.annotation}
    text, where = written(dict.fromkeys(FIELDS.keys() - optional - {"universe"}))
    (folder / PLATFORM_FILE).write_text(text, encoding="utf-8")
    lines = refused()
    for path in where:
        assert lines[path].startswith(f"{path}: nothing (empty or null) is not allowed: "), lines[path]
        assert lines[path].endswith(f", set in {folder / PLATFORM_FILE}, line {where[path]}")


@pytest.mark.parametrize("kind", [each["type"] for each in list_all_errors()])
def test_no_kind_of_error_shows_the_words_of_the_library(kind):
    example = next(each.get("example_context") for each in list_all_errors() if each["type"] == kind)
    context = {**(example or {}), **({"error": ValueError("told")} if kind == "value_error" else {})}
    detail = {"type": kind, "loc": ("trading", "entry_z"), "input": "0", "ctx": context}
    line = explained(ValidationError.from_exception_data("Settings", [detail]), ())
    valid = "a number above 0 and up to 10 standard deviations"
    assert line == {
        "value_error": "trading.entry_z: 0 is not allowed: told",
        "missing": f"trading.entry_z: is missing: {valid}",
        "extra_forbidden": "trading.entry_z: is no setting; trading.entry_z is perhaps meant",
    }.get(kind, f"trading.entry_z: 0 is not allowed: {valid}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("source: {kind: simulatd}", "simulatd is not allowed: one of simulated, .*yahoo; simulated is perhaps meant"),
        ("frequency: 1min", "frequency: 1min is not allowed: one of 5min, 1h, 1d, set"),
        ("trading: 42", "trading: 42 is not allowed: a group of settings such as entry_z, exit_z, stop_multiple, set"),
        ("universe: [A]", "universe: a list of 1 is not allowed: a group of settings, set"),
        (
            "universe: {tech: {active: true}}",
            "universe.tech: tech .*one of the sectors .*; technology is perhaps meant",
        ),
        ("universe: {energy: {active: true}}", r"universe.energy.symbols: is missing: a list of 2 to 600 symbols"),
        ("exports: {formats: [csv, pdf]}", "exports.formats.1: pdf is not allowed: one of csv, xlsx, parquet"),
        (
            "redis_url: word",
            "redis_url: does not begin with redis://, rediss://, unix://: write SCHEME://USER:PASSWORD@HOST.*@ is %40",
        ),
        ("redis_url: [word]", r"redis_url: its value is not allowed: a text \(URL\)"),
        ("state_root: ''", "state_root: '' is not allowed: a path is empty"),
        ("source: {files: {paths: [a.csv], timezone: EST}}", "source.files.timezone: EST is not allowed: .*New_York"),
    ],
)
def test_what_is_no_single_number_is_refused_in_the_same_words(folder, text, told):
    (folder / PLATFORM_FILE).write_text(text)
    with pytest.raises(SettingsError, match=told) as error:
        load_settings()
    assert str(error.value).endswith(f"set in {folder / PLATFORM_FILE}, line 1")
    assert not any(phrase in str(error.value) for phrase in OF_PYDANTIC)


def test_settings_that_do_not_fit_together_name_the_places_of_each(folder, monkeypatch):
    (folder / PLATFORM_FILE).write_text("# mine\ntrading:\n  max_stale_bars: 3\n  entry_z: 2.5\n")
    monkeypatch.setenv(variable("trading.exit_z"), "3")
    with pytest.raises(SettingsError) as error:
        load_settings()
    places = (f"{folder / PLATFORM_FILE}, line 4", f"variable {variable('trading.exit_z')}")
    assert str(error.value) == (
        "trading: exit_z 3 must be below entry_z 2.5 (a position would be left at once): lower exit_z or raise "
        f"entry_z, set in {', '.join(places)}"
    )


def test_a_merged_group_is_found_in_the_line_where_it_stands(folder):
    text = "costs: &base {commission_bps: 1}\ntrading:\n  <<: {exit_z: 9}\n"
    (folder / PLATFORM_FILE).write_text(text)
    with pytest.raises(SettingsError, match=r"trading.exit_z: 9 .*, line 3$"):
        load_settings()


@pytest.mark.parametrize("path", sorted({path.rpartition(".")[2]: path for path in FIELDS}.values()))
def test_a_mistyped_name_is_refused_with_the_one_that_was_meant(path):
    group, _, name = path.rpartition(".")
    for each in (name[:-1], name + "s"):
        typed = f"{group}.{each}" if group else each
        meant = {other for other in FIELDS if other[:-1] == path[:-1]}  # hidden_1 and hidden_2
        assert meant & set(nearest_name(typed.split(".")).split(" or ")), typed


def test_unknown_values_of_secrets_are_not_shown():
    for field in sorted(SECRET_FIELDS):
        with pytest.raises(SettingsError) as error:
            load_settings({field: {"hunter2": "hunter2"}})
        assert "hunter2" not in str(error.value)


def test_what_the_calling_code_gives_has_no_place():
    with pytest.raises(SettingsError) as error:
        load_settings({"universe": {"energy": {"symbols": ["XOM"]}}})
    valid = 'a list of 2 to 600 symbols, written as ["A", "B"]'
    assert str(error.value) == f"universe.energy.symbols: a list of 1 is not allowed: {valid}"


def test_a_group_that_is_read_by_itself_is_named_by_its_whole_path():
    settings = GruSettings()
    training = settings.training.model_copy(update={"n_seeds": 30})
    with pytest.raises(ValidationError) as error:
        GruSettings.model_validate(settings.model_copy(update={"training": training}).model_dump())
    valid = "a whole number from 1 to 20 seeds"
    assert explained(error.value, (), "gru") == f"gru.training.n_seeds: 30 is not allowed: {valid}"
