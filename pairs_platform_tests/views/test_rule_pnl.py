"""What the rule did in a session of the demo, against its own signals and prices."""

import numpy as np
import pytest
import sqlalchemy as sa

from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.database.signals import SignalKey, signal_frame
from pairs_platform.database.tables import SIGNALS
from pairs_platform.platform import Platform
from pairs_platform.views.rule_pnl import pnl_frame, session_pnl
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key

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
