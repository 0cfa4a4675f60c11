"""The console script in this process, and several commands one after another in another one."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

CALLS = """
import contextlib, io, json, os, sys
from pairs_platform.cli import main
before = dict(os.environ)
for line in json.loads(sys.argv[1]):
    shown, sys.argv = io.StringIO(), ["pairs-platform", *line]
    with contextlib.nullcontext() if os.isatty(1) else contextlib.redirect_stdout(shown):
        with contextlib.nullcontext() if os.isatty(1) else contextlib.redirect_stderr(shown):
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
    os.environ.clear()
    os.environ.update(before)
    print(json.dumps([code, shown.getvalue()]), flush=True)
"""
"""Run the commands of a JSON list; after each one comes a line with its exit code and, but in a terminal, its output.

To import the libraries once for all of them."""


@dataclass(frozen=True)
class Finished:
    """A finished command: its exit code, what it printed on both streams, and on standard output alone."""

    exit_code: int
    output: str
    stdout: str


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
        return Finished(int(stopped.value.code or 0), shown.out + shown.err, shown.out)

    yield call
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
    for name in _levels():
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def _levels() -> dict[str, int]:
    """The level of every logger that there is, by its name."""
    return {name: logging.getLogger(name).level for name in ("root", *logging.root.manager.loggerDict)}
