"""What trading did in a session of a sector, as the trader stored it: for the assets of trading and their checks.

Everything is as it was at the newest snapshot of the account, by the market's clock. What does not belong here: where
the change of equity came from (`attribution`), and trading itself (`processes.trader`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pandas as pd

from pairs_platform.core.errors import NotFound
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.risk.denials import UnusableInput
from pairs_platform.core.risk.exposure import Book, exposure
from pairs_platform.core.signals.engine import FILLED_ACTIONS
from pairs_platform.core.streaming.settings import RUN_MODES
from pairs_platform.core.time import market_midnight
from pairs_platform.core.trading.attribution import Attribution
from pairs_platform.core.trading.checks import DRIFT, RECONCILIATION, STATE, NakedTime
from pairs_platform.core.trading.contracts import ACCOUNT_ROW, LEG, PERFORMANCE_ATTRIBUTION, PORTFOLIO
from pairs_platform.core.trading.naked import naked_episodes, naked_tolerance
from pairs_platform.database.equity import (
    AccountKey,
    EquityRow,
    accounts_of_session,
    equity_between,
    newest_equity,
)
from pairs_platform.database.positions import position_rows
from pairs_platform.database.risk_events import event_rows
from pairs_platform.database.signal_outcomes import outcome_rows, signals_without_outcome
from pairs_platform.database.signals import SignalKey, signal_rows
from pairs_platform.database.spread_orders import StoredTrade, trades_of_session
from pairs_platform.workflows.attribution import account_attribution
from pairs_platform.workflows.trading_inputs import market_before

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

OUTCOME_BARS = 3
"""Bars after which a signal whose trade is not at work must have an outcome."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionTrading:
    """What the trader stored of a sector in a session, in both run modes.

    Attributes
    ----------
    trades : tuple of StoredTrade
        That the session began, filled or ended.
    outcomes : list of mapping
        Of the signals that ask for a trade.
    until_utc : mapping of run mode to datetime
        Newest snapshot of an account, by the market's clock; of a run mode that traded.
    """

    trades: tuple[StoredTrade, ...]
    outcomes: list[dict[str, Any]]
    until_utc: Mapping[str, datetime]


def session_trading(platform: "Platform", key: PartitionKey) -> SessionTrading:
    """Read what was traded in a session.

    Raises
    ------
    NotFound
        No account was written down in it.
    """
    database = platform.database
    until: dict[str, datetime] = {}
    for account in _accounts(platform, key):
        newest = _of_day(platform, account, key)[-1].at_utc
        until[account.run_mode] = max(newest, until.get(account.run_mode, newest))
    signals = [SignalKey(run_mode=mode, sector=key.sector, session=key.session) for mode in RUN_MODES]
    return SessionTrading(
        trades=tuple(
            trade for mode in RUN_MODES for trade in trades_of_session(database, mode, key.sector, key.session)
        ),
        outcomes=[row for each in signals for row in outcome_rows(database, each)],
        until_utc=until,
    )


def portfolio_partition(platform: "Platform", key: PartitionKey) -> pd.DataFrame:
    """Store what every account was worth and exposed to in a session; rows of `PORTFOLIO`.

    Raises
    ------
    NotFound
        No account was written down in it.
    """
    frames = [_portfolio_of(platform, account, key) for account in _accounts(platform, key)]
    frame = pd.concat(frames, ignore_index=True)[list(PORTFOLIO.columns)]
    frame["at_utc"] = frame["at_utc"].astype("datetime64[ns, UTC]")
    platform.lake.write(PORTFOLIO, key, frame, _metadata(platform, frame["at_utc"].max()))
    return frame


