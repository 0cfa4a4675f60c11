"""What to type after an error: the commands that help, added where an error is shown (`cli`, `defs`).

What does not belong here: the errors themselves, which know nothing of commands (`core.errors`).
"""

import errno

from pairs_platform.core.errors import (
    ClockUnknown,
    FolderReadOnly,
    PartitionMissing,
    PartitionUnreadable,
    ProfileOutdated,
    SchemaOutdated,
    StreamUnavailable,
    VersionMismatch,
)
from pairs_platform.settings.hints import environment_hint, hint
from pairs_platform.settings.variables import variable

_NO_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)


def with_remedy(error: BaseException) -> str:
    """The message of an error, followed by the command that helps where there is one."""
    remedy = remedy_of(error)
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return f"{text}; {remedy}" if remedy else text


def remedy_of(error: BaseException) -> str:
    """The remedy of an error; empty where its message needs none."""
    match error:
        case PartitionMissing():
            return f"make it with\n  {materialize_command(error.asset, error.keys[0])}"
        case PartitionUnreadable() | VersionMismatch():
            return f"write it again with\n  {materialize_command(error.asset, error.key)}"
        case FolderReadOnly():
            return f"make it writable for this user, or name another state folder with {variable('state_root')}"
        case OSError(errno=number) if number in _NO_RIGHTS:
            return "make it writable for this user, or name another place"
        case ProfileOutdated():
            return f"run `{hint('migrate')}`, which keeps everything that is stored"
        case SchemaOutdated():
            return f"run `{hint('migrate')}` with the owner's URL in PAIRS_PLATFORM__DATABASE_OWNER_URL"
        case StreamUnavailable():
            return f"start it with `{hint('live')}`, or name another with PAIRS_PLATFORM__REDIS_URL"
        case ClockUnknown():
            return f"start one with `{hint('stream replay')}`"
    return ""


def materialize_command(asset: str, key: object) -> str:
    """The command that makes partition `key` of `asset`, as typed in a terminal."""
    materialize = "dagster asset materialize -m pairs_platform.definitions"
    return f'{environment_hint()}{materialize} --select {asset} --partition "{key}"'
