"""What to type after an error: the commands that help, added where an error is shown (`cli`, `defs`).

What does not belong here: the errors themselves, which know nothing of commands (`core.errors`).
"""

import errno
from collections.abc import Callable

from pairs_platform.core.errors import (
    ClockUnknown,
    FolderReadOnly,
    NothingRanked,
    NothingStored,
    NothingStreamed,
    PartitionMissing,
    PartitionStale,
    PartitionUnreadable,
    ProfileOutdated,
    SchemaOutdated,
    StreamUnavailable,
    VersionMismatch,
)
from pairs_platform.settings.hints import environment_hint, hint, stored_hint
from pairs_platform.settings.variables import variable

_NO_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)


def with_remedy(error: BaseException, *, stored: bool = False) -> str:
    """The message of an error, followed by the command that helps where there is one.

    Parameters
    ----------
    error : exception
    stored : bool
        Whether the message is kept, so that its command names the profile whatever the reader's shell has chosen.
    """
    remedy = remedy_of(error, stored=stored)
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return f"{text}; {remedy}" if remedy else text


def remedy_of(error: BaseException, *, stored: bool = False) -> str:
    """The remedy of an error; empty where its message needs none. `stored` as in `with_remedy`."""
    command = stored_hint if stored else hint
    match error:
        case PartitionMissing():
            first, last = error.keys[0], error.keys[-1]
            made = materialize_command(error.asset, first, last, stored=stored)
            return f"make {'it' if last == first else 'them'} with\n  {made}"
        case PartitionUnreadable() | VersionMismatch():
            return f"write it again with\n  {materialize_command(error.asset, error.key, stored=stored)}"
        case PartitionStale():
            return f"write it again with\n  {materialize_command(error.asset, error.key, error.last, stored=stored)}"
        case FolderReadOnly():
            return f"make it writable for this user, or name another state folder with {variable('state_root')}"
        case OSError(errno=number) if number in _NO_RIGHTS:
            return "make it writable for this user, or name another place"
        case ProfileOutdated():
            return f"run `{command('migrate')}`, which keeps everything that is stored"
        case SchemaOutdated():
            return f"run `{command('migrate')}` with the owner's URL in PAIRS_PLATFORM__DATABASE_OWNER_URL"
    return _beginning(error, command)


def _beginning(error: BaseException, command: Callable[[str], str]) -> str:
    """The command that begins what was not begun."""
    match error:
        case StreamUnavailable():
            return f"start it with `{command('live')}`, or name another with PAIRS_PLATFORM__REDIS_URL"
        case ClockUnknown():
            return f"start one with `{command('stream replay')}`"
        case NothingStreamed():
            return f"start `{command('live')}`, or look at `{command('stream status')}`"
        case NothingStored():
            return f"`{command('demo')}` begins it"
        case NothingRanked():
            return f"`{command(f'demo --sector {error.sector}' if error.sector else 'demo')}` makes one"
    return ""


def materialize_command(asset: str, first: object, last: object = None, *, stored: bool = False) -> str:
    """The command that makes partition `first` of `asset`, or all from it to `last`, as typed in a terminal."""
    materialize = "dagster asset materialize -m pairs_platform.definitions"
    partitions = f'--partition "{first}"' if last in (None, first) else f'--partition-range "{first}...{last}"'
    return f"{environment_hint(stored=stored)}{materialize} --select {asset} {partitions}"
