import json
import threading

import pytest

from pairs_platform.core.errors import ConfigurationError, ProfileMismatch
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.lake.files import (
    LakeUnavailable,
    create_object,
    is_stored,
    names_in,
    object_folder,
    read_file,
    remove_below,
    replace,
    sizes_below,
)
from pairs_platform.lake.profile import MANIFEST, Profile, claim_profile
from pairs_platform.lake.store import Lake
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_bars
from pairs_platform_tests.support.waiting import WAIT_SECONDS

KEY, NEXT = PartitionKey(FULL, "technology"), PartitionKey(EARLY_CLOSE, "technology")
MINE = Profile("simulated", Frequency.FIVE_MINUTES, PriceBasis.RAW)


def test_what_is_replaced_is_read_listed_and_measured(place):
    assert names_in(place / "a") == []
    assert sizes_below(place / "a") == {}
    for content in (b"1", b"22"):
        replace(place / "a" / "sector=x" / "one", content)
    replace(place / "a" / "two", b"333")
    assert read_file(place / "a" / "sector=x" / "one") == b"22"
    assert names_in(place / "a") == ["sector=x", "two"]
    assert sizes_below(place / "a") == {"sector=x/one": 2, "two": 3}
    assert is_stored(place / "a" / "two")
    assert not is_stored(place / "a" / "sector=x")
    assert not is_stored(place / "a" / "three")
    with pytest.raises(FileNotFoundError):
        read_file(place / "a" / "three")


def test_a_partition_is_one_put(object_storage, monkeypatch):
    folder = object_storage.folder
    asked = []
    real = type(folder.fs)._call_s3

    async def counting(self, method, *words, **named):
        asked.append(method)
        return await real(self, method, *words, **named)

    monkeypatch.setattr(type(folder.fs), "_call_s3", counting)
    lake = Lake(folder)
    lake.write(PRICE_HISTORY, KEY, make_bars([FULL]), {})
    assert asked == ["put_object"]
    asked.clear()
    lake.read(PRICE_HISTORY, KEY)
    assert asked == ["get_object"]


def test_what_another_process_wrote_is_seen_at_once(object_storage):
    mine, other = Lake(object_storage.folder), Lake(object_storage.folder)
    assert mine.sessions("price_history", "technology") == []
    assert not mine.exists("price_history", KEY)
    other.write(PRICE_HISTORY, KEY, make_bars([FULL]), {})
    assert mine.sessions("price_history", "technology") == [FULL]
    assert mine.exists("price_history", KEY)
    other.write(PRICE_HISTORY, NEXT, make_bars([EARLY_CLOSE]), {})
    assert mine.exists("price_history", NEXT)
    assert mine.sessions("price_history", "technology") == [FULL, EARLY_CLOSE]


def test_of_two_that_create_one_wins(object_storage):
    path = object_storage.folder / MANIFEST
    threads = [threading.Thread(target=create_object, args=(path, bytes([65 + n]))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    first = read_file(path)
    create_object(path, b"later")
    assert read_file(path) == first
    assert len(first) == 1


def test_a_lake_belongs_to_one_profile(object_storage):
    folder = object_storage.folder
    assert claim_profile(folder, MINE) is folder
    assert claim_profile(object_storage.folder, MINE) == folder
    assert json.loads(read_file(folder / MANIFEST))["source"] == "simulated"
    with pytest.raises(ProfileMismatch, match=r"s3://bucket-\w+/lakes/mine holds source simulated, frequency 5min"):
        claim_profile(folder, Profile("alpaca", Frequency.FIVE_MINUTES, PriceBasis.RAW))


def test_removing_takes_what_is_below_alone(object_storage):
    folder = object_storage.folder
    for name in ("a/1", "a/b/2", "ab/3"):
        replace(folder / name, b"x")
    remove_below(folder / "a")
    remove_below(folder / "nothing")
    assert sizes_below(folder) == {"ab/3": 1}


class TestWithoutAnswer:
    def test_a_service_that_is_not_there_is_named_with_the_remedy(self, object_storage):
        nobody = object_folder(
            object_storage.url, {**object_storage.options, "endpoint_url": f"http://127.0.0.1:{free_port()}"}
        )
        for ask in (read_file, is_stored, names_in, sizes_below, lambda path: replace(path, b"1")):
            with pytest.raises(
                LakeUnavailable, match=r"at s3://bucket-\w+/lakes/mine.*Could not connect.*check lake_url, lake_options"
            ) as raised:
                ask(nobody / "a")
            assert "planted" not in str(raised.value)

    def test_a_bucket_that_is_not_there(self, object_storage):
        folder = object_folder("s3://no-such-bucket/x", object_storage.options)
        for write in (replace, create_object):
            with pytest.raises(LakeUnavailable, match="s3://no-such-bucket/x/a: The specified bucket does not exist"):
                write(folder / "a", b"1")

    def test_options_that_the_driver_does_not_know(self, object_storage):
        with pytest.raises(ConfigurationError, match=r"s3fs has no option secert; it has .*endpoint_url"):
            object_folder(object_storage.url, {"secert": "planted-secret-key"})

    def test_a_write_that_fails_leaves_the_previous_partition(self, object_storage, monkeypatch):
        lake = Lake(object_storage.folder)
        lake.write(PRICE_HISTORY, KEY, make_bars([FULL]), {"n": 1})

        async def refuse(self, method, *words, **named):
            assert method == "put_object"
            raise OSError("SlowDown: please reduce your request rate")

        with monkeypatch.context() as patch:
            patch.setattr(type(lake.root.fs), "_call_s3", refuse)
            with pytest.raises(LakeUnavailable, match="SlowDown"):
                lake.write(PRICE_HISTORY, KEY, make_bars([FULL]), {"n": 2})
        assert lake.metadata(PRICE_HISTORY, KEY) == {"n": 1}
