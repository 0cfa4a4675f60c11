"""The definitions as lines of text, so that a difference says what a change does to the code location.

What does not belong here: what single assets must be like (`defs/test_graph.py`).
"""

from itertools import takewhile
from pathlib import Path

import dagster as dg

RECORDED = Path(__file__).parents[1] / "definitions.txt"
"""Written by ``make record``."""


def recorded(section: str) -> list[str]:
    """The lines of one section of the recorded file."""
    _, rest = f"\n{RECORDED.read_text(encoding='utf-8')}".split(f"\n{section}\n", 1)
    return [line.strip() for line in takewhile(lambda line: line.startswith(" "), rest.splitlines())]


def definitions_text(definitions: dg.Definitions) -> str:
    """Assets with their groups, checks, jobs with what they select, schedules and sensors; one a line, sorted."""
    repository, graph = definitions.get_repository_def(), definitions.resolve_asset_graph()
    blocks = {key: "blocking" if graph.get_check_spec(key).blocking else "" for key in graph.asset_check_keys}
    sections = {
        "assets": [f"{key.to_user_string()}  {graph.get(key).group_name}" for key in graph.get_all_asset_keys()],
        "checks": [f"{key.asset_key.to_user_string()}: {key.name}  {how}" for key, how in blocks.items()],
        "jobs": [
            line for job in repository.get_all_jobs() if not job.name.startswith("__") for line in _job_lines(job)
        ],
        "schedules": [
            f"{one.name}  {one.cron_schedule}  {one.execution_timezone}  {one.default_status.value}  {one.job_name}"
            for one in repository.schedule_defs
        ],
        "sensors": [
            f"{one.name}  {one.minimum_interval_seconds} s  {one.default_status.value}  "
            + " ".join(sorted(target.job_name for target in one.targets))
            for one in repository.sensor_defs
        ],
        "resources": list(definitions.resources or {}),
    }
    return (
        "\n".join(
            line
            for title, lines in sections.items()
            for line in (title, *(f"  {line.rstrip()}" for line in sorted(lines)))
        )
        + "\n"
    )


def _job_lines(job: dg.JobDefinition) -> list[str]:
    graph = job.asset_layer.asset_graph
    checks = [f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys]
    selected = [key.to_user_string() for key in job.asset_layer.selected_asset_keys]
    return [f"{job.name}  {name}" for name in (*selected, *checks)]
