from datetime import date

import dagster as dg
import pytest

from pairs_platform.core.errors import DataError, PartitionMissing, PlatformError, Unavailable
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform_tests.support.runs import QUIET, failure, materialized

FIRST, SECOND, THIRD = (PartitionKey(date(2023, 3, day), "technology") for day in (6, 7, 8))


def run(
    failures: dict[PartitionKey, BaseException],
    instance: dg.DagsterInstance | None = None,
    retries: dg.RetryPolicy | None = None,
) -> tuple[dg.ExecuteInProcessResult, list[PartitionKey]]:
    """The run of an asset over three partitions, of which some fail, and the partitions that it worked on."""
    worked: list[PartitionKey] = []

    @dg.asset(partitions_def=session_by_sector, backfill_policy=dg.BackfillPolicy.single_run())
    def numbers(context: dg.AssetExecutionContext) -> None:
        def work(key: PartitionKey) -> dict[str, int]:
            worked.append(key)
            if key in failures:
                raise failures[key]
            return {"rows": 1}

        for_each_partition(context, work, retries=retries)

    job = dg.Definitions(assets=[numbers], jobs=[dg.define_asset_job("numbers_job", [numbers])]).resolve_job_def(
        "numbers_job"
    )
    tags = {"dagster/asset_partition_range_start": str(FIRST), "dagster/asset_partition_range_end": str(THIRD)}
    return job.execute_in_process(tags=tags, instance=instance, run_config=QUIET, raise_on_error=False), worked


def test_a_finding_does_not_stop_the_other_partitions():
    instance = dg.DagsterInstance.ephemeral()
    result, worked = run({SECOND: DataError("a column is missing")}, instance)
    assert worked == [FIRST, SECOND, THIRD]
    assert failure(result, "numbers") == f"1 of 3 partitions failed\n{SECOND}: a column is missing"
    assert materialized(result, instance) == {"numbers": [str(FIRST), str(THIRD)]}


def test_equal_findings_are_one_line_with_their_number():
    text = "no usable bar of technology on {}: AAPL is unknown"
    findings = {key: DataError(text.format(key.session)) for key in (FIRST, THIRD)}
    told = failure(run(findings)[0], "numbers")
    assert told == (
        f"2 of 3 partitions failed\n{FIRST}, {THIRD}: no usable bar of technology on 2023-03-06: AAPL is unknown"
    )


def test_a_finding_says_what_helps_where_alerts_look_for_the_cause():
    missing = PartitionMissing("price_history", [FIRST], asset="price_history")
    result, _ = run({FIRST: missing})
    remedy = f'--select price_history --partition "{FIRST}"'
    assert remedy in failure(result, "numbers")
    assert remedy in result.failure_data_for_node("numbers").error.cause.message


@pytest.mark.parametrize("bug", [KeyError("close"), ValueError("operands could not be broadcast together")])
def test_a_bug_stops_the_step_and_is_no_finding(bug):
    result, worked = run({FIRST: DataError("a column is missing"), SECOND: bug})
    assert worked == [FIRST, SECOND]
    assert failure(result, "numbers") == f"a bug, not a finding: {type(bug).__name__}: {bug}"
    assert "in work" in "".join(result.failure_data_for_node("numbers").error.cause.stack)


@pytest.mark.parametrize("error", [Unavailable("the network is down"), OSError("no space left on device")])
def test_what_may_pass_is_a_failure_where_nothing_is_tried_again(error):
    result, worked = run({FIRST: error})
    assert worked == [FIRST]
    assert str(error) in failure(result, "numbers")
    assert result.failure_data_for_node("numbers").user_failure_data is None


@pytest.mark.parametrize("error", [Unavailable("the network is down"), OSError("no space left on device")])
def test_what_may_pass_is_tried_again_as_often_as_the_asset_says(error):
    result, worked = run({FIRST: error}, retries=dg.RetryPolicy(max_retries=2))
    assert worked == [FIRST] * 3
    assert str(error) in result.failure_data_for_node("numbers").error.cause.message


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), dg.DagsterExecutionInterruptedError()])
def test_an_interrupt_is_never_tried_again(interrupt):
    result, worked = run({FIRST: interrupt}, retries=dg.RetryPolicy(max_retries=2))
    assert worked == [FIRST]
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_every_kind_of_finding_is_one():
    for kind in PlatformError.__subclasses__():
        if kind is not Unavailable:
            assert failure(run({FIRST: kind("told")})[0], "numbers") == f"1 of 3 partitions failed\n{FIRST}: told"
