"""The rules of the house that the source itself shows: where Dagster is imported, and how long functions are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pairs_platform"
TESTS = PACKAGE.parent / "pairs_platform_tests"
DEFS = sorted((PACKAGE / "defs").rglob("*.py"))
LONGEST_OF_A_WORKFLOW = 60
LONGEST_ASSET = 30


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_dagster(path: Path) -> bool:
    modules: list[str] = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
    return any(module.split(".")[0].startswith("dagster") for module in modules)


def is_a_docstring_alone(path: Path) -> bool:
    return len(tree_of(path).body) == 1 and ast.get_docstring(tree_of(path)) is not None


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef) -> int:
    """Lines from `def` to the end."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def lines_of_body(function: ast.FunctionDef) -> int:
    """Lines below the docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def is_asset(function: ast.FunctionDef) -> bool:
    decorators = {ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list}
    return not decorators.isdisjoint({"dg.asset", "dg.multi_asset"})


@pytest.mark.parametrize("path", [path for path in DEFS if not is_a_docstring_alone(path)], ids=name_of)
def test_what_is_under_defs_needs_dagster(path):
    assert imports_dagster(path), f"{name_of(path)} imports no Dagster: its place is workflows, views or core"


def test_dagster_is_imported_under_defs_and_where_definitions_are_made_alone():
    allowed = {PACKAGE / "build.py", PACKAGE / "definitions.py", *DEFS}
    elsewhere = [path for path in sorted(PACKAGE.rglob("*.py")) if path not in allowed and imports_dagster(path)]
    assert [name_of(path) for path in elsewhere] == []


def test_functions_of_workflows_are_short():
    long = {
        f"{name_of(path)}::{function.name}": lines_of(function)
        for path in sorted((PACKAGE / "workflows").rglob("*.py"))
        for function in functions_of(path)
        if lines_of(function) > LONGEST_OF_A_WORKFLOW
    }
    assert long == {}


def test_bodies_of_assets_are_short():
    assets = [(path, function) for path in DEFS for function in functions_of(path) if is_asset(function)]
    assert len(assets) > 15
    long = {
        f"{name_of(path)}::{function.name}": lines_of_body(function)
        for path, function in assets
        if lines_of_body(function) > LONGEST_ASSET
    }
    assert long == {}


def test_no_test_waits_by_a_bound_of_its_own():
    """`support/waiting.py` has the one bound; a pause after which nothing must have happened is a `sleep`."""
    own = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in TESTS.rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        for bound in (
            *(word.value for word in node.keywords if word.arg == "timeout"),
            *(node.args[:1] if getattr(node.func, "attr", "") in ("wait", "join", "result") else ()),
            *(node.args[1:] if getattr(node.func, "id", "") == "until" else ()),
        )
        if isinstance(bound, ast.Constant) and isinstance(bound.value, int | float)
    ]
    assert own == []
