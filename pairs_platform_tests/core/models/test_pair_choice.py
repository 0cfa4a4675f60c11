from datetime import date

import pandas as pd
import pytest

from pairs_platform.core.models.pair_choice import TrainingHistory, choose_pairs, training_triggers
from pairs_platform.core.models.settings import GruSettings, ModelTrainingSettings
from pairs_platform.core.prices.calendar import session_offset

SESSION = date(2023, 3, 8)
N_TEST = 12
TEST_BEGINS = session_offset(SESSION, 1 - N_TEST)
PAIRS = ("A_B", "A_C", "B_C", "B_D")


def settings(**given) -> GruSettings:
    return GruSettings(training=ModelTrainingSettings(**{"diminishing_sessions": 4, **given}))


def history(
    lifts: dict[str, float], *, n: int = 1, age: int = N_TEST, every: int = 6, seconds: float = 60.0
) -> TrainingHistory:
    """`n` full retrains, the newest `age` sessions before `SESSION`, in which each pair had the same lift."""
    days = [session_offset(SESSION, -age - every * k) for k in reversed(range(n))]
    return TrainingHistory(
        trainings=pd.DataFrame({"session": days, "full_retrain": [True] * n, "seconds": [seconds] * n}),
        lifts=pd.DataFrame(
            [(day, pair, lift) for day in days for pair, lift in lifts.items()], columns=["session", "pair", "lift"]
        ),
    )


NONE = TrainingHistory(
    trainings=pd.DataFrame(columns=["session", "full_retrain", "seconds"]),
    lifts=pd.DataFrame(columns=["session", "pair", "lift"]),
)
LIFTS = {"A_B": 0.003, "A_C": -0.002, "B_C": 0.001}


def choose(past: TrainingHistory, given: GruSettings, **more):
    return choose_pairs(PAIRS, past, session=SESSION, test_begins=TEST_BEGINS, settings=given, **more)


def test_all_is_the_default():
    choice = choose(history(LIFTS), settings())
    assert (choice.pairs, choice.scope, choice.full_retrain) == (PAIRS, "all", True)


def test_the_first_training_is_a_full_retrain_whatever_the_scope():
    choice = choose(NONE, settings(scope="selected"))
    assert choice.pairs == PAIRS
    assert "no full retrain" in choice.scope_reason


def test_selected_keeps_positive_lifts_and_pairs_that_were_never_judged():
    assert choose(history(LIFTS), settings(scope="selected")).pairs == ("A_B", "B_C", "B_D")


def test_top_n_keeps_the_best_and_new_ones_first():
    assert choose(history(LIFTS), settings(scope="top_n", top_n=2)).pairs == ("A_B", "B_D")


def test_an_old_baseline_forces_a_new_one():
    given = settings(scope="selected", full_retrain_every_sessions=15)
    assert choose(history(LIFTS, age=14), given).pairs != PAIRS
    choice = choose(history(LIFTS, age=15), given)
    assert choice.full_retrain
    assert "15 sessions old" in choice.scope_reason


def test_a_slow_training_moves_all_to_selected():
    choice = choose(history(LIFTS, seconds=121 * 60), settings())
    assert choice.scope == "selected"
    assert "121 minutes" in choice.scope_reason
    assert choose(history(LIFTS, seconds=121 * 60), settings(), full_retrain=True).pairs == PAIRS


def test_diminishing_returns_need_enough_baselines_and_unseen_evidence():
    assert choose(history(LIFTS, n=4), settings()).scope == "all"
    assert choose(history(LIFTS, n=5), settings()).scope == "selected"
    turned = history(LIFTS, n=5)
    newer = turned.lifts["session"] > turned.trainings["session"].iloc[2]
    turned.lifts.loc[newer & (turned.lifts["pair"] == "A_C"), "lift"] = 0.004
    assert choose(turned, settings()).scope == "all"


@pytest.mark.parametrize("scope", ["selected", "top_n"])
@pytest.mark.parametrize("age", [1, N_TEST - 1])
def test_a_lift_on_sessions_that_are_judged_again_chooses_nothing(scope, age):
    """No pair is left out, and none preferred, for what it did on the test part of this training."""
    given = settings(scope=scope, top_n=3)
    seen = choose(history(LIFTS, age=age), given)
    assert seen.pairs == choose(history({pair: -lift for pair, lift in LIFTS.items()}, age=age), given).pairs
    assert choose(history(LIFTS, age=N_TEST), given).pairs != choose(
        history({pair: -lift for pair, lift in LIFTS.items()}, age=N_TEST), given
    ).pairs  # fmt: skip


def test_diminishing_returns_are_measured_on_sessions_behind_those_that_chose():
    assert choose(history(LIFTS, n=12, every=1), settings()).scope == "all"
    assert choose(history(LIFTS, n=15, every=1), settings()).scope == "selected"


def test_later_trainings_do_not_count():
    assert (
        choose(history(LIFTS, age=-1, seconds=121 * 60), settings()).scope_reason
        == "there has been no full retrain yet"
    )


def test_the_size_of_the_registry_is_a_trigger_that_moves_nothing():
    fired = training_triggers(history(LIFTS), N_TEST, registry_bytes=51 * 10**9, settings=settings())
    assert list(fired) == ["registry_size"]
    assert "51.0 GB" in fired["registry_size"]
