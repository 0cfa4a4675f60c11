"""What the assets of the session under way do with one partition: read, call `core`, store.

A run behind a bar is a fresh process, and what it imports is most of its time: nothing here imports pandas, a model
registry or a Parquet library before the signals are stored, unless the session's state has to be made.
What does not belong here: signals themselves (`core.signals`), and Dagster's declarations (`assets`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pairs_platform.core.models.champion import ChampionChoice, UsableVersion
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.engine import Signal, session_matrix, session_signals
from pairs_platform.core.signals.session_state import (
    STATE_VERSION,
    SessionState,
    SessionStateError,
    state_from_bytes,
    state_to_bytes,
)
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.database.signals import (
    Provenance,
    SignalKey,
    last_signals,
    sessions_with_signals,
    signal_frame,
    signals_at,
    store_signals,
    stored_buckets,
)
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import Platform
from pairs_platform.workflows.champion import resolve_champion

if TYPE_CHECKING:
    import pandas as pd

    from pairs_platform.core.models.bundle import SectorBundle

TRADING_CONFIG = "trading_config"

CARRIED_SESSIONS = 5
"""Sessions for which an open position outlasts a platform that was off."""


class NothingStreamedError(LookupError):
    """A session of which no bar has been streamed."""


@dataclass(frozen=True)
class SignalOutcome:
    """What one run stored.

    Attributes
    ----------
    key : SignalKey
    stored : tuple of int
        Starts of the bars whose signals it stored, in nanoseconds.
    newest : tuple of Signal
        Of the newest complete bar; empty where nothing is configured.
    note : str
        Why nothing was stored; empty otherwise.
    source_label : str
        Where the prices of the configuration come from; empty where it was not read.
    """

    key: SignalKey
    stored: tuple[int, ...] = ()
    newest: tuple[Signal, ...] = ()
    note: str = ""
    source_label: str = ""


def signal_partition(platform: Platform, key: PartitionKey, *, run_id: str) -> SignalOutcome:
    """Compute and store the signals of every complete bar of a session that has none.

    A bar is late when a later one was complete already, or its successor's time has passed.

    Raises
    ------
    PartitionMissing
        The session before has no trading configuration.
    StreamUnavailable, DatabaseUnavailable
    """
    bus, database, settings = platform.bus, platform.database, platform.settings
    where = SignalKey(feed=bus.run_mode, sector=key.sector, session=key.session)
    announced = {one.interval.start_ns for one in bus.announced(key.session)}
    grid = bar_intervals(key.session, settings.frequency)
    complete = [t for t, interval in enumerate(grid) if interval.start_ns in announced]
    if not complete:
        return SignalOutcome(where, note=f"no bar of {key.session} is complete")
    intervals = grid[: complete[-1] + 1]
    done = stored_buckets(database, where)
    missing = [t for t, interval in enumerate(intervals) if moment_utc(interval.start_ns) not in done]
    if not missing:
        return SignalOutcome(where, note="every complete bar has its signals")
    state = session_state(platform, key)
    market_ns = bus.market_ns()
    first = missing[0]
    length_ns = settings.frequency.length_ns
    late = [
        t < len(intervals) - 1 or market_ns >= intervals[t].end_ns + length_ns for t in range(first, len(intervals))
    ]
    found = session_signals(
        state,
        session_matrix(state, bus.folded(key.session), intervals, allow_proxy=settings.signals.allow_proxy),
        first=first,
        previous=_previous(platform, where, grid, first),
        n_bars=len(grid),
        late=late,
        target_volatility=settings.signals.target_volatility_bps * BASIS_POINT,
        actions={str(action["symbol"]) for action in bus.actions(key.session)},
    )
    if not any(found):
        return SignalOutcome(
            where, note=f"the configuration of {state.config_session} has no pair", source_label=state.source_label
        )
    stored = []
    for t, signals in enumerate(found, start=first):
        provenance = Provenance(
            config_session=state.config_session,
            config_hash=state.config_hash,
            decided_market_utc=moment_utc(market_ns),
            decided_utc=platform.clock(),
            run_id=run_id,
        )
        if not store_signals(database, where, signals, provenance):
            # Another run was faster, and may have decided otherwise: go on from what it has stored.
            return signal_partition(platform, key, run_id=run_id)
        stored.append(intervals[t].start_ns)
    return SignalOutcome(where, tuple(stored), tuple(found[-1]), source_label=state.source_label)


def _previous(platform: Platform, where: SignalKey, grid: list[Any], first: int) -> Mapping[str, Signal]:
    """The signals that the state at bar `first` follows from: of the bar before, or of the last session.

    Positions that are older than `CARRIED_SESSIONS` are forgotten: after so long nobody knows what became of them.
    """
    if first > 0:
        return signals_at(platform.database, where, moment_utc(grid[first - 1].start_ns))
    oldest = session_offset(where.session, -CARRIED_SESSIONS)
    known = sessions_with_signals(platform.database, where.feed, where.sector)
    earlier = [day for day in known if oldest <= day < where.session]
    return last_signals(platform.database, replace(where, session=earlier[-1])) if earlier else {}


def session_state(platform: Platform, key: PartitionKey) -> SessionState:
    """The state of a session: read where it has been made, made anew when the configuration or a model has changed.

    Raises
    ------
    PartitionMissing
        The session before has no trading configuration, or its lookback has no prices.
    """
    before = PartitionKey(session_offset(key.session, -1), key.sector)
    document = platform.documents.read_document(TRADING_CONFIG, before)
    choice = resolve_champion(platform, key.sector, before.session, manual_since=True)
    fill, tolerance = platform.settings.window.max_fill_bars, platform.settings.validation.split_tolerance
    words = f"{STATE_VERSION}|{document['content_hash']}|{choice.versions}|{choice.reason}|{fill}|{tolerance}"
    name = f"{before.session}-{hashlib.sha256(words.encode()).hexdigest()[:16]}.safetensors"
    path = platform.settings.profile_root / "signals" / key.sector / name
    try:
        return state_from_bytes(path.read_bytes())
    except (FileNotFoundError, SessionStateError):
        state, keep = _make_state(platform, before, document, choice)
    if keep:
        replace_file(path, state_to_bytes(state))
        oldest = session_offset(before.session, -CARRIED_SESSIONS)
        for old in path.parent.glob("*.safetensors"):
            if old.name < oldest.isoformat():
                old.unlink(missing_ok=True)
    return state


def _make_state(
    platform: Platform, before: PartitionKey, document: Mapping[str, Any], choice: ChampionChoice
) -> tuple[SessionState, bool]:
    """The state, and whether it may be kept: not when the registry could not be asked."""
    from pairs_platform.core.selection.trading_config import TradingConfig
    from pairs_platform.core.signals.session_setup import empty_session_state, make_session_state
    from pairs_platform.ports.model_registry import NoSuchModelError, RegistryUnavailable
    from pairs_platform.workflows.windows import load_window

    config = TradingConfig.model_validate(document)
    fill, tolerance = platform.settings.window.max_fill_bars, platform.settings.validation.split_tolerance
    if not config.pairs:
        return empty_session_state(config, max_fill_bars=fill, split_tolerance=tolerance), True
    reason, keep = choice.reason, True

    def bundle(usable: UsableVersion | None) -> "tuple[int, SectorBundle] | None":
        return None if usable is None else (usable.version, platform.registry.load(before.sector, usable.version))

    champion = challenger = None
    try:
        champion, challenger = bundle(choice.champion), bundle(choice.challenger)
    except (RegistryUnavailable, NoSuchModelError) as error:
        reason, keep = f"the registry does not give the model: {error}", False
    legs = sorted({leg for pair in config.pairs for leg in (pair.symbol_1, pair.symbol_2)})
    state = make_session_state(
        config, load_window(platform, before, legs), champion=champion, challenger=challenger,
        champion_reason=reason, max_fill_bars=fill, split_tolerance=tolerance,
    )  # fmt: skip
    return state, keep


def save_stream(platform: Platform, key: PartitionKey) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Bring the streamed bars of a session into the lake; rows of the other feed, and what Redis forgot, stay.

    Raises
    ------
    NothingStreamedError
        Neither Redis nor the lake has a bar of it.
    """
    import pandas as pd

    from pairs_platform.core.streaming.bars import StreamBar, merge_revisions
    from pairs_platform.core.streaming.contracts import STREAMED_BARS

    bus, lake = platform.bus, platform.lake
    symbols = {listing.symbol for listing in platform.listings(key.sector)}
    stored = lake.read(STREAMED_BARS, key) if lake.exists(STREAMED_BARS.table, key) else STREAMED_BARS.empty()
    names = list(StreamBar._fields)
    own = stored[stored["feed"] == bus.run_mode].assign(ts_ns=lambda frame: frame["ts_utc"].astype("int64"))
    held = [StreamBar(*row) for row in own[names].itertuples(index=False)]
    streamed = [bar for bar in bus.bars(key.session) if bar.symbol in symbols]
    if not held and not streamed:
        raise NothingStreamedError(
            f"no bar of {key} has been streamed on the feed {bus.run_mode}: start `pairs-platform live`, or look at "
            "`pairs-platform stream status`"
        )
    frame = merge_revisions([*held, *streamed]).frame()
    frame.insert(0, "feed", bus.run_mode)
    rows = pd.concat([stored[stored["feed"] != bus.run_mode], frame], ignore_index=True)
    facts = {
        "source": f"{bus.run_mode} stream of {platform.market_data.label}",
        "feed": bus.run_mode,
        "bar": platform.settings.stream.bar_frequency(platform.settings.frequency).value,
        "saved_utc": platform.clock().isoformat(timespec="seconds"),
    }
    lake.write(STREAMED_BARS, key, rows[list(STREAMED_BARS.columns)], facts)
    return frame, facts


