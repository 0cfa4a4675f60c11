"""A pair has one name, and no other pair has it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairs_platform.core.errors import ConfigurationError, NotFound, PlatformError
from pairs_platform.core.prices.symbols import normal_symbol
from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
from pairs_platform.core.screening.pair_names import find_pair, named_pairs, pair_name, pair_of
from pairs_platform.core.selection.contracts import PAIR_SCORES

SYMBOLS = st.from_regex(r"[AB]{1,2}([._=][AB]{1,2}){0,2}", fullmatch=True)
PAIRS = st.tuples(SYMBOLS, SYMBOLS).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: tuple(sorted(pair)))


def test_a_pair_has_one_name():
    assert pair_name("ROG", "PDFS") == pair_name("PDFS", "ROG") == "PDFS_ROG"


@given(PAIRS, PAIRS)
def test_two_pairs_never_have_one_name(one, other):
    assert (pair_name(*one) == pair_name(*other)) == (one == other)


@given(PAIRS)
def test_a_name_gives_its_pair(pair):
    assume(all(normal_symbol(symbol) == symbol for symbol in pair))
    assert pair_of(pair_name(*pair)) == pair
    assert find_pair(pair_name(*pair), {pair_name(*pair), "C_D"}) == pair_name(*pair)


@pytest.mark.parametrize(
    "text",
    ["BRK.B_KLAC", "brk-b_klac", "KLAC_BRK-B", "KLAC-BRK-B", "BRK/B-KLAC", "brk b klac", "KLAC,BRK_B", "klac / brk.b"],
)
def test_a_pair_is_found_in_any_spelling_and_order(text):
    if text == "KLAC,BRK_B":
        assert find_pair(text, {"BRK_B__KLAC", "ADI_KLAC"}) == "BRK_B__KLAC"
    else:
        assert find_pair(text, {"BRK.B_KLAC", "ADI_KLAC", "B_KLAC"}) == "BRK.B_KLAC"


def test_a_symbol_with_an_underscore_is_never_cut():
    names = {pair_name("ADI", "KLA_C"), pair_name("ADI", "LRCX"), pair_name("KLA_C", "LRCX")}
    assert find_pair("KLA_C_LRCX", names) == "KLA_C__LRCX"
    assert find_pair("kla_c_adi", names) == "ADI__KLA_C"


def test_what_could_be_several_pairs_or_none_is_refused_in_words():
    both = {pair_name("A", "B_C"), pair_name("A_B", "C")}
    with pytest.raises(ConfigurationError, match="A and B_C or A_B and C: write A__B_C or A_B__C"):
        find_pair("A_B_C", both)
    assert find_pair("A__B_C", both) == "A__B_C"
    with pytest.raises(NotFound, match="X_Y is not among the 2 pairs"):
        find_pair("X_Y", both)
    with pytest.raises(ConfigurationError, match="as in PDFS_ROG"):
        find_pair("AAPL", both)


def test_a_setting_takes_names_and_lists_of_two_symbols():
    assert named_pairs(["ROG_PDFS", "PDFS_ROG", ["klac", "BRK-B"], ["KLA_C", "ADI"], "BRK-B_KLAC"]) == (
        "PDFS_ROG", "BRK.B_KLAC", "ADI__KLA_C",
    )  # fmt: skip
    for wrong in ("ROG", "ROG_rog", "_ROG", ["ROG", "rog"], ["ROG"], 7, ["ROG", 7], ["ROG", ""]):
        with pytest.raises(PlatformError, match=r"as in PDFS_ROG|is no symbol"):
            named_pairs([wrong])
    with pytest.raises(ConfigurationError, match="could mean A and B_C or A_B and C"):
        named_pairs(["A_B_C"])


@pytest.mark.parametrize(("contract", "more"), [(CORRELATION_MATRIX, {"n_bars": 9}), (PAIR_SCORES, {})])
def test_a_table_has_the_name_that_belongs_to_its_symbols(contract, more):
    def violations(pair):
        return contract.violations(contract.frame([{"pair": pair, "symbol_1": "ADI", "symbol_2": "KLA_C", **more}]))

    assert [line for line in violations("ADI__KLA_C") if "is the name of" in line] == []
    assert [line for line in violations("ADI_KLA_C") if "is the name of" in line]
