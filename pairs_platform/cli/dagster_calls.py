"""Hands the processes what they ask of Dagster; it is imported when it is asked.

What does not belong here: what they ask (`processes.runtime.topology`), and the answers (`defs.instance`).
"""

from collections.abc import Callable
from pathlib import Path

from pairs_platform.processes.runtime.topology import DagsterCalls


def dagster_calls() -> DagsterCalls:
    """The calls, which import Dagster at the first one."""

    def prepare(home: Path, report: Callable[[str], None]) -> None:
        from pairs_platform.defs.instance import prepare_instance

        prepare_instance(home, report)

    def looked(home: Path, since: float) -> bool:
        from pairs_platform.defs.instance import sensors_evaluated

        return sensors_evaluated(home, since)

    return DagsterCalls(prepare, looked)
