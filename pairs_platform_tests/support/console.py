"""The console script in this process."""

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
    """The entry point of the console script; what it puts into the environment is taken out again."""
    before = dict(os.environ)

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
