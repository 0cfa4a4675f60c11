"""Pictures for asset pages and reports: arrays and frames in; PNG bytes out, or lines on axes that the caller has.

What does not belong here: choosing what is shown on which page (assets and reports do) and any computation beyond
drawing.
"""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawing = Callable[["Axes"], None]
"""A picture that is not drawn yet, for pages that are PNG images and pages that are not."""

WIDE = (9.0, 3.2)
"""Width and height of a picture over time [inches]."""

INK, BLUE, ORANGE, GREEN, RED = "#22303c", "#2f6fb3", "#d9822b", "#3a8f5c", "#c23b3b"


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure", dpi: int = 80) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def png(drawing: Drawing, *, dpi: int = 80) -> bytes:
    """A drawing as a `WIDE` PNG image."""
    figure = _figure(*WIDE)
    drawing(figure.subplots())
    return _png(figure, dpi)


def _session_ticks(ax: "Axes", session: np.ndarray) -> None:
    first = np.flatnonzero(np.r_[True, session[1:] != session[:-1]])
    shown = first[:: max(1, len(first) // 8)]
    ax.set_xticks(shown, [str(session[i]) for i in shown], rotation=30, ha="right", fontsize=7)


def correlation_heat_map(symbols: Sequence[str], pairs: pd.DataFrame, column: str, gate: float) -> bytes:
    """Heat map of `column` over all pairs; pairs at or above `gate` carry a dot."""
    at = {symbol: i for i, symbol in enumerate(symbols)}
    matrix = np.eye(len(symbols))
    rows, columns = pairs["symbol_1"].map(at).to_numpy(), pairs["symbol_2"].map(at).to_numpy()
    matrix[rows, columns] = matrix[columns, rows] = pairs[column].to_numpy()
    size = min(11.0, 2.5 + 0.24 * len(symbols))
    figure = _figure(size + 1, size)
    ax = figure.subplots()
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    over = pairs[column].to_numpy() >= gate
    ax.scatter(columns[over], rows[over], s=5, color="black")
    ax.set_xticks(range(len(symbols)), symbols, rotation=90, fontsize=7)
    ax.set_yticks(range(len(symbols)), symbols, fontsize=7)
    ax.set_title(f"{column.replace('_', ' ')}; dots: {gate:g} or more ({int(over.sum())} pairs)", fontsize=9)
    figure.colorbar(image, ax=ax, shrink=0.8)
    return _png(figure)


def spread_with_bands(
    ax: "Axes", pair: str, z: np.ndarray, session: np.ndarray, *, entry_z: float, exit_z: float, label: str
) -> None:
    """Standardised spread of one pair with the entry and exit bands."""
    ax.plot(z, color=BLUE, linewidth=0.7)
    for level, colour in ((entry_z, RED), (exit_z, GREEN)):
        for sign in (1, -1):
            ax.axhline(sign * level, color=colour, linewidth=0.8, linestyle="--")
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_ylabel("z = (s − μ)/σ")
    title = f"{pair}: spread with entry (±{entry_z:g}) and exit (±{exit_z:g}) bands · {label}"
    ax.set_title(title, fontsize=9, parse_math=False)
    _session_ticks(ax, session)


def volatility_with_forecast(
    ax: "Axes",
    pair: str,
    shock: np.ndarray,
    volatility: np.ndarray,
    session: np.ndarray,
    *,
    next_volatility: float,
    label: str,
) -> None:
    """Absolute spread shocks, their conditional volatility and the next bar's forecast, all in basis points."""
    ax.plot(np.abs(shock) * 1e4, color="#b9c4cd", linewidth=0.5, label="|shock|")
    ax.plot(volatility * 1e4, color=ORANGE, linewidth=0.8, label="conditional volatility")
    ax.scatter([len(shock)], [next_volatility * 1e4], color=RED, zorder=3, s=22, label="forecast for the next bar")
    ax.set_ylim(0, float(np.nanquantile(np.abs(shock), 0.999)) * 1.3e4)
    ax.set_ylabel("basis points a bar")
    title = f"{pair}: AR(1)-GARCH(1,1) volatility of the spread · {label}"
    ax.set_title(title, fontsize=9, parse_math=False)
    ax.legend(fontsize=7, loc="upper left", ncols=3)
    _session_ticks(ax, session)


def score_components(ranked: pd.DataFrame, components: Sequence[str], weights: Sequence[float], gate: float) -> bytes:
    """Weighted components of the composite score of the best pairs, stacked, with the gate."""
    shown = ranked.head(15).iloc[::-1]
    figure = _figure(8, 1.4 + 0.3 * len(shown))
    ax = figure.subplots()
    offset = np.zeros(len(shown))
    for name, weight, colour in zip(components, weights, (BLUE, ORANGE, GREEN, "#8a6fb0"), strict=True):
        part = weight * shown[name].fillna(0.0).to_numpy()
        ax.barh(shown["pair"], part, left=offset, color=colour, label=f"{name.replace('_', ' ')} ({weight:.0%})")
        offset += part
    ax.axvline(gate, color=RED, linestyle="--", linewidth=1)
    ax.set_xlim(0, 1)
    ax.set_xlabel(f"composite score; gate {gate:g}")
    ax.legend(fontsize=7, loc="lower right")
    return _png(figure)


def reliability_diagram(probability: np.ndarray, label: np.ndarray) -> bytes:
    """Share of outcomes against forecast, in ten bins of equal count over all pairs, with binomial 95 % bars."""
    bins = [rows for rows in np.array_split(np.argsort(probability, kind="stable"), 10) if len(rows)]
    forecast = np.array([probability[rows].mean() for rows in bins])
    share = np.array([label[rows].mean() for rows in bins])
    error = 1.96 * np.sqrt(share * (1 - share) / np.array([len(rows) for rows in bins]))
    figure = _figure(4.6, 4.2)
    ax = figure.subplots()
    ends = [min(forecast.min(), (share - error).min()), max(forecast.max(), (share + error).max())]
    ax.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--", label="perfect")
    ax.errorbar(forecast, share, error, color=BLUE, marker="o", markersize=4, linewidth=1, label="models")
    ax.set_xlabel("forecast probability")
    ax.set_ylabel("share that reverted")
    ax.set_title(f"Reliability on test, {len(label)} labels", fontsize=9)
    ax.legend(fontsize=7)
    return _png(figure)


def lift_distribution(lift: np.ndarray, low: np.ndarray, pairs: Sequence[str]) -> bytes:
    """Lift of every pair in ascending order; filled where its interval is above zero."""
    order = np.argsort(lift)
    figure = _figure(7, 3.2)
    ax = figure.subplots()
    above = low[order] > 0
    position = np.arange(len(lift))
    ax.scatter(position[~above], lift[order][~above] * 1e3, s=14, facecolors="none", edgecolors=BLUE)
    ax.scatter(position[above], lift[order][above] * 1e3, s=14, color=BLUE)
    ax.axhline(0, color=INK, linewidth=0.8)
    names = np.asarray(list(pairs), dtype=object)
    ax.set_xlabel(f"{len(lift)} pairs, worst {names[order[0]]}, best {names[order[-1]]}")
    ax.set_ylabel("lift on test [0.001 nats]")
    ax.set_title("Lift over the better simple forecast; filled: interval above zero", fontsize=9)
    return _png(figure)


def learning_curves(curves: pd.DataFrame) -> bytes:
    """Mean training and validation loss over the pairs that still learn in each epoch."""
    mean = curves.groupby("epoch")[["train_loss", "validation_loss"]].mean()
    count = curves.groupby("epoch")["pair"].nunique()
    figure = _figure(7, 3.2)
    ax = figure.subplots()
    ax.plot(mean.index, mean["train_loss"], color=BLUE, label="training")
    ax.plot(mean.index, mean["validation_loss"], color=ORANGE, label="validation")
    ax.set_xlabel("epoch")
    ax.set_ylabel("log-loss [nats]")
    right = ax.twinx()
    right.step(count.index, count, color="#b9c4cd", where="mid")
    right.set_ylabel("pairs still learning")
    ax.legend(fontsize=7)
    ax.set_title("Learning curves, mean over the pairs that still learn", fontsize=9)
    return _png(figure)
