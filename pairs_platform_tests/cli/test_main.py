"""How a command ends that fails."""

import pytest

from pairs_platform.core.errors import ClockUnknown


@pytest.fixture
def fails(monkeypatch):
    """Make the command `migrate` fail with an error."""

    def fail(error: Exception) -> None:
        def load(*_: object) -> None:
            raise error

        monkeypatch.setattr("pairs_platform.cli.migrate.load_settings", load)

    return fail


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ClockUnknown("no clock"), "Error: no clock; start one with `pairs-platform stream replay`\n"),
        (PermissionError(13, "Permission denied", "/state"), "Error: [Errno 13] Permission denied: '/state'\n"),
    ],
)
def test_what_a_person_can_mend_is_one_line_with_the_command_that_helps(console, fails, error, shown):
    fails(error)
    ended = console("migrate")
    assert (ended.exit_code, ended.output) == (1, shown)


def test_a_bug_keeps_its_traceback(console, fails):
    fails(KeyError("close"))
    with pytest.raises(KeyError):
        console("migrate")
