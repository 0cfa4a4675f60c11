"""What a trader asks first about a session and a sector: what to trade, when, and how much; from the configuration.

Everything was known at the close of the as-of session. What does not belong here: making a configuration
(`core.selection.trading_config`), and what signals say during the session (`database.signals`).
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.risk.sizing import Sizing, SizingInput, SpreadVariance, size_entry, standing_caps
from pairs_platform.core.screening.spread import expected_move_bps
from pairs_platform.core.selection.trading_config import ConfiguredPair, TradingConfig
from pairs_platform.core.trading.legs import ORDER_NOTE, Legs
from pairs_platform.core.trading.rule import stop_band
from pairs_platform.core.trading.settings import TradingSettings
from pairs_platform.views.account_worth import AccountWorth, account_worth

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

SIDES_COMPARED = 20
"""Stored sessions, the newest included, among which the side of a pair is looked for."""

_SESSION_MINUTES = Frequency.ONE_DAY.minutes


@dataclass(frozen=True, kw_only=True)
class PlannedPair:
    """One selected pair, as of the last close.

    Attributes
    ----------
    pair : str
    legs : Legs
    z : float or None
        z at the last close; None where a leg had no price.
    stop_z : float
        |z| of the stop at the volatility of the last close; it moves with the volatility during the session.
    half_life_bars : float
        Of the AR(1)-GARCH fit, as signals and time stop have it; the ranking's is that of the screen.
    half_life_minutes : float
        In trading time; a session has 390.
    size : float
        Share of a full position.
    size_reason : str
    sizing : Sizing or None
        Dollars of an entry at the entry's z and the volatility of the last close into an empty book; None where the
        account's worth is not known.
    expected_move_bps, round_trip_cost_bps : float
        From entry to exit, and of entering and leaving both legs [bp of the gross value].
    modelled : bool
        Whether signals take the pair's spread and probability from the champion.
    """

    pair: str
    legs: Legs
    z: float | None
    stop_z: float
    half_life_bars: float
    half_life_minutes: float
    size: float
    size_reason: str
    sizing: Sizing | None
    expected_move_bps: float
    round_trip_cost_bps: float
    modelled: bool

    @property
    def nearer_side(self) -> int:
        """Position of the entry that is nearer: +1 long the spread where z is negative, −1 short where it is not."""
        return 1 if self.z is not None and self.z < 0 else -1


@dataclass(frozen=True)
class SideChange:
    """A pair whose first leg, the one that is bought far below the mean, was the other one up to a session.

    Attributes
    ----------
    pair, y : str
        `y` is the first leg now.
    since : date
        The first session that has it so.
    """

    pair: str
    y: str
    since: date

    def __str__(self) -> str:
        return f"side of {self.pair} changed since {self.since}: at low z {self.y} is bought, before it was sold"


@dataclass(frozen=True, kw_only=True)
class TradingPlan:
    """What may be traded in `valid_for`, decided at the close of `session`.

    Attributes
    ----------
    session, valid_for : date
    sector, source_label : str
    trading : TradingSettings
    pairs : tuple of PlannedPair
        In rank order; empty where none is selected.
    why_none : tuple of str
        Where none is: which gates reject how many pairs.
    side_changes : tuple of SideChange
        Selected pairs whose regression had its legs the other way round in an earlier session.
    held_back : tuple of str
        Pairs that pass every gate and take no new entries, and why.
    target_volatility_bps : float
        Volatility of a bar up to which a signal's size is the whole one.
    worth : AccountWorth
        Of the account whose dollars the sizes are.
    risk : RiskSettings
    """

    session: date
    valid_for: date
    sector: str
    source_label: str
    trading: TradingSettings
    pairs: tuple[PlannedPair, ...]
    why_none: tuple[str, ...]
    held_back: tuple[str, ...]
    target_volatility_bps: float
    worth: AccountWorth
    risk: RiskSettings
    side_changes: tuple[SideChange, ...] = ()

    @property
    def headline(self) -> str:
        """For which session, and how many pairs."""
        n = len(self.pairs)
        count = "no pair to trade" if not n else f"{n} pair{'s' if n > 1 else ''} to trade"
        return f"For session {self.valid_for}: {count} · {self.sector}"

    @property
    def place(self) -> str:
        """When it was decided, and where its prices come from."""
        return f"decided at the close of {self.session} · {self.source_label}"

    @property
    def rule(self) -> str:
        """When a position is opened and closed, for every pair."""
        return (
            f"Enter at |z| ≥ {self.trading.entry_z:g}: the order below, or the opposite one at the opposite z. Exit at "
            f"|z| ≤ {self.trading.exit_z:g}, or after {self.trading.max_half_lives:g} half-lives. Decided at the close "
            "of each bar."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the figures of the pairs mean; without a pair, what the orders of rejected pairs mean."""
        if not self.pairs:
            return (*self.held_back, ORDER_NOTE)
        reasons: dict[str, list[str]] = {}
        for pair in self.pairs:
            reasons.setdefault(pair.size_reason, []).append(pair.pair)
        modelled = [pair.pair for pair in self.pairs if pair.modelled]
        champion = f"Signals of {', '.join(modelled)} use the champion's own spread, whose legs and β may differ."
        return (
            *self.held_back,
            ORDER_NOTE,
            *(
                f"Size of {'every pair' if len(reasons) == 1 else ', '.join(names)}: {reason}."
                for reason, names in reasons.items()
            ),
            self._dollars,
            f"A signal's size is this × min(1, {self.target_volatility_bps:g} bp / volatility of the next bar).",
            "z is at the last close; the stop moves with the volatility.",
            "The half-life is that of the AR(1)-GARCH fit, from which the time stop follows; the ranking has the "
            "screen's, by least squares.",
            *([champion] if modelled else []),
            *(f"The {change}." for change in self.side_changes),
        )

    @property
    def _dollars(self) -> str:
        """Of which account the dollars of a size are, and what sets them."""
        if self.worth.equity is None:
            return f"Sizes in dollars are not known: {self.worth.words}."
        sizing = self.risk.sizing
        return (
            f"Dollars are the gross value of both legs for {self.worth.words}: size × the smallest of volatility (the "
            f"result until the half-life varies by {sizing.volatility_target:.2%} of it), stop (a stop costs "
            f"{sizing.stop_risk:.2%} of it) and cap, for an entry at |z| {self.trading.entry_z:g} into an empty book. "
            "The trader decides with the prices, volumes and book of its moment."
        )


