"""Equal reasons are one line, and no message is longer than a person can read."""

from pairs_platform.core.folding import LONGEST_MESSAGE, cut_at_word, folded, listed, perhaps, shortened


def test_names_are_listed_up_to_a_number():
    assert listed(["a", "b"]) == "a, b"
    assert listed(range(8), 3) == "0, 1, 2 and 5 more"
    assert listed([]) == ""


def test_a_long_text_ends_after_a_whole_word_and_says_that_it_goes_on():
    assert cut_at_word("the run failed", 14) == "the run failed"
    assert cut_at_word("the run failed", 13) == "the run…"
    assert cut_at_word("x" * 20, 10) == "x" * 9 + "…"


def test_reasons_that_differ_in_their_name_and_dates_alone_are_one_line():
    names = [f"s{n}" for n in range(254)]
    [line] = folded((name, f"{name} is not among the 3 symbols of the files") for name in names)
    assert line == (
        "s0 is not among the 3 symbols of the files (the same for s1, s2, s3, s4, s5 and 248 more: 254 in all)"
    )
    days = [f"2023-03-0{day}|energy" for day in (1, 2, 3)]
    keys = [(key, f"price_history {key} is missing since 2023-03-01") for key in days]
    assert folded(keys) == (
        "price_history 2023-03-01|energy is missing since 2023-03-01 "
        "(the same for 2023-03-02|energy, 2023-03-03|energy: 3 in all)",
    )


def test_different_reasons_are_lines_of_their_own_in_their_order():
    assert folded([("A", "no bars"), ("B", "quoted in EUR"), ("C", "no bars"), ("A", "no bars")]) == (
        "A, C: no bars",
        "B: quoted in EUR",
    )
    assert folded([]) == ()
    assert folded([(f"f{n}", "empty") for n in range(7)]) == ("f0, f1, f2, f3, f4 and 2 more (7 in all): empty",)
    assert folded([("A", f"reason {n}") for n in "xyz"], most=2)[1:] == ("A: reason y", "and 1 other reasons")


def test_a_long_text_keeps_its_begin_and_end():
    text = "begin " + "x" * 49_000 + " end"
    assert shortened(text).startswith("begin ")
    assert shortened(text).endswith(" end")
    assert len(shortened(text)) <= LONGEST_MESSAGE
    assert "characters left out" in shortened(text)
    assert shortened("short") == "short"
    assert len(folded([("A", text), ("B", text)])[0]) <= LONGEST_MESSAGE


def test_the_nearest_name_is_perhaps_meant_whatever_its_case():
    assert perhaps("avgo_pdft", ["AVGO_PDFS", "AAPL_ADI"]) == "; AVGO_PDFS is perhaps meant"
    assert perhaps("zzz", ["AVGO_PDFS"]) == ""
