"""No sequence of signals and fills breaks a limit of the book: sizing, shares and checks together, on a small book."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.risk.checks import check_entry
from pairs_platform.core.risk.exposure import Holding, exposure, market_risk
from pairs_platform.core.risk.limits import Limit, exposure_breaches
from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, RiskSettings
from pairs_platform.core.risk.sizing import SizingInput, SpreadVariance, entry_caps, size_entry
from pairs_platform.core.trading.quantities import leg_quantities
from pairs_platform_tests.support.risk_entries import book, context, request, symbol_state

PRICES = {"A": 35.0, "B": 220.0, "C": 61.0, "D": 140.0, "E": 9.5}
SECTORS = {"A_B": "technology", "A_C": "technology", "B_C": "technology", "D_E": "energy", "A_D": "energy"}
BETAS = {"A_B": 1.4, "A_C": 0.6, "B_C": 0.9, "D_E": 2.2, "A_D": 0.45}
MARKET = market_risk(
    tuple(PRICES),
    0.015 * (np.random.default_rng(8).standard_normal((90, 1)) + np.random.default_rng(9).standard_normal((90, 5))),
)
SPREAD = SpreadVariance(
    phi=0.9, omega=2e-8, alpha1=0.08, beta1=0.9, next_variance=1e-6, diurnal=(2.0, 0.9), next_bar_of_day=1
)
TIGHT = RiskSettings(
    entries=EntrySettings(max_order_notional=6_000),
    limits=LimitSettings(
        max_gross=0.30, max_net=0.04, max_beta_net=0.03, max_pair_gross=0.09, max_name=0.055, max_sector_gross=0.16,
        max_open_pairs=4, max_pairs_of_symbol=2, max_volatility=0.02, max_stress_loss=0.01,
    ),
)  # fmt: skip
WATCHED = (Limit.VALUE_AT_RISK, Limit.EXPECTED_SHORTFALL)
"""Limits of history, which may grow when a pair leaves: they end entries and are not kept by checks."""


@dataclass
class Trade:
    """A pair's shares that were let pass, and the part of them that is filled, both legs in step."""

    target: tuple[int, int]
    filled: float = 0.0


@dataclass
class Account:
    """Pairs that are held, as a trader would book them."""

    rules: RiskSettings
    trades: dict[str, Trade] = field(default_factory=dict)
    binding: set[str] = field(default_factory=set)

    def book(self, *, filled: bool):
        holdings = []
        for pair, trade in self.trades.items():
            part = trade.filled if filled else 1.0
            shares_y, shares_x = (int(part * shares) for shares in trade.target)
            y, x = pair.split("_")
            holdings.append(Holding(pair=pair, sector=SECTORS[pair], y=y, x=x, shares_y=shares_y, shares_x=shares_x))
        return book(*holdings, prices=PRICES)

    def enter(self, pair: str, position: int) -> None:
        y, x = pair.split("_")
        held = self.book(filled=False)
        caps = entry_caps(
            held, y=y, x=x, position=position, beta=BETAS[pair], mean_daily_volumes=dict.fromkeys(PRICES, 1e6),
            entries=self.rules.entries, limits=self.rules.limits,
        )  # fmt: skip
        sizing = size_entry(
            SizingInput(
                equity=held.equity, beta=BETAS[pair], deviation=0.01 * -position, band=0.006, stop_multiple=4.0,
                half_life_bars=6.0, max_hold_bars=18.0, spread=SPREAD, caps=caps,
            ),
            self.rules.sizing,
        )  # fmt: skip
        wanted = leg_quantities(sizing.gross, position=position, beta=BETAS[pair], price_y=PRICES[y], price_x=PRICES[x])
        asked = request(
            pair=pair, sector=SECTORS[pair], beta=BETAS[pair], action="enter_long" if position > 0 else "enter_short",
            y={"symbol": y, "quantity": wanted.y, "limit_price": PRICES[y]},
            x={"symbol": x, "quantity": wanted.x, "limit_price": PRICES[x]},
        )  # fmt: skip
        where = context(book=held, market=MARKET)
        where = replace(where, symbols={name: symbol_state(price) for name, price in PRICES.items()})
        decision = check_entry(asked, where, self.rules)
        self.binding |= {sizing.set_by, *(str(denial.code) for denial in decision.denials)}
        if decision.quantities is not None:
            self.trades[pair] = Trade((decision.quantities.y, decision.quantities.x))

    def step(self, pair: str, what: str, part: float) -> None:
        if pair not in self.trades:
            if what in ("enter_long", "enter_short"):
                self.enter(pair, 1 if what == "enter_long" else -1)
        elif what == "fill":
            self.trades[pair].filled = max(self.trades[pair].filled, part)
        elif what == "partial_exit":
            self.trades[pair].filled *= part
        elif what == "exit":
            del self.trades[pair]

    def broken(self) -> list[str]:
        """Limits that what is filled, or what would be if all orders were filled, is beyond."""
        found = [exposure(self.book(filled=filled), MARKET) for filled in (True, False)]
        return [
            breach.message
            for each in found
            for breach in exposure_breaches(each, self.rules.limits)
            if breach.limit not in WATCHED and breach.value > breach.bound + one_share_of_each_pair(self, breach.limit)
        ]


