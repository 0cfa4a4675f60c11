"""Drift of pairs: of those that are traded, bar by bar, and of those that were selected, at a session's close.

What does not belong here: the statistics and what follows from them (`core.risk.drift`), and acting on them
(`processes.trader`, `selection`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pairs_platform.core.errors import PartitionMissing
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform.core.risk.drift.response import DriftResponse, drift_responses, pair_drift
from pairs_platform.core.risk.drift.session import Results, session_drift, unknown_drift
from pairs_platform.core.signals.engine import session_matrix
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import BarInterval
from pairs_platform.core.streaming.revisions import merge_revisions
from pairs_platform.platform import Platform
from pairs_platform.workflows.session_state import session_state
from pairs_platform.workflows.signals import usable_bars


@dataclass(frozen=True, eq=False, kw_only=True)
class DriftBaseline:
    """What a sector's drift in a session rests on, all of it known at the close before.

    Attributes
    ----------
    state : SessionState
    pairs : mapping of pair to MonitoredPair
        The estimates of the configuration, without a bar of the session.
    """

    state: SessionState
    pairs: Mapping[str, MonitoredPair]


def drift_baseline(platform: Platform, key: PartitionKey, before: DriftBaseline | None = None) -> DriftBaseline | None:
    """The baseline of a session, or `before` where the configuration has not changed; None without a configuration.

    Raises
    ------
    PartitionMissing, DataError
        Fits or prices of the close before are missing or none.
    """
    from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS
    from pairs_platform.core.volatility.rows import garch_fit, spread_parameters
    from pairs_platform.views.windows import load_window

    try:
        state = session_state(platform, key)
    except PartitionMissing:
        return None
    if before is not None and before.state.config_hash == state.config_hash:
        return before
    if not state.symbols:
        return DriftBaseline(state=state, pairs={})
    closed = PartitionKey(session_offset(key.session, -1), key.sector)
    fits = platform.lake.read(GARCH_FITS, closed)
    names = {pair.pair for pair in state.pairs if not pair.reason}
    used = fits[(fits["parameter_set"] == FULL_WINDOW) & (fits["status"] == "ok") & fits["pair"].isin(names)]
    window = load_window(platform, closed, state.symbols)
    pairs = {
        row["pair"]: MonitoredPair.of(window, spread_parameters(row), garch_fit(row), window.n_bars)
        for _, row in used.iterrows()
    }
    return DriftBaseline(state=state, pairs=pairs)


def drift_after(
    platform: Platform,
    baseline: DriftBaseline,
    bars: Sequence[StreamBar],
    complete: Sequence[BarInterval],
    *,
    actions: Collection[str],
    held: Collection[str],
) -> dict[str, Results]:
    """What drift says of a sector's pairs that are traded or held, from the complete bars of the session alone.

    Parameters
    ----------
    bars : sequence of StreamBar
        Of the session, in the order of arrival; those after the last complete one take no part.
    complete : sequence of BarInterval
    actions : collection of str
        Symbols that fall ex in the session.
    held : collection of str
        Pairs that are looked at although the configuration does not trade them.
    """
    state = baseline.state
    wanted = [pair.pair for pair in state.pairs if pair.size > 0 or pair.pair in held]
    symbols = set(state.symbols)
    merged = usable_bars(merge_revisions(bar for bar in bars if bar.symbol in symbols), platform.settings)
    known = {name: baseline.pairs[name] for name in wanted if name in baseline.pairs}
    found = session_drift(
        known,
        state,
        session_matrix(state, merged, complete),
        actions=actions,
        settings=platform.settings.drift,
    )
    unknown = unknown_drift("the pair has no fit of the close before")
    return {name: found.get(name, unknown) for name in wanted}


def drift_at_close(
    platform: Platform, key: PartitionKey, legs: Mapping[str, tuple[str, str]]
) -> dict[str, DriftResponse]:
    """What is done in the next session about each of some pairs: their last session against those of the window before.

    Parameters
    ----------
    legs : mapping of pair to (y, x)
        Estimated on the window without its last session, which is the one that is looked at.

    Raises
    ------
    PartitionMissing, DataError
        The window of `key` has no prices, or too few.
    """
    from pairs_platform.core.risk.drift.estimation import estimated_pairs
    from pairs_platform.views.windows import load_window

    if not legs:
        return {}
    settings = platform.settings
    window = load_window(platform, key, sorted({leg for pair in legs.values() for leg in pair}))
    found = estimated_pairs(window, list(legs.values()), 1, settings.garch)
    drifts = {(pair.parameters.y, pair.parameters.x): pair_drift(pair, settings.drift) for pair in found}
    unknown = unknown_drift("the sessions before the last one give no fit")
    return drift_responses({name: drifts.get(pair, unknown) for name, pair in legs.items()}, settings.drift)
