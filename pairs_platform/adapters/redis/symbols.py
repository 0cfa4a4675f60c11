"""Which set of symbols is streamed, as it was last switched.

What does not belong here: which symbols a set stands for (`processes.collector.symbols`).
"""

from typing import get_args

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.core.streaming.settings import SymbolSet


class SymbolSwitch:
    """The set of one profile, for both run modes; `default` until it is switched.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, *, default: SymbolSet) -> None:
        self._connection, self._keys, self._default = connection, keys, default

    def current(self) -> SymbolSet:
        """The set that is streamed.

        Raises
        ------
        ValueError
            Redis holds the name of no set.
        """
        with self._connection.answering():
            name = self._connection.redis.get(self._keys.symbol_set)
        return self._default if name is None else _symbol_set(str(name))

    def switch(self, name: SymbolSet) -> None:
        """Stream another set.

        Raises
        ------
        ValueError
            There is no set of this name.
        """
        with self._connection.answering():
            self._connection.redis.set(self._keys.symbol_set, _symbol_set(name))


def _symbol_set(name: str) -> SymbolSet:
    names: tuple[SymbolSet, ...] = get_args(SymbolSet)
    for valid in names:
        if name == valid:
            return valid
    raise ValueError(f"{name!r} is no set of symbols; valid: {', '.join(names)}")
