"""What a signal that opens a position asks for, in the words of risk: the way from its row to a trade.

Every number comes from the signal, from what its session rests on, or from what is known of the account; every decision
is `core.risk`'s. What does not belong here: storing and sending (`signals`, `messages`).
"""

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.risk.checks import EntryDecision, EntryLeg, EntryRequest, RiskContext, check_entry
from pairs_platform.core.risk.denials import Denial, DenialCode, Effect, UnusableInput
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.risk.sizing import Sizing, SizingInput, SpreadVariance, entry_caps, expected_move, size_entry
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.intervals import BarInterval, bar_intervals
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.quantities import leg_quantities
from pairs_platform.core.trading.spread_order import SpreadOrder

LONGEST_SESSIONS = 250
"""No position is held for longer than is known of ex-dates in any case."""

_DAY_UNKNOWN = DenialCode.CONFIGURATION_DAY


@dataclass(frozen=True)
class SignalRow:
    """A stored signal that asks for a trade: columns of `signals`."""

    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        """A column."""
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def opens(self) -> bool:
        """Whether it asks for a position, and not for the end of one."""
        return self.values["action"] in ("enter_long", "enter_short")

    def number(self, name: str) -> float:
        """A column that is null where a number is unknown, as NaN."""
        value = self.values[name]
        return math.nan if value is None else float(value)


def trade_id(signal: SignalRow, account: str) -> str:
    """The id of the trade that a signal begins: the same in every process."""
    parts = (account, signal.run_mode, signal.sector, signal.pair, str(moment_ns(signal.bar_utc)))
    digest = base64.b32encode(hashlib.sha256("\x1f".join(parts).encode()).digest()[:10]).decode().lower()
    return f"{signal.pair}-{signal.bar_utc:%Y%m%dT%H%M}-{digest}"


def interval_of(signal: SignalRow, frequency: Frequency) -> tuple[BarInterval, int, int]:
    """The signal's bar, its position in its session, and how many bars that has.

    Raises
    ------
    UnusableInput
        The session has no such bar.
    """
    grid = bar_intervals(signal.session, frequency)
    start = moment_ns(signal.bar_utc)
    for position, interval in enumerate(grid):
        if interval.start_ns == start:
            return interval, position, len(grid)
    raise UnusableInput(f"{signal.bar_utc} is no bar of the session {signal.session}")


@dataclass(frozen=True)
class Entry:
    """What becomes of a signal that opens a position.

    Attributes
    ----------
    trade : SpreadOrder or None
        To be stored and sent; None where anything stops it.
    denials : tuple of Denial
        Every reason that stopped or cut it.
    sizing : Sizing or None
    """

    trade: SpreadOrder | None
    denials: tuple[Denial, ...]
    sizing: Sizing | None = None

    @property
    def stopping(self) -> tuple[Denial, ...]:
        """The reasons that stopped it."""
        return tuple(denial for denial in self.denials if denial.effect is not Effect.CUT)

    @property
    def may_wait(self) -> bool:
        """Whether nothing but time is in its way."""
        return bool(self.stopping) and all(denial.effect is Effect.WAIT for denial in self.stopping)


def entry_of_signal(
    signal: SignalRow,
    state: SessionState,
    context: RiskContext,
    settings: RiskSettings,
    *,
    account: str,
    halved: bool,
) -> Entry:
    """Size an entry, check it, and make the trade of it; a number that is none denies it.

    Parameters
    ----------
    state : SessionState
        What the signal's session rests on now.
    context : RiskContext
        Everything that the entry is held against.
    account : str
    halved : bool
        Whether entries have half the size.
    """
    try:
        return _entry(signal, state, context, settings, account=account, halved=halved)
    except UnusableInput as error:
        return Entry(None, (Denial(code=DenialCode.UNUSABLE_INPUT, effect=Effect.DENY, message=str(error)),))


