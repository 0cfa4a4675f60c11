"""Tables of the terminal: which columns go first where it is narrow, how many rows, and how they are aligned."""

import click
import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from pairs_platform.cli import cli, show
from pairs_platform.cli.show import frame_table, is_numeric, narrowed, print_frame, print_rows, rows_table, with_content

RANKING = pd.DataFrame(
    {"pair": ["AAPL_ADI"], "score": ["0.99"], "fit": ["1.00"], "vol.": ["0.98"], "rejected by": ["cointegration"]}
)


def rendered(table: Table, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


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


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (100, "order at low z mean of 3 volatility bp a bar rejected by"),
        (59, "mean volatility order at low z of 3 bp a bar rejected by"),
        (58, "mean order at low z of 3 rejected by"),
    ],
)
def test_headings_are_folded_before_a_column_goes_and_nothing_is_cut(width, headings):
    values = ["buy PDFS, sell 1.05 AVGO", "0.98", "5.7", "cointegration"]
    names = ["order at low z", "mean of 3", "volatility bp a bar", "rejected by"]
    frame = pd.DataFrame({name: [value] for name, value in zip(names, values, strict=True)})
    table = frame_table(narrowed(frame, names[2:3], width), None, whole=names[:1])
    above, _, below = rendered(table, width).partition("─")
    assert " ".join(above.split()) == headings
    left = [value for value in values if value != "5.7" or "volatility" in headings]
    assert " ".join(below.strip("─ \n").split()) == " ".join(left)


def test_rows_are_bounded_and_the_others_counted(capsys):
    print_frame(pd.DataFrame({"pair": ["A_B", "A_C", "A_D"]}), "t", rows=2)
    shown = capsys.readouterr().out
    assert "A_C" in shown
    assert "A_D" not in shown
    assert "1 more row; --rows 3 shows all" in shown


def printed(frame, capsys, monkeypatch, *, width=80, title="t", **options):
    monkeypatch.setattr(show, "terminal", lambda: Console(width=width))
    print_frame(frame, title, **options)
    return capsys.readouterr().out


def test_a_table_wider_than_the_output_goes_on_below_and_nothing_of_it_is_cut(capsys, monkeypatch):
    names = ["pair", *(f"figure_{place}" for place in range(15))]
    frame = pd.DataFrame(
        [["A_B", *map(float, range(15))], ["C_D", *(place + 1234.0 for place in range(15))]], columns=names
    )
    out = printed(frame, capsys, monkeypatch)
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    words = out.split()
    assert sum(word in frame.map(show.cell).to_numpy()[1, 1:] for word in words) == 15
    assert words.count("C_D") == words.count("pair") > 1
    assert words.count("t") == 1
    assert printed(frame, capsys, monkeypatch, width=200).split().count("pair") == 1


def test_parts_of_rows_are_those_of_the_frame_of_them(capsys, monkeypatch):
    frame = pd.DataFrame({f"column_{place}": [f"value{place}"] for place in range(12)})
    out = printed(frame, capsys, monkeypatch)
    print_rows(frame.to_dict("records"), "t")
    assert capsys.readouterr().out == out
    print_frame(pd.DataFrame(), "a table without columns is none")
    assert capsys.readouterr().out.strip() == ""


def test_columns_without_content_are_left_out_and_texts_of_numbers_are_numbers():
    frame = pd.DataFrame({"a": ["", "–"], "b": ["+0.5", "–"], "c": [False, False], "d": ["x", ""]})
    assert list(with_content(frame)) == ["b", "d"]
    assert [name for name in frame if is_numeric(frame[name])] == ["b"]


def test_text_of_a_cell_is_no_markup(capsys):
    print_frame(pd.DataFrame({"reason": ["[bold]x[/bold]"]}), None)
    assert "[bold]x[/bold]" in capsys.readouterr().out


ROWS = [{"pair": "A_B", "n_bars": 3, "selected": True}, {"pair": "C_D", "n_bars": 12, "selected": False}]


def test_rows_look_like_the_frame_of_them():
    assert rendered(rows_table(ROWS, "Pairs")) == rendered(frame_table(pd.DataFrame(ROWS), "Pairs"))
    assert "n bars" in rendered(rows_table([], None, ["pair", "n_bars"]))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_an_order_is_not_wrapped_and_no_value_is_cut_in_any_width(monkeypatch, width):
    order = "buy GOOGL, sell 1.05 MSFT"
    frame = pd.DataFrame(
        {
            "#": ["1"],
            "order at low z": [order],
            "fit": ["0.98"],
            "p": ["<0.0001"],
            "half-life (bars)": ["12"],
            "rejected by": ["cointegration"],
            "mean of 3": ["0.99"],
        }
    )
    monkeypatch.setattr(show, "output_width", lambda: width)
    table = frame_table(narrowed(frame, ("fit", "p", "half-life (bars)"), width), None, whole=("order at low z",))
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    shown = captured.get()
    assert all(len(line) <= width for line in shown.splitlines())
    (row,) = [line for line in shown.splitlines() if order in line]
    assert row.split()[-2:] == ["cointegration", "0.99"]


UNBOUNDED = (
    "pairs", "signals", "models list", "models show", "symbols status", "stream status", "audit", "alerts", "sql",
)  # fmt: skip


@pytest.mark.parametrize("words", UNBOUNDED)
def test_rows_rule_every_table_that_has_no_bound(words):
    command = cli
    for name in words.split():
        command = command.get_command(click.Context(command), name)
    assert any("--rows" in option.opts for option in command.params)


def test_rows_without_pandas_are_bounded_too(capsys):
    print_rows(ROWS, "Pairs", rows=1)
    shown = capsys.readouterr().out
    assert "A_B" in shown
    assert "C_D" not in shown
    assert "1 more row; --rows 2 shows all" in shown
