"""From the source to the lake: fetch a range of sessions once, validate it, publish each session.

What does not belong here: the rules of validation (`core.prices.validation`) and what a source is (`adapters`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.folding import folded
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.core.prices.validation import ValidatedBars, validate_bars
from pairs_platform.platform import Platform


@dataclass(frozen=True, eq=False)
class PriceBatch:
    """A validated range of sessions of one sector, not yet stored.

    Attributes
    ----------
    by_session : mapping of date to ValidatedBars
        Accepted, quarantined and flagged rows of each session.
    unavailable : mapping of str to str
        Symbols that the source has no bars of, or none that may be used, and why.
    source_notes : tuple of str
        What the source left out, or understood in another way than it is written.
    actions : DataFrame with ACTION_COLUMNS
    provenance : mapping
        Source, price basis, frequency and time of the fetch, stored with every partition.
    """

    by_session: Mapping[date, ValidatedBars]
    unavailable: Mapping[str, str]
    source_notes: tuple[str, ...]
    actions: pd.DataFrame
    provenance: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class PublishedSession:
    """What was stored of one session.

    Attributes
    ----------
    bars : ValidatedBars
        Accepted, quarantined and flagged rows.
    actions : DataFrame with ACTION_COLUMNS
    missing_symbols : mapping of str to str
        Symbols without an accepted bar, and why.
    source_notes : tuple of str
        As `PriceBatch.source_notes`.
    provenance : mapping
        As `PriceBatch.provenance`.
    """

    bars: ValidatedBars
    actions: pd.DataFrame
    missing_symbols: Mapping[str, str]
    source_notes: tuple[str, ...]
    provenance: Mapping[str, str]


def fetch_batch(platform: Platform, sector: str, sessions: Sequence[date]) -> PriceBatch:
    """Fetch and validate `sessions` (in order) of every symbol of the sector with as few calls as the source allows.

    Raises
    ------
    ConfigurationError
        When the range begins before the configured `backfill_start`; nothing is fetched.
    """
    if sessions[0] < platform.settings.backfill_start:
        raise ConfigurationError(
            f"{sessions[0]} is before backfill_start {platform.settings.backfill_start}: choose later sessions, or set "
            "an earlier backfill_start in platform.yaml"
        )
    source, symbols = platform.market_data, [listing.symbol for listing in platform.listings(sector)]
    reply = source.fetch_bars(symbols, sessions[0], sessions[-1])
    found = source.fetch_actions(symbols, sessions[0], sessions[-1])
    unavailable = {item.symbol: item.reason for item in (*found.unsure, *reply.unavailable)}
    validated = validate_bars(
        reply.bars[~reply.bars["symbol"].isin([item.symbol for item in found.unsure])],
        symbols=symbols,
        sessions=list(sessions),
        frequency=source.frequency,
        settings=platform.settings.validation,
        previous_close=_previous_close(platform, sector, sessions[0]),
        actions=found.actions,
        basis=source.basis,
    )
    provenance = {
        "source": source.label,
        "price_basis": source.basis.value,
        "frequency": source.frequency.value,
        "fetched_utc": platform.clock().isoformat(timespec="seconds"),
    }
    notes = (*reply.notes, *platform.universe_notes)
    return PriceBatch(validated.by_session(), unavailable, notes, found.actions, provenance)


def _previous_close(platform: Platform, sector: str, first: date) -> dict[str, float]:
    """Last stored close of each symbol in the session before; empty when that session is not stored."""
    before = PartitionKey(session_offset(first, -1), sector)
    if not platform.lake.exists(PRICE_HISTORY.table, before):
        return {}
    bars = platform.lake.read(PRICE_HISTORY, before)
    return {str(symbol): float(close) for symbol, close in bars.groupby("symbol")["close"].last().items()}


def publish(platform: Platform, batch: PriceBatch, key: PartitionKey) -> PublishedSession:
    """Store one session of the batch.

    Quarantined rows, flags and actions are stored first: a partition of `price_history` never stands without them.

    Raises
    ------
    NotFound
        When no row of the session was accepted; nothing of it is stored.
    """
    bars = batch.by_session[key.session]
    if bars.accepted.empty:
        reasons = bars.quarantined["reason"].value_counts().to_dict()
        raise NotFound(
            f"{batch.provenance['source']} has no usable bar of {key.sector} on {key.session}"
            + (f"; quarantined rows by reason: {reasons}" if reasons else "")
            + "".join(f"; {reason}" for reason in folded(batch.unavailable.items(), most=3))
        )
    actions = _actions_of(batch, key.session)
    for contract, frame in (
        (PRICE_QUARANTINE, bars.quarantined),
        (PRICE_FLAGS, bars.flags),
        (CORPORATE_ACTIONS, actions),
        (PRICE_HISTORY, bars.accepted),
    ):
        platform.lake.write(contract, key, frame, dict(batch.provenance))
    missing = {
        symbol: batch.unavailable.get(symbol, "no accepted bar in this session") for symbol in bars.missing_symbols
    }
    return PublishedSession(bars, actions, missing, batch.source_notes, batch.provenance)


def _actions_of(batch: PriceBatch, session: date) -> pd.DataFrame:
    """The batch's actions that fall ex after the session before, up to this one."""
    before, ex_date = pd.Timestamp(session_offset(session, -1)), batch.actions["ex_date"]
    return batch.actions[(ex_date > before) & (ex_date <= pd.Timestamp(session))].reset_index(drop=True)
