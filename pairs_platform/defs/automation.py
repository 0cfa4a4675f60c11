"""The daily job, its schedule and the retry sensor: thin shells around `core.operations.scheduling`.

What does not belong here: deciding what is due (`core.operations.scheduling`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from pairs_platform.core.operations.run_tags import DAILY, RETRY_OF_TAG, SECTOR_TAG
from pairs_platform.core.operations.scheduling import (
    RUN_AT,
    Failure,
    SectorState,
    as_of_session,
    due_retries,
    due_sessions,
    missing_prices,
)
from pairs_platform.core.partition_key import PartitionKey, key_of, keys_of
from pairs_platform.core.prices.bars import PriceBasis
from pairs_platform.core.prices.calendar import is_session
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.defs.freshness.checks import assets_up_to_date
from pairs_platform.defs.models.assets import (
    champion_model,
    gru_models,
    gru_tuning,
    model_tables,
    pair_features,
    shadow_losses,
)
from pairs_platform.defs.signals.assets import GROUP as LIVE_GROUP
from pairs_platform.defs.signals.checks import OF_THE_DAY_AFTER
from pairs_platform.platform import Platform
from pairs_platform.views.trading_config import TRADING_CONFIG

PRICE_HISTORY = "price_history"

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

MODELS = (pair_features, gru_models, model_tables, shadow_losses, champion_model)
"""What the daily job makes after the trading configuration."""

_standing = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(TRADING_CONFIG), "what_is_broken_now"))
_freshness = dg.AssetSelection.checks(assets_up_to_date)
"""Both concern the present, not a partition."""

_live = dg.AssetSelection.groups(LIVE_GROUP) - OF_THE_DAY_AFTER
"""The session under way has partitions of its own; its reconciliation belongs to the day after."""

daily_job = dg.define_asset_job(
    "daily_pair_identification",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.groups("housekeeping")
    - _standing
    - _freshness
    - dg.AssetSelection.assets(gru_tuning)
    - _live,
    description="From price history to the trading configuration, then the models, for one session of one sector.",
    tags=DAILY,
)


def price_run(sector: str, first: date, last: date, run_key: str | None = None) -> dg.RunRequest:
    """One run of the daily job that fetches the prices of a range of sessions and nothing else."""
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[dg.AssetKey(PRICE_HISTORY)],
        tags={
            RANGE_START: str(PartitionKey(first, sector)),
            RANGE_END: str(PartitionKey(last, sector)),
            SECTOR_TAG: sector,
        },
    )


def session_run(sector: str, session: date, run_key: str | None = None) -> dg.RunRequest:
    """One run of the daily job for one session of one sector."""
    name = str(PartitionKey(session, sector))
    return dg.RunRequest(run_key=run_key or name, partition_key=name, tags={SECTOR_TAG: sector})


def models_run(sector: str, session: date, run_key: str) -> dg.RunRequest:
    """One run of the daily job that trains and judges the models of a session whose configuration is stored."""
    request = session_run(sector, session, run_key)
    keys = [key for asset in MODELS for key in sorted(asset.keys)]
    return request._replace(asset_selection=keys)


def sector_state(instance: dg.DagsterInstance, platform: Platform, sector: str, *, now: datetime) -> SectorState:
    """Read from the lake what is stored and from the instance what runs or failed in the last ten days."""
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=daily_job.name, tags={"dagster/partition/sector": sector}, created_after=now - timedelta(days=10)
        )
    )
    in_flight: set[date] = set()
    failures: dict[date, Failure] = {}
    settled: set[date] = set()
    requested: set[date] = set()
    for record in records:  # newest first
        session = key_of(record.dagster_run.tags["dagster/partition"]).session
        requested.add(session)
        if not record.dagster_run.is_finished:
            in_flight.add(session)
        elif record.dagster_run.status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
            settled.add(session)
        elif record.dagster_run.status is dg.DagsterRunStatus.FAILURE and session not in settled:
            later = failures.get(session)
            ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else now
            failures[session] = Failure(
                runs=later.runs + 1 if later else 1,
                last_run=later.last_run if later else record.dagster_run.run_id,
                last_end=max(later.last_end, ended) if later else ended,
            )
    return SectorState(
        sector=sector,
        priced=frozenset(_usable_prices(platform, sector)),
        configured=frozenset(platform.documents.sessions(TRADING_CONFIG, sector)),
        in_flight=frozenset(in_flight),
        requested=frozenset(requested),
        failures=failures,
    )


def _usable_prices(platform: Platform, sector: str) -> set[date]:
    """Sessions whose prices are stored and not stale; only the newest lookbacks are looked at for staleness."""
    basis, stored = platform.settings.price_basis, platform.documents.sessions(PRICE_HISTORY, sector)
    if basis is PriceBasis.RAW:
        return set(stored)
    from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS
    from pairs_platform.views.windows import stale_prices

    lake = platform.lake
    recent = keys_of(stored[-2 * platform.settings.lookback_sessions :], sector)
    return set(stored) - set(stale_prices(lake, recent, lake.read_many(CORPORATE_ACTIONS, recent), basis))


def _requests(platform: Platform, state: SectorState, sessions: Sequence[date], suffix: str) -> Iterator[dg.RunRequest]:
    """Prices of the missing sessions first, then each session; the queue keeps the order within a sector."""
    settings = platform.settings
    missing = missing_prices(state, sessions, lookback=settings.lookback_sessions, earliest=settings.backfill_start)
    if missing:
        first, last = missing
        yield price_run(state.sector, first, last, f"prices|{first}|{last}|{state.sector}{suffix}")
    for session in sessions:
        name = str(PartitionKey(session, state.sector))
        yield session_run(state.sector, session, f"{name}{suffix}")


@dg.schedule(
    name="daily_pair_identification",
    job=daily_job,
    cron_schedule=f"{RUN_AT.minute} {RUN_AT.hour} * * 1-5",
    execution_timezone=MARKET_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="06:00 New York on session days: the session before, in every active sector, and what was missed.",
)
def daily_schedule(
    context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request what is due in every active sector."""
    now = context.scheduled_execution_time
    today = now.astimezone(ZoneInfo(MARKET_TIMEZONE)).date()
    if not is_session(today):
        yield dg.SkipReason(f"{today} is not an XNYS session; {as_of_session(now)} was due on the session before")
        return
    as_of = as_of_session(now)
    requested = False
    for sector in platform.settings.active_sectors:
        state = sector_state(context.instance, platform, sector, now=now)
        for request in _requests(
            platform, state, due_sessions(state, as_of=as_of, settings=platform.settings.automation), ""
        ):
            requested = True
            yield request
    if not requested:
        yield dg.SkipReason(f"every active sector has its configuration of {as_of}, or a run for it under way")


@dg.sensor(
    name="failed_session_retry",
    job=daily_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs a failed session of the last days again, after a wait that doubles with every failure.",
)
def retry_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the retries that are due."""
    now, settings = platform.clock(), platform.settings.automation
    requested = False
    for sector in platform.settings.active_sectors:
        state = sector_state(context.instance, platform, sector, now=now)
        for retry in due_retries(state, as_of=as_of_session(now), now=now, settings=settings):
            requested = True
            suffix = f"|retry of {retry.failed_run}"
            if retry.models_only:
                name = str(PartitionKey(retry.session, sector))
                requests = [models_run(sector, retry.session, f"{name}{suffix}")]
            else:
                requests = list(_requests(platform, state, [retry.session], suffix))
            for request in requests:
                yield request._replace(tags={**request.tags, RETRY_OF_TAG: retry.failed_run})
    if not requested:
        yield dg.SkipReason("no failed session is due for a new run")
