"""What a trader asks first: from small tables of the stage, without a lake."""

import dataclasses
from datetime import date

import pandas as pd
import pytest

from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.risk.sizing import SpreadVariance, expected_variances, holding_variance
from pairs_platform.core.selection.trading_config import ModelSection
from pairs_platform.core.trading.legs import ORDER_NOTE
from pairs_platform.core.trading.settings import TradingSettings
from pairs_platform.views.account_worth import AccountWorth
from pairs_platform.views.pair_orders import HIGH_Z, LOW_Z, with_orders
from pairs_platform.views.trading_plan import (
    SideChange,
    TradingPlan,
    pair_words,
    plan_frame,
    plan_lines,
    plan_of,
    side_changes,
    trading_time,
)
from pairs_platform_tests.support.selection_tables import configured

FRIDAY, MONDAY = date(2023, 3, 10), date(2023, 3, 13)
SPREAD = SpreadVariance(
    phi=0.95, omega=1e-8, alpha1=0.08, beta1=0.9, next_variance=1e-6 / 3, diurnal=(2.8, 0.9, 0.1 + 0.2),
    next_bar_of_day=1,
)  # fmt: skip
"""Of the fits of `selection_tables`, at the close of a session's first bar."""
MODEL = ModelSection(name="models", version=4, session=FRIDAY, pairs=("A_B",))


WORTH = AccountWorth(100_000.0, "$100,000, with which the paper account begins")


def plan(
    scores: dict[str, float], model: ModelSection | None = None, worth: AccountWorth = WORTH, **told: dict[str, str]
) -> TradingPlan:
    rankings, config = configured(scores, FRIDAY, model=model, **told)
    return plan_of(config, rankings, sessions_averaged=3, target_volatility_bps=10, worth=worth, risk=RiskSettings())


def test_first_lines_say_for_which_session_how_many_pairs_and_from_which_prices():
    first, second, *_ = plan_lines(plan({"A_B": 0.9, "A_C": 0.8, "A_D": 0.2}), 80)
    assert first == f"For session {MONDAY}: 2 pairs to trade · technology"
    assert second == f"decided at the close of {FRIDAY} · SIMULATED market"


def test_a_pair_has_order_levels_half_life_size_move_and_cost():
    """s at the last close is 0.02 with σ 0.01: z = 2, and y, which is B, is sold; the stop has 4 √(h/h̄) = 3.2 σ."""
    lines = plan_lines(plan({"A_B": 0.9}), 120)
    shown = " ".join(line.strip() for line in lines)
    for phrase in (
        "1 A_B  z +2.00 · sell B, buy 1.00 A at z ≥ +2",
        "β 1.00",
        "half-life 14 bars (68 min)",
        "stop |z| 3.2",
        "size 0.5: $5,000",
        "set by the cap of a pair (volatility $",
        "gross value of both legs for $100,000, with which the paper account begins",
        "move 75 bp, cost 4 bp",
        "Exit at |z| ≤ 0.5",
        "Size of every pair: provisional, 1 of 3 scores so far.",
        "US dollars at entry, not shares",
        "The half-life is that of the AR(1)-GARCH fit",
    ):
        assert phrase in shown


def test_dollars_are_those_of_the_sizing_for_the_account():
    """β = 1, σ = 0.01: the stop is 3.27 σ from the mean, an entry at 2 σ."""
    (pair,) = plan({"A_B": 0.9}).pairs
    given = pair.sizing
    band = 0.01 * (1e-6 / 3 / 5.1e-7) ** 0.5
    to_stop, gap = 4 * band - 0.02, 2.8 * expected_variances(SPREAD, 3)[-1] ** 0.5
    assert given.by_stop == pytest.approx(0.0025 * 100_000 * 2 / (to_stop + gap))
    assert given.by_volatility == pytest.approx(0.0015 * 100_000 * 2 / holding_variance(SPREAD, 14) ** 0.5)
    assert given.gross == pytest.approx(0.5 * 10_000)
    (row,) = plan_frame(plan({"A_B": 0.9})).to_dict("records")
    assert (row["dollars"], row["set by"], row["by cap, $"]) == ("5,000", "the cap of a pair", "10,000")


def test_an_account_of_which_nothing_is_known_gives_no_dollars():
    shown = plan({"A_B": 0.9}, worth=AccountWorth(None, "nobody has asked"))
    assert any(note == "Sizes in dollars are not known: nobody has asked." for note in shown.notes)
    assert not any("$" in line for line in plan_lines(shown, 120))
    assert plan_frame(shown)["dollars"].tolist() == ["unknown"]


