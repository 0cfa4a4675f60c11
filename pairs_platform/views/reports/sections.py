"""The sections of a session's report on one sector, from the summary to the data that it rests on.

Everything comes from the partition of the session, so that a report of an old session is what it was then. What does
not belong here: the frames of a sector-day (`day`), and the forms (`html`, `pdf`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.streaming.settings import RUN_MODES
from pairs_platform.core.trading.legs import ORDER_NOTE, ORDER_UNIT
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.views.pair_orders import LOW_Z, with_orders, with_orders_of_screen
from pairs_platform.views.reports.day import ORDER
from pairs_platform.views.reports.document import Block, Heading, Paragraph, Picture, Table, rows_of, table_of

if TYPE_CHECKING:
    from pairs_platform.core.prices.window import PriceWindow
    from pairs_platform.core.settings import SettingsGroup
    from pairs_platform.platform import Platform

RANKING_SHOWN = 50
SELECTED_DRAWN = 10
NEAREST_DRAWN = 3
TRADES_SHOWN = 40

_SELECTED = {
    "pair": "pair",
    "size": "size, share of full",
    "provisional": "provisional",
    "ranking_score": "ranking score",
    "half_life_bars": "half-life of the screen (bars)",
    "expected_move_bps": "expected move (bp)",
    "round_trip_cost_bps": "round trip cost (bp)",
    "explanation": "explanation",
}
_CONFIGURED = {
    "pair": "pair",
    "role": "role",
    "size": "size, share of full",
    LOW_Z: ORDER,
    "alpha": "α (log price)",
    "beta": "β ($ of x per $ of y)",
    "mu": "μ (log price)",
    "sigma": "σ (log price)",
    "half_life_bars": "half-life of the fit (bars)",
    "max_hold_bars": "time stop (bars)",
    "next_volatility": "volatility of the next bar (bp)",
    "model_version": "model version",
}
_SIGNALS = {
    "pair": "pair",
    "role": "role",
    "order": "order",
    "z": "z (σ)",
    "volatility": "volatility (bp a bar)",
    "probability_champion": "P champion",
    "probability_challenger": "P challenger",
    "confidence": "confidence",
    "size": "size, share of full",
    "position": "position",
    "reason": "reason",
}
"""Headings of columns; volatilities are shown in basis points."""


def sector_blocks(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    """The sections of one sector-day, the summary first; one whose partition is not stored is a sentence.

    Raises
    ------
    PartitionMissing
        There is no ranking.
    """
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.views.reports.trades import result_blocks, trading_blocks
    from pairs_platform.views.windows import load_window

    rankings = platform.lake.read(COMPOSITE_RANKINGS, key)
    metadata = platform.lake.metadata(COMPOSITE_RANKINGS, key)
    window = cache(partial(load_window, platform, key))  # read once, and not where no section needs it
    yield Heading(key.sector, 2)
    yield from _or_why_not(lambda: _plan(platform, key))
    for title, section in (
        ("Selection", lambda: _selection(rankings, metadata)),
        ("Trading configuration", lambda: _configuration(platform, key)),
        ("Signals of the session", lambda: _signals(platform, key)),
        (
            "Trading",
            lambda: (*trading_blocks(platform.database, key.sector, key.session), *result_blocks(platform, key)),
        ),
        ("Selection funnel", lambda: _funnel(platform, key, metadata)),
        ("Ranking", lambda: _ranking(platform, key, rankings)),
        ("Backtests", lambda: _backtests(platform, key, rankings, window)),
        ("Model", lambda: _model(platform, key)),
        ("Spreads", lambda: _pictures(platform, key, rankings, window)),
        ("Data", lambda: [_data(platform, key, metadata)]),
    ):
        yield Heading(title, 3)
        yield from _or_why_not(section)


def _plan(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    """What to trade in the session after, before everything else."""
    from pairs_platform.views.trading_plan import plan_frame, trading_plan

    plan = trading_plan(platform, key)
    yield Heading(plan.headline, 3)
    yield Paragraph(plan.place)
    if plan.pairs:
        yield Paragraph(plan.rule)
        yield table_of(plan_frame(plan), f"Pairs to trade · orders in {ORDER_UNIT}")
    yield from (Paragraph(reason) for reason in plan.why_none)
    yield from (Paragraph(note, small=True) for note in plan.notes)


def _or_why_not(section: Callable[[], Iterable[Block]]) -> list[Block]:
    from pairs_platform.core.errors import PartitionMissing
    from pairs_platform.views.remedies import with_remedy

    try:
        return list(section())
    except PartitionMissing as error:
        return [Paragraph(f"Not stored: {' '.join(with_remedy(error, stored=True).split())}")]


def _data(platform: "Platform", key: PartitionKey, metadata: dict[str, Any]) -> Table:
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, TRADING_CONFIG
    from pairs_platform.core.volatility.contracts import GARCH_FITS

    excluded = "; ".join(f"{symbol}: {reason}" for symbol, reason in metadata.get("symbols_excluded", {}).items())
    versions = ", ".join(
        f"{contract.table} {contract.version}"
        for contract in (COINTEGRATED_PAIRS, GARCH_FITS, COMPOSITE_RANKINGS, TRADING_CONFIG)
    )
    rows = [
        ("session", key.session),
        ("source of prices", metadata["source"]),
        ("profile", platform.settings.profile.name),
        ("first session of the window", metadata.get("first_session")),
        ("bars of each symbol", metadata.get("bars_per_symbol")),
        ("symbols in the window", metadata.get("symbols")),
        ("symbols left out", excluded or "none"),
        ("versions of the tables' contracts", versions),
    ]
    return rows_of(("field", "value"), rows, "Data")


def _funnel(platform: "Platform", key: PartitionKey, metadata: dict[str, Any]) -> Iterator[Block]:
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.views.reports.day import NULL_NOTE, funnel_frame

    placebo = platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"]
    yield table_of(funnel_frame(metadata["funnel"], placebo), "Pairs past each gate, and the permutation null")
    yield Paragraph(NULL_NOTE, small=True)


def _selection(rankings: pd.DataFrame, metadata: dict[str, Any]) -> Iterator[Block]:
    from pairs_platform.views.reports.day import best_backtest, selection

    summary = selection(rankings)
    yield Paragraph(summary.outcome)
    selected = rankings[rankings["selected"]]
    if len(selected):
        shown = selected[list(_SELECTED)].rename(columns=_SELECTED)
        yield table_of(shown, "Selected pairs; moves and costs in basis points of gross value")
    yield from (Paragraph(line) for line in (*summary.nearest, *summary.pinned))
    best = best_backtest(metadata["monitor"])
    if best:
        yield Paragraph(best)


def _ranking(platform: "Platform", key: PartitionKey, rankings: pd.DataFrame) -> Iterator[Block]:
    from pairs_platform.views.reports.day import ranking_frame

    rankings = with_orders_of_screen(platform, key, rankings)
    ranked = rankings[rankings["rank"].notna()]
    shown = ranked.head(RANKING_SHOWN)
    averaged = platform.settings.selection.sessions_averaged
    if len(shown):
        caption = f"The first {len(shown)} of {len(ranked)} pairs with a score; {len(rankings) - len(ranked)} have none"
        yield table_of(ranking_frame(shown, averaged), caption)
    else:
        yield Paragraph(f"None of {len(rankings)} pairs has a score.")
    yield Paragraph(
        f"Score is the weighted sum of fit, volatility, trading and diagnostics; mean is over the newest {averaged} "
        "scores; half-life is that of the screen; move is the expected move from entry to exit. At high z the order "
        "is the opposite one.",
        small=True,
    )


def _configuration(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    from pairs_platform.core.selection.contracts import TRADING_CONFIG
    from pairs_platform.core.selection.trading_config import SHOWN_ROLES
    from pairs_platform.views.trading_config import read_trading_config

    config = read_trading_config(platform, key)
    stored = platform.lake.read(TRADING_CONFIG, key)
    pairs = with_orders(stored.assign(role=stored["role"].map(SHOWN_ROLES)))
    yield Paragraph(
        f"For session {config.valid_for}; {config.frequency.value} bars, price basis {config.price_basis.value}; "
        f"content {config.content_hash}"
    )
    yield _settings(config.trading, "Thresholds")
    yield _settings(config.costs, "Costs")
    round_trip_bps = config.costs.round_trip_bps
    yield Paragraph(f"A round trip of both legs costs {round_trip_bps:g} basis points of gross value.", small=True)
    if len(pairs):
        # A mean of residuals is zero but for rounding; without its minus sign.
        pairs["mu"] = pairs["mu"].round(9) + 0.0
        pairs["next_volatility"] = pairs["next_volatility"] / BASIS_POINT
        shown = pairs[list(_CONFIGURED)].rename(columns=_CONFIGURED)
        yield table_of(shown, "Pairs; those of size 0 are on the watchlist or pinned, and are not traded")
        yield Paragraph(ORDER_NOTE, small=True)
    else:
        yield Paragraph("No pair is configured: a valid outcome.")


def _settings(settings: "SettingsGroup", caption: str) -> Table:
    rows = []
    for name, value in settings.model_dump(mode="json").items():
        field = type(settings).model_fields[name]
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        rows.append((name, value, extra.get("unit"), field.description))
    return rows_of(("setting", "value", "unit", "meaning"), rows, caption)


def _model(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    from pairs_platform.views.drawing.model_figures import MODELS_NOTE, MODELS_UNIT
    from pairs_platform.views.reports.day import configured_model, models_frame

    yield from _or_why_not(lambda: map(Paragraph, configured_model(platform, key)))
    yield table_of(models_frame(platform, key.sector, [key.session]), f"The session's training · {MODELS_UNIT}")
    yield Paragraph(MODELS_NOTE, small=True)


def _signals(platform: "Platform", key: PartitionKey) -> Iterator[Block]:
    from pairs_platform.core.signals.orders import signal_order
    from pairs_platform.core.time import MARKET_TIMEZONE
    from pairs_platform.database.signals import SignalKey, signal_rows
    from pairs_platform.views.drawing.signal_strip import entries_and_exits, newest_signals

    zone = ZoneInfo(MARKET_TIMEZONE)
    rows_by_mode = {
        run_mode: signal_rows(platform.database, SignalKey(run_mode=run_mode, sector=key.sector, session=key.session))
        for run_mode in RUN_MODES
    }
    if not any(rows_by_mode.values()):
        yield Paragraph("None are stored.")
    for run_mode, stored in ((run_mode, rows) for run_mode, rows in rows_by_mode.items() if rows):
        rows = [{**row, "order": signal_order(row)} for row in stored]
        starts = sorted({row["bar_utc"].astimezone(zone) for row in rows})
        yield Paragraph(
            f"Run mode {run_mode}: {len(rows)} signals of {len(starts)} bars, the last one "
            f"{starts[-1]:%Y-%m-%d %H:%M} New York; from the configuration of {rows[-1]['config_session']}."
        )
        yield _counts(rows, run_mode)
        trades = entries_and_exits(rows)
        if trades:
            last = trades[-TRADES_SHOWN:]
            lines = [(f"{row['bar_utc'].astimezone(zone):%H:%M}", *_signal(row)) for row in last]
            caption = f"Entries and exits, the last {len(lines)} of {len(trades)} · {run_mode}"
            yield rows_of(("New York", *_SIGNALS.values()), lines, caption)
        newest = [_signal(row) for row in newest_signals(rows)]
        yield rows_of(list(_SIGNALS.values()), newest, f"The newest bar · {run_mode}")


def _signal(row: dict[str, Any]) -> list[Any]:
    volatility = row["volatility"]
    in_bp = {**row, "volatility": None if volatility is None else volatility / BASIS_POINT}
    return [in_bp[name] for name in _SIGNALS]


def _counts(rows: Sequence[dict[str, Any]], run_mode: str) -> Table:
    """Signals by role and action."""
    counted = Counter((row["role"], row["action"]) for row in rows)
    actions = sorted({action for _, action in counted})
    lines = [
        (role, *(counted[role, action] for action in actions)) for role in dict.fromkeys(row["role"] for row in rows)
    ]
    return rows_of(("role", *actions), lines, f"Signals by role and action · {run_mode}")


def _backtests(
    platform: "Platform", key: PartitionKey, rankings: pd.DataFrame, window: "Callable[[], PriceWindow]"
) -> Iterator[Block]:
    """Equity and trades of the backtest that each selected pair's score rests on."""
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.views.backtests import (
        BACKTEST_NOTE,
        configured_settings,
        equity_drawing,
        held_out_backtests,
        summary_frame,
        trades_frame,
    )
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.trading_config import read_trading_config

    names = list(rankings.loc[rankings["selected"], "pair"].head(SELECTED_DRAWN))
    if not names:
        yield Paragraph("No pair is selected.")
        return
    settings = configured_settings(platform, read_trading_config(platform, key))
    backtests = held_out_backtests(platform, key, names, settings, window())
    if not backtests:
        yield Paragraph("No selected pair has a backtest.")
        return
    yield table_of(summary_frame(backtests), "What the rule earned with each selected pair on the held-out bars")
    yield Paragraph(BACKTEST_NOTE, small=True)
    label = drawing_label(platform, key, str(platform.lake.metadata(COMPOSITE_RANKINGS, key)["source"]))
    yield Picture(equity_drawing(backtests, label), "Net profit of the backtests of the selected pairs")
    for pair, (legs, report) in backtests.items():
        if report.trades:
            trades = trades_frame(legs, report)
            shown = trades.tail(TRADES_SHOWN)
            yield table_of(shown, f"Backtest of {pair}: the last {len(shown)} of {len(trades)} trades")


