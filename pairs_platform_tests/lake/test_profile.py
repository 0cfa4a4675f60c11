import json
import os
import subprocess
import sys
import textwrap

import pytest

from pairs_platform.core.errors import ProfileMismatch, ProfileOutdated
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.lake import profile as module
from pairs_platform.lake.profile import FORMAT, MANIFEST, Profile, claim_profile, mark_upgraded, read_manifest
from pairs_platform.views.remedies import with_remedy
from pairs_platform_tests.support.waiting import WAIT_SECONDS

SIMULATED = Profile("simulated", Frequency.FIVE_MINUTES, PriceBasis.RAW)


def test_the_name_is_a_slug():
    assert SIMULATED.name == "simulated-5min-raw"
    assert Profile("My Files", Frequency.ONE_DAY, PriceBasis.SPLIT_ADJUSTED).name == "my_files-1d-split_adjusted"


def test_the_first_claim_makes_the_folder_and_later_ones_agree(tmp_path):
    folder = tmp_path / "state of mine" / SIMULATED.name
    assert claim_profile(folder, SIMULATED) == folder
    assert claim_profile(folder, SIMULATED) == folder
    assert read_manifest(folder)[0] == SIMULATED
    assert [path.name for path in folder.iterdir()] == [MANIFEST]
    assert json.loads((folder / MANIFEST).read_text()) == {
        "format": FORMAT, "source": "simulated", "frequency": "5min", "basis": "raw", "settings": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        Profile("alpaca", Frequency.FIVE_MINUTES, PriceBasis.RAW),
        Profile("simulated", Frequency.ONE_HOUR, PriceBasis.RAW),
        Profile("simulated", Frequency.FIVE_MINUTES, PriceBasis.FULLY_ADJUSTED),
    ],
)
def test_another_profile_is_refused_with_the_remedy(tmp_path, other):
    claim_profile(tmp_path, SIMULATED)
    with pytest.raises(
        ProfileMismatch, match=r"holds source simulated, frequency 5min.*Choose a state folder of its own"
    ):
        claim_profile(tmp_path, other)
    assert read_manifest(tmp_path)[0] == SIMULATED


@pytest.mark.parametrize("content", ["", "{", "[]", '{"source": "a", "frequency": "2min", "basis": "raw"}'])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(ProfileMismatch, match="is damaged"):
        claim_profile(tmp_path, SIMULATED)


def test_a_profile_of_the_version_before_is_refused_with_the_command_that_helps(tmp_path):
    earlier = '{"source": "simulated", "frequency": "5min", "basis": "raw"}'
    (tmp_path / MANIFEST).write_text(earlier)
    with pytest.raises(ProfileOutdated) as refused:
        claim_profile(tmp_path, SIMULATED)
    shown = with_remedy(refused.value)
    assert f"made by an earlier version of the platform (format 1, this one has {FORMAT})" in shown
    assert "run `pairs-platform migrate`" in shown
    assert "\n" not in shown
    assert (tmp_path / MANIFEST).read_text() == earlier
    mark_upgraded(tmp_path, SIMULATED)
    assert claim_profile(tmp_path, SIMULATED) == tmp_path


def test_a_profile_of_a_newer_version_is_refused(tmp_path):
    claim_profile(tmp_path, SIMULATED)
    newer = json.loads((tmp_path / MANIFEST).read_text()) | {"format": FORMAT + 1}
    (tmp_path / MANIFEST).write_text(json.dumps(newer))
    with pytest.raises(ProfileMismatch, match="install the newer version again"):
        claim_profile(tmp_path, SIMULATED)


def test_works_without_hard_links(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError("hard links are not supported")

    monkeypatch.setattr(os, "link", unsupported)
    claim_profile(tmp_path, SIMULATED)
    assert read_manifest(tmp_path)[0] == SIMULATED


def test_a_claim_between_look_and_creation_wins(tmp_path, monkeypatch):
    """The other process publishes its manifest after ours has seen that there is none."""
    other = Profile("alpaca", Frequency.FIVE_MINUTES, PriceBasis.RAW)
    create = module._create

    def late(path, content):
        monkeypatch.setattr(module, "_create", create)
        claim_profile(path.parent, other)
        create(path, content)

    monkeypatch.setattr(module, "_create", late)
    with pytest.raises(ProfileMismatch, match="holds source alpaca"):
        claim_profile(tmp_path, SIMULATED)
    assert read_manifest(tmp_path)[0] == other
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_of_many_processes_with_two_profiles_one_profile_wins(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from pairs_platform.core.prices.bars import Frequency, PriceBasis
        from pairs_platform.lake.profile import Profile, ProfileMismatch, claim_profile
        profile = Profile(sys.argv[2], Frequency.FIVE_MINUTES, PriceBasis.RAW)
        start = Path(sys.argv[1]) / "start"
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(50):
            try:
                claim_profile(Path(sys.argv[1]) / str(i), profile)
                print(i)
            except ProfileMismatch:
                pass
        """
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for source in ("alpaca", "yahoo")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [process.communicate(timeout=WAIT_SECONDS) for process in processes]
    assert [err for _, err in results] == ["", ""]
    first, second = ({int(line) for line in out.split()} for out, _ in results)
    assert first | second == set(range(50))
    assert first & second == set()