@pytest.mark.parametrize("others", [{}, {"A_C": 0.9}], ids=["alone", "beside another"])
def test_a_pair_that_drifts_is_named_with_the_reason(others):
    shown = plan({"A_B": 0.9, **others}, held_back={"A_B": "β has moved"})
    lines = " ".join(plan_lines(shown, 80))
    assert f"For session {MONDAY}: {'1 pair' if others else 'no pair'} to trade" in lines
    assert f"A_B: {shown.held_back[0].removeprefix('A_B: ')}" in lines
    assert shown.held_back[0].endswith(f"but no new entries in {MONDAY}: β has moved.")


def test_every_line_fits_a_terminal_of_80_columns():
    shown = plan({"GOOGL_MSFT": 0.9, "AVGO_PDFS": 0.8}, ModelSection(**{**dict(MODEL), "pairs": ("AVGO_PDFS",)}))
    assert max(map(len, plan_lines(shown, 80))) <= 80


def test_signals_that_rest_on_the_champions_spread_are_named():
    assert not any("champion" in note for note in plan({"A_B": 0.9}).notes)
    assert any(
        note.startswith("Signals of A_B use the champion's own spread") for note in plan({"A_B": 0.9}, MODEL).notes
    )


def test_no_pair_is_said_first_with_the_gate_that_rejects_most():
    empty = plan({"A_B": 0.6, "A_C": 0.3})
    lines = plan_lines(empty, 120)
    assert lines[0] == f"For session {MONDAY}: no pair to trade · technology"
    assert "The gate score rejects most of the 2 pairs; rejected by score 2." in lines
    assert any(line.startswith("Nearest: A_B, stopped at score") for line in lines)
    assert empty.notes == (ORDER_NOTE,), "the ranking below it has orders too"
    assert plan_frame(empty).empty


def test_a_pair_whose_regression_has_turned_its_legs_is_named_with_the_session():
    sessions = pd.to_datetime(["2025-06-02", "2025-06-03", "2025-06-04", "2025-06-05"])
    sides = pd.concat(
        [
            pd.DataFrame({"session": sessions, "pair": "A_B", "y": ["B", "A", "B", "B"]}),
            pd.DataFrame({"session": sessions, "pair": "C_D", "y": ["C", None, "C", "C"]}),
        ]
    )
    [change] = side_changes({"A_B": "B", "C_D": "C", "E_F": "E"}, sides)
    assert change == SideChange("A_B", "B", date(2025, 6, 4))
    changed = dataclasses.replace(plan({"A_B": 0.9}), side_changes=(change,))
    assert "The side of A_B changed since 2025-06-04: at low z B is bought, before it was sold." in changed.notes


def test_how_far_the_entry_is_and_that_there_is_none_beyond_the_stop():
    (pair,) = plan({"A_B": 0.9}).pairs
    shown = [pair_words(dataclasses.replace(pair, z=z), TradingSettings())[1] for z in (-0.5, 2.5, -3.5, None)]
    assert shown == [
        "buy B, sell 1.00 A at z ≤ −2 (1.50 away)",
        "sell B, buy 1.00 A at z ≥ +2 (there now)",
        "buy B, sell 1.00 A at z ≤ −2 (beyond the stop)",
        "sell B, buy 1.00 A at z ≥ +2",
    ]


def test_table_has_both_orders_of_a_pair():
    (row,) = plan_frame(plan({"A_B": 0.9})).to_dict("records")
    assert row["at z ≤ −2"] == "buy B, sell 1.00 A"
    assert row["at z ≥ +2"] == "sell B, buy 1.00 A"
    assert row["half-life, time"] == "68 min"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(39.4, "39 min"), (119, "119 min"), (150, "2.5 h"), (390, "1.0 sessions"), (4680, "12.0 sessions")],
)
def test_trading_time_is_minutes_hours_or_sessions(minutes, words):
    assert trading_time(minutes) == words


def test_a_pair_without_a_fit_has_no_words():
    pairs = pd.DataFrame({"y": ["B", None], "x": ["A", None], "beta": [1.2, None]})
    shown = with_orders(pairs).set_index("y")
    assert shown.loc["B", [LOW_Z, HIGH_Z]].tolist() == ["buy B, sell 1.20 A", "sell B, buy 1.20 A"]
    assert with_orders(pairs)[LOW_Z].iloc[1] is None
