import dataclasses
from datetime import date

import numpy as np
import pytest

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.baseline import Baseline
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.contracts import SHADOW_LOSSES
from pairs_platform.core.models.features import later_bars
from pairs_platform.core.models.gru.inference import GruWeights, predict
from pairs_platform.core.models.inputs import FEATURES
from pairs_platform.core.models.settings import SplitSettings
from pairs_platform.core.models.shadow import shadow_losses
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform_tests.support.model_samples import RULES, bars_of, planted_window, prepared

LENGTH = RULES.network.sequence_length
BARS = 78
SEEN = 10 * BARS


def random_weights(seed: int) -> GruWeights:
    h1, h2 = RULES.network.hidden_1, RULES.network.hidden_2
    shapes = {
        "weight_ih_1": (3 * h1, len(FEATURES)), "weight_hh_1": (3 * h1, h1), "bias_ih_1": (3 * h1,),
        "bias_hh_1": (3 * h1,), "weight_ih_2": (3 * h2, h1), "weight_hh_2": (3 * h2, h2), "bias_ih_2": (3 * h2,),
        "bias_hh_2": (3 * h2,), "weight_out": (h2,), "bias_out": (1,),
    }  # fmt: skip
    rng = np.random.default_rng(seed)
    return GruWeights(**{name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.fixture(scope="module")
def window() -> PriceWindow:
    """Thirteen sessions: the model has seen ten of them."""
    return planted_window(2, seed=4)


@pytest.fixture(scope="module")
def bundle(window) -> SectorBundle:
    settings = RULES.model_copy(update={"split": SplitSettings(min_test_labels=20)})
    datasets, _, _ = prepared(bars_of(window, 0, SEEN), settings=settings)
    baseline = Baseline("ar1_logit", 0.55, 0.1, 0.2)
    return SectorBundle(
        sector="technology",
        source_label="simulated",
        code_version="1",
        dagster_run_id="run",
        label="reverts_next",
        first_session=window.session[0].astype(date),
        session=window.session[SEEN - 1].astype(date),
        frequency=Frequency.FIVE_MINUTES,
        sequence_length=LENGTH,
        bars_per_session=BARS,
        pairs=tuple(PairModel.of(one, baseline, random_weights(k), 0.5, {}) for k, one in enumerate(datasets)),
    )


def losses(window, bundle, session=None, **changed):
    last = window.session[-1].astype(date) if session is None else session
    return shadow_losses(window, bundle, **{"alias": "champion", "version": 3, "session": last, **changed})


def test_losses_are_sums_over_the_labels_of_the_last_session_alone(window, bundle):
    frame = losses(window, bundle)
    assert not SHADOW_LOSSES.violations(frame)
    # the last bar's label is still ahead
    assert frame["n_labels"].tolist() == [BARS - 1] * 2
    for model, row in zip(bundle.pairs, frame.to_dict("records"), strict=True):
        bars = later_bars(
            window, dataclasses.replace(model, horizon_bars=1), bars_per_session=BARS, after=bundle.session
        )
        p = predict(model.weights, model.baseline, model.scaling, bars.features, LENGTH)[-BARS:-1]
        label = bars.label[-BARS:-1]
        simple = 1 / (1 + np.exp(-(0.1 + 0.2 * bars.excess[-BARS:-1])))
        for name, forecast in (("loss", p), ("base_loss", np.full(BARS - 1, 0.55)), ("baseline_loss", simple)):
            expected = -np.sum(label * np.log(forecast) + (1 - label) * np.log(1 - forecast))
            assert row[name] == pytest.approx(expected, rel=1e-9), name


def test_each_day_is_judged_the_same_however_far_the_window_has_moved(window, bundle):
    day = window.session[SEEN + BARS].astype(date)
    then = losses(bars_of(window, 0, SEEN + 2 * BARS), bundle, day)
    slid = losses(bars_of(window, 300, SEEN + 2 * BARS), bundle, day)
    np.testing.assert_array_equal(then["loss"], slid["loss"])
    assert (then["loss"] != losses(window, bundle)["loss"]).all()


def test_a_session_that_the_model_has_seen_is_refused(window, bundle):
    with pytest.raises(DataError, match=f"version 3 was trained up to {bundle.session}: .* is no unseen session"):
        losses(window, bundle, bundle.session)


def test_pairs_that_cannot_be_predicted_say_why_and_the_others_go_on(window, bundle):
    ex_action = window.ex_action.copy()
    ex_action[-1, 0] = True
    frame = losses(dataclasses.replace(window, ex_action=ex_action), bundle)
    assert not SHADOW_LOSSES.violations(frame)
    assert frame["status"].tolist() == ["corporate_action", "ok"]
    log_close = window.log_close.copy()
    log_close[-BARS:, 2] = np.nan
    frame = losses(dataclasses.replace(window, log_close=log_close), bundle)
    assert not SHADOW_LOSSES.violations(frame)
    assert frame["status"].tolist() == ["ok", "no_labels"]
    assert frame["reason"][1] == f"no usable label in {window.session[-1]}"


def test_labels_that_need_many_bars_after_them_are_not_judged_in_one_session(window, bundle):
    frame = losses(window, dataclasses.replace(bundle, label="first_passage"))
    assert not SHADOW_LOSSES.violations(frame)
    assert set(frame["status"]) == {"no_labels"}