def stored_signals(platform: Platform, key: PartitionKey) -> "pd.DataFrame":
    """The signals of a session and sector on the configured feed, as the database has them."""
    where = SignalKey(feed=platform.settings.stream.run_mode, sector=key.sector, session=key.session)
    return signal_frame(platform.database, where)


def bar_differences(platform: Platform, key: PartitionKey) -> "tuple[pd.DataFrame, int] | None":
    """Where streamed bars and price history of a session differ, and the bars of history; None without a stream."""
    from pairs_platform.core.prices.aggregation import aggregate_bars
    from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency
    from pairs_platform.core.prices.contracts import PRICE_HISTORY
    from pairs_platform.core.signals.checks import compare_bars
    from pairs_platform.core.streaming.bars import PROXY
    from pairs_platform.core.streaming.contracts import STREAMED_BARS

    lake, settings = platform.lake, platform.settings
    if not lake.exists(STREAMED_BARS.table, key):
        return None
    streamed, facts = lake.read(STREAMED_BARS, key), lake.metadata(STREAMED_BARS, key)
    own = streamed[(streamed["feed"] == settings.stream.run_mode) & ~streamed["source"].str.startswith(PROXY)]
    if own.empty:
        return None
    bars = aggregate_bars(own[list(BAR_COLUMNS)], source=Frequency(facts["bar"]), target=settings.frequency)
    history = lake.read(PRICE_HISTORY, key)
    return compare_bars(bars, history), len(history)


