from datetime import date

import pytest

from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.simulated.market import SimulatedMarket
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency
from pairs_platform.ports.market_data import Listing, MarketData, empty_actions, empty_bars


def use(source: MarketData) -> str:
    return f"{source.label} {source.basis} {source.frequency}"


def test_empty_frames_have_the_columns_and_types_of_full_ones() -> None:
    market = SimulatedMarket([Listing("AAPL", "technology")], frequency=Frequency.ONE_DAY)
    bars = market.fetch_bars(["AAPL"], date(2024, 1, 2), date(2024, 12, 31)).bars
    assert list(bars.columns) == list(BAR_COLUMNS)
    assert empty_bars().dtypes.to_dict() == bars.dtypes.to_dict()
    assert list(empty_actions().columns) == list(ACTION_COLUMNS)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (SimulatedMarket([Listing("AAPL", "technology")], frequency=Frequency.ONE_HOUR), "SIMULATED .* raw 1h"),
        (
            FileMarketData(FileSourceSettings(paths="somewhere/prices.csv"), frequency=Frequency.ONE_DAY),
            "^files: prices.csv split",
        ),
    ],
)
def test_sources_say_what_they_are_without_reading_anything(source: MarketData, text: str) -> None:
    import re

    assert re.search(text, use(source))
