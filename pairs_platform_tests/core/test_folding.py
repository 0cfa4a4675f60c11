"""Equal reasons are one line, and no message is longer than a person can read."""

from pairs_platform.core.folding import LONGEST_MESSAGE, folded, listed, shortened


def test_names_are_listed_up_to_a_number():
    assert listed(["a", "b"]) == "a, b"
    assert listed(range(8), 3) == "0, 1, 2 and 5 more"
    assert listed([]) == ""


def test_reasons_that_differ_in_their_name_and_dates_alone_are_one_line():
    names = [f"s{n}" for n in range(254)]
    [line] = folded({name: f"{name} is not among the 3 symbols of the files" for name in names})
    assert line == (
        "s0 is not among the 3 symbols of the files (the same for s1, s2, s3, s4, s5 and 248 more: 254 in all)"
    )
    keys = {
        f"2023-03-0{day}|energy": f"price_history 2023-03-0{day}|energy is missing since 2023-03-01" for day in "123"
    }
    assert folded(keys) == (
        "price_history 2023-03-01|energy is missing since 2023-03-01 "
        "(the same for 2023-03-02|energy, 2023-03-03|energy: 3 in all)",
    )


def test_different_reasons_are_lines_of_their_own_in_their_order():
    assert folded({"A": "no bars", "B": "quoted in EUR", "C": "no bars"}) == (
        "A: no bars (the same for C: 2 in all)",
        "B: quoted in EUR",
    )
    assert folded({}) == ()


def test_a_long_text_keeps_its_begin_and_end():
    text = "begin " + "x" * 49_000 + " end"
    assert shortened(text).startswith("begin ")
    assert shortened(text).endswith(" end")
    assert len(shortened(text)) <= LONGEST_MESSAGE
    assert "characters left out" in shortened(text)
    assert shortened("short") == "short"
    assert len(folded({"A": text, "B": text})[0]) <= LONGEST_MESSAGE