def signal_differences(platform: Platform, key: PartitionKey) -> "tuple[pd.DataFrame, int] | None":
    """Stored signals that the batch path does not give on the vendor's bars, and how many were compared.

    None without any that can be: of a pair that began flat and kept its configuration and models.
    """
    import pandas as pd

    from pairs_platform.core.selection.trading_config import TradingConfig
    from pairs_platform.core.signals.batch import batch_signals
    from pairs_platform.core.signals.checks import compare_signals
    from pairs_platform.workflows.windows import load_window

    stored = stored_signals(platform, key)
    if stored.empty:
        return None
    before = PartitionKey(session_offset(key.session, -1), key.sector)
    config = TradingConfig.model_validate(platform.lake.read_document(TRADING_CONFIG, before))
    first = stored[stored["bucket_utc"] == stored["bucket_utc"].min()]
    flat = set(first.loc[(first["position"] == 0) & ~first["blocked"], "pair"])
    kept = stored[(stored["config_hash"] == config.content_hash) & stored["pair"].isin(flat)]
    versions = kept[["champion_version", "challenger_version"]].astype(float).fillna(0).astype(int)
    constant = versions.groupby(kept["pair"]).nunique().eq(1).all(axis=1)
    kept = kept[kept["pair"].map(constant)]
    if kept.empty:
        return None
    window = load_window(platform, key, sorted(set(kept["y"]) | set(kept["x"])))
    parts = []
    by_versions = [versions["champion_version"], versions["challenger_version"]]
    for (champion, challenger), rows in kept.groupby(by_versions):
        numbers = (int(str(champion)), int(str(challenger)))
        bundles = [platform.registry.load(key.sector, number) if number else None for number in numbers]
        asked = dict.fromkeys(rows["pair"].unique(), bool(champion))
        batch = batch_signals(config, window, champion=bundles[0], challenger=bundles[1], pairs=asked)
        parts += [batch] if len(batch) else []
    if not parts:
        return None
    return compare_signals(kept, pd.concat(parts, ignore_index=True)), len(kept)