def trading_plan(platform: "Platform", key: PartitionKey) -> TradingPlan:
    """The plan that follows from the configuration made at the close of `key.session`.

    Raises
    ------
    PartitionMissing
        The configuration or the ranking is not stored.
    """
    from pairs_platform.core.partition_key import keys_of
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.views.trading_config import read_trading_config

    config = read_trading_config(platform, key)
    stored = platform.lake.sessions(COINTEGRATED_PAIRS.table, key.sector)
    recent = [session for session in stored if session <= key.session][-SIDES_COMPARED:]
    sides = platform.lake.read_many(COINTEGRATED_PAIRS, keys_of(recent, key.sector), ["pair", "y"], with_session=True)
    plan = plan_of(
        config,
        platform.lake.read(COMPOSITE_RANKINGS, key),
        sessions_averaged=platform.settings.selection.sessions_averaged,
        target_volatility_bps=platform.settings.signals.target_volatility_bps,
        worth=account_worth(platform),
        risk=platform.settings.risk_settings,
    )
    return replace(plan, side_changes=side_changes({pair.pair: pair.legs.y for pair in plan.pairs}, sides))


def side_changes(first_legs: Mapping[str, str], sides: pd.DataFrame) -> tuple[SideChange, ...]:
    """Pairs whose first leg is another one than in an earlier session.

    Parameters
    ----------
    first_legs : mapping of str to str
        Pair to its first leg now.
    sides : DataFrame
        session, pair, y: first legs of this session and of earlier ones; a session without the pair says nothing.
    """
    changes = []
    for pair, y in first_legs.items():
        others = sides[(sides["pair"] == pair) & sides["y"].notna()].sort_values("session")
        before = others.loc[others["y"] != y, "session"]
        if len(before):
            after = others.loc[others["session"] > before.iloc[-1], "session"]
            changes += [SideChange(pair, y, after.iloc[0].date())] if len(after) else []
    return tuple(changes)


def plan_of(
    config: TradingConfig,
    rankings: pd.DataFrame,
    *,
    sessions_averaged: int,
    target_volatility_bps: float,
    worth: AccountWorth,
    risk: RiskSettings,
) -> TradingPlan:
    """The plan of a configuration and the `composite_rankings` that it was made from."""
    n_scored = dict(zip(rankings["pair"], rankings["n_scored_sessions"], strict=True))
    modelled = set(config.model.pairs) if config.model else set()
    passing = set(rankings.loc[rankings["selected"], "pair"])
    held_back = [pair for pair in config.pairs if pair.pair in passing and pair.role != "selected"]
    return TradingPlan(
        session=config.session,
        valid_for=config.valid_for,
        sector=config.sector,
        source_label=config.source_label,
        trading=config.trading,
        pairs=tuple(
            replace(
                _planned(pair, n_scored[pair.pair], config, sessions_averaged, modelled=pair.pair in modelled),
                sizing=None if worth.equity is None else entry_sizing(pair, config, worth.equity, risk),
            )
            for pair in config.with_role("selected")
        ),
        why_none=() if config.with_role("selected") or held_back else _why_none(rankings),
        held_back=tuple(f"{pair.pair}: {pair.explanation}." for pair in held_back),
        target_volatility_bps=target_volatility_bps,
        worth=worth,
        risk=risk,
    )


