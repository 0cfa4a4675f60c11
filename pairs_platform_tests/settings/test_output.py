import asyncio
import io
import logging
import sys
import threading

import pytest

from pairs_platform.core.masking import keep_secret
from pairs_platform.settings.output import mask_output
from pairs_platform_tests.support.awkward_secrets import MARK, planted


@pytest.fixture
def said(monkeypatch) -> io.StringIO:
    """What a handler of the root logger writes."""
    text = io.StringIO()
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    mask_output()
    for secret in planted():
        keep_secret(secret)
    yield text
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("name", ["sqlalchemy", "urllib3", "alembic", "mlflow", "dagster", "x"])
def test_no_record_of_any_library_shows_a_secret(said, name):
    log = logging.getLogger(f"{name}.of_a_test")  # libraries close and silence their own
    log.propagate = False
    log.addHandler(logging.StreamHandler(said))
    for secret in planted():
        log.error("connecting with %s", secret)
        log.error("connecting with %(key)r", {"key": secret})
        log.error("%s", ValueError(secret))
        log.error(f"connecting with {secret}")
        try:
            raise ValueError(secret) from KeyError(secret)
        except ValueError:
            log.exception("it failed")
    assert "connecting with ***" in said.getvalue()
    assert "ValueError: ***" in said.getvalue()
    assert MARK not in said.getvalue()


def failing(secret: str) -> None:
    try:
        raise KeyError(secret)
    except KeyError as error:
        wrapped = RuntimeError(f"no answer from {secret!r}")
        wrapped.add_note(f"key {secret}")
        raise ExceptionGroup("several", [wrapped, ValueError(secret)]) from error


def test_no_uncaught_error_shows_a_secret(said, monkeypatch, capsys):
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # in place of the one that pytest sets
    mask_output()
    for secret in planted():
        try:
            failing(secret)
        except ExceptionGroup as error:
            sys.excepthook(type(error), error, error.__traceback__)
        thread = threading.Thread(target=failing, args=(secret,))
        thread.start()
        thread.join()

        async def forgotten(secret: str = secret) -> None:
            task = asyncio.ensure_future(asyncio.to_thread(failing, secret))
            await asyncio.wait([task])
            del task

        asyncio.run(forgotten())
    shown = said.getvalue() + capsys.readouterr().err
    assert shown.count("RuntimeError: no answer from") >= 3 * len(planted())
    assert MARK not in shown


def test_an_error_without_a_secret_is_left_to_the_hook_before(said, monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "excepthook", lambda *given: shown.append(given))
    mask_output()
    mask_output()
    error = ValueError("nothing to hide")
    sys.excepthook(ValueError, error, None)
    assert shown == [(ValueError, error, None)]
