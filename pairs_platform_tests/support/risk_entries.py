"""An entry that satisfies every check, and what it is held against: tests change one thing at a time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from pairs_platform.core.risk.checks import AccountState, EntryLeg, EntryRequest, RiskContext, SymbolState
from pairs_platform.core.risk.exposure import Book, Holding, MarketRisk, market_risk
from pairs_platform.core.risk.trading_state import Standing

NOW = datetime(2026, 3, 10, 15, 0, 30, tzinfo=UTC)
SESSION = date(2026, 3, 10)
PRICES = {"PDFS": 50.0, "ROG": 40.0, "AMD": 100.0, "TXN": 80.0}


def quiet_market(symbols: tuple[str, ...] = tuple(PRICES), *, days: int = 120, scale: float = 0.01) -> MarketRisk:
    """Returns with one common factor and as much noise again."""
    rng = np.random.default_rng(3)
    common = rng.standard_normal((days, 1))
    return market_risk(symbols, scale * (common + rng.standard_normal((days, len(symbols)))))


MARKET = quiet_market()


def book(*holdings: Holding, **changes: Any) -> Book:
    """A book of $100,000."""
    return Book(**{"equity": 100_000.0, "holdings": holdings, "prices": PRICES, **changes})


def holding(pair: str = "AMD_TXN", shares: tuple[int, int] = (30, -40), sector: str = "technology") -> Holding:
    """A pair that is held; its symbols in the order of its name."""
    y, x = pair.split("_")
    return Holding(pair=pair, sector=sector, y=y, x=x, shares_y=shares[0], shares_x=shares[1])


def request(y: dict[str, Any] | None = None, x: dict[str, Any] | None = None, **changes: Any) -> EntryRequest:
    """72 PDFS against 108 ROG, hedged exactly with β = 1.2: $3,600 and $4,320."""
    legs = {
        "y": EntryLeg(**{"symbol": "PDFS", "quantity": 72, "limit_price": 50.1, "data_age_bars": 0, **(y or {})}),
        "x": EntryLeg(**{"symbol": "ROG", "quantity": -108, "limit_price": 39.9, "data_age_bars": 0, **(x or {})}),
    }
    base: dict[str, Any] = {
        "pair": "PDFS_ROG",
        "sector": "technology",
        "action": "enter_long",
        "bar_end_utc": NOW - timedelta(seconds=30),
        "beta": 1.2,
        "session": SESSION,
        "config_hash": "c0ffee",
        "model_version": 4,
        "expected_move": 0.002,
        "horizon_end": date(2026, 3, 13),
    }
    return EntryRequest(**{**base, **legs, **changes})


def symbol_state(price: float, **changes: Any) -> SymbolState:
    """A symbol with a spread of 4 bp and a large volume."""
    base: dict[str, Any] = {
        "bid": price * 0.9998,
        "ask": price * 1.0002,
        "mean_daily_volume": 1e6,
        "tradable": True,
        "borrow_status": "easy_to_borrow",
        "ex_dates": (),
    }
    return SymbolState(**{**base, **changes})


def context(*, symbols: dict[str, dict[str, Any]] | None = None, **changes: Any) -> RiskContext:
    """An open session, an empty book, an account that may trade; `symbols` changes the state of some."""
    states = {name: symbol_state(price, **(symbols or {}).get(name, {})) for name, price in PRICES.items()}
    base: dict[str, Any] = {
        "now_utc": NOW,
        "wall_utc": NOW,
        "session": SESSION,
        "close_utc": NOW + timedelta(hours=4),
        "standing": Standing(),
        "config_hash": "c0ffee",
        "model_version": 4,
        "round_trip_bps": 4.0,
        "account": account(),
        "symbols": states,
        "book": book(),
        "market": MARKET,
    }
    return RiskContext(**{**base, **changes})


def account(**changes: Any) -> AccountState:
    """$200,000 of buying power."""
    base = AccountState(buying_power=200_000.0, multiplier=2.0, shorting_enabled=True, blocked=False)
    return replace(base, **changes)
