"""Pictures for asset pages and reports: arrays and frames in; PNG bytes out, or lines on axes that the caller has.

What does not belong here: choosing what is shown on which page (assets and reports do) and any computation beyond
drawing.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pairs_platform.core.time import MARKET_TIMEZONE

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
    # A part of a session at the left edge would have its date under that of the next one.
    if len(shown) > 2 and 2 * (shown[1] - shown[0]) < np.diff(shown[1:]).mean():
        shown = shown[1:]
    ax.set_xticks(shown, [str(session[i]) for i in shown], rotation=30, ha="right", fontsize=7)


def correlation_heat_map(symbols: Sequence[str], pairs: pd.DataFrame, column: str, gate: float, *, label: str) -> bytes:
    """Heat map of `column` over all pairs, symbols that move together side by side; pairs at the gate carry a dot."""
    at = {symbol: i for i, symbol in enumerate(symbols)}
    matrix = np.eye(len(symbols))
    rows, columns = pairs["symbol_1"].map(at).to_numpy(), pairs["symbol_2"].map(at).to_numpy()
    matrix[rows, columns] = matrix[columns, rows] = pairs[column].to_numpy()
    order = _clustered(matrix)
    names, matrix = [symbols[i] for i in order], matrix[np.ix_(order, order)]
    size = min(11.0, 4.0 + 0.22 * len(symbols))
    figure = _figure(size + 1.2, size)
    ax = figure.subplots()
    shown = np.ma.masked_where(np.eye(len(names), dtype=bool) | ~np.isfinite(matrix), matrix)
    image = ax.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_facecolor("#d5dce1")
    over = np.argwhere(np.tril(np.nan_to_num(matrix) >= gate, -1))
    ax.scatter(over[:, 1], over[:, 0], s=6, color="black", label=f"at or above the gate {gate:g}: {len(over)} pairs")
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_xlabel("symbol, clustered by correlation", fontsize=8)
    ax.set_ylabel("symbol", fontsize=8)
    basis = "log returns" if column.endswith("return") else "log prices"
    ax.set_title(f"Correlation of {basis}\n{label}", fontsize=8, parse_math=False)
    if len(over):
        figure.legend(fontsize=7, loc="outside lower left")
    bar = figure.colorbar(image, ax=ax, shrink=0.8, ticks=sorted({-1.0, -0.5, 0.0, 0.5, 1.0, gate}))
    bar.set_label("correlation, from −1 to 1 (grey: none)", fontsize=8)
    bar.ax.axhline(gate, color="black", linewidth=1)
    bar.ax.tick_params(labelsize=7)
    return _png(figure)


def _clustered(matrix: np.ndarray) -> np.ndarray:
    """An order of the symbols in which those that move together are neighbours."""
    if len(matrix) < 3:
        return np.arange(len(matrix))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distance = 1.0 - np.nan_to_num(matrix)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    return np.asarray(leaves_list(tree))


def spread_with_bands(
    ax: "Axes", pair: str, z: np.ndarray, session: np.ndarray, *, entry_z: float, exit_z: float, label: str
) -> None:
    """Standardised spread of one pair with the entry and exit bands."""
    ax.plot(z, color=BLUE, linewidth=0.7, label="z at each close")
    for level, colour, name in ((entry_z, RED, "entry"), (exit_z, GREEN, "exit")):
        for sign in (1, -1):
            words = f"{name} ±{level:g} σ" if sign > 0 else None
            ax.axhline(sign * level, color=colour, linewidth=0.8, linestyle="--", label=words)
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_ylabel("z = (s − μ)/σ [σ]")
    ax.set_xlabel("session (New York)", fontsize=8)
    ax.legend(fontsize=7, loc="upper left", ncols=3)
    ax.set_title(f"{pair}: standardised spread\n{label}", fontsize=9, parse_math=False)
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
    ax.set_xlabel("session (New York)", fontsize=8)
    title = f"{pair}: AR(1)-GARCH(1,1) volatility of the spread\n{label}"
    ax.set_title(title, fontsize=9, parse_math=False)
    ax.legend(fontsize=7, loc="upper left", ncols=3)
    _session_ticks(ax, session)


def score_components(
    ranked: pd.DataFrame, components: Sequence[str], weights: Sequence[float], gate: float, *, label: str
) -> bytes:
    """Weighted components of the composite score of the best pairs, stacked, with the gate."""
    shown = ranked.head(15).iloc[::-1]
    figure = _figure(8, 1.4 + 0.3 * len(shown))
    ax = figure.subplots()
    offset = np.zeros(len(shown))
    for name, weight, colour in zip(components, weights, (BLUE, ORANGE, GREEN, "#8a6fb0"), strict=True):
        part = weight * shown[name].fillna(0.0).to_numpy()
        ax.barh(shown["pair"], part, left=offset, color=colour, label=f"{name.replace('_', ' ')} ({weight:.0%})")
        offset += part
    ax.axvline(gate, color=RED, linestyle="--", linewidth=1, label=f"gate {gate:g}")
    ax.set_xlim(0, 1)
    ax.set_xlabel("composite score, from 0 to 1")
    ax.set_ylabel("pair")
    ax.set_title(f"Weighted components of the best scores\n{label}", fontsize=9, parse_math=False)
    ax.legend(fontsize=7, loc="lower right")
    return _png(figure)


def reliability_diagram(probability: np.ndarray, outcome: np.ndarray, *, label: str) -> bytes:
    """Share of outcomes against forecast, in ten bins of equal count over all pairs, with binomial 95 % bars."""
    bins = [rows for rows in np.array_split(np.argsort(probability, kind="stable"), 10) if len(rows)]
    forecast = np.array([probability[rows].mean() for rows in bins])
    share = np.array([outcome[rows].mean() for rows in bins])
    error = 1.96 * np.sqrt(share * (1 - share) / np.array([len(rows) for rows in bins]))
    figure = _figure(7, 4.2)
    ax = figure.subplots()
    ends = [min(forecast.min(), (share - error).min()), max(forecast.max(), (share + error).max())]
    ax.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--", label="perfect")
    ax.errorbar(forecast, share, error, color=BLUE, marker="o", markersize=4, linewidth=1, label="models")
    ax.set_xlabel("forecast probability of a reversion")
    ax.set_ylabel("share that reverted")
    ax.set_title(f"Reliability on test, {len(outcome)} labels\n{label}", fontsize=9, parse_math=False)
    ax.legend(fontsize=7)
    return _png(figure)


def lift_distribution(lift: np.ndarray, low: np.ndarray, pairs: Sequence[str], *, label: str) -> bytes:
    """Lift of every pair in ascending order; filled where its interval is above zero."""
    order = np.argsort(lift)
    figure = _figure(7, 3.2)
    ax = figure.subplots()
    above = low[order] > 0
    position = np.arange(len(lift))
    for rows, fill, name in (
        (~above, "none", "interval holds zero or is below it"),
        (above, BLUE, "interval above zero"),
    ):
        ax.scatter(position[rows], lift[order][rows] * 1e3, s=14, facecolors=fill, edgecolors=BLUE, label=name)
    ax.legend(fontsize=7, loc="upper left")
    ax.axhline(0, color=INK, linewidth=0.8)
    names = np.asarray(list(pairs), dtype=object)
    ax.set_xlabel(f"{len(lift)} pairs, worst {names[order[0]]}, best {names[order[-1]]}")
    ax.set_ylabel("lift on test [0.001 nats]")
    ax.set_title(f"Lift over the better simple forecast\n{label}", fontsize=9, parse_math=False)
    return _png(figure)


def learning_curves(curves: pd.DataFrame, *, label: str) -> bytes:
    """Mean training and validation loss over the pairs that still learn in each epoch."""
    mean = curves.groupby("epoch")[["train_loss", "validation_loss"]].mean()
    count = curves.groupby("epoch")["pair"].nunique()
    figure = _figure(7, 3.2)
    ax = figure.subplots()
    ax.plot(mean.index, mean["train_loss"], color=BLUE, label="training")
    ax.plot(mean.index, mean["validation_loss"], color=ORANGE, label="validation")
    ax.set_xlabel("epoch")
    ax.set_ylabel("log-loss [nats per label]")
    right = ax.twinx()
    right.step(count.index, count, color="#b9c4cd", where="mid")
    right.set_ylabel("pairs still learning")
    ax.legend(fontsize=7)
    ax.set_title(f"Learning curves, mean over the pairs that still learn\n{label}", fontsize=9, parse_math=False)
    return _png(figure)


def equity_curves(ax: "Axes", curves: Mapping[str, tuple[pd.Series, np.ndarray]], *, label: str) -> None:
    """Cumulative net profit of each pair's backtest, bar by bar; `curves` holds starts of the bars and basis points."""
    session = np.array([])
    for pair, (starts, net) in curves.items():
        session = pd.DatetimeIndex(starts).tz_convert(MARKET_TIMEZONE).strftime("%Y-%m-%d").to_numpy()
        ax.plot(net, linewidth=0.9, label=pair)
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_ylabel("net, basis points of gross capital")
    ax.set_xlabel("session (New York)", fontsize=8)
    ax.set_title(f"Backtests on the held-out bars, net of costs\n{label}", fontsize=9, parse_math=False)
    ax.legend(fontsize=7, loc="upper left", ncols=4)
    _session_ticks(ax, session)
