"""What can go wrong with the database as a whole, importable without a database driver."""


class DatabaseUnavailable(Exception):
    """The database cannot be reached or does not answer in time; trying later makes sense."""


class DatabaseMismatch(ValueError):
    """A database that belongs to another profile, or to a newer version of the platform."""
