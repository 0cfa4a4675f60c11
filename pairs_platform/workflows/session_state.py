"""The session state of a partition: read where it is stored, made again when what it rests on has changed.

The run after a bar reads it, so nothing here imports pandas, a model registry or a Parquet library before the state has
to be made. What does not belong here: computing it (`core.signals.session_setup`), its file
(`core.signals.session_state`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairs_platform.core.errors import DataError, PartitionMissing
from pairs_platform.core.models.champion import ChampionChoice, UsableVersion
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.session_state import (
    STATE_VERSION,
    SessionState,
    state_from_bytes,
    state_to_bytes,
)
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import Platform
from pairs_platform.views.trading_config import checked, trading_document
from pairs_platform.workflows.champion import resolve_champion

if TYPE_CHECKING:
    from pairs_platform.core.models.bundle import SectorBundle

CARRIED_SESSIONS = 5
"""Sessions for which an open position outlasts a platform that was off."""


@dataclass(frozen=True)
class StateInputs:
    """What names a session state: another value of any of these is another state.

    Attributes
    ----------
    before : PartitionKey
        Of the configuration: the session before the one that is traded.
    document : mapping
        The configuration as it is stored.
    models : ChampionChoice
    max_fill_bars : int
    split_tolerance : float
    """

    before: PartitionKey
    document: Mapping[str, Any]
    models: ChampionChoice
    max_fill_bars: int
    split_tolerance: float

    @property
    def file_name(self) -> str:
        """Session of the configuration, and a digest of everything."""
        parts = (
            STATE_VERSION,
            self.document["content_hash"],
            self.models.versions,
            self.models.reason,
            self.max_fill_bars,
            self.split_tolerance,
        )
        identity = "|".join(map(str, parts))
        return f"{self.before.session}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.safetensors"


def session_state(platform: Platform, key: PartitionKey) -> SessionState:
    """The session state of a partition, made again when the configuration or a model has changed.

    Raises
    ------
    PartitionMissing
        The session before has no trading configuration, or its lookback window has no prices.
    """
    inputs = _gather(platform, key)
    path = platform.settings.profile_root / "signals" / key.sector / inputs.file_name
    try:
        return state_from_bytes(path.read_bytes())
    except (FileNotFoundError, DataError):
        state, may_be_kept = _make(platform, inputs)
    if may_be_kept:
        _store(path, state)
    return state


def kept_session_state(platform: Platform, key: PartitionKey) -> SessionState | None:
    """The session state of a partition as its signals have it; None where it is not kept, and nothing is made."""
    try:
        inputs = _gather(platform, key)
        path = platform.settings.profile_root / "signals" / key.sector / inputs.file_name
        return state_from_bytes(path.read_bytes())
    except (PartitionMissing, FileNotFoundError, DataError):
        return None


def _gather(platform: Platform, key: PartitionKey) -> StateInputs:
    before = PartitionKey(session_offset(key.session, -1), key.sector)
    return StateInputs(
        before=before,
        document=trading_document(platform, before),
        models=resolve_champion(platform, key.sector, before.session, manual_since=True),
        max_fill_bars=platform.settings.window.max_fill_bars,
        split_tolerance=platform.settings.validation.split_tolerance,
    )


def _make(platform: Platform, inputs: StateInputs) -> tuple[SessionState, bool]:
    """The state, and whether it may be kept: not when the registry could not be asked."""
    from pairs_platform.core.errors import NoSuchModel, RegistryUnavailable
    from pairs_platform.core.signals.session_setup import empty_session_state, make_session_state
    from pairs_platform.views.windows import load_window

    config = checked(inputs.document)
    max_fill_bars, split_tolerance = inputs.max_fill_bars, inputs.split_tolerance
    if not config.pairs:
        return empty_session_state(config, max_fill_bars=max_fill_bars, split_tolerance=split_tolerance), True
    reason, may_be_kept = inputs.models.reason, True
    champion = challenger = None
    try:
        champion = _bundle(platform, inputs.before.sector, inputs.models.champion)
        challenger = _bundle(platform, inputs.before.sector, inputs.models.challenger)
    except (RegistryUnavailable, NoSuchModel) as error:
        reason, may_be_kept = f"the registry does not give the model: {error}", False
    legs = sorted({leg for pair in config.pairs for leg in (pair.symbol_1, pair.symbol_2)})
    state = make_session_state(
        config,
        load_window(platform, inputs.before, legs),
        champion=champion,
        challenger=challenger,
        champion_reason=reason,
        max_fill_bars=max_fill_bars,
        split_tolerance=split_tolerance,
    )
    return state, may_be_kept


def _bundle(platform: Platform, sector: str, usable: UsableVersion | None) -> "tuple[int, SectorBundle] | None":
    return None if usable is None else (usable.version, platform.registry.load(sector, usable.version))


def _store(path: Path, state: SessionState) -> None:
    """Keep the state, and remove those of sessions whose positions are forgotten."""
    replace_file(path, state_to_bytes(state))
    oldest = session_offset(state.config_session, -CARRIED_SESSIONS)
    for old in path.parent.glob("*.safetensors"):
        if old.name < oldest.isoformat():
            old.unlink(missing_ok=True)
