"""What a source gives on its way to the lake."""

import pandas as pd

from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.platform import Platform
from pairs_platform.ports.market_data import ActionsReply, UnavailableSymbol, empty_actions
from pairs_platform.settings.loading import load_settings
from pairs_platform.workflows.ingest import fetch_batch, publish
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.fake_market import FakeMarket, hourly_bars, walk

UNSURE = UnavailableSymbol("BBB", "its corporate actions are unsure: a split of 0")


class UnsureMarket(FakeMarket):
    """Reports an action of BBB that cannot be read."""

    def fetch_actions(self, *_):
        return ActionsReply(empty_actions(), (UNSURE,))


def test_a_symbol_whose_actions_are_unsure_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY", "1h")
    settings = load_settings({"universe": {SECTOR: {"symbols": ["AAA", "BBB", "CCC"]}}})
    sessions = sessions_ending(SESSION, 1)
    bars = hourly_bars(sessions, {name: walk(7, seed) for seed, name in enumerate(("AAA", "BBB"))})
    fractional = bars.assign(volume=bars["volume"] + 0.25)
    platform = Platform(settings, UnsureMarket(fractional))
    published = publish(platform, fetch_batch(platform, SECTOR, sessions), key())
    assert published.missing_symbols == {"BBB": UNSURE.reason, "CCC": "not in the fake market"}
    stored = platform.lake.read(PRICE_HISTORY, key())
    pd.testing.assert_frame_equal(stored, fractional[fractional["symbol"] == "AAA"].reset_index(drop=True))
