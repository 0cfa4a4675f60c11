"""What the trading rule did in a session on its stored signals: positions out of the database, prices of the session.

What does not belong here: the money of positions (`core.trading.rule_pnl`), and fills of a broker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, PriceBasis
from pairs_platform.core.prices.calendar import session_offset, sessions_between
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.core.prices.settings import WindowSettings
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.settings import RunMode
from pairs_platform.core.trading.legs import Legs
from pairs_platform.core.trading.rule_pnl import PositionPnl, position_pnl
from pairs_platform.core.trading.settings import BASIS_POINT, CostSettings
from pairs_platform.database.signals import SignalKey, sessions_with_signals, signal_frame
from pairs_platform.views.trading_config import read_trading_config

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

CARRIED_SESSIONS = 5
"""Sessions without signals over which a position is followed back."""

TRADED_ROLES = ("selected", "closing")

SPLIT_SUSPECTED = "unknown: a split, perhaps; known with the session's price history"

PNL_NOTE = (
    "Positions that the trading rule had on the stored signals, filled at the next bar's open, with the costs of the "
    "configuration: not fills of a broker. Basis points of each pair's own gross dollars, so that sizes take no part: "
    "dollars are basis points × gross / 10,000; all is the sum, as if every pair had the same. An open position "
    "is marked at the last close, its exit not paid. `positions` shows what was traded."
)


@dataclass(frozen=True)
class PairPnl:
    """One pair in one session: role, legs as its newest signal has them, and what it earned, or why that is unknown."""

    pair: str
    role: str
    legs: Legs
    pnl: PositionPnl | None
    why_unknown: str


def session_pnl(platform: "Platform", key: SignalKey) -> list[PairPnl]:
    """What the rule did with every traded pair in a session, from its first bar to the newest one with signals.

    A position held overnight is followed back to its entry, so that its shares are known; the session earns the move
    from the close before.

    Raises
    ------
    PartitionMissing
        The configuration of the signals is not stored.
    """
    signals = _with_earlier(platform, key)
    own = signals[signals["session"] == key.session]
    if own.empty:
        return []
    newest = own.groupby("pair").last()
    traded = newest[newest["role"].isin(TRADED_ROLES)]
    configured = PartitionKey(own["config_session"].iloc[-1], key.sector)
    costs = read_trading_config(platform, configured).costs
    window = _prices(platform, key, signals["session"].min(), sorted({*traded["y"], *traded["x"]}))
    shown = window.ts_utc <= own["bar_utc"].max()
    window = window.first_bars(int(shown.sum()))
    final = platform.lake.exists(PRICE_HISTORY.table, PartitionKey(key.session, key.sector))
    found = []
    for pair, row in traded.iterrows():
        legs = Legs(row["y"], row["x"], float(row["beta"]))
        jumped = not final and _may_be_split(own[own["pair"] == pair])
        pnl = None if jumped else _pnl(window, signals[signals["pair"] == pair], signals, key.session, costs)
        why_unknown = SPLIT_SUSPECTED if jumped else "" if pnl else "no prices"
        found.append(PairPnl(str(pair), str(row["role"]), legs, pnl, why_unknown))
    return found


def _may_be_split(own: pd.DataFrame) -> bool:
    """Whether the signals of a pair say that a leg has jumped as in a split that no stored action explains."""
    return bool(own["reason"].str.startswith("split_like_jump").any())


def pnl_frame(pairs: list[PairPnl]) -> pd.DataFrame:
    """A row for each pair and the total, in basis points of the gross capital of one pair."""
    rows = [
        {
            "pair": one.pair,
            "entries": one.pnl.entries if one.pnl else None,
            "exits": one.pnl.exits if one.pnl else None,
            **(_money([one.pnl]) if one.pnl else {}),
            "at the last close": one.legs.held(one.pnl.position) if one.pnl else one.why_unknown,
        }
        for one in pairs
    ]
    known = [one.pnl for one in pairs if one.pnl]
    n_open = sum(pnl.position != 0 for pnl in known)
    total = {
        "pair": "all",
        "entries": sum(pnl.entries for pnl in known),
        "exits": sum(pnl.exits for pnl in known),
        **_money(known),
        "at the last close": f"{n_open} open of {len(known)}",
    }
    return pd.DataFrame([*rows, total]).astype({"entries": "Int64", "exits": "Int64"})


def _money(pnls: list[PositionPnl]) -> Mapping[str, str]:
    gross = sum(pnl.gross_return for pnl in pnls) / BASIS_POINT
    net = sum(pnl.net_return for pnl in pnls) / BASIS_POINT
    return {"gross bp": f"{gross:+.1f}", "costs bp": f"{gross - net:.1f}", "net bp": f"{net:+.1f}"}


def _with_earlier(platform: "Platform", key: SignalKey) -> pd.DataFrame:
    """Signals of a session, after those of the earlier sessions in which its carried positions were held."""
    frames = [signal_frame(platform.database, key)]
    carried = _open_at_start(frames[0])
    day = key.session
    earlier = [
        session for session in sessions_with_signals(platform.database, key.run_mode, key.sector) if session < day
    ]
    while carried and earlier and earlier[-1] >= session_offset(day, -CARRIED_SESSIONS):
        day = earlier.pop()
        frames.insert(0, signal_frame(platform.database, SignalKey(**{**vars(key), "session": day})))
        carried &= _open_at_start(frames[0])
    return pd.concat(frames, ignore_index=True)


def _open_at_start(signals: pd.DataFrame) -> set[str]:
    first = signals[signals["bar_utc"] == signals["bar_utc"].min()]
    return set(first.loc[first["position"] != 0, "pair"])


def _pnl(
    window: PriceWindow, own: pd.DataFrame, signals: pd.DataFrame, session: date, costs: CostSettings
) -> PositionPnl | None:
    """Of one pair, from the first bar of the session on; None where a leg has no prices."""
    legs = (str(own["y"].iloc[-1]), str(own["x"].iloc[-1]))
    if not set(legs) <= set(window.symbols):
        return None
    by_bar = own.set_index(pd.DatetimeIndex(own["bar_utc"]).as_unit("ns"))
    at = by_bar.reindex(window.ts_utc.as_unit("ns"))
    # A pair without a signal in a bar that others have has left the configuration, and is flat.
    decided = window.ts_utc.isin(pd.DatetimeIndex(signals["bar_utc"]))
    position = at["position"].mask(at["position"].isna() & decided, 0.0).ffill().fillna(0.0)
    return position_pnl(
        window,
        legs,
        position=position.to_numpy(dtype=np.int64),
        beta=at["beta"].ffill().bfill().to_numpy(dtype=float),
        y_is_first=(at["y"].ffill().bfill() == legs[0]).to_numpy(),
        costs=costs,
        first_bar=int(np.searchsorted(window.session, np.datetime64(session))),
    )


def _prices(platform: "Platform", key: SignalKey, first: date, symbols: list[str]) -> PriceWindow:
    """Prices of the sessions from `first` on: the stored history, and of a session that has none yet its stream."""
    lake, settings = platform.lake, platform.settings
    sessions = sessions_between(first, key.session)
    stored = [part for part in keys_of(sessions, key.sector) if lake.exists(PRICE_HISTORY.table, part)]
    frames = [lake.read_many(PRICE_HISTORY, stored, list(BAR_COLUMNS))] if stored else []
    frames += [_streamed(platform, key)] if key.session not in {part.session for part in stored} else []
    actions = lake.read_many(CORPORATE_ACTIONS, stored, list(ACTION_COLUMNS)) if stored else None
    basis = PriceBasis(str(lake.metadata(PRICE_HISTORY, stored[-1])["price_basis"])) if stored else settings.price_basis
    return build_window(
        pd.concat(frames, ignore_index=True),
        actions,
        sessions=sessions,
        frequency=settings.frequency,
        basis=basis,
        settings=WindowSettings(
            min_coverage=0.0,
            min_session_coverage=0.0,
            max_missing_sessions=20,
            max_fill_bars=settings.window.max_fill_bars,
        ),
        symbols=symbols,
    )


def _streamed(platform: "Platform", key: SignalKey) -> pd.DataFrame:
    """Bars of a session as they were streamed: from the lake where they were saved, else from Redis."""
    from pairs_platform.platform import open_streams

    settings, part = platform.settings, PartitionKey(key.session, key.sector)
    if platform.lake.exists(STREAMED_BARS.table, part):
        bars = platform.lake.read(STREAMED_BARS, part)
        bars = bars[bars["run_mode"] == key.run_mode]
    else:
        bars = open_streams(settings, cast(RunMode, key.run_mode)).bars.merged(key.session).frame()
    length = settings.stream.bar_frequency(settings.frequency)
    return aggregate_bars(bars[list(BAR_COLUMNS)], source=length, target=settings.frequency)
