"""What the rule did in a session: against the signals and prices of the demo, and on prices written by hand."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_HISTORY
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.trading.legs import Legs, leg_values
from pairs_platform.core.trading.settings import CostSettings
from pairs_platform.database.signals import SignalKey, signal_frame
from pairs_platform.database.tables import SIGNALS
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.views import rule_pnl
from pairs_platform.views.rule_pnl import SPLIT_SUSPECTED, PairPnl, pnl_frame, session_pnl
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.fake_market import hourly_bars
from pairs_platform_tests.support.price_samples import make_actions

REPLAYED = SignalKey(run_mode="replay", sector=SECTOR, session=SESSION)
POSITIONS = (0, 0, 1, 1, 0, -1, -1)


@pytest.fixture
def held(copied) -> Platform:
    """The demo's profile, in which the one selected pair is long for two bars of the replay, and short at its end."""
    rows = signal_frame(copied.database, REPLAYED)
    own = rows[rows["role"] == "selected"]
    assert own["pair"].nunique() == 1
    with copied.database.begin() as connection:
        for row, position in zip(own.itertuples(), POSITIONS, strict=True):
            one = (SIGNALS.c.pair == row.pair) & (SIGNALS.c.bar_utc == row.bar_utc.to_pydatetime())
            connection.execute(sa.update(SIGNALS).where(one).values(position=position))
    return copied


def test_gross_is_the_moves_of_both_legs_between_fills(held):
    signals = signal_frame(held.database, REPLAYED)
    history = held.lake.read(PRICE_HISTORY, key())
    history = history[history["ts_utc"] <= signals["bar_utc"].max()]
    opened, close = (history.pivot(index="ts_utc", columns="symbol", values=name) for name in ("open", "close"))
    found = session_pnl(held, REPLAYED)
    assert [(one.pnl.entries, one.pnl.exits, one.pnl.position) for one in found] == [(2, 1, -1)]
    assert {one.role for one in found} <= {"selected", "closing"}
    for one in found:
        own = signals[signals["pair"] == one.pair].reset_index(drop=True)
        gross, shares, entries = 0.0, None, 0
        before = np.zeros(2)
        for row in own.itertuples():
            legs = [row.y, row.x]
            fill, mark = opened.loc[row.bar_utc, legs].to_numpy(), close.loc[row.bar_utc, legs].to_numpy()
            if shares is None and row.position:
                shares, before, entries = np.array(leg_values(row.beta, row.position)) / fill, fill, entries + 1
            if shares is not None:
                end = mark if row.position else fill
                gross, before = gross + float(shares @ (end - before)), end
                shares = shares if row.position else None
        assert one.pnl is not None
        assert one.pnl.entries == entries
        assert one.pnl.gross_return == pytest.approx(gross, abs=1e-12)
        assert (one.pnl.fill_cost > 0) == (entries > 0)
    table = pnl_frame(found)
    assert table["pair"].iloc[-1] == "all"
    assert table["entries"].iloc[-1] == table["entries"].iloc[:-1].sum()


FIRST, SECOND = date(2023, 3, 7), date(2023, 3, 8)
KEY = SignalKey(run_mode="replay", sector="technology", session=SECOND)
FREE = CostSettings(commission_bps=0, half_spread_bps=0, slippage_bps=0, borrow_bps_per_year=0)
BARS = 7
"""Hourly bars of a session."""


def bars_of(session: date, y: float, x: float) -> pd.DataFrame:
    """A session in which both legs stand still."""
    return hourly_bars([session], {"XXX": np.full(BARS, np.log(x)), "YYY": np.full(BARS, np.log(y))})


@pytest.fixture
def tiny(monkeypatch) -> Platform:
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY", "1h")
    return Platform(load_settings())


def store(platform: Platform, session: date, bars: pd.DataFrame, *actions: tuple[str, str, str, float, str]) -> None:
    part = PartitionKey(session, "technology")
    known = make_actions(*actions) if actions else CORPORATE_ACTIONS.empty()
    platform.lake.write(CORPORATE_ACTIONS, part, known, {})
    platform.lake.write(PRICE_HISTORY, part, bars, {"price_basis": "raw"})


def held_since_yesterday(platform: Platform):
    """What YYY against XXX, bought at the open of the first session's second bar, earns in the second session."""
    window = rule_pnl._prices(platform, KEY, FIRST, ["XXX", "YYY"])
    signals = pd.DataFrame({"bar_utc": window.ts_utc, "position": 1, "beta": 1.0, "y": "YYY", "x": "XXX"})
    signals.loc[0, "position"] = 0
    return rule_pnl._pnl(window, signals, signals, SECOND, FREE)


def test_a_split_held_overnight_earns_nothing(tiny):
    store(tiny, FIRST, bars_of(FIRST, 100.0, 50.0))
    split = ("YYY", str(SECOND), "split", 2.0, "2023-03-08T05:00")
    store(tiny, SECOND, bars_of(SECOND, 51.0, 50.0), split)
    assert held_since_yesterday(tiny).gross_return == pytest.approx(0.5 * 0.02, abs=1e-9)


def streamed(y: float) -> pd.DataFrame:
    return bars_of(SECOND, y, 50.0).assign(revision=0, source="test")


def test_a_session_without_history_takes_the_bars_that_were_saved_of_its_own_run_mode(tiny):
    store(tiny, FIRST, bars_of(FIRST, 100.0, 50.0))
    own, other = streamed(101.0).assign(run_mode="replay"), streamed(150.0).assign(run_mode="live")
    saved = pd.concat([other, own], ignore_index=True)[list(STREAMED_BARS.columns)]
    tiny.lake.write(STREAMED_BARS, PartitionKey(SECOND, "technology"), saved, {})
    assert held_since_yesterday(tiny).gross_return == pytest.approx(0.5 * 0.01, abs=1e-9)


def test_a_session_that_is_not_saved_takes_them_from_redis(tiny, monkeypatch):
    asked = []

    def merged(session):
        asked.append(session)
        return SimpleNamespace(frame=lambda: streamed(98.0))

    def streams(settings, run_mode):
        assert run_mode == "replay"
        return SimpleNamespace(bars=SimpleNamespace(merged=merged))

    monkeypatch.setattr("pairs_platform.platform.open_streams", streams)
    store(tiny, FIRST, bars_of(FIRST, 100.0, 50.0))
    assert held_since_yesterday(tiny).gross_return == pytest.approx(0.5 * -0.02, abs=1e-9)
    assert asked == [SECOND]


def test_a_jump_that_may_be_a_split_is_no_profit_and_no_loss():
    signals = pd.DataFrame({"reason": ["", "split_like_jump: YYY", ""]})
    assert rule_pnl._may_be_split(signals)
    assert not rule_pnl._may_be_split(signals.iloc[[0]])
    doubtful = PairPnl("XXX_YYY", "selected", Legs("YYY", "XXX", 1.0), None, SPLIT_SUSPECTED)
    pair, total = pnl_frame([doubtful]).to_dict("records")
    assert pair["at the last close"] == SPLIT_SUSPECTED
    assert pd.isna(pair["entries"])
    assert total["at the last close"] == "0 open of 0"
