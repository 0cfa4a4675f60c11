"""Drawings say what they show, in which unit, and where it comes from."""

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pairs_platform.core.selection.settings import COMPONENTS
from pairs_platform.views.drawing import plots
from pairs_platform.views.drawing.coverage import bar_coverage
from pairs_platform.views.drawing.session_so_far import drawn_pairs, session_so_far

LABEL = "technology 2023-03-08 · SIMULATED market, variant standard, seed 7 · simulated-5min-raw"
OPEN = datetime(2023, 3, 8, 14, 30, tzinfo=UTC)
STARTS = pd.Series(pd.date_range(OPEN, periods=12, freq="1h"))
GRID = [OPEN + timedelta(hours=n) for n in range(7)]


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that become PNG images."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "_png", lambda figure, dpi=80: figures.append(figure) or b"")
    return figures


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def one_pair_of_each() -> dict[str, object]:
    n = 12
    days = np.repeat(np.array(["2023-03-07", "2023-03-08"], dtype="datetime64[D]"), n // 2)
    values, names = np.random.default_rng(1).random(n), [f"A_{i}" for i in range(n)]
    pairs = pd.DataFrame({"symbol_1": ["A", "A", "B"], "symbol_2": ["B", "C", "C"], "corr_log_price": [0.1, 0.9, 0.2]})
    scores = pd.DataFrame({"pair": ["A_B"], **{name: [0.5] for name in COMPONENTS}})
    curves = pd.DataFrame({"pair": ["A_B"], "epoch": [0], "train_loss": [0.7], "validation_loss": [0.7]})
    return {
        "heat map": lambda: plots.correlation_heat_map(["A", "B", "C"], pairs, "corr_log_price", 0.8, label=LABEL),
        "spread": lambda: plots.png(
            lambda ax: plots.spread_with_bands(ax, "A_B", values, days, entry_z=2.0, exit_z=0.5, label=LABEL)
        ),
        "volatility": lambda: plots.png(
            lambda ax: plots.volatility_with_forecast(ax, "A_B", values, values, days, next_volatility=0.1, label=LABEL)
        ),
        "scores": lambda: plots.score_components(scores, COMPONENTS, [0.25] * 4, 0.7, label=LABEL),
        "reliability": lambda: plots.reliability_diagram(values, values > 0.5, label=LABEL),
        "lift": lambda: plots.lift_distribution(values, values - 0.5, names, label=LABEL),
        "curves": lambda: plots.learning_curves(curves, label=LABEL),
        "equity": lambda: plots.png(lambda ax: plots.equity_curves(ax, {"A_B": (STARTS, values)}, label=LABEL)),
    }


@pytest.mark.parametrize("name", one_pair_of_each())
def test_a_plot_has_title_axes_legend_and_source(drawn, name):
    one_pair_of_each()[name]()
    (figure,) = drawn
    ax = figure.axes[0]
    assert LABEL in ax.get_title()
    figure.draw_without_rendering()
    assert figure.bbox.x0 <= ax.title.get_window_extent().x0
    assert ax.title.get_window_extent().x1 <= figure.bbox.x1
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.get_legend() or figure.legends


@pytest.mark.parametrize(("first", "labels"), [(2, ["02", "03"]), (5, ["01", "02", "03"])])
def test_a_part_of_a_session_at_the_left_edge_does_not_push_its_date_under_the_next(first, labels):
    ax = Figure().subplots()
    session = np.repeat(["2023-03-01", "2023-03-02", "2023-03-03"], [first, 7, 7])
    starts = pd.Series(pd.to_datetime(session).tz_localize("America/New_York"))
    plots.equity_curves(ax, {"A_B": (starts, np.zeros(len(session)))}, label=LABEL)
    assert [tick.get_text()[-2:] for tick in ax.get_xticklabels()] == labels


def test_symbols_that_move_together_are_neighbours(drawn):
    blocks = [("A", "C"), ("B", "D")]
    symbols = ["A", "B", "C", "D"]
    rows = [(a, b, 0.9 if (a, b) in blocks else 0.0) for i, a in enumerate(symbols) for b in symbols[i + 1 :]]
    pairs = pd.DataFrame(rows, columns=["symbol_1", "symbol_2", "corr_log_price"])
    plots.correlation_heat_map(symbols, pairs, "corr_log_price", 0.8, label=LABEL)
    order = "".join(label.get_text() for label in drawn[0].axes[0].get_xticklabels())
    assert any(together in order for together in ("AC", "CA"))
    assert any(together in order for together in ("BD", "DB"))


def test_coverage_names_every_symbol_with_its_share():
    shown = words(bar_coverage({"AAA": GRID, "BBB": [*GRID[:2], *GRID[4:5]], "CCC": []}, GRID, label=LABEL))
    assert shown[:2] == ["Accepted bars of each symbol [share of the session's bars]", LABEL]
    assert {"AAA", "100.0%", "BBB", "42.9%", "CCC", "0.0%", "accepted bar", "no accepted bar"} <= set(shown)
    assert {"09:30", "15:30", "start of the bar, New York time"} <= set(shown)


class TestSessionSoFar:
    def rows(self, n_selected: int = 8) -> list[dict[str, object]]:
        pairs = [(f"A_{i}", "selected") for i in range(n_selected)] + [("W_0", "watchlist"), ("P_0", "pinned")]
        return [
            {
                "pair": pair,
                "role": role,
                "bar_utc": start,
                "z": None if role == "pinned" else -2.2,
                "action": "enter_long",
            }
            for start in GRID
            for pair, role in pairs
        ]

    def test_every_selected_pair_is_drawn_and_others_fill_up(self):
        assert drawn_pairs(self.rows()[-10:]) == [f"A_{i}" for i in range(8)]
        assert drawn_pairs(self.rows(1)[-3:]) == ["A_0", "W_0"]

    def test_it_says_units_levels_time_and_source(self):
        rows = self.rows()
        shown = words(session_so_far(rows, drawn_pairs(rows[-10:]), entry_z=2.0, exit_z=0.5, label=LABEL))
        assert shown[:2] == ["z of each pair at the close of each bar [σ]", LABEL]
        assert {"entry ±2 σ", "exit ±0.5 σ", "enter long", "stop", "+2", "-4", "0"} <= set(shown)
        assert {"A_7", "selected · z -2.20 σ", "09:30", "start of the bar, New York time"} <= set(shown)
