"""The error tree: what went wrong, and whether asking again makes sense.

::

    PlatformError
    ├── ConfigurationError   a setting, a variable or an argument cannot be used on this machine
    │   ├── SettingsError        the settings as a whole: a file, a variable, a value in them
    │   ├── ProfileMismatch      a folder of another source, frequency or price basis
    │   ├── ProfileOutdated      a profile that an earlier version made
    │   ├── FolderReadOnly       a folder of the state that this user may only read
    │   └── DatabaseMismatch     a database of another profile or of another version
    │       └── SchemaOutdated       its tables are older, and its user may not change them
    ├── NotFound             something that was asked for by name is not there
    │   ├── NoSuchSector         a sector, in the list or in the universe
    │   ├── NoSuchModel          a version of a registered model
    │   ├── PartitionMissing     partitions that nobody has stored yet
    │   ├── NothingStored        anything, in a profile that was not begun
    │   ├── NothingRanked        a ranking, in a profile that has none
    │   ├── NothingStreamed      bars of a session of which the stream had none
    │   └── ClockUnknown         the market clock of a replay that has not started
    ├── DataError            content breaks what it must satisfy
    │   ├── ContractViolation    a frame that must not be stored
    │   ├── VersionMismatch      a partition of another version of its contract
    │   ├── PartitionUnreadable  a partition whose file is damaged
    │   └── PartitionStale       partitions that no longer fit what is stored beside them
    ├── Unavailable          an outside system does not answer now: the only kind that is retried
    │   ├── DatabaseUnavailable
    │   ├── RegistryUnavailable
    │   └── StreamUnavailable
    ├── Refused              an outside system answered no, and will again
    └── AnswerLost           an outside system was asked to do something once, and nobody knows whether it did

Every error that the platform raises on purpose is one of these, or a subclass beside the code that alone raises and
catches it. Anything else (`KeyError`, a library's `ValueError`) is a bug and is never taken for a finding. What does
not belong here: the commands that help (`views.remedies`).
"""

from collections.abc import Sequence

from pairs_platform.core.folding import listed
from pairs_platform.core.masking import masked


class PlatformError(Exception):
    """A failure that the platform knows; its message names the thing, the value and what is valid, and no secret."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(masked(each) if isinstance(each, str) else each for each in args))


class ConfigurationError(PlatformError):
    """A setting, a variable, an argument, or what is in its way on this machine: a person changes it."""


class SettingsError(ConfigurationError):
    """Settings that cannot be used; the message names path, value, what is valid, and where the value came from."""


class ProfileMismatch(ConfigurationError):
    """A folder that belongs to another source, frequency or price basis."""


class ProfileOutdated(ConfigurationError):
    """A profile that an earlier version of the platform made, whose names are not those of this one."""


class FolderReadOnly(ConfigurationError):
    """A folder of the state that this user may only read, where something is to be written."""

    def __init__(self, folder: object) -> None:
        super().__init__(f"{folder} may only be read, and this writes there")


class DatabaseMismatch(ConfigurationError):
    """A database that belongs to another profile, or to another version of the platform."""


class SchemaOutdated(DatabaseMismatch):
    """A database without the tables of this version, whose user may not make them."""


class NotFound(PlatformError):
    """Something that was asked for by name (sector, symbol, partition, version) and is not there."""


class NoSuchSector(NotFound):
    """A sector that there is not, or of which the universe has no symbol."""


class NoSuchModel(NotFound):
    """A model version that the registry does not have; the message names those that it has."""


class PartitionMissing(NotFound):
    """Partitions that nobody has stored yet.

    Attributes
    ----------
    table : str
    keys : tuple
        The partitions, which print as Dagster writes them.
    asset : str
        Key of the asset that writes the table.
    """

    def __init__(self, table: str, keys: Sequence[object], *, asset: str) -> None:
        self.table, self.keys, self.asset = table, tuple(keys), asset
        super().__init__(f"{table} has no partition {listed(keys, 3)}")


class NothingStored(NotFound):
    """Anything at all, in a profile of which nothing is stored yet."""


class NothingRanked(NotFound):
    """A ranking, in a profile that has none yet; of one `sector` where it was asked for."""

    def __init__(self, message: str, sector: str | None = None) -> None:
        super().__init__(message)
        self.sector = sector


class NothingStreamed(NotFound):
    """Bars of a session of which the stream had none."""


class ClockUnknown(NotFound):
    """No replay has published its market clock."""


class DataError(PlatformError):
    """Content (a file, a reply, a stored partition) that breaks what it must satisfy."""


class ContractViolation(DataError):
    """A frame that does not satisfy its table's contract; nothing of it is stored."""


class VersionMismatch(DataError):
    """A partition written under another version of its contract.

    Attributes
    ----------
    key : object
        The partition, which prints as Dagster writes it.
    asset : str
        Key of the asset that writes the table.
    """

    def __init__(self, table: str, key: object, *, stored: int | None, needed: int, asset: str) -> None:
        self.key, self.asset = key, asset
        written = "without a contract" if stored is None else f"under version {stored} of its contract"
        super().__init__(f"{table} {key} was written {written}, version {needed} is needed")


class PartitionUnreadable(DataError):
    """A partition whose file is damaged.

    Attributes
    ----------
    key : object
        The partition, which prints as Dagster writes it.
    asset : str
        Key of the asset that writes the table.
    """

    def __init__(self, path: object, reason: str, *, asset: str, key: object) -> None:
        self.key, self.asset = key, asset
        super().__init__(f"{path} cannot be read ({reason})")


class PartitionStale(DataError):
    """Partitions that no longer fit what is stored beside them: they are written again.

    Attributes
    ----------
    key, last : object
        The first partition and the last one, which print as Dagster writes them; `last` is None, or the first, where
        it is one.
    asset : str
        Key of the asset that writes the table.
    """

    def __init__(self, message: str, key: object, last: object = None, *, asset: str) -> None:
        self.key, self.last, self.asset = key, last, asset
        super().__init__(message)


class Unavailable(PlatformError):
    """An outside system that does not answer now (network, rate limit, lock): asking again later makes sense."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or does not answer in time."""


class RegistryUnavailable(Unavailable):
    """The model registry cannot be reached or failed in a way that may pass."""


class StreamUnavailable(Unavailable):
    """Redis does not answer, or refuses for a reason that may pass. A failed read is never "no data"."""


class Refused(PlatformError):
    """An outside system that answered no (bad key, unknown symbol, forbidden): asking again changes nothing."""


class AnswerLost(PlatformError):
    """A request that does something once was sent, and no answer came that can be read: it may have been done.

    It is deliberately no `Unavailable`, so that nothing sends it again: ask what became of it.
    """
