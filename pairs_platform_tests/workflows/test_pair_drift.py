"""Drift at a session's close: of the session itself, held against those before it, and of nothing after it."""

import numpy as np

from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.risk.drift.response import DriftAction
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform.workflows.pair_drift import drift_at_close
from pairs_platform.workflows.selection import configure_partition
from pairs_platform_tests.support.demo_profile import SESSIONS, key


def test_a_session_that_drifts_holds_its_pair_back_and_later_bars_take_no_part(copied):
    before, last = key(SESSIONS[-2]), key(SESSIONS[-1])
    first, *others = read_trading_config(copied, last).with_role("selected")
    legs = {pair.pair: (pair.spread.y, pair.spread.x) for pair in (first, *others)}
    unchanged = drift_at_close(copied, before, legs), configure_partition(copied, before).config.content_hash
    assert drift_at_close(copied, last, legs)[first.pair].takes_entries

    bars = copied.lake.read(PRICE_HISTORY, last)
    leg = bars["symbol"] == first.spread.y
    grown = bars.loc[leg, ["open", "high", "low", "close"]].mul(np.exp(0.01 * np.arange(1, leg.sum() + 1)), axis=0)
    bars.loc[leg, list(grown.columns)] = grown
    copied.lake.write(PRICE_HISTORY, last, bars, copied.lake.metadata(PRICE_HISTORY, last))

    assert drift_at_close(copied, last, legs)[first.pair].action is DriftAction.EXIT
    config = configure_partition(copied, last).config
    (row,) = [pair for pair in config.pairs if pair.pair == first.pair]
    assert (row.role, row.size) == ("watched", 0.0)
    assert f"no new entries in {config.valid_for}: the mean of the spread shifts" in row.explanation
    assert unchanged == (
        drift_at_close(copied, before, legs),
        configure_partition(copied, before).config.content_hash,
    )
