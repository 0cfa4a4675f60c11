"""How a command ends that fails."""

import io
import os
import subprocess
import sys

import pytest

from pairs_platform.cli import cli, main
from pairs_platform.cli.renamed_options import RENAMED_OPTIONS
from pairs_platform.core.errors import ClockUnknown
from pairs_platform.settings.output import end_output


@pytest.fixture
def fails(monkeypatch):
    """Make the command `migrate` fail with an error."""

    def fail(error: Exception) -> None:
        def load(*_: object) -> None:
            raise error

        monkeypatch.setattr("pairs_platform.cli.profile_options.load_settings", load)

    return fail


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ClockUnknown("no clock"), "Error: no clock; start one with `pairs-platform stream replay`\n"),
        (
            PermissionError(13, "Permission denied", "/state"),
            "Error: /state: Permission denied; make it writable for this user, or name another place\n",
        ),
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


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("words", [["config", "show", "--describe"], ["symbols", "list"], ["nonsense → ▲"]])
def test_what_an_output_cannot_show_is_replaced(monkeypatch, encoding, words):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    outputs = [io.BytesIO(), io.BytesIO()]
    for name, output in zip(("stdout", "stderr"), outputs, strict=True):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(output, encoding))
    monkeypatch.setattr(sys, "argv", ["pairs-platform", *words])
    with pytest.raises(SystemExit):
        main()
    sys.stderr.flush()
    shown = b"".join(output.getvalue() for output in outputs)
    assert shown
    if encoding != "ascii":  # click shows UTF-8 there
        assert ("nonsense" in shown.decode(encoding)) == ("? ?" in shown.decode(encoding))
    assert os.environ["PYTHONIOENCODING"] == f"{encoding}:replace"


def test_a_reader_that_has_gone_is_no_error(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    output = io.TextIOWrapper(os.fdopen(writer, "wb"), "utf-8")
    output.write("what is still to be shown")
    monkeypatch.setattr(sys, "stdout", output)
    end_output()
    output.close()


@pytest.mark.parametrize("below", ["", "x/y"])
@pytest.mark.parametrize("words", [["doctor"], ["up"]])
def test_a_state_folder_that_is_or_lies_below_a_file_is_named(console, monkeypatch, tmp_path, words, below):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PAIRS_PLATFORM__STATE_ROOT", str(tmp_path / "file" / below))
    ended = console(*words)
    assert ended.exit_code == 1
    assert ended.output.startswith(f"Error: state_root: {tmp_path / 'file'} is no folder")
    assert ended.output.count("\n") == 1


def test_ctrl_c_while_the_first_libraries_are_imported_is_one_line():
    interrupted = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from pairs_platform.cli import main
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", interrupted],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "stopped\n")
