"""A source of files is what it is, however its path is typed."""

import os

import pytest

from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.settings.file_source import earlier_source_names, source_name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A home folder and the current one: `HOME/work`, with prices in `HOME/prices` and a link to them."""
    for name in ("work", "prices"):
        (tmp_path / name).mkdir()
    (tmp_path / "a link").symlink_to(tmp_path / "prices", target_is_directory=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def name_of(path, **options):
    return source_name(FileSourceSettings(paths=(path,), **options))


def test_the_way_a_path_is_typed_makes_no_difference(folder):
    typed = ["../prices", "../prices/", "./../prices", "~/prices", "~/work/../prices", "HOME/prices", "HOME//prices/",
             "../a link", "HOME/a link/", "HOME/work/../prices/."]  # fmt: skip
    assert len({name_of(path.replace("HOME", str(folder))) for path in typed}) == 1
    twice = FileSourceSettings(paths=("../prices", "~/prices/"))
    assert source_name(twice) == name_of("../prices")
    assert name_of("../prices/*.csv") == name_of("~/prices/*.csv") == name_of(f"{folder}/a link/*.csv")
    os.chdir(folder)
    assert name_of("prices") == name_of("~/prices")


def test_other_files_and_options_that_change_the_data_make_one(folder):
    names = [
        name_of("../prices"),
        name_of("../work"),
        name_of("../prices/*.csv"),
        name_of("../prices", timezone="UTC"),
        name_of("../prices", label="end"),
        name_of("../prices", date_order="day_first"),
        name_of("../prices", actions_path="../actions.csv"),
        source_name(FileSourceSettings(paths=("../prices", "../work"))),
        source_name(FileSourceSettings(paths=("../work", "../prices"))),
    ]
    assert len(set(names)) == len(names)
    assert name_of("../prices", actions_path="~/actions.csv") == names[6]
    assert name_of("../prices", timezone=None, label="start") == names[0]


@pytest.mark.parametrize(
    ("earlier", "typed"),
    [
        ("files 4f09489f", "../prices"),
        ("files eac66a69", "~/prices"),
        ("files 292ecaec", "../prices/"),
    ],
)
@pytest.mark.parametrize("today", ["../prices", "~/prices", "HOME/prices", "../prices/"])
def test_the_name_of_an_earlier_version_is_found_from_any_of_them(folder, earlier, typed, today):
    """The names are the ones that the version before gave to the paths as typed."""
    assert earlier in earlier_source_names(FileSourceSettings(paths=(today.replace("HOME", str(folder)),)))
