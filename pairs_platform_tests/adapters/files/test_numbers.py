import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from pairs_platform.adapters.files.numbers import read_numbers

NAN = float("nan")


def read(**columns):
    frame, notes = read_numbers({name: pa.chunked_array([pa.array(cells)]) for name, cells in columns.items()})
    return {name: frame[name].tolist() for name in frame}, notes


@pytest.mark.parametrize(
    ("close", "volume", "closes", "volumes"),
    [
        (["1,234.50", "950.25", "1,050"], ["1,234,567", "12", "1"], [1234.5, 950.25, 1050], [1234567, 12, 1]),
        (["1.234,50", "950,25", "1.050"], ["1.234.567", "12", "1.234"], [1234.5, 950.25, 1050], [1234567, 12, 1234]),
        (["1 234.5", "1'234", "950"], ["1\u202f200", "1\xa0200", "1\u2019200"], [1234.5, 1234, 950], [1200] * 3),
        (["100.50", "99.5", "7"], ["1,000", "2,000", "3"], [100.5, 99.5, 7], [1000, 2000, 3]),
        (["$1,050.10", "US$ 3", "4 USD"], ["3.4K", "2 m", "1.2B"], [1050.1, 3, 4], [3400, 2e6, 1.2e9]),
        (["0,125", "-1,5", "1"], ["1", "2", "3"], [0.125, -1.5, 1], [1, 2, 3]),
        ([" 1.5 ", "1e3", "+2"], ["1", "2", "3"], [1.5, 1000, 2], [1, 2, 3]),
    ],
)
def test_the_file_proves_its_notation(close, volume, closes, volumes) -> None:
    values, _ = read(close=close, volume=volume)
    assert values == {"close": pytest.approx(closes), "volume": pytest.approx(volumes)}


def test_plain_numbers_have_no_note_and_others_say_how_they_were_understood() -> None:
    assert read(close=["1.5", "N/A"], volume=["1", "-"])[1] == {}
    notes = read(close=["1.234,50"], volume=["7"])[1]
    assert notes == {"close": "decimal comma; '1.234,50' is 1234.5", "volume": "decimal comma"}


def test_a_comma_that_nothing_explains_is_no_number() -> None:
    values, notes = read(close=["1,050", "999"], volume=["100", "200"])
    assert np.isnan(values["close"][0])
    assert values["close"][1] == 999
    assert "'1,050' is no number: nothing in the file says whether a comma begins decimals" in notes["close"]


def test_a_slip_costs_its_cell_and_not_the_notation_of_the_file() -> None:
    values, _ = read(close=["1,5", *["1,200.5"] * 40], volume=["1"] * 41)
    assert np.isnan(values["close"]).tolist() == [True] + [False] * 40


@pytest.mark.parametrize(
    "cell", ["N/A", "null", "-", "", "5%", "(1.5)", "1.2M", "\u20ac1.5", "1,23,4.5", "0x1A", "1_000"]
)
def test_what_is_no_price_costs_its_cell(cell) -> None:
    values, _ = read(close=["1.5", cell, "2.5"], volume=["1,000", "2", "3"])
    assert np.isnan(values["close"]).tolist() == [False, True, False]


def test_numbers_of_parquet_are_taken_as_they_are() -> None:
    values, notes = read(close=[1, None], volume=[2.5, float("inf")])
    assert values == {"close": pytest.approx([1, NAN], nan_ok=True), "volume": [2.5, float("inf")]}
    assert notes == {}


@given(
    st.lists(st.integers(10_000, 10**9), min_size=3, max_size=8),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("\u202f", "."), ("", ","), ("", ".")]),
)
def test_any_notation_gives_the_numbers_that_were_written(cents, marks) -> None:
    group, decimal = marks
    texts = [f"{cent // 100:,}".replace(",", group) + decimal + f"{cent % 100:02d}" for cent in cents]
    values, _ = read(close=texts)
    assert values["close"] == pytest.approx([cent / 100 for cent in cents])
