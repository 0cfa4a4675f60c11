"""The URL of a SQLite file, whose path may hold any character.

What does not belong here: databases that a person names by URL (`store`).
"""

from pathlib import Path

from sqlalchemy import URL


def sqlite_url(file: Path) -> str:
    """The URL by which SQLAlchemy, and what is built on it, opens a SQLite file.

    In a URL ``?``, ``#`` and ``%`` have a meaning of their own: they are written percent-encoded.
    """
    return URL.create("sqlite", database=file.as_posix()).render_as_string(hide_password=False)
