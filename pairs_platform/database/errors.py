"""What can go wrong with the ledger as a whole, importable without a database driver."""


class LedgerUnavailable(Exception):
    """The database cannot be reached or does not answer in time; trying later makes sense."""


class LedgerMismatch(ValueError):
    """A database that belongs to another profile, or to a newer version of the platform."""
