"""Five hundred spread orders of each legging under random faults, and how long their legs were naked.

Each session has its seed, which a failure names; one is repeated by

    python -m pytest pairs_platform_tests/soak/test_chaos.py -k hard_leg_first --chaos-seed 117
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.chaos_session import Found, Naked, chaos_session
from pairs_platform_tests.support.trading_desk import copied_database

FIRST_SEED = 100
BARS = 6


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("legging", ["hard_leg_first", "simultaneous"])
def test_500_spread_orders_under_random_faults(tmp_path, template, monkeypatch, request, capsys, legging):
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    monkeypatch.setenv(variable("execution.legging"), legging)
    settings = load_settings()
    found = list(sessions(tmp_path, settings, template, request.config))
    with capsys.disabled():
        sys.stdout.write(f"\n{table(legging, found)}\n")
    require_bounded([each for session in found for each in session.naked], settings)


def sessions(folder: Path, settings: Settings, template: Path, config: pytest.Config) -> Iterator[Found]:
    """One session after another until there were enough spread orders, or the one that is asked for."""
    only, wanted = config.getoption("--chaos-seed"), config.getoption("--chaos-orders")
    seed, orders = FIRST_SEED if only is None else only, 0
    while orders < wanted:
        own = folder / str(seed)
        own.mkdir()
        with chaos_session(settings, copied_database(template, own), seed=seed) as session:
            session.run(BARS)
            yield (found := session.found())
        orders += len(found.naked)
        if only is not None:
            return
        seed += 1


def table(legging: str, found: list[Found]) -> str:
    """The rows of `docs/measurements.md`."""
    naked = [each for session in found for each in session.naked]
    faults = sum((session.faults for session in found), start=Counter[str]())
    lines = [
        f"{legging}: seeds {found[0].seed} to {found[-1].seed}, {len(naked)} spread orders sent, "
        f"{sum(session.orders for session in found)} orders, {faults.total()} faults of {len(faults)} kinds",
        *(
            f"  naked where the hedge is forbidden, {why}: {n}"
            for why, n in Counter(each.why for each in naked).items()
            if why
        ),
    ]
    for name in ("dollar_seconds", "most_dollars", "longest_seconds"):
        values = np.array([getattr(each, name) for each in naked if not each.why])
        middle, p95, p99 = np.percentile(values, [50, 95, 99])
        lines.append(f"  {name:16s} median {middle:,.1f}, 95 % {p95:,.1f}, 99 % {p99:,.1f}, max {values.max():,.1f}")
    return "\n".join(lines)


def require_bounded(naked: list[Naked], settings: Settings) -> None:
    """No trade is naked for longer than it takes to hedge it and to leave it, unless something forbids both."""
    longest = 2 * settings.execution.naked_seconds
    assert [each for each in naked if not each.why and each.longest_seconds > longest] == []
