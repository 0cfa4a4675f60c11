"""The signals of one session of one sector: gather, decide, store.

The run after a bar is a fresh process, and what it imports is most of its time: nothing here imports pandas, a model
registry or a Parquet library, unless the session state has to be made. What does not belong here: signals themselves
(`core.signals.engine`), the session state (`session_state`), comparing stored signals (`signal_parity`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.engine import Signal, session_matrix, session_signals
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.intervals import BarInterval, bar_intervals
from pairs_platform.core.streaming.revisions import MergedBars, without_proxies
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.database.signals import (
    Provenance,
    SignalKey,
    bars_with_signals,
    last_signals,
    sessions_with_signals,
    signals_at,
    store_signals,
)
from pairs_platform.platform import Platform
from pairs_platform.settings.model import Settings
from pairs_platform.workflows.session_state import CARRIED_SESSIONS, session_state


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


@dataclass(frozen=True, eq=False)
class SignalInputs:
    """Everything that the signals of the complete bars without any are decided from.

    Attributes
    ----------
    state : SessionState
    grid : tuple of BarInterval
        Of the whole session.
    n_complete : int
        Bars up to the newest complete one.
    first : int
        Position of the first of them without signals.
    bars : MergedBars
    previous : mapping of pair to Signal
        What the state of each pair at `first` follows from.
    actions : frozenset of str
        Symbols with a corporate action that falls ex in the session.
    market_ns : int
        Market time now.
    """

    state: SessionState
    grid: tuple[BarInterval, ...]
    n_complete: int
    first: int
    bars: MergedBars
    previous: Mapping[str, Signal]
    actions: frozenset[str]
    market_ns: int

    @property
    def undecided(self) -> tuple[BarInterval, ...]:
        """The bars to decide."""
        return self.grid[self.first : self.n_complete]


def signal_partition(platform: Platform, key: PartitionKey, *, run_id: str) -> SignalOutcome:
    """Compute and store the signals of every complete bar of a session that has none.

    Raises
    ------
    PartitionMissing
        The session before has no trading configuration.
    StreamUnavailable, DatabaseUnavailable
    """
    signal_key = SignalKey(run_mode=platform.streams.run_mode, sector=key.sector, session=key.session)
    while True:
        inputs = gather(platform, key, signal_key)
        if isinstance(inputs, str):
            return SignalOutcome(signal_key, note=inputs)
        source_label = inputs.state.source_label
        decided = decide(inputs, platform.settings)
        if not any(decided):
            note = f"the configuration of {inputs.state.config_session} has no pair"
            return SignalOutcome(signal_key, note=note, source_label=source_label)
        if store(platform, signal_key, inputs, decided, run_id=run_id):
            stored = tuple(interval.start_ns for interval in inputs.undecided)
            return SignalOutcome(signal_key, stored, tuple(decided[-1]), source_label=source_label)
        # Another run was faster, and may have decided otherwise: go on from what it has stored.


def gather(platform: Platform, key: PartitionKey, signal_key: SignalKey) -> SignalInputs | str:
    """What the undecided bars of a session are decided from, or why there is nothing to decide."""
    streams = platform.streams
    announced = {bar_close.interval.start_ns for bar_close in streams.bar_closes.of_session(key.session)}
    grid = tuple(bar_intervals(key.session, platform.settings.frequency))
    n_complete = max((t + 1 for t, interval in enumerate(grid) if interval.start_ns in announced), default=0)
    if not n_complete:
        return f"no bar of {key.session} is complete"
    decided = bars_with_signals(platform.database, signal_key)
    undecided = (t for t, interval in enumerate(grid[:n_complete]) if moment_utc(interval.start_ns) not in decided)
    first = next(undecided, None)
    if first is None:
        return "every complete bar has its signals"
    return SignalInputs(
        state=session_state(platform, key),
        grid=grid,
        n_complete=n_complete,
        first=first,
        market_ns=streams.clock.now_ns(),
        bars=usable_bars(streams.bars.merged(key.session), platform.settings),
        previous=_previous(platform, signal_key, grid, first),
        actions=frozenset(str(action["symbol"]) for action in streams.actions.of_session(key.session)),
    )


def usable_bars(bars: MergedBars, settings: Settings) -> MergedBars:
    """The bars that signals may rest on: those of a proxy where the settings allow it."""
    return bars if settings.signals.allow_proxy else without_proxies(bars)


def decide(inputs: SignalInputs, settings: Settings) -> list[list[Signal]]:
    """The signals of each undecided bar.

    A bar is late when a later one was complete already, or its successor's time has passed.
    """
    intervals, newest = inputs.grid[: inputs.n_complete], inputs.n_complete - 1
    length_ns = settings.frequency.length_ns
    return session_signals(
        inputs.state,
        session_matrix(inputs.state, inputs.bars, intervals),
        first=inputs.first,
        previous=inputs.previous,
        n_bars=len(inputs.grid),
        late=[
            t < newest or inputs.market_ns >= intervals[t].end_ns + length_ns
            for t in range(inputs.first, inputs.n_complete)
        ],
        target_volatility=settings.signals.target_volatility_bps * BASIS_POINT,
        actions=inputs.actions,
    )


def store(
    platform: Platform,
    signal_key: SignalKey,
    inputs: SignalInputs,
    decided: Sequence[Sequence[Signal]],
    *,
    run_id: str,
) -> bool:
    """Store the signals bar by bar; False when another run has stored one of the bars first."""
    for signals in decided:
        provenance = Provenance(
            config_session=inputs.state.config_session,
            config_hash=inputs.state.config_hash,
            decided_market_utc=moment_utc(inputs.market_ns),
            decided_utc=platform.clock(),
            run_id=run_id,
        )
        if not store_signals(platform.database, signal_key, signals, provenance):
            return False
    return True


def _previous(
    platform: Platform, signal_key: SignalKey, grid: Sequence[BarInterval], first: int
) -> Mapping[str, Signal]:
    """The signals that the state at bar `first` follows from: of the bar before, or of the last session.

    Positions that are older than `CARRIED_SESSIONS` are forgotten: after so long nobody knows what became of them.
    """
    if first > 0:
        return signals_at(platform.database, signal_key, moment_utc(grid[first - 1].start_ns))
    oldest = session_offset(signal_key.session, -CARRIED_SESSIONS)
    sessions = sessions_with_signals(platform.database, signal_key.run_mode, signal_key.sector)
    earlier = [session for session in sessions if oldest <= session < signal_key.session]
    return last_signals(platform.database, replace(signal_key, session=earlier[-1])) if earlier else {}
