"""The console script in this process."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Finished:
    """A finished command: its exit code, and what it printed on both streams."""

    exit_code: int
    output: str


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Finished]]:
    """The entry point of the console script; what it does to environment and loggers is undone."""
    before, levels = dict(os.environ), _levels()

    def call(*words: str) -> Finished:
        from pairs_platform.cli import main

        monkeypatch.setattr(sys, "argv", ["pairs-platform", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        return Finished(int(stopped.value.code or 0), shown.out + shown.err)

    yield call
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
    for name in _levels():
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def _levels() -> dict[str, int]:
    """The level of every logger that there is, by its name."""
    return {name: logging.getLogger(name).level for name in ("root", *logging.root.manager.loggerDict)}
