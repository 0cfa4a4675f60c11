"""A desk with a broker in memory, a market of two pairs, and signals by hand: what tests of the trader start from."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.risk.drift.result import DriftResult, DriftStatistic, DriftStatus
from pairs_platform.core.risk.drift.session import BookDrift, book_drift
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.signals.engine import Signal
from pairs_platform.core.signals.session_state import SessionPair, SessionState, SpreadArrays
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.settings import TradingSettings
from pairs_platform.core.trading.spread_order import SpreadOrder
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.signal_outcomes import outcome_rows
from pairs_platform.database.signals import Provenance, SignalKey, store_signals
from pairs_platform.database.spread_orders import StoredTrade, trades_of_account
from pairs_platform.database.store import Database
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import NewestPrice
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.settings.model import Settings
from pairs_platform.workflows.trading_inputs import MorningFacts
from pairs_platform_tests.support.memory_broker import MemoryBroker
from pairs_platform_tests.support.risk_entries import MARKET, PRICES

SESSION = date(2026, 3, 10)
SECTOR = "technology"
GRID = bar_intervals(SESSION, Frequency.FIVE_MINUTES)
PAIRS = {"PDFS_ROG": ("PDFS", "ROG"), "AMD_TXN": ("AMD", "TXN")}
BETA, SIGMA, VOLATILITY = 0.8, 0.01, 0.002
KEY = SignalKey(run_mode="live", sector=SECTOR, session=SESSION)


def session_state(
    legs: Mapping[str, tuple[str, str]] = PAIRS, prices: Mapping[str, float] = PRICES, **changes: Any
) -> SessionState:
    """Pairs of role selected; the spreads have mean 0 and σ = 0.01."""
    k = len(legs)
    every = lambda value: np.full(k, float(value))  # noqa: E731
    traded = SpreadArrays(
        y=tuple(y for y, _ in legs.values()),
        x=tuple(x for _, x in legs.values()),
        alpha=every(0), beta=every(BETA), mu=every(0), sigma=every(SIGMA), c=every(0), phi=every(0.95),
        omega=every(4e-7), alpha1=every(0.05), beta1=every(0.85), diurnal=np.ones((k, len(GRID))),
        reference_variance=every(4e-6), max_hold=every(39), last_spread=every(0), variance=every(4e-6),
    )  # fmt: skip
    base: dict[str, Any] = {
        "sector": SECTOR,
        "source_label": "a test",
        "session": SESSION,
        "config_session": date(2026, 3, 9),
        "config_hash": "c0ffee",
        "frequency": Frequency.FIVE_MINUTES,
        "trading": TradingSettings(),
        "max_fill_bars": 3,
        "split_tolerance": 0.05,
        "pairs": tuple(SessionPair(pair=pair, role="selected", size=1.0) for pair in legs),
        "traded": traded,
        "champion": None,
        "challenger": None,
        "symbols": tuple(prices),
        "last_observed": np.ones(len(prices), dtype=bool),
        "bars_since": np.zeros(len(prices), dtype=np.int64),
        "last_log_close": np.log(list(prices.values())),
    }
    return SessionState(**{**base, **changes})


def drift_of(p_value: float, *, alarm: bool = False) -> tuple[DriftResult, ...]:
    """What one statistic says of a pair: that of its mean."""
    status = DriftStatus.ALARM if alarm else DriftStatus.OK
    return (DriftResult(statistic=DriftStatistic.MEAN, status=status, value=6.0, bound=5.0, p_value=p_value),)


@dataclass
class HandMarket:
    """Prices that a test sets; every bar has just ended."""

    clock: Callable[[], datetime]
    now: dict[str, float] = field(default_factory=lambda: dict(PRICES))
    facts_: MorningFacts = field(
        default_factory=lambda: MorningFacts(
            session=SESSION,
            mean_daily_volumes=dict.fromkeys(PRICES, 1e6),
            ex_dates={},
            closes=dict(PRICES),
            market=MARKET,
        )
    )
    state: SessionState = field(default_factory=session_state)
    quoted: Callable[[str], bool] = lambda _: True
    said: Callable[[datetime], bool] = lambda _: True
    drifts: dict[str, tuple[DriftResult, ...]] = field(default_factory=lambda: dict.fromkeys(PAIRS, drift_of(1.0)))
    looks: int = 1

    def refresh(self, now: datetime) -> bool:
        return False

    def is_complete(self, session: date, end: datetime) -> bool:
        return self.said(end)

    def price(self, symbol: str) -> NewestPrice | None:
        return NewestPrice(self.now[symbol], self.clock()) if symbol in self.now and self.quoted(symbol) else None

    def prices(self) -> dict[str, float]:
        return dict(self.now)

    def facts(self, session: date) -> MorningFacts:
        return self.facts_

    def session_state(self, sector: str, session: date) -> SessionState:
        return self.state

    def drift(self, now: datetime, held: Collection[str]) -> BookDrift | None:
        return book_drift(self.looks, self.drifts, DriftSettings())


def copied_database(template: Path, folder: Path, kind: type[Database] = Database) -> Any:
    """A database of a test, from an empty one: to make one takes longer than a test."""
    copyfile(template, folder / "database.db")
    return kind(f"sqlite:///{folder / 'database.db'}", "simulated-5min-raw")


class DeskInTest:
    """A database, a broker and a market of one session, and the desk that runs on them; another may follow it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.time = moment_utc(GRID[5].end_ns) + timedelta(seconds=1)
        self.settings, self.database = settings, database
        self.key = AccountKey("PA1", "live")
        self.market = HandMarket(lambda: self.time)
        self.broker = self.new_broker()
        self.begin()

    def new_broker(self) -> Any:
        """The account of the first process, which those that follow have too."""
        return MemoryBroker(lambda: self.time, self.market.now)

    def begin(self) -> None:
        """A new process: nothing is remembered but what database and broker have."""
        seat = Seat(
            settings=self.settings,
            database=self.database,
            broker=self.broker,
            account="PA1",
            run_mode="live",
            clock=lambda: self.time,
            wall=lambda: self.time,
        )
        self.inbox = Inbox(lambda: self.time)
        self.connect()
        self.desk = Desk(seat, self.market, self.inbox)

    def connect(self) -> None:
        """Let the broker's updates come to this process."""
        self.broker.receiver = self.inbox
        self.inbox.connected()

    def step(self, n: int = 1, *, seconds: float = 1.0) -> None:
        """Look, and let time pass."""
        for _ in range(n):
            self.desk.step()
            self.time += timedelta(seconds=seconds)

    def at_end_of(self, bar: int, *, seconds: float = 1.0) -> None:
        """Go to a moment after a bar's end."""
        self.time = moment_utc(GRID[bar].end_ns) + timedelta(seconds=seconds)

    def signal(
        self,
        bar: int,
        action: str = "hold",
        pair: str = "PDFS_ROG",
        *,
        also: str = "hold",
        alone: bool = False,
        **changes: Any,
    ) -> None:
        """Store the signals of a bar: one pair's as told, and the other one's unless it has none."""
        others = [] if alone else [signal_of(bar, other, also) for other in PAIRS if other != pair]
        signals = [signal_of(bar, pair, action, **changes), *others]
        now = self.time
        provenance = Provenance(
            config_session=date(2026, 3, 9), config_hash="c0ffee", decided_market_utc=now, decided_utc=now, run_id="r"
        )
        assert store_signals(self.database, KEY, signals, provenance)

    @property
    def trades(self) -> list[SpreadOrder]:
        return [each.trade for each in self.stored]

    @property
    def stored(self) -> list[StoredTrade]:
        return trades_of_account(self.database, "PA1", "live")

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Action, outcome and code of every signal that has one."""
        return [(row["action"], row["outcome"], row["code"]) for row in outcome_rows(self.database, KEY)]

    def stored_at(self) -> StoredAt:
        return StoredAt(self.time, self.time)


def signal_of(
    bar: int, pair: str, action: str = "hold", *, legs: Mapping[str, tuple[str, str]] = PAIRS, **changes: Any
) -> Signal:
    """A signal; an entry long the spread at z = −2.2 where nothing else is said."""
    y, x = legs[pair]
    values: dict[str, Any] = {
        "pair": pair, "role": "selected", "start_ns": GRID[bar].start_ns, "action": action, "reason": "", "y": y,
        "x": x, "beta": BETA, "spread": -0.022, "z": -2.2, "band": SIGMA, "volatility": VOLATILITY,
        "probability_champion": float("nan"), "probability_challenger": float("nan"), "champion_version": None,
        "challenger_version": None, "confidence": 0.5, "size": 1.0, "position": 0, "bars_held": 0, "blocked": False,
        "late": False, "data_ns": GRID[bar].start_ns,
    }  # fmt: skip
    return replace(Signal(**values), **changes)
