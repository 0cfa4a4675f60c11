"""Which sector and sessions the demo takes of a file."""

from datetime import date

import pandas as pd
import pytest

from pairs_platform.core.errors import NotFound
from pairs_platform.core.prices.calendar import CALENDAR_START, session_offset, sessions_ending
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.demo_choice import (
    default_sector,
    demo_sectors,
    demo_sessions,
    newest_session,
    sector_lines,
    sector_sizes,
)
from pairs_platform_tests.support.file_platform import LAST, daily_rows, file_platform

NAMES = ("AAPL", "ADI", "AMAT", "KLA_C", *(f"MINE{n}" for n in range(11)))


@pytest.fixture
def platform_of(tmp_path):
    def of(bars: pd.DataFrame, origin: str = "source") -> Platform:
        return file_platform(tmp_path / "prices.csv", bars, origin=origin)

    return of


def test_the_symbols_of_a_file_without_sectors_are_one_universe(platform_of):
    platform = platform_of(daily_rows(3, NAMES))
    assert default_sector(platform) == "unclassified"
    assert [listing.symbol for listing in platform.listings("unclassified")] == sorted(NAMES)
    assert platform.symbols_left_out == ()


def test_what_the_configured_universe_leaves_out_is_listed(platform_of):
    platform = platform_of(daily_rows(3, NAMES), origin="config")
    assert platform.symbols_left_out == ("KLA_C", *sorted(NAMES[4:]))


def test_all_are_the_active_sectors_with_symbols_and_the_others_are_named(monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__UNIVERSE__FINANCIAL__ACTIVE", "true")
    platform = Platform(load_settings())
    assert demo_sectors(platform) == ["financial", "technology"]
    assert sector_lines(platform, ["technology"]) == (
        "technology (23 symbols)",
        "financial (20 symbols), healthcare (20 symbols, not active)",
    )


def test_all_sectors_of_a_file_are_taken_where_none_of_them_is_active(platform_of):
    sectors = ["Energy", "Utilities", "Utilities", "Financials", "Financials", "Financials"]
    bars = daily_rows(3, NAMES[4:10])
    bars["sector"] = bars["symbol"].map(dict(zip(NAMES[4:10], sectors, strict=True)))
    platform = platform_of(bars)
    assert sector_sizes(platform) == {"energy": 1, "utilities": 2, "financial": 3}
    assert demo_sectors(platform) == ["financial", "utilities"], "a pair needs two symbols"
    assert default_sector(platform) == "financial"


def test_a_longer_symbol_another_sector_and_strays_do_not_choose_the_session(platform_of):
    short = daily_rows(102, NAMES[:3], last=session_offset(LAST, -2)).assign(sector="Energy")
    one_more = daily_rows(1, NAMES[:1], last=session_offset(LAST, -1)).assign(sector="energy")
    other = daily_rows(104, NAMES[3:]).assign(sector="Utilities")
    stray = other.tail(1).assign(ts_utc="2099-01-05")
    platform = platform_of(pd.concat([short, one_more, other, stray]))
    assert newest_session(platform, "energy") == session_offset(LAST, -2)
    assert newest_session(platform, "utilities") == LAST
    assert demo_sessions(platform, "energy", None) == sessions_ending(session_offset(LAST, -2), 3)


def test_too_few_sessions_are_counted_from_the_first_that_most_symbols_have(platform_of):
    early = daily_rows(1, NAMES[:1], last=date(2019, 3, 1))
    platform = platform_of(pd.concat([early, daily_rows(40, NAMES)]))
    first = session_offset(LAST, -39)
    with pytest.raises(NotFound, match=f"from {first}, the first session that most symbols .* there are 40 sessions"):
        demo_sessions(platform, "unclassified", None)


def test_a_file_that_begins_where_the_calendar_does_is_told_so(platform_of):
    platform = platform_of(daily_rows(40, NAMES, last=session_offset(CALENDAR_START, 39)))
    with pytest.raises(NotFound, match=rf"from {CALENDAR_START} \(where the calendar begins\), the first session"):
        demo_sessions(platform, "unclassified", None)
