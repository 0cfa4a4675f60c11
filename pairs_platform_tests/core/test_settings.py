"""Pairs of settings whose order matters: each is refused in the wrong order, with both names, values and what to do."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

import pairs_platform
from pairs_platform.core.settings import Order, SettingsGroup, order_of
from pairs_platform.core.streaming.settings import ReplaySettings
from pairs_platform.settings.names import given_type

PACKAGE = Path(pairs_platform.__file__).parent


def groups(kind: type[SettingsGroup] = SettingsGroup) -> Iterator[type[SettingsGroup]]:
    """Every group of the package, whose modules are named after their settings."""
    for group in kind.__subclasses__():
        if group.__module__.startswith("pairs_platform."):
            yield group
            yield from groups(group)


for path in sorted(PACKAGE.rglob("*settings.py")):
    import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
PAIRS = [
    (group, name, order)
    for group in groups()
    for name, info in group.model_fields.items()
    if (order := order_of(info)) is not None
]


def test_every_least_has_its_most():
    """A `min_` beside a `max_`, a `first_` beside a `longest_` or a `last_`, in one group: their order matters."""
    for group in groups():
        for name in group.model_fields:
            for low, high in (("min_", "max_"), ("first_", "longest_"), ("first_", "last_"), ("first", "last")):
                other = high + name.removeprefix(low)
                if name.startswith(low) and other in group.model_fields:
                    assert (group, name, other) in [(each, low, order.above) for each, low, order in PAIRS]
    assert len(PAIRS) >= 13


@pytest.mark.parametrize(("group", "name", "order"), PAIRS, ids=[f"{g.__name__}.{n}" for g, n, _ in PAIRS])
def test_settings_in_the_wrong_order_are_refused_and_in_the_right_one_taken(group, name: str, order: Order):
    low, high = (group.model_fields[each] for each in (name, order.above))
    if group is ReplaySettings:
        values = ["2025-01-02", "2025-01-03"]
    else:
        values = sorted({*_bounds(low), *_bounds(high)})
        values = [value for value in values if _takes(low, value) and _takes(high, value)]
    assert group(**{name: values[0], order.above: values[-1]})
    with pytest.raises(ValidationError) as refused:
        group(**{name: values[-1], order.above: values[0]})
    said = str(refused.value)
    for word in (f"{name} {_shown(values[-1])} must", f"{order.above} {_shown(values[0])}", f"lower {name} or raise "):
        assert word in said
    assert order.because in said
    if order.strict:
        with pytest.raises(ValidationError, match=re.escape(f"must be below {order.above}")):
            group(**{name: values[0], order.above: values[0]})
    else:
        assert group(**{name: values[0], order.above: values[0]})


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _bounds(info) -> list[float]:
    """Numbers in and about the range of a setting."""
    whole = given_type(info.annotation) is int
    given = [
        getattr(each, bound) for each in info.metadata for bound in ("ge", "gt", "le", "lt") if hasattr(each, bound)
    ]
    inside = [info.default, *given, *(0.9 * value for value in (*given, info.default))]
    return [int(value) if whole else float(value) for value in inside]


def _takes(info, value: float) -> bool:
    tests = {"ge": float.__ge__, "gt": float.__gt__, "le": float.__le__, "lt": float.__lt__}
    return all(
        test(float(value), float(getattr(each, bound)))
        for each in info.metadata
        for bound, test in tests.items()
        if hasattr(each, bound)
    )
