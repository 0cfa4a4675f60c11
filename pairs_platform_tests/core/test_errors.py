"""Every error that the platform raises on purpose is in the tree of `core.errors`."""

import ast
import builtins
import importlib
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

import pairs_platform
from pairs_platform.core import errors
from pairs_platform.core.errors import (
    AnswerLost,
    ConfigurationError,
    DataError,
    NotFound,
    PlatformError,
    Refused,
    Unavailable,
)

PACKAGE = Path(pairs_platform.__file__).parent
KINDS = (ConfigurationError, NotFound, DataError, Unavailable, Refused, AnswerLost)

VALIDATORS = {"model_validator", "field_validator"}
"""Pydantic turns a ValueError that is raised in these into an error of the settings or the document."""

FOR_VALIDATORS = {"core/settings.py", "settings/secrets.py"}
"""Modules whose functions only validators call."""

MISTAKES = {
    "adapters/redis/bar_closes.py": "a wait that looks like a server that does not answer",
    "adapters/redis/replay.py": "a live run asked for what only a replay does",
    "adapters/redis/symbols.py": "a set of symbols that there is not",
    "core/models/bundle.py": "a model of a pair that was not trained",
    "core/models/sector_training.py": "rows to train on without the plan that splits them",
    "core/prices/calendar.py": "a grid of no session",
    "core/time.py": "a moment without a time zone",
    "core/trading/backtest.py": "parameters of the numerics outside their domain",
    "core/trading/legs.py": "a change of position that is no order",
    "core/trading/netting.py": "an order of another symbol than the gate's",
    "core/trading/orders.py": "an order that may have been sent, taken for one that was not",
    "core/trading/positions.py": "a split by no ratio",
    "core/trading/quantities.py": "money, prices or a hedge ratio that are none",
    "core/trading/sharpe.py": "parameters of the numerics outside their domain",
    "core/trading/spread_order.py": "an order or a report of another trade",
    "core/volatility/garch.py": "arrays whose shapes disagree, a recursion without a fit",
    "core/volatility/rows.py": "the spread of a row that has none",
    "database/bookings.py": "a fill, which is stored with its order",
    "database/orders.py": "an order that is stored as another one",
    "database/spread_orders.py": "a trade that is stored as another intent",
    "database/tables.py": "a moment without a time zone",
    "lake/documents.py": "a table whose name would leave the lake",
    "lake/store.py": "a column that a contract does not have, a value that JSON does not know",
    "views/trading_plan.py": "a selected pair without a spread, which no stored configuration has",
}
"""Modules that refuse arguments which only a mistake of the calling code gives: a bug, so not in the tree."""

OTHERS = {
    "adapters/mlflow/pyfunc.py": {"MlflowException"},  # MLflow's server answers with it
    "cli": {"ClickException", "UsageError", "BadParameter", "NoSuchCommand", "Exit"},  # how click ends a command
    "cli/interrupts.py": {"KeyboardInterrupt"},  # what Ctrl-C is
    "cli/ui.py": {"KeyboardInterrupt"},  # ends the command as Ctrl-C does
    "defs": {"Failure", "RetryRequested"},  # how Dagster is told that a step failed, and whether to try again
    "defs/in_process.py": {"KeyboardInterrupt"},  # a run that Ctrl-C ended ends the command too
    "processes/trader/entries.py": {"AttributeError"},  # how Python is told that a row has no such column
}
"""Classes of the libraries that call us, by where they may be raised."""


@cache
def raised() -> list[tuple[str, int, str]]:
    """Module, line and class of every `raise` with a class outside validators and `__post_init__`."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module in FOR_VALIDATORS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for statement in raises(tree, validators_of_types(tree)):
            call = statement.exc
            target = call.func if isinstance(call, ast.Call) else call
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            if name[:1].isupper() or name.lstrip("_")[:1].isupper():
                found.append((module, statement.lineno, name))
    return found


def validators_of_types(tree: ast.AST) -> set[str]:
    """Functions that a type of settings hands to pydantic, as in `Annotated[str, BeforeValidator(f)]`."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        argument.id
        for call in calls
        if getattr(call.func, "id", "") in ("AfterValidator", "BeforeValidator")
        for argument in call.args
        if isinstance(argument, ast.Name)
    }


def raises(node: ast.AST, validators: Collection[str] = ()) -> Iterator[ast.Raise]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            decorators = {getattr(call.func, "id", "") for call in child.decorator_list if isinstance(call, ast.Call)}
            if child.name == "__post_init__" or decorators & VALIDATORS or child.name in validators:
                continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            yield child
        yield from raises(child, validators)


@cache
def classes() -> list[tuple[str, type[BaseException]]]:
    """Module and class of every exception that the package defines."""
    defined = []
    for path in sorted(PACKAGE.rglob("*.py")):
        named = [node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
        bases = {"Error", "Exception", *(kind.__name__ for kind in KINDS)}
        text = path.read_text(encoding="utf-8")
        if not named or not any(base in text for base in bases):
            continue
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if "migrations" in module or module.endswith("__init__"):
            continue
        loaded = importlib.import_module(module)
        kinds = [getattr(loaded, name, None) for name in named]
        defined += [(module, kind) for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseException)]
    return defined


def test_every_exception_of_the_package_is_in_the_tree():
    outside = [f"{module}.{kind.__name__}" for module, kind in classes() if not issubclass(kind, PlatformError)]
    assert outside == []


def test_every_exception_says_whether_to_ask_again_and_has_no_base_but_the_tree():
    for module, kind in classes():
        if kind is PlatformError:
            continue
        assert sum(issubclass(kind, one) for one in KINDS) == 1, f"{module}.{kind.__name__}"
        builtin = [base for base in kind.__mro__ if base.__module__ == "builtins"]
        assert builtin == [Exception, BaseException, object], f"{module}.{kind.__name__}"


def test_what_is_raised_is_of_the_tree_or_a_named_mistake():
    tree = {kind.__name__ for _, kind in classes()} - {"PlatformError"}
    wrong = []
    for module, line, name in raised():
        others = {one for place, names in OTHERS.items() if module.startswith(place) for one in names}
        is_mistake = name in ("ValueError", "TypeError", "KeyError") and module in MISTAKES
        if name not in tree and name not in others and not is_mistake:
            wrong.append(f"{module}:{line} raises {name}")
    assert wrong == []


def test_every_module_of_mistakes_still_raises_one():
    builtin = {module for module, _, name in raised() if hasattr(builtins, name)}
    assert set(MISTAKES) - builtin == set()


def test_no_message_of_storage_names_a_command():
    """The commands that help are added where an error is shown: `views.remedies`."""
    for room in ("core", "lake", "database", "adapters"):
        for path in (PACKAGE / room).rglob("*.py"):
            for statement in raises(ast.parse(path.read_text(encoding="utf-8"))):
                words = ast.unparse(statement)
                assert "pairs-platform " not in words, f"{path}:{statement.lineno}"
                assert "dagster asset" not in words, f"{path}:{statement.lineno}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_of_the_tree_names_every_class(kind):
    named = [kind, *kind.__subclasses__()]
    assert all(one.__name__ in (errors.__doc__ or "") for one in named if one.__module__ == errors.__name__)
