"""An earlier version's partitions get this version's names, and every figure stays."""

import pandas as pd
import pytest

from pairs_platform.core.errors import VersionMismatch
from pairs_platform.core.models.contracts import GRU_MODELS
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.lake import store
from pairs_platform.lake.store import Lake
from pairs_platform.lake.upgrade import upgrade_lake
from pairs_platform_tests.support.earlier_profile import KEYS, make_earlier_lake, make_lake_of_whole_volumes

CONTRACTS = (GARCH_FITS, PRICE_HISTORY, STREAMED_BARS, GRU_MODELS)


def assert_upgraded(lake, frames):
    for contract in CONTRACTS:
        for key in KEYS:
            pd.testing.assert_frame_equal(lake.read(contract, key), frames[contract.table][key])
    assert lake.metadata(STREAMED_BARS, KEYS[0]) == {"run_mode": "replay", "bar": "5min"}
    assert lake.metadata(GRU_MODELS, KEYS[0])["training"] == {
        "run_id": "run", "scope": "all", "scope_reason": "by default", "full_retrain": True,
    }  # fmt: skip


def test_partitions_are_rewritten_once(place):
    frames, lake = make_earlier_lake(place), Lake(place)
    with pytest.raises(VersionMismatch, match="version 1 of its contract, version 2 is needed"):
        lake.read(GARCH_FITS, KEYS[0])
    assert upgrade_lake(place) == {"garch_fits": 2, "gru_models": 2, "price_history": 2, "streamed_bars": 2}
    assert_upgraded(lake, frames)
    assert upgrade_lake(place) == {}


def test_a_killed_upgrade_goes_on(place, monkeypatch):
    frames, lake = make_earlier_lake(place), Lake(place)
    write, written = store.Lake.write, []

    def killed(self, *given):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(write(self, *given))

    with monkeypatch.context() as patch:
        patch.setattr(store.Lake, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            upgrade_lake(place)
    assert sum(upgrade_lake(place).values()) == 5
    assert_upgraded(lake, frames)


def test_whole_volumes_of_the_format_before_become_numbers_that_may_be_fractional(place):
    frames, lake = make_lake_of_whole_volumes(place), Lake(place)
    with pytest.raises(VersionMismatch, match="version 1 of its contract, version 2 is needed"):
        lake.read(PRICE_HISTORY, KEYS[0])
    assert upgrade_lake(place) == {"price_history": 1, "streamed_bars": 1}
    for contract in (PRICE_HISTORY, STREAMED_BARS):
        pd.testing.assert_frame_equal(lake.read(contract, KEYS[0]), frames[contract.table][KEYS[0]])
    assert lake.metadata(STREAMED_BARS, KEYS[0]) == {"run_mode": "replay"}


def test_a_lake_without_such_tables_is_left_alone(place):
    assert upgrade_lake(place) == {}
