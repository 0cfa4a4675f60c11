import os

import pytest

from pairs_platform.adapters.files.paths import named_files
from pairs_platform.core.errors import ConfigurationError, NotFound


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


class TestFolders:
    def test_what_is_no_price_file_is_listed_with_its_reason(self, tmp_path) -> None:
        names = ("a.csv", "B.parquet.gzip", "c.PARQ", "._a.csv", ".DS_Store", "~$a.csv", "a.xlsx", "sub/x.csv")
        touched(tmp_path, *names)
        (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
        os.mkfifo(tmp_path / "pipe.csv")
        found = named_files(str(tmp_path))
        assert [path.name for path in found.paths] == ["B.parquet.gzip", "a.csv", "c.PARQ"]
        assert {item.path.name: item.reason.split(":")[0].split(";")[0] for item in found.left_out} == {
            "._a.csv": "is hidden",
            ".DS_Store": "is hidden",
            "~$a.csv": "is a lock file of an office program",
            "a.xlsx": "is neither Parquet nor CSV by its name",
            "gone.csv": "is a link to a file that does not exist",
            "pipe.csv": "is no regular file",
            "sub": "is a folder",
        }
        assert not found.by_name

    def test_folders_named_by_a_value_are_entered(self, tmp_path) -> None:
        touched(tmp_path, "symbol=A/year=2025/part.parquet", "symbol=B/part.parquet", "other/x.csv")
        found = named_files(str(tmp_path))
        assert [path.parent.name for path in found.paths] == ["year=2025", "symbol=B"]
        assert [item.path.name for item in found.left_out] == ["other"]


class TestOthers:
    def test_a_file_is_named_even_when_it_is_hidden(self, tmp_path) -> None:
        touched(tmp_path, ".mine.csv")
        found = named_files(str(tmp_path / ".mine.csv"))
        assert ([path.name for path in found.paths], found.by_name) == ([".mine.csv"], True)

    def test_a_named_file_of_another_kind_is_refused(self, tmp_path) -> None:
        touched(tmp_path, "a.xlsx")
        with pytest.raises(ConfigurationError, match="xlsx is neither Parquet nor CSV by its name; it must end with"):
            named_files(str(tmp_path / "a.xlsx"))

    def test_a_pattern_lists_what_it_matches_and_cannot_use(self, tmp_path) -> None:
        touched(tmp_path, "a.csv", "a.md", "deep/er/b.csv")
        found = named_files(str(tmp_path / "**" / "*"))
        assert [path.name for path in found.paths] == ["a.csv", "b.csv"]
        assert [item.path.name for item in found.left_out] == ["a.md"]

    def test_what_leads_to_nothing_is_named(self, tmp_path) -> None:
        (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
        with pytest.raises(NotFound, match="is a link to a file that does not exist"):
            named_files(str(tmp_path / "link.csv"))
        with pytest.raises(NotFound, match="does not exist; give a Parquet or CSV file"):
            named_files(str(tmp_path / "*.tsv"))
