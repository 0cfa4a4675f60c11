"""What is stored of each symbol, on a small lake with known holes."""

import pandas as pd
import pytest

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.lake.inventory import INVENTORY_COLUMNS, symbol_inventory
from pairs_platform.lake.store import Lake
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, make_bars

SECTOR = "technology"
SESSIONS = sessions_ending(EARLY_CLOSE, 4)
"""Three full sessions of 78 bars and an early close of 42."""


def store(lake: Lake, session, bars: pd.DataFrame, quarantined=None, flags=None) -> None:
    key = PartitionKey(session, SECTOR)
    lake.write(PRICE_HISTORY, key, bars.reset_index(drop=True), {})
    lake.write(PRICE_QUARANTINE, key, PRICE_QUARANTINE.empty() if quarantined is None else quarantined, {})
    lake.write(PRICE_FLAGS, key, PRICE_FLAGS.empty() if flags is None else flags, {})


@pytest.fixture
def lake(place) -> Lake:
    return Lake(place)


def inventory(lake: Lake, **universe: list[str]) -> pd.DataFrame:
    return symbol_inventory(lake, universe, frequency=Frequency.FIVE_MINUTES).set_index("symbol")


def test_complete_symbols(lake):
    for session in SESSIONS:
        store(lake, session, make_bars([session]))
    found = inventory(lake, technology=["AAA", "BBB"])
    assert list(symbol_inventory(lake, {}, frequency=Frequency.FIVE_MINUTES).columns) == list(INVENTORY_COLUMNS)
    assert list(found.index) == ["AAA", "BBB"]
    row = found.loc["AAA"]
    assert (row["first_session"], row["last_session"]) == (pd.Timestamp(SESSIONS[0]), pd.Timestamp(EARLY_CLOSE))
    assert (row["sessions"], row["sessions_missing"], row["bars_missing"]) == (4, 0, 0)
    assert row["coverage"] == 1.0
    assert (row["rows_quarantined"], row["flags"]) == (0, "none")


def test_missing_bars_sessions_and_symbols(lake):
    for session in SESSIONS:
        bars = make_bars([session], symbols=("AAA", "BBB"))
        if session == SESSIONS[1]:
            bars = bars[bars["symbol"] != "BBB"]
        if session == EARLY_CLOSE:
            bars = bars.drop(bars.index[bars["symbol"] == "AAA"][:12])
        store(lake, session, bars)
    found = inventory(lake, technology=["AAA", "BBB", "CCC"])
    assert found.loc["AAA", "bars_missing"] == 12
    assert found.loc["AAA", "coverage"] == pytest.approx(1 - 12 / (3 * 78 + 42))
    assert (found.loc["BBB", "sessions"], found.loc["BBB", "sessions_missing"]) == (3, 1)
    assert found["gaps"].to_dict() == {"AAA": "none", "BBB": str(SESSIONS[1]), "CCC": "none"}
    assert found.loc["BBB", "coverage"] == 1.0
    assert (found.loc["CCC", "sessions"], found.loc["CCC", "sessions_missing"]) == (0, 4)
    assert pd.isna(found.loc["CCC", "first_session"])
    assert pd.isna(found.loc["CCC", "coverage"])


def test_a_session_that_is_not_stored_is_missing_for_all(lake):
    for session in (SESSIONS[0], SESSIONS[2], SESSIONS[3]):
        store(lake, session, make_bars([session]))
    found = inventory(lake, technology=["AAA"])
    assert set(found["sessions_missing"]) == {1}


def test_quarantined_rows_and_flags_are_counted(lake):
    bad = make_bars([SESSIONS[0]]).head(2).assign(reason="close is not positive").astype({"volume": float})
    kinds = ["stale_repeats", "zero_volume"]
    flags = pd.DataFrame(
        {"symbol": "BBB", "session": pd.Timestamp(SESSIONS[0]), "kind": kinds, "detail": "d", "remedy": "r"}
    )
    store(lake, SESSIONS[0], make_bars([SESSIONS[0]]), bad[list(PRICE_QUARANTINE.columns)], flags)
    store(lake, SESSIONS[1], make_bars([SESSIONS[1]]), flags=flags.head(1).assign(session=pd.Timestamp(SESSIONS[1])))
    found = inventory(lake, technology=["AAA", "BBB"])
    assert found["rows_quarantined"].to_dict() == {"AAA": 2, "BBB": 0}
    assert found["flags"].to_dict() == {"AAA": "none", "BBB": "stale_repeats 2, zero_volume 1"}


def test_symbols_that_left_the_universe_are_shown(lake):
    store(lake, SESSIONS[0], make_bars([SESSIONS[0]], symbols=("AAA", "OLD")))
    assert list(inventory(lake, technology=["AAA"]).index) == ["AAA", "OLD"]


def test_sectors_without_prices(lake):
    store(lake, SESSIONS[0], make_bars([SESSIONS[0]], symbols=("AAA",)))
    found = inventory(lake, technology=["AAA"], energy=["XOM", "CVX"])
    assert found["sector"].to_dict() == {"CVX": "energy", "XOM": "energy", "AAA": "technology"}
    assert found.loc["XOM", ["sessions", "sessions_missing", "flags"]].tolist() == [0, 0, "none"]
