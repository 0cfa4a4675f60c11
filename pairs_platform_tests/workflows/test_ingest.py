"""What a source gives on its way to the lake."""

import pandas as pd
import pytest

from pairs_platform.core.errors import NotFound
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.platform import Platform
from pairs_platform.ports.market_data import ActionsReply, Listing, UnavailableSymbol, empty_actions
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


def test_symbols_that_the_universe_does_not_list_are_said_once(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY", "1h")
    settings = load_settings({"universe": {SECTOR: {"symbols": ["AAA", "BBB"]}}})
    assert settings.universe_origin == "config"
    bars = hourly_bars(sessions_ending(SESSION, 1), {name: walk(7, 1) for name in ("AAA", "BBB")})
    market = FakeMarket(bars)
    listings = tuple(Listing(name, SECTOR) for name in ("AAA", *(f"S{n:03d}" for n in range(254))))
    market.universe = lambda: listings
    batch = fetch_batch(Platform(settings, market), SECTOR, sessions_ending(SESSION, 1))
    [note] = [note for note in batch.source_notes if "universe.yaml" in note]
    assert note.startswith("254 symbols of the source are in no sector of universe.yaml, and left out: S000, S001")
    assert len(note) < 250


def test_a_session_without_bars_says_why_in_one_line(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__FREQUENCY", "1h")
    settings = load_settings({"universe": {SECTOR: {"symbols": [f"S{n:03d}" for n in range(254)]}}})
    platform = Platform(settings, FakeMarket(hourly_bars(sessions_ending(SESSION, 1), {"AAA": walk(7, 1)})))
    batch = fetch_batch(platform, SECTOR, sessions_ending(SESSION, 1))
    with pytest.raises(NotFound, match=r"S000, .* and 249 more \(254 in all\): not in the fake market") as refused:
        publish(platform, batch, key())
    assert len(str(refused.value)) < 300