def _entry(
    signal: SignalRow,
    state: SessionState,
    context: RiskContext,
    settings: RiskSettings,
    *,
    account: str,
    halved: bool,
) -> Entry:
    names = [pair.pair for pair in state.pairs]
    if signal.pair not in names:
        message = f"{signal.pair} is not in the configuration of {state.config_session}"
        return Entry(None, (Denial(code=_DAY_UNKNOWN, effect=Effect.DENY, message=message),))
    k = names.index(signal.pair)
    interval, position_of_bar, n_bars = interval_of(signal, state.frequency)
    sizing = _sized(signal, state, k, context, settings, next_bar=(position_of_bar + 1) % n_bars, halved=halved)
    if sizing.denial is not None:
        return Entry(None, (sizing.denial,), sizing)
    position = 1 if signal.action == "enter_long" else -1
    prices = {leg: context.book.price(leg) for leg in (signal.y, signal.x)}
    quantities = leg_quantities(
        sizing.gross, position=position, beta=signal.beta, price_y=prices[signal.y], price_x=prices[signal.x]
    )
    if quantities.y == 0:
        message = f"{signal.pair} is too small: {sizing.gross:,.0f} dollars ({sizing.set_by}) buy no share of each leg"
        return Entry(None, (Denial(code=DenialCode.HEDGE_ERROR, effect=Effect.DENY, message=message),), sizing)
    request = EntryRequest(
        pair=signal.pair,
        sector=signal.sector,
        action=signal.action,
        bar_end_utc=moment_utc(interval.end_ns),
        beta=signal.beta,
        y=_leg(signal, signal.y, quantities.y, state.frequency),
        x=_leg(signal, signal.x, quantities.x, state.frequency),
        session=signal.session,
        config_hash=signal.config_hash,
        model_version=signal.champion_version,
        expected_move=expected_move(
            deviation=signal.number("spread") - float(state.traded.mu[k]),
            sigma=float(state.traded.sigma[k]),
            beta=signal.beta,
            exit_z=state.trading.exit_z,
        ),
        horizon_end=_horizon_end(signal.session, n_bars - position_of_bar - 1, state, k),
    )
    decision = check_entry(request, context, settings)
    if decision.quantities is None:
        return Entry(None, decision.denials, sizing)
    return Entry(_trade(signal, decision, context, position, prices, account), decision.denials, sizing)


def _sized(
    signal: SignalRow,
    state: SessionState,
    k: int,
    context: RiskContext,
    settings: RiskSettings,
    *,
    next_bar: int,
    halved: bool,
) -> Sizing:
    traded, diurnal = state.traded, state.traded.diurnal[k]
    factor = float(diurnal[next_bar])
    spread = SpreadVariance(
        phi=float(traded.phi[k]),
        omega=float(traded.omega[k]),
        alpha1=float(traded.alpha1[k]),
        beta1=float(traded.beta1[k]),
        next_variance=(signal.number("volatility") / factor) ** 2,
        diurnal=[float(each) for each in diurnal],
        next_bar_of_day=next_bar,
    )
    caps = entry_caps(
        context.book,
        y=signal.y,
        x=signal.x,
        position=1 if signal.action == "enter_long" else -1,
        beta=signal.number("beta"),
        mean_daily_volumes={
            symbol: known.mean_daily_volume
            for symbol, known in context.symbols.items()
            if known.mean_daily_volume is not None
        },
        entries=settings.entries,
        limits=settings.limits,
    )
    return size_entry(
        SizingInput(
            equity=context.book.equity,
            beta=signal.number("beta"),
            deviation=signal.number("spread") - float(traded.mu[k]),
            band=signal.number("band"),
            stop_multiple=state.trading.stop_multiple,
            half_life_bars=half_life_bars(state, k),
            max_hold_bars=float(traded.max_hold[k]),
            spread=spread,
            size=state.pairs[k].size,
            halved=halved,
            caps=caps,
        ),
        settings.sizing,
    )


def half_life_bars(state: SessionState, k: int) -> float:
    """Half-life of a pair's spread, by which its time stop was set."""
    return float(state.traded.max_hold[k]) / state.trading.max_half_lives


def _leg(signal: SignalRow, symbol: str, quantity: int, frequency: Frequency) -> EntryLeg:
    if signal.data_utc is None:
        raise UnusableInput(f"no leg of {signal.pair} has had a bar in {signal.session}")
    behind_ns = moment_ns(signal.bar_utc) - moment_ns(signal.data_utc)
    return EntryLeg(
        symbol=symbol, quantity=quantity, limit_price=None, data_age_bars=max(0, behind_ns // frequency.length_ns)
    )


def _horizon_end(session: date, bars_left: int, state: SessionState, k: int) -> date:
    """The last session in which a position may still be held, by the time stop."""
    beyond = float(state.traded.max_hold[k]) - bars_left
    if beyond <= 0:
        return session
    sessions = math.ceil(min(beyond / len(state.traded.diurnal[k]), LONGEST_SESSIONS))
    return session_offset(session, sessions)


def _trade(
    signal: SignalRow,
    decision: EntryDecision,
    context: RiskContext,
    position: int,
    prices: Mapping[str, float],
    account: str,
) -> SpreadOrder:
    quantities, decided = decision.quantities, context.now_utc
    assert quantities is not None
    return SpreadOrder(
        id=trade_id(signal, account),
        pair=signal.pair,
        y=signal.y,
        x=signal.x,
        position=position,
        beta=signal.beta,
        target_y=quantities.y,
        target_x=quantities.x,
        decided_utc=decided,
        price_y=prices[signal.y],
        price_x=prices[signal.x],
    )