_SUBJECTS = {"spread_z": "z of the spread", "volatility": "volatility"}
"""What each drawing of a fit shows."""


def _pictures(
    platform: "Platform", key: PartitionKey, rankings: pd.DataFrame, window: "Callable[[], PriceWindow]"
) -> Iterator[Block]:
    """Spread and volatility of the selected pairs, else of the best ranked ones; thresholds of the configuration."""
    from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS
    from pairs_platform.views.drawing.fits import fit_drawings
    from pairs_platform.views.drawing.label import drawing_label
    from pairs_platform.views.trading_config import read_trading_config

    selected = rankings[rankings["selected"]].head(SELECTED_DRAWN)
    ranked = rankings[rankings["rank"].notna()].head(NEAREST_DRAWN)
    names = list((selected if len(selected) else ranked)["pair"])
    if not names:
        yield Paragraph("No pair was fitted.")
        return
    fits = platform.lake.read(GARCH_FITS, key)
    label = drawing_label(platform, key, str(platform.lake.metadata(GARCH_FITS, key)["source"]))
    trading = read_trading_config(platform, key).trading
    fits = fits[fits["parameter_set"] == FULL_WINDOW]
    kind = "selected" if len(selected) else "best ranked"
    left_out = int(rankings["selected"].sum()) - len(selected)
    more = f"; {left_out} more are not drawn" if left_out else ""
    yield Paragraph(f"The {kind} pairs: {', '.join(names)}{more}.")
    for name in names:
        drawings = fit_drawings(window(), fits, name, entry_z=trading.entry_z, exit_z=trading.exit_z, label=label)
        for subject, drawing in drawings.items():
            words = f"{name}: {_SUBJECTS[subject]} over the window"
            yield Picture(drawing, words, with_next=subject != list(drawings)[-1])
