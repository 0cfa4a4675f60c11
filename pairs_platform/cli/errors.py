"""The errors that a command shows as a message instead of a traceback."""

from pairs_platform.core.contract import ContractViolation
from pairs_platform.core.prices.calendar import CalendarError
from pairs_platform.core.prices.sectors import UnknownSectorError
from pairs_platform.database.errors import DatabaseMismatch, DatabaseUnavailable
from pairs_platform.lake.errors import PartitionMissing, PartitionUnreadable, VersionMismatch
from pairs_platform.lake.profile import ProfileMismatch
from pairs_platform.ports.market_data import PermanentSourceError, TransientSourceError
from pairs_platform.ports.model_registry import NoSuchModelError, RegistryUnavailable
from pairs_platform.settings.errors import NoSuchSectorError, SettingsError

EXPECTED = (
    SettingsError,
    ProfileMismatch,
    PartitionMissing,
    PartitionUnreadable,
    VersionMismatch,
    CalendarError,
    NoSuchSectorError,
    UnknownSectorError,
    ContractViolation,
    PermanentSourceError,
    TransientSourceError,
    RegistryUnavailable,
    NoSuchModelError,
    DatabaseUnavailable,
    DatabaseMismatch,
)
