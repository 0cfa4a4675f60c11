"""`pairs-platform report` over the demo's results."""

import re

import pytest

from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_the_newest_session_by_default(stored, console, tmp_path):
    done = console("report")
    path = stored.settings.profile_root / "reports" / f"{SESSION}.html"
    assert done.exit_code == 0
    assert done.stdout == (
        f"{SESSION}, {SECTOR}: {path} ({path.stat().st_size:,} bytes)\nopen it in a browser: {path.as_uri()}\n"
    )
    page = path.read_text(encoding="utf-8")
    sections = re.findall(r'<h3 id="(s\d+)"[^>]*>([^<]+)</h3>', page)
    assert [title for _, title in sections][1:3] == ["Selection", "Trading configuration"]
    assert all(f'<a href="#{place}">{title}</a>' in page for place, title in sections)
    assert page.index("<nav") < page.index("<h2")


def test_a_session_and_a_form_of_choice(stored, console, tmp_path):
    path = tmp_path / "a folder" / "session.pdf"
    assert "there is no folder" in console("report", "-o", str(path)).output
    path.parent.mkdir()
    assert console("report", "--session", str(SESSIONS[0]), "--sector", SECTOR, "-o", str(path)).exit_code == 0
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert f"Session report {SESSIONS[0]}".encode() in content


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out.docx"], "Error: out.docx: the suffix names no format; valid: .html, .pdf"),
        (["--sector", "banking"], "Error: unknown sector 'banking'; valid: "),
        (["--sector", "energy"], "has no ranking of energy yet; `pairs-platform demo --sector energy` makes one"),
        (["--session", "2023-03-01"], f"has no ranking of session 2023-03-01; stored: 3 sessions from {SESSIONS[0]}"),
    ],
)
def test_mistakes_are_named(stored, console, tmp_path, words, message):
    done = console("report", *words)
    assert done.exit_code == 1
    assert message in done.output
    assert not list((tmp_path / "here").iterdir())


def test_nothing_is_stored(begun, console):
    done = console("report")
    assert done.exit_code == 1
    assert "has no ranking yet; `pairs-platform demo` makes one" in done.output