def one_share_of_each_pair(account: Account, limit: Limit) -> float:
    """What rounding to whole shares may add to a net value while legs fill in step; to nothing else."""
    if limit not in (Limit.NET, Limit.BETA_NET):
        return 0.0
    return sum(PRICES[leg] for pair, t in account.trades.items() if 0 < t.filled < 1 for leg in pair.split("_")) / 1e5


STEPS = st.tuples(
    st.sampled_from(sorted(SECTORS)),
    st.sampled_from(["enter_long", "enter_short", "enter_long", "enter_short", "fill", "partial_exit", "exit"]),
    st.floats(0.0, 1.0),
)


@settings(max_examples=40)
@given(st.lists(STEPS, min_size=5, max_size=25))
def test_no_sequence_of_signals_and_fills_breaks_a_limit(steps):
    account = Account(TIGHT)
    for step in steps:
        account.step(*step)
        assert account.broken() == [], step


LOOSE = {
    "max_gross": 20, "max_net": 10, "max_beta_net": 10, "max_pair_gross": 10, "max_name": 10, "max_sector_gross": 20,
    "max_volatility": 5, "max_stress_loss": 1, "max_value_at_risk": 1, "max_expected_shortfall": 1,
}  # fmt: skip
ALONE = {
    Limit.GROSS: 0.31, Limit.NET: 0.02, Limit.BETA_NET: 0.02, Limit.PAIR_GROSS: 0.06, Limit.NAME: 0.05,
    Limit.SECTOR_GROSS: 0.14, Limit.OPEN_PAIRS: 2, Limit.PAIRS_OF_SYMBOL: 1, Limit.VOLATILITY: 0.015,
}  # fmt: skip
STRESS_ALONE = {Limit.STRESS: {"max_stress_loss": 0.012}}


@pytest.mark.parametrize("limit", [*ALONE, Limit.STRESS], ids=str)
def test_each_limit_binds_and_is_kept_where_it_is_the_only_one(limit):
    """Else the property would hold for a book that something else limits."""
    change = STRESS_ALONE.get(limit) or {f"max_{limit}": ALONE[limit]}
    rules = RiskSettings(entries=EntrySettings(max_order_notional=1e6), limits=LimitSettings(**LOOSE | change))
    rng = np.random.default_rng(1)
    account = Account(rules)
    for _ in range(60):
        what = ("enter_long", "enter_short", "exit")[rng.integers(3)]
        account.step(sorted(SECTORS)[rng.integers(len(SECTORS))], what, 1.0)
        assert account.broken() == []
    assert str(limit) in account.binding
