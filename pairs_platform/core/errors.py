"""The error tree: what went wrong, and whether asking again makes sense.

::

    PlatformError
    ├── ConfigurationError   a setting, a variable or an argument cannot be used
    ├── NotFound             something that was asked for by name is not there
    ├── DataError            content breaks what it must satisfy
    ├── Unavailable          an outside system does not answer now: the only kind that is retried
    └── Refused              an outside system answered no, and will again

Every error that the platform raises on purpose is one of these. Anything else (`KeyError`, a library's `ValueError`) is
a bug and is never taken for a finding. What does not belong here: the commands that help (`views.remedies`).
"""


class PlatformError(Exception):
    """A failure that the platform knows; its message names the thing, the value and what is valid."""


class ConfigurationError(PlatformError):
    """A setting, an environment variable or an argument that cannot be used: a person changes it."""


class NotFound(PlatformError):
    """Something that was asked for by name (sector, symbol, partition, version) and is not there."""


class DataError(PlatformError):
    """Content (a file, a reply, a stored partition) that breaks what it must satisfy."""


class Unavailable(PlatformError):
    """An outside system that does not answer now (network, rate limit, lock): asking again later makes sense."""


class Refused(PlatformError):
    """An outside system that answered no (bad key, unknown symbol, forbidden): asking again changes nothing."""
