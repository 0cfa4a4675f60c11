"""A symbol has one spelling, whoever wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.symbols import LONGEST_SYMBOL, normal_symbol, read_spellings

LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=5)
AROUND = st.text(" \t\n\xa0\u200b\ufeff\u2009\"'\u201c\u201d", max_size=4)
BETWEEN = st.sampled_from([".", "-", "/", " ", "\xa0", "\N{EN DASH}", "\N{MINUS SIGN}", " - ", "\N{FULLWIDTH SOLIDUS}"])


def wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


@given(LETTERS, AROUND, AROUND, st.sampled_from([str, str.lower, str.title, wide]))
def test_what_is_around_a_symbol_and_its_case_do_not_matter(root, before, after, form):
    if root.upper() in ("NAN", "NULL", "NONE"):
        return
    assert normal_symbol(before + form(root) + after) == root


@given(LETTERS, BETWEEN, st.sampled_from("ABCDEFGHIJKLMNOQRSTVWXYZ"))
def test_a_share_class_has_a_dot_whatever_separates_it(root, between, letter):
    assert normal_symbol(f"{root}{between}{letter}") == f"{root}.{letter}" or (root, letter) == ("N", "A")


@given(LETTERS, st.sampled_from("ABCDEFGHIJKLM"))
def test_every_vendors_spelling_of_a_series_of_preferred_shares_is_one(root, series):
    forms = ["{}.PR{}", "{}-P{}", "{}p{}", "{}^{}", "{}${}", "{} PR {}", "{}/PR/{}", "{}.PR.{}", "{} PR{}"]
    assert {normal_symbol(form.format(root, series)) for form in forms} == {f"{root}.PR{series}"}


@given(st.text(max_size=16))
def test_a_symbol_is_its_own_spelling_and_anything_else_has_a_reason(text):
    spellings = read_spellings([text])
    assert all("is no symbol: " in str(reason) for reason in spellings.refused.values())
    for symbol in spellings.symbols.values():
        assert normal_symbol(symbol) == symbol
        assert 0 < len(symbol) <= LONGEST_SYMBOL
        assert "__" not in f"_{symbol}_"


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("AAPL.US", "AAPL"), ("brk-b.us", "BRK.B"), ("AAPL US", "AAPL"), ("AAPL UW Equity", "AAPL"),
        ("BRK/B UN Equity", "BRK.B"), ("NASDAQ:AAPL", "AAPL"), ("nyse:brk.b", "BRK.B"), ("AAPL:US", "AAPL"),
        ("ACHR+", "ACHR.WS"), ("ACHR-WT", "ACHR.WS"), ("AAC=", "AAC.U"), ("AAC.U", "AAC.U"), ("AIR.PA", "AIR.PA"),
        ("005930.KS", "005930.KS"), ("0700", "0700"), ("BF_B", "BF_B"), ("^GSPC", "^GSPC"), ("GC=F", "GC=F"),
        ("EUR/USD", "EUR.USD"), ("BTC-USD", "BTC.USD"), ("M&M", "M&M"), ("US", "US"), ("NAN", "NAN"),
    ],
)  # fmt: skip
def test_spellings_of_vendors(text, symbol):
    assert normal_symbol(text) == symbol


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "stands for a missing value"), (" \xa0", "stands for a missing value"), ("nan", "a missing value"),
        ("#N/A", "a missing value"), ("-", "a missing value"),
        ("\N{CYRILLIC CAPITAL LETTER A}APL", "CYRILLIC CAPITAL LETTER A"), ("AAPL\N{TRADE MARK SIGN}", "TRADE MARK"),
        ("Apple Inc", "several words"), ("7203 JT Equity", "several words"), ("LSE:VOD", "letters and digits"),
        ("AAPL,MSFT", "letters and digits"), ("A__B", "letters and digits"), ("_A", "letters and digits"),
        ("BRK..B", "letters and digits"), ("ABCDEFGHIJKLM", "13 characters"), ("600519.0", "a number with decimals"),
        ("2024-01-05", "or a date"),
    ],
)  # fmt: skip
def test_what_is_no_symbol_is_refused_with_its_reason(text, reason):
    with pytest.raises(DataError, match=reason):
        normal_symbol(text)


def test_the_spellings_of_a_file_are_read_at_once():
    spellings = read_spellings(["AAPL", "aapl", "AAPL\xa0", "", "x" * 5000])
    assert spellings.symbols == {"AAPL": "AAPL", "aapl": "AAPL", "AAPL\xa0": "AAPL"}
    assert spellings.respelled == {"aapl": "AAPL", "AAPL\xa0": "AAPL"}
    assert list(spellings.refused) == ["", "x" * 5000]
    assert all(len(str(reason)) < 300 for reason in spellings.refused.values())
