"""Tables of the terminal: which columns go first where it is narrow, how many rows, and how they are aligned."""

import pandas as pd
import pytest
from rich.console import Console

from pairs_platform.cli.show import frame_table, is_numeric, narrowed, print_frame, rows_table, with_content

RANKING = pd.DataFrame(
    {"pair": ["AAPL_ADI"], "score": ["0.99"], "fit": ["1.00"], "vol.": ["0.98"], "rejected by": ["cointegration"]}
)


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, ["pair", "score", "fit", "vol.", "rejected by"]),
        (43, ["pair", "score", "vol.", "rejected by"]),
        (37, ["pair", "score", "rejected by"]),
        (20, ["pair", "score", "rejected by"]),
    ],
)
def test_a_narrow_terminal_goes_without_the_named_columns_in_their_order(width, columns):
    assert list(narrowed(RANKING, ("gone", "fit", "vol."), width)) == columns


def test_rows_are_bounded_and_the_others_counted(capsys):
    print_frame(pd.DataFrame({"pair": ["A_B", "A_C", "A_D"]}), "t", rows=2)
    shown = capsys.readouterr().out
    assert "A_C" in shown
    assert "A_D" not in shown
    assert "1 more rows; --rows 3 shows all" in shown


def test_columns_without_content_are_left_out_and_texts_of_numbers_are_numbers():
    frame = pd.DataFrame({"a": ["", "–"], "b": ["+0.5", "–"], "c": [False, False], "d": ["x", ""]})
    assert list(with_content(frame)) == ["b", "d"]
    assert [name for name in frame if is_numeric(frame[name])] == ["b"]


def test_text_of_a_cell_is_no_markup(capsys):
    print_frame(pd.DataFrame({"reason": ["[bold]x[/bold]"]}), None)
    assert "[bold]x[/bold]" in capsys.readouterr().out


ROWS = [{"pair": "A_B", "n_bars": 3, "selected": True}, {"pair": "C_D", "n_bars": 12, "selected": False}]


def test_rows_look_like_the_frame_of_them():
    def text(table):
        console = Console(width=80)
        with console.capture() as captured:
            console.print(table)
        return captured.get()

    assert text(rows_table(ROWS, "Pairs")) == text(frame_table(pd.DataFrame(ROWS), "Pairs"))
    assert "n bars" in text(rows_table([], None, ["pair", "n_bars"]))