def attribution_partition(
    platform: "Platform", key: PartitionKey
) -> tuple[pd.DataFrame, dict[AccountKey, Attribution]]:
    """Store where the change of every account's equity came from; rows of `PERFORMANCE_ATTRIBUTION`.

    Raises
    ------
    NotFound
        No account was written down in the session.
    """
    found = {account: account_attribution(platform, account, key.session) for account in _accounts(platform, key)}
    known = {account: each for account, each in found.items() if each is not None}
    rows = [row for account, each in known.items() for row in attribution_rows(account, each, key.sector)]
    frame = pd.DataFrame(rows, columns=list(PERFORMANCE_ATTRIBUTION.columns))
    for name in ("from_utc", "to_utc"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[ns, UTC]")
    platform.lake.write(PERFORMANCE_ATTRIBUTION, key, frame, _metadata(platform, frame["to_utc"].max()))
    return frame, known


def attribution_rows(account: AccountKey, found: Attribution, sector: str) -> list[dict[str, Any]]:
    """The legs of a sector's trades, and what belongs to no trade, as rows of `PERFORMANCE_ATTRIBUTION`."""
    period = found.period
    same = {
        "run_mode": account.run_mode,
        "account": account.account,
        "from_utc": period.start_utc,
        "to_utc": period.end_utc,
        "equity_change": period.change,
    }
    cuts = ("entry_reason", "exit_reason", "hour", "model_version", "confidence")
    named = ("spread_order_id", "pair", "symbol", "leg", "side", *cuts)
    rows = [
        {**same, "scope": LEG, **{name: getattr(leg, name) for name in named}, **vars(leg.components),
         "total": leg.components.total}
        for leg in found.legs
        if leg.sector == sector
    ]  # fmt: skip
    own = {**same, "scope": ACCOUNT_ROW, **dict.fromkeys(named, ""), **vars(found.account)}
    return [*rows, {**own, "total": found.account.total}]


def trading_events(platform: "Platform", key: PartitionKey) -> list[dict[str, Any]]:
    """What the trader said about the accounts in a session, in its order."""
    kinds = (RECONCILIATION, STATE)
    return list(reversed(event_rows(platform.database, RUN_MODES, kinds=kinds, session=key.session)))


def drift_events(platform: "Platform", key: PartitionKey) -> list[dict[str, Any]]:
    """What drift said about the pairs of a sector in a session, in its order."""
    mine = {
        row["pair"]
        for mode in RUN_MODES
        for row in signal_rows(platform.database, SignalKey(run_mode=mode, sector=key.sector, session=key.session))
    }
    events = event_rows(platform.database, RUN_MODES, kinds=[DRIFT], session=key.session)
    return [event for event in reversed(events) if event["pair"] is None or event["pair"] in mine]


def lacking_executions(trades: Sequence[StoredTrade]) -> list[str]:
    """Ended orders that the broker filled further than executions are known."""
    orders = [order for stored in trades for order in stored.trade.orders]
    return [order.client_order_id for order in orders if order.status.ended and order.lacks_executions]


def naked_times(platform: "Platform", trading: SessionTrading) -> list[NakedTime]:
    """When a leg of a trade was without its hedge, until it had one, or until the newest snapshot."""
    fraction = platform.settings.execution.naked_tolerance
    found = []
    for stored in trading.trades:
        trade, until = stored.trade, trading.until_utc.get(stored.origin.run_mode)
        at = {"price_y": trade.price_y, "price_x": trade.price_x}
        tolerance = naked_tolerance(trade, fraction, **at)
        for episode in naked_episodes(trade, **at, tolerance=tolerance, until=until or stored.recorded_utc):
            end = episode.end_utc or until
            seconds = 0.0 if end is None else max(0.0, (end - episode.begin_utc).total_seconds())
            if seconds:
                dollars = episode.dollar_seconds / seconds
                found.append(NakedTime(pair=trade.pair, seconds=seconds, dollars=dollars))
    return found


def waiting_signals(platform: "Platform", key: PartitionKey, trading: SessionTrading) -> tuple[int, list[str]]:
    """How many signals ask for a trade, and which have no outcome although time for it has passed.

    A signal whose trade is still at work waits for it.
    """
    length = timedelta(minutes=platform.settings.frequency.minutes)
    asked, waiting = 0, []
    for mode, until in trading.until_utc.items():
        signals = SignalKey(run_mode=mode, sector=key.sector, session=key.session)
        asked += sum(row["action"] in FILLED_ACTIONS for row in signal_rows(platform.database, signals))
        at_work = {
            stored.trade.pair
            for stored in trading.trades
            if stored.origin.run_mode == mode and not stored.trade.state.ended
        }
        waiting += [
            f"{row['pair']} at {row['bar_utc']:%H:%M} UTC"
            for row in signals_without_outcome(platform.database, signals)
            if row["bar_utc"] + (1 + OUTCOME_BARS) * length <= until and row["pair"] not in at_work
        ]
    return asked, waiting


def _accounts(platform: "Platform", key: PartitionKey) -> list[AccountKey]:
    accounts = accounts_of_session(platform.database, key.session)
    if not accounts:
        raise NotFound(f"no account was written down in {key.session}: no trader ran, or what it stored was replaced")
    return accounts


def _of_day(platform: "Platform", account: AccountKey, key: PartitionKey) -> list[EquityRow]:
    begin = market_midnight(key.session)
    return equity_between(platform.database, account, begin, market_midnight(key.session + timedelta(days=1)))


def _metadata(platform: "Platform", until: datetime) -> dict[str, str]:
    return {"source": platform.market_data.label, "until_utc": until.isoformat(timespec="seconds")}


def _portfolio_of(platform: "Platform", account: AccountKey, key: PartitionKey) -> pd.DataFrame:
    rows = _of_day(platform, account, key)
    before = newest_equity(platform.database, account, before=market_midnight(key.session)) or rows[0]
    stored = position_rows(platform.database, account, rows[0].at_utc, rows[-1].at_utc)
    held = {at: list(each) for at, each in groupby(stored, key=lambda row: row["at_utc"])}
    lines = [_snapshot(account, row, before, held.get(row.at_utc, ()), key.sector) for row in rows]
    frame = pd.DataFrame(lines)
    risk = _risk(platform, rows[-1], held.get(rows[-1].at_utc, ()), key)
    for name in ("volatility", "value_at_risk", "expected_shortfall"):
        frame[name] = float("nan")
        frame.loc[frame.index[-1], name] = risk.get(name, float("nan"))
    return frame


def _snapshot(
    account: AccountKey, row: EquityRow, before: EquityRow, held: Sequence[Mapping[str, Any]], sector: str
) -> dict[str, Any]:
    names: dict[str, float] = defaultdict(float)
    of_sector: dict[str, float] = defaultdict(float)
    for position in held:
        value = position["market_value"] or 0.0
        names[position["symbol"]] += value
        if position["sector"] == sector:
            of_sector[position["symbol"]] += value
    return {
        **vars(account),
        "at_utc": row.at_utc,
        "equity": row.equity,
        "cash": row.cash,
        "change": row.equity - before.equity,
        "drawdown": max(0.0, 1.0 - row.equity / row.high_water),
        "gross": sum(abs(value) for value in names.values()) / row.equity,
        "net": sum(names.values()) / row.equity,
        "largest_name": max((abs(value) for value in names.values()), default=0.0) / row.equity,
        "sector_gross": sum(abs(value) for value in of_sector.values()) / row.equity,
        "open_pairs": len({position["spread_order_id"] for position in held} - {""}),
    }


def _risk(
    platform: "Platform", row: EquityRow, held: Sequence[Mapping[str, Any]], key: PartitionKey
) -> dict[str, float]:
    """How far the account may move; nothing where that is not known, as of a symbol without a history."""
    shares: dict[str, float] = defaultdict(float)
    for position in held:
        shares[position["symbol"]] += position["quantity"]
    if not any(shares.values()):
        return dict.fromkeys(("volatility", "value_at_risk", "expected_shortfall"), 0.0)
    market = market_before(platform, key.session)
    prices = {position["symbol"]: position["price"] for position in held if position["price"]}
    if market is None:
        return {}
    try:
        found = exposure(Book(equity=row.equity, holdings=(), prices=prices, foreign=shares), market)
    except UnusableInput:
        return {}
    risk = {"volatility": found.volatility}
    if found.days >= platform.settings.risk.limits.min_history_days:
        risk |= {"value_at_risk": found.value_at_risk, "expected_shortfall": found.expected_shortfall}
    return risk
