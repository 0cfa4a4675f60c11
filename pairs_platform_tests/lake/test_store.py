import io
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow.parquet as pq
import pytest

from pairs_platform.core.contract import Contract
from pairs_platform.core.errors import ContractViolation, PartitionMissing, PartitionUnreadable, VersionMismatch
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.lake.files import LakePath, names_in, read_file
from pairs_platform.lake.store import Lake
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_bars

KEY = PartitionKey(FULL, "technology")
BARS = make_bars([FULL])

MIXED = Contract(
    table="mixed",
    version=3,
    schema=pa.DataFrameSchema(
        {
            "name": pa.Column(str, nullable=True),
            "count": pa.Column("Int64", nullable=True),
            "good": pa.Column(bool),
            "session": pa.Column("datetime64[ns]", nullable=True),
            "shape": pa.Column(object, nullable=True),
            "value": pa.Column("float64", nullable=True),
        },
        strict=True,
    ),
)


@pytest.fixture
def lake(place) -> Lake:
    return Lake(place)


def put(path: LakePath, content: bytes) -> None:
    """Write past the lake."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def stored(path: LakePath) -> io.BytesIO:
    return io.BytesIO(read_file(path))


class TestRoundTrip:
    def test_bars(self, lake):
        path = lake.write(PRICE_HISTORY, KEY, BARS, {})
        assert path == lake.root / "price_history" / "sector=technology" / "2024-07-02.parquet"
        pd.testing.assert_frame_equal(lake.read(PRICE_HISTORY, KEY), BARS)

    def test_every_type_with_and_without_values(self, lake):
        frame = pd.DataFrame(
            {
                "name": ["a", None],
                "count": pd.array([1, None], dtype="Int64"),
                "good": [True, False],
                "session": pd.DatetimeIndex(["2024-07-02", None]).as_unit("ns"),
                "shape": [[1.0, 2.5], None],
                "value": [0.1, np.nan],
            }
        )
        lake.write(MIXED, KEY, frame, {})
        found = lake.read(MIXED, KEY)
        assert found["shape"][0].tolist() == [1.0, 2.5]
        pd.testing.assert_frame_equal(found.drop(columns="shape"), frame.drop(columns="shape"))

    @pytest.mark.parametrize("contract", [PRICE_HISTORY, PRICE_QUARANTINE, PRICE_FLAGS, CORPORATE_ACTIONS, MIXED])
    def test_a_partition_without_rows_keeps_its_types(self, lake, contract):
        lake.write(contract, KEY, contract.empty(), {})
        pd.testing.assert_frame_equal(lake.read(contract, KEY), contract.empty())

    def test_empty_and_full_partitions_have_one_arrow_schema(self, lake):
        frame = MIXED.empty().reindex([0]).assign(good=True)
        frame["good"] = frame["good"].astype(bool)
        other = PartitionKey(EARLY_CLOSE, "technology")
        first = pq.read_schema(stored(lake.write(MIXED, KEY, MIXED.empty(), {})))
        second = pq.read_schema(stored(lake.write(MIXED, other, frame, {})))
        assert first.equals(second, check_metadata=False)
        assert len(lake.read_many(MIXED, [KEY, other])) == 1

    def test_single_precision_comes_back_bit_for_bit_from_split_bytes(self, lake):
        computed = Contract(
            table="computed",
            version=1,
            schema=pa.DataFrameSchema(
                {"name": pa.Column(str), "value": pa.Column("float32", nullable=True), "price": pa.Column("float64")},
                strict=True,
            ),
        )
        value = np.array([0.1, -0.0, np.nan, 1e-45, 3.4e38, -np.inf], dtype="float32")
        frame = pd.DataFrame({"name": list("aabbcc"), "value": value, "price": 10.25})
        path = lake.write(computed, KEY, frame, {})
        again = lake.read(computed, KEY)
        assert again["value"].to_numpy().tobytes() == value.tobytes()
        pd.testing.assert_frame_equal(again, frame)
        columns = [pq.read_metadata(stored(path)).row_group(0).column(k) for k in range(3)]
        assert ["BYTE_STREAM_SPLIT" in column.encodings for column in columns] == [False, True, False]
        assert [column.has_dictionary_page for column in columns] == [True, False, True]

    def test_writing_twice_changes_nothing(self, lake):
        first = lake.write(PRICE_HISTORY, KEY, BARS, {"rows": 1}).read_bytes()
        assert lake.write(PRICE_HISTORY, KEY, BARS, {"rows": 1}).read_bytes() == first

    def test_the_index_is_not_stored(self, lake):
        lake.write(PRICE_HISTORY, KEY, BARS.set_index(pd.Index([7] * len(BARS))), {})
        pd.testing.assert_frame_equal(lake.read(PRICE_HISTORY, KEY), BARS)


class TestMetadata:
    def test_comes_back(self, lake):
        facts = {"source": "simulated", "rows": np.int64(3), "share": np.float64(0.5), "as_of": FULL, "names": ["é"]}
        lake.write(PRICE_HISTORY, KEY, BARS, {**facts, "counts": np.array([1, 2])})
        assert lake.metadata(PRICE_HISTORY, KEY) == {
            "source": "simulated",
            "rows": 3,
            "share": 0.5,
            "as_of": "2024-07-02",
            "names": ["é"],
            "counts": [1, 2],
        }

    def test_lies_in_the_file_beside_the_version(self, lake):
        path = lake.write(MIXED, KEY, MIXED.empty(), {"a": 1})
        facts = json.loads(pq.read_schema(stored(path)).metadata[b"pairs_platform"])
        assert facts == {
            "table": "mixed",
            "contract_version": 3,
            "session": "2024-07-02",
            "sector": "technology",
            "metadata": {"a": 1},
        }
        assert lake.file_metadata(MIXED, KEY) == facts

    @pytest.mark.parametrize("wrong", [{"a": object()}, {"a": float("nan")}])
    def test_what_json_cannot_hold_is_refused_before_anything_is_written(self, lake, wrong):
        with pytest.raises((TypeError, ValueError)):
            lake.write(PRICE_HISTORY, KEY, BARS, wrong)
        assert not lake.exists("price_history", KEY)

    def test_of_a_missing_partition(self, lake):
        with pytest.raises(PartitionMissing):
            lake.metadata(PRICE_HISTORY, KEY)


class TestContractsGuardTheLake:
    def test_what_breaks_the_contract_is_never_published(self, lake):
        lake.write(PRICE_HISTORY, KEY, BARS, {})
        broken = BARS.assign(close=BARS["close"].where(BARS.index != 4, -1.0))
        with pytest.raises(ContractViolation, match=r"price_history v2: .*close must be above 0.0: fails on 1 row"):
            lake.write(PRICE_HISTORY, KEY, broken, {})
        pd.testing.assert_frame_equal(lake.read(PRICE_HISTORY, KEY), BARS)
        assert names_in(lake.path("price_history", KEY).parent) == ["2024-07-02.parquet"]

    @pytest.mark.parametrize("version", [2, 4])
    def test_another_version_is_refused(self, lake, version):
        lake.write(MIXED, KEY, MIXED.empty(), {})
        other = Contract(table="mixed", version=version, schema=MIXED.schema)
        expected = f"mixed {KEY} was written under version 3 of its contract, version {version} is needed"
        for read in (lake.read, lake.metadata):
            with pytest.raises(VersionMismatch) as raised:
                read(other, KEY)
            assert str(raised.value) == expected
            assert (raised.value.asset, raised.value.key) == ("mixed", KEY)

    def test_a_foreign_file_is_refused(self, lake):
        put(lake.path("price_history", KEY), BARS.to_parquet())
        with pytest.raises(VersionMismatch, match="written without a contract"):
            lake.read(PRICE_HISTORY, KEY)

    def test_a_file_of_another_table_is_refused(self, lake):
        path = lake.write(PRICE_HISTORY, KEY, BARS, {})
        put(lake.path("price_quarantine", KEY), read_file(path))
        with pytest.raises(VersionMismatch):
            lake.read(PRICE_QUARANTINE, KEY)

    @pytest.mark.parametrize("read", ["read", "file_metadata", "row_count", "stored_frame"])
    @pytest.mark.parametrize("kept", [slice(0, -20), slice(0, 0)], ids=["cut", "empty"])
    def test_a_damaged_file_is_named(self, lake, read, kept):
        path = lake.write(PRICE_HISTORY, KEY, BARS, {})
        put(path, read_file(path)[kept])
        with pytest.raises(PartitionUnreadable, match=r"2024-07-02\.parquet cannot be read") as raised:
            getattr(lake, read)(PRICE_HISTORY, KEY)
        assert (raised.value.asset, raised.value.key) == ("price_history", KEY)


class TestReadMany:
    SESSIONS = sessions_ending(date(2024, 7, 5), 5)

    @pytest.fixture
    def keys(self, lake):
        keys = keys_of(self.SESSIONS, "technology")
        for key in keys:
            lake.write(PRICE_HISTORY, key, make_bars([key.session]), {})
        return keys

    def test_follows_the_order_of_the_keys(self, lake, keys):
        chosen = [keys[3], keys[0], keys[4]]
        expected = pd.concat([make_bars([key.session]) for key in chosen], ignore_index=True)
        pd.testing.assert_frame_equal(lake.read_many(PRICE_HISTORY, chosen), expected)

    def test_reads_the_named_columns_in_the_named_order(self, lake, keys):
        assert list(lake.read_many(PRICE_HISTORY, keys, ["close", "symbol"]).columns) == ["close", "symbol"]
        with pytest.raises(KeyError, match="has no column closed; it has symbol, ts_utc"):
            lake.read_many(PRICE_HISTORY, keys, ["closed"])

    def test_tells_the_session_of_each_row(self, lake, keys):
        frame = lake.read_many(PRICE_HISTORY, keys, ["symbol"], with_session=True)
        assert frame["session"].dtype == "datetime64[ns]"
        counts = frame.groupby("session").size()
        assert counts.index.date.tolist() == self.SESSIONS
        assert counts.tolist() == [156, 156, 156, 84, 156]

    def test_without_keys_gives_no_rows(self, lake):
        frame = lake.read_many(PRICE_HISTORY, [], ["close"], with_session=True)
        assert frame.dtypes.astype(str).to_dict() == {"close": "float64", "session": "datetime64[ns]"}
        pd.testing.assert_frame_equal(lake.read_many(PRICE_HISTORY, []), PRICE_HISTORY.empty())

    def test_names_all_missing_keys(self, lake, keys):
        absent = keys_of(sessions_ending(FULL, 9)[:7], "technology")
        with pytest.raises(PartitionMissing) as raised:
            lake.read_many(PRICE_HISTORY, [*keys, *absent])
        assert raised.value.table == "price_history"
        assert raised.value.keys == tuple(key for key in absent if key not in keys)
        first = "2024-06-20|technology, 2024-06-21|technology, 2024-06-24|technology and 3 more"
        assert str(raised.value) == f"price_history has no partition {first}"

    def test_a_missing_partition_names_the_asset_that_writes_the_table(self, lake):
        with pytest.raises(PartitionMissing) as raised:
            lake.read(PRICE_QUARANTINE, KEY)
        assert (raised.value.table, raised.value.asset) == ("price_quarantine", "price_history")

    def test_ignores_what_writers_left_behind(self, lake, keys):
        folder = lake.path("price_history", keys[0]).parent
        put(folder / ".2024-07-08.parquet.abc.tmp", b"half")
        put(folder / "notes.txt", b"mine")
        assert lake.sessions("price_history", "technology") == self.SESSIONS
        assert len(lake.read_many(PRICE_HISTORY, keys)) == 156 * 4 + 84

    def test_other_sectors_are_separate(self, lake, keys):
        assert lake.sessions("price_history", "energy") == []
        assert lake.exists("price_history", keys[0])
        assert not lake.exists("price_history", PartitionKey(keys[0].session, "energy"))


class TestDocuments:
    def test_round_trip_beside_the_table(self, lake):
        document = {"pairs": [{"pair": "PDFS_ROG", "size": 0.0}], "valid_for": EARLY_CLOSE}
        path = lake.write_document("trading_config", KEY, document)
        assert path == lake.root / "trading_config" / "sector=technology" / "2024-07-02.json"
        assert lake.read_document("trading_config", KEY) == {**document, "valid_for": "2024-07-03"}
        assert lake.sessions("trading_config", "technology") == []

    def test_is_replaced_as_a_whole_or_not_at_all(self, lake):
        lake.write_document("trading_config", KEY, {"a": 1})
        with pytest.raises(TypeError, match="object cannot be stored"):
            lake.write_document("trading_config", KEY, {"a": object()})
        assert lake.read_document("trading_config", KEY) == {"a": 1}

    def test_missing_and_damaged(self, lake):
        with pytest.raises(PartitionMissing, match="trading_config has no partition 2024-07-02"):
            lake.read_document("trading_config", KEY)
        lake.write_document("trading_config", KEY, {}).write_text("{")
        with pytest.raises(PartitionUnreadable, match="cannot be read") as raised:
            lake.read_document("trading_config", KEY)
        assert (raised.value.asset, raised.value.key) == ("trading_config", KEY)

    def test_names_stay_inside_the_lake(self, lake):
        with pytest.raises(ValueError, match="not the name of a table"):
            lake.write_document("../secrets", KEY, {})