def entry_sizing(pair: ConfiguredPair, config: TradingConfig, equity: float, risk: RiskSettings) -> Sizing:
    """Dollars of an entry at the entry's z after a session's first bar, at the volatility of the last close.

    The book is empty, and neither whole shares nor volumes cut it.
    """
    spread, garch = pair.spread, pair.garch
    if spread is None or garch is None or garch.half_life_bars is None or garch.max_hold_bars is None:
        raise ValueError(f"{pair.pair} is selected without a spread: the configuration's own check refuses that")
    return size_entry(
        SizingInput(
            equity=equity,
            beta=spread.beta,
            deviation=config.trading.entry_z * spread.sigma,
            band=float(stop_band(spread.sigma, garch.last_variance, garch.reference_variance)),
            stop_multiple=config.trading.stop_multiple,
            half_life_bars=garch.half_life_bars,
            max_hold_bars=garch.max_hold_bars,
            spread=SpreadVariance(
                phi=garch.phi, omega=garch.omega, alpha1=garch.alpha1, beta1=garch.beta1,
                next_variance=garch.last_variance, diurnal=garch.diurnal, next_bar_of_day=1 % len(garch.diurnal),
            ),
            size=pair.size,
            caps=standing_caps(equity, beta=spread.beta, entries=risk.entries, limits=risk.limits),
        ),
        risk.sizing,
    )  # fmt: skip


def _planned(
    pair: ConfiguredPair, n_scored: int, config: TradingConfig, averaged: int, *, modelled: bool
) -> PlannedPair:
    spread, garch = pair.spread, pair.garch
    if spread is None or garch is None or garch.half_life_bars is None:
        raise ValueError(f"{pair.pair} is selected without a spread: the configuration's own check refuses that")
    last = garch.last_spread
    scores = f"{n_scored} of {averaged} scores"
    return PlannedPair(
        pair=pair.pair,
        legs=Legs(spread.y, spread.x, spread.beta),
        z=None if last is None else (last - spread.mu) / spread.sigma,
        stop_z=config.trading.stop_multiple * float(stop_band(1.0, garch.last_variance, garch.reference_variance)),
        half_life_bars=garch.half_life_bars,
        half_life_minutes=garch.half_life_bars * config.frequency.minutes,
        size=pair.size,
        size_reason=f"provisional, {scores} so far" if pair.provisional else f"full, {scores}",
        sizing=None,
        expected_move_bps=expected_move_bps(
            spread.sigma, spread.beta, entry_z=config.trading.entry_z, exit_z=config.trading.exit_z
        ),
        round_trip_cost_bps=config.costs.round_trip_bps,
        modelled=modelled,
    )


def _why_none(rankings: pd.DataFrame) -> tuple[str, ...]:
    """How many pairs each gate rejects, the strictest first, and the pair that came nearest."""
    if rankings.empty:
        return ("The window holds no pair.",)
    rejected = rankings["first_failed_gate"].value_counts()
    gates = ", ".join(f"{gate} {count}" for gate, count in rejected.items())
    nearest = rankings.iloc[0]
    return (
        f"The gate {rejected.index[0]} rejects most of the {len(rankings)} pairs; rejected by {gates}.",
        "This is a normal outcome: the gates are never loosened to fill the table.",
        f"Nearest: {nearest['pair']}, {nearest['explanation']}",
    )


def trading_time(minutes: float) -> str:
    """Trading time as a trader says it: minutes, hours, or sessions of 390 minutes."""
    if minutes < 120:
        return f"{minutes:.0f} min"
    if minutes < _SESSION_MINUTES:
        return f"{minutes / 60:.1f} h"
    return f"{minutes / _SESSION_MINUTES:.1f} sessions"


def pair_words(pair: PlannedPair, trading: TradingSettings) -> tuple[str, ...]:
    """A pair in short phrases, with the order of the side that is nearer to its entry."""
    side = pair.nearer_side
    away = "" if pair.z is None else _away(abs(pair.z), trading.entry_z, pair.stop_z)
    return (
        f"z {_signed(pair.z)}",
        f"{pair.legs.entry(side)} at {_at(side, trading.entry_z)}{away}",
        f"β {pair.legs.beta:.2f}",
        f"half-life {pair.half_life_bars:.0f} bars ({trading_time(pair.half_life_minutes)})",
        f"stop |z| {pair.stop_z:.1f}",
        *_size_words(pair),
        f"move {pair.expected_move_bps:.0f} bp, cost {pair.round_trip_cost_bps:g} bp",
    )


