"""The books of the simulated broker in a file, so that it goes on where it was, also after a kill.

What does not belong here: what is in them (`account`), and when they change (`server`).
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pairs_platform.lake.atomic import replace_file
from pairs_platform.processes.broker.account import Books


@dataclass
class _Page:
    """Books, and the generation of the replay that they are of."""

    generation: int
    seed: int
    books: Books


_PAGE = TypeAdapter(_Page)


class BooksFile:
    """The books of one account, in one generation of a replay; those of an earlier one are another account's.

    Parameters
    ----------
    path : Path
    generation : int
    seed : int
        Of the account's ids.
    """

    def __init__(self, path: Path, generation: int, seed: int) -> None:
        self._path, self.generation, self._seed = path, generation, seed

    def read(self) -> Books | None:
        """What was kept of this generation; None where nothing was, or nothing that can be read."""
        try:
            page = _PAGE.validate_json(self._path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return page.books if (page.generation, page.seed) == (self.generation, self._seed) else None

    def keep(self, books: Books) -> None:
        """Put the books in place of those before."""
        replace_file(self._path, _PAGE.dump_json(_Page(self.generation, self._seed, books)))
