import errno
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pairs_platform.lake import atomic
from pairs_platform.lake.atomic import ABANDONED_AFTER_SECONDS, replace_file, while_locked
from pairs_platform_tests.support.waiting import WAIT_SECONDS


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_replaces_and_makes_folders(tmp_path):
    path = tmp_path / "a folder" / "with spaces" / "x.parquet"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["x.parquet"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_previous_content_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "x.parquet"
    replace_file(path, b"one")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left") as raised:
        replace_file(path, b"two")
    assert "what it held before is unchanged" in raised.value.__notes__[0]
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["x.parquet"]


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_a_write_that_ends_half_way_leaves_the_previous_content(tmp_path):
    path = tmp_path / "x.parquet"
    replace_file(path, b"one")
    child = run_python(
        """
        import errno, resource, sys
        from pathlib import Path
        from pairs_platform.lake.atomic import replace_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            replace_file(Path(sys.argv[1]), b"2" * 100_000)
        except OSError as error:
            print(errno.errorcode[error.errno])
        """,
        str(path),
    )
    out, err = child.communicate(timeout=WAIT_SECONDS)
    assert out.strip() == "EFBIG", err
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["x.parquet"]


def test_a_killed_writer_leaves_the_previous_content_and_its_remains_are_cleaned_later(tmp_path):
    path = tmp_path / "x.parquet"
    replace_file(path, b"one")
    child = run_python(
        """
        import os, sys, time
        from pathlib import Path
        from pairs_platform.lake.atomic import replace_file
        def stall(descriptor):
            print("written", flush=True)
            time.sleep(3600)
        os.fsync = stall
        replace_file(Path(sys.argv[1]), b"2" * 100_000)
        """,
        str(path),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    child.kill()
    child.communicate(timeout=WAIT_SECONDS)
    assert path.read_bytes() == b"one"
    remains = [name for name in names(tmp_path) if name != "x.parquet"]
    assert len(remains) == 1
    assert remains[0].endswith(".tmp")

    replace_file(path, b"three")
    assert remains[0] in names(tmp_path), "it could belong to a writer at work"
    long_ago = time.time() - ABANDONED_AFTER_SECONDS - 1
    os.utime(tmp_path / remains[0], (long_ago, long_ago))
    replace_file(tmp_path / "y.parquet", b"other")
    assert remains[0] in names(tmp_path), "each partition cleans up after itself alone"
    replace_file(path, b"four")
    assert names(tmp_path) == ["x.parquet", "y.parquet"]


def test_remains_that_another_writer_removed_first_are_no_error(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    remains = tmp_path / ".x.parquet.0.tmp"
    remains.write_bytes(b"")
    os.utime(remains, (0, 0))

    def gone(_):
        raise FileNotFoundError

    monkeypatch.setattr(os, "unlink", gone)
    replace_file(path, b"one")
    assert path.read_bytes() == b"one"


def test_waits_while_windows_holds_the_file_open(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    refusals = 3
    real = os.replace

    def refuse(source, target):
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise PermissionError(errno.EACCES, "used by another process")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    replace_file(path, b"one")
    assert path.read_bytes() == b"one"


def test_waits_no_longer_than_a_few_seconds(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(atomic.time, "sleep", pauses.append)

    def refuse():
        raise PermissionError(errno.EACCES, "used by another process")

    with pytest.raises(PermissionError):
        while_locked(refuse)
    assert 1.0 < sum(pauses) < 5.0


def test_two_writers_and_a_reader_at_once(tmp_path):
    path = tmp_path / "x.parquet"
    replace_file(path, b"0" * 10)
    script = """
        import sys
        from pathlib import Path
        from pairs_platform.lake.atomic import replace_file
        print("ready", flush=True)
        for _ in range(60):
            replace_file(Path(sys.argv[1]), sys.argv[2].encode() * int(sys.argv[3]))
    """
    writers = [run_python(script, str(path), "1", "400000"), run_python(script, str(path), "2", "700000")]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    sizes = {ord("0"): 10, ord("1"): 400_000, ord("2"): 700_000}
    reads = 0
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == sizes[content[0]]
        assert content.count(content[:1]) == len(content)
        reads += 1
    assert reads > 5
    assert [writer.communicate()[1] for writer in writers] == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert names(tmp_path) == ["x.parquet"]


def test_a_folder_that_may_not_be_written_is_told_by_the_name_of_the_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system", "a temporary name")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Read-only file system") as refused:
        replace_file(tmp_path / "report.html", b"one")
    assert refused.value.filename == str(tmp_path / "report.html")