def plan_lines(plan: TradingPlan, width: int) -> list[str]:
    """A plan as lines for a terminal of `width` columns."""
    lines = [plan.headline, *_filled(plan.place, width), ""]
    if not plan.pairs:
        return lines + [line for text in (*plan.why_none, *plan.notes) for line in _filled(text, width)]
    lines += _filled(plan.rule, width)
    longest = max(len(pair.pair) for pair in plan.pairs)
    for number, pair in enumerate(plan.pairs, 1):
        z, *phrases = pair_words(pair, plan.trading)
        lines += _wrapped([f"{number:>2} {pair.pair:<{longest}}  {z}", *phrases], width, indent="   ")
    return [*lines, "", *(line for note in plan.notes for line in _filled(note, width))]


def plan_frame(plan: TradingPlan) -> pd.DataFrame:
    """The pairs of a plan as a table of texts, a row for each."""
    entry, exit_ = plan.trading.entry_z, plan.trading.exit_z
    return pd.DataFrame(
        [
            {
                "pair": pair.pair,
                f"at z ≤ −{entry:g}": pair.legs.entry(1),
                f"at z ≥ +{entry:g}": pair.legs.entry(-1),
                "β": f"{pair.legs.beta:.3f}",
                "z at the close": _signed(pair.z),
                "exit |z| ≤": f"{exit_:g}",
                "stop |z| >": f"{pair.stop_z:.1f}",
                "half-life, bars": f"{pair.half_life_bars:.0f}",
                "half-life, time": trading_time(pair.half_life_minutes),
                "size": f"{pair.size:g}",
                "why this size": pair.size_reason,
                **_dollar_cells(pair),
                "move, bp": f"{pair.expected_move_bps:.0f}",
                "cost, bp": f"{pair.round_trip_cost_bps:g}",
            }
            for pair in plan.pairs
        ]
    )


def _size_words(pair: PlannedPair) -> tuple[str, ...]:
    """The size of a pair, and in dollars with what sets them."""
    given = pair.sizing
    if given is None:
        return (f"size {pair.size:g}",)
    if given.denial is not None:
        return (f"size {pair.size:g}", f"no dollars: {given.denial.message}")
    of = ", ".join(f"{name} ${dollars:,.0f}" for name, dollars in _offers(given))
    return f"size {pair.size:g}: ${given.gross:,.0f}", f"set by {_in_words(given.set_by)} ({of})"


def _dollar_cells(pair: PlannedPair) -> dict[str, str]:
    given = pair.sizing
    if given is None or given.denial is not None:
        return {"dollars": "unknown" if given is None or given.denial is None else given.denial.message}
    return {
        "dollars": f"{given.gross:,.0f}",
        "set by": _in_words(given.set_by),
        **{f"by {name}, $": f"{dollars:,.0f}" for name, dollars in _offers(given)},
    }


def _offers(given: Sizing) -> list[tuple[str, float]]:
    """What a full size would be by volatility, by the stop, and by the smallest cap."""
    return [("volatility", given.by_volatility), ("stop", given.by_stop), ("cap", min(given.caps.values()))]


def _in_words(set_by: str) -> str:
    return {"order": "the cap of an order", "name": "the cap of a name", "pair_gross": "the cap of a pair"}.get(
        set_by, f"the {set_by}"
    )


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False)


def _wrapped(phrases: Sequence[str], width: int, indent: str) -> list[str]:
    """Phrases on lines of at most `width`, broken between them; a longer one has a line of its own."""
    lines = [phrases[0]]
    for phrase in phrases[1:]:
        if len(lines[-1]) + 3 + len(phrase) <= width:
            lines[-1] += f" · {phrase}"
        else:
            lines.append(indent + phrase)
    return lines


def _signed(z: float | None) -> str:
    return "unknown" if z is None else f"{z:+.2f}".replace("-", "−")


def _at(side: int, entry_z: float) -> str:
    return f"z ≤ −{entry_z:g}" if side > 0 else f"z ≥ +{entry_z:g}"


def _away(distance: float, entry_z: float, stop_z: float) -> str:
    """How far |z| is from the entry band, which ends at the stop."""
    if distance > stop_z:
        return " (beyond the stop)"
    return f" ({entry_z - distance:.2f} away)" if distance < entry_z else " (there now)"
