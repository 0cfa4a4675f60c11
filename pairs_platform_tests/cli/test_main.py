"""How a command ends that fails."""

import pytest

from pairs_platform.cli import cli
from pairs_platform.cli.renamed_options import RENAMED_OPTIONS
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


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["signals", "--feed", "live"], "Error: signals: --feed is named --run-mode now\n"),
        (["live", "--buckets=12"], "Error: live: --buckets is named --bars now\n"),
    ],
)
def test_the_old_name_of_an_option_is_refused_in_one_line_with_the_new_one(console, words, shown):
    ended = console(*words)
    assert (ended.exit_code, ended.output) == (2, shown)


def test_the_new_name_of_each_renamed_option_exists():
    for (command, old), new in RENAMED_OPTIONS.items():
        names = {name for option in cli.get_command(None, command).params for name in option.opts}
        assert new in names
        assert old not in names


def test_an_option_that_never_was_is_refused_as_click_does(console):
    ended = console("signals", "--buckets", "3")
    assert ended.exit_code == 2
    assert "No such option" in ended.output


def test_a_bug_keeps_its_traceback(console, fails):
    fails(KeyError("close"))
    with pytest.raises(KeyError):
        console("migrate")
