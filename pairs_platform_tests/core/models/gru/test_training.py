"""Training, inference and the files of a bundle, on a few pairs and a small network."""

import dataclasses
from datetime import date

import numpy as np
import pytest
import torch

from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.models.baseline import Baseline, choose_baseline, excess_of
from pairs_platform.core.models.bundle import (
    DOCUMENT_FILE,
    WEIGHTS_FILE,
    PairModel,
    SectorBundle,
    bundle_files,
    bundle_from_files,
)
from pairs_platform.core.models.features import PairDataset, pair_datasets
from pairs_platform.core.models.gru.inference import GruWeights, logits_stacked, predict, stacked
from pairs_platform.core.models.gru.network import initial_parameters, logits, weights_of
from pairs_platform.core.models.gru.training import TrainedPair, chunk_from_bytes, chunk_to_bytes, train_pairs
from pairs_platform.core.models.inputs import FEATURES, Scaling
from pairs_platform.core.models.settings import GruSettings, ModelTrainingSettings, NetworkSettings, SplitSettings
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform_tests.support.simulated_pairs import (
    garch_variance,
    planted_pairs,
    screened_pairs,
    window_of_legs,
)

SMALL = GruSettings(
    network=NetworkSettings(hidden_1=8, hidden_2=4, max_epochs=4, patience=2, learning_rate=3e-3),
    split=SplitSettings(min_test_labels=50),
    training=ModelTrainingSettings(chunk_pairs=2),
)


@pytest.fixture(scope="module")
def sample():
    window = window_of_legs(planted_pairs(5, 1170, 3, garch_variance, half_lives=(5.0, 10.0)))
    datasets, plan, _ = pair_datasets(
        window,
        screened_pairs(window),
        settings=SMALL,
        pair_settings=PairSettings(),
    )
    return datasets, plan


@pytest.fixture(scope="module")
def trained(sample) -> list[TrainedPair]:
    return train_pairs(*sample, settings=SMALL, seed=1)


def torch_logits(weights: GruWeights, sequences: np.ndarray) -> np.ndarray:
    """The same network as torch has it."""
    h1, h2 = weights.weight_hh_1.shape[1], weights.weight_hh_2.shape[1]
    layers = [torch.nn.GRU(len(FEATURES), h1, batch_first=True), torch.nn.GRU(h1, h2, batch_first=True)]
    x = torch.from_numpy(sequences)
    for number, layer in enumerate(layers, 1):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(layer, f"{name}_l0").data = torch.from_numpy(getattr(weights, f"{name}_{number}"))
        x, _ = layer(x)
    out = x[:, -1] @ torch.from_numpy(weights.weight_out) + torch.from_numpy(weights.bias_out)
    return out.detach().numpy()


def random_weights(seed: int, settings: NetworkSettings | None = None) -> GruWeights:
    generator = torch.Generator().manual_seed(seed)
    parameters = initial_parameters(1, settings or NetworkSettings(), generator)
    parameters["weight_out"] += torch.randn(parameters["weight_out"].shape, generator=generator)
    return weights_of(parameters, 0)


class TestNetwork:
    def test_inference_equals_torch(self):
        rng = np.random.default_rng(1)
        weights = [random_weights(1), random_weights(2)]
        sequences = rng.standard_normal((2, 50, 10, len(FEATURES))).astype(np.float32)
        ours = logits_stacked(stacked(weights), sequences)
        for k in range(2):
            assert np.abs(ours[k] - torch_logits(weights[k], sequences[k])).max() < 1e-6

    def test_gradients_equal_autograd(self):
        settings = NetworkSettings(hidden_1=5, hidden_2=3)
        generator = torch.Generator().manual_seed(3)
        parameters = {
            name: (value + 0.3 * torch.randn(value.shape, generator=generator)).double().requires_grad_()
            for name, value in initial_parameters(2, settings, generator).items()
        }
        x = torch.randn(4, 2, 3, len(FEATURES), generator=generator).double().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda given, *values: logits(dict(zip(parameters, values, strict=True)), given),
            (x, *parameters.values()),
            atol=1e-5,
        )

    def test_an_untrained_network_is_its_baseline(self):
        weights = weights_of(initial_parameters(1, NetworkSettings(), torch.Generator().manual_seed(1)), 0)
        features = np.random.default_rng(2).standard_normal((30, len(FEATURES))).astype(np.float32)
        baseline = Baseline("ar1_logit", 0.5, -0.2, 0.7)
        scaling = Scaling((0.0,) * len(FEATURES), (1.0,) * len(FEATURES))
        found = predict(weights, baseline, scaling, features, 10)
        assert np.isnan(found[:9]).all()
        np.testing.assert_allclose(found[9:], baseline.probability(excess_of(features[9:])), rtol=1e-12)


class TestPrediction:
    def test_a_row_rests_on_its_last_sequence_alone(self):
        rng = np.random.default_rng(5)
        features = rng.standard_normal((40, len(FEATURES))).astype(np.float32)
        arguments = (random_weights(4), Baseline("base_rate", 0.5, 0.0, 0.0), Scaling((0.0,) * 13, (1.0,) * 13))
        whole = predict(*arguments, features, 10)
        np.testing.assert_allclose(predict(*arguments, features[:25], 10)[24], whole[24], atol=1e-7)
        np.testing.assert_allclose(predict(*arguments, features[15:25], 10)[-1], whole[24], atol=1e-7)

    def test_an_unknown_row_silences_every_sequence_that_holds_it(self):
        features = np.zeros((30, len(FEATURES)), np.float32)
        features[12, 3] = np.nan
        arguments = (random_weights(4), Baseline("base_rate", 0.5, 0.0, 0.0), Scaling((0.0,) * 13, (1.0,) * 13))
        found = predict(*arguments, features, 10)
        assert np.flatnonzero(np.isnan(found)).tolist() == [*range(9), *range(12, 22)]


class TestTraining:
    def test_the_same_seed_gives_the_same_bits_and_another_one_others(self, sample, trained):
        again = train_pairs(*sample, settings=SMALL, seed=1)
        for one, other in zip(trained, again, strict=True):
            assert one.curve == other.curve
            for name, array in one.weights.arrays().items():
                assert np.array_equal(array, getattr(other.weights, name)), name
        assert train_pairs(*sample, settings=SMALL, seed=2)[0].curve != trained[0].curve

    def test_a_pair_does_not_depend_on_the_pairs_beside_it(self, sample, trained):
        datasets, plan = sample
        alone = train_pairs([datasets[3]], plan, settings=SMALL, seed=1)[0]
        np.testing.assert_allclose(alone.curve, trained[3].curve, rtol=1e-5)

    def test_best_epoch_is_the_one_with_the_smallest_validation_loss(self, trained):
        for one in trained:
            held = [validation for _, validation in one.curve]
            assert one.best_epoch in (0, int(np.argmin(held)) + 1)
            assert len(held) == one.epochs
            assert one.epochs == SMALL.network.max_epochs or one.epochs - one.best_epoch == SMALL.network.patience

    def test_learning_lowers_the_training_loss(self, sample):
        settings = SMALL.model_copy(
            update={"network": SMALL.network.model_copy(update={"max_epochs": 15, "patience": 15})}
        )
        curves = [one.curve for one in train_pairs(*sample, settings=settings, seed=1)]
        assert np.mean([curve[-1][0] - curve[0][0] for curve in curves]) < -0.002

    def test_a_pair_without_numbers_fails_alone(self, sample, trained):
        datasets, plan = sample
        broken = dataclasses.replace(datasets[1], features=np.full_like(datasets[1].features, np.nan))
        given = [datasets[0], broken, *datasets[2:]]
        found = train_pairs(given, plan, settings=SMALL, seed=1)
        assert found[1].status == "failed"
        assert "no usable label" in found[1].reason
        assert [one.status for one in found].count("ok") == len(datasets) - 1
        np.testing.assert_allclose(found[0].curve, trained[0].curve, rtol=1e-5)

    def test_progress_is_told_every_epoch(self, sample):
        told = []
        train_pairs(*sample, settings=SMALL, seed=1, listener=told.append)
        assert {one.chunk for one in told} == {1, 2, 3}
        assert [one.epoch for one in told if one.chunk == 1][:2] == [1, 2]
        assert all(0 <= one.pairs_active <= one.pairs for one in told)

    def test_a_killed_training_goes_on_behind_its_finished_chunks(self, sample, trained):
        kept: dict[tuple[str, ...], bytes] = {}

        class Files:
            def load(self, pairs):
                content = kept.get(tuple(pairs))
                return None if content is None else chunk_from_bytes(content)

            def save(self, pairs, done):
                if len(kept) == 2:
                    raise KeyboardInterrupt
                kept[tuple(pairs)] = chunk_to_bytes(done)

        with pytest.raises(KeyboardInterrupt):
            train_pairs(*sample, settings=SMALL, seed=1, checkpoint=Files())
        assert len(kept) == 2
        kept_before = dict(kept)
        told = []

        class Rest(Files):
            def save(self, pairs, done):
                kept[tuple(pairs)] = chunk_to_bytes(done)

        again = train_pairs(*sample, settings=SMALL, seed=1, checkpoint=Rest(), listener=told.append)
        assert len({one.chunk for one in told}) == 1
        assert {pairs: kept[pairs] for pairs in kept_before} == kept_before
        for one, other in zip(again, trained, strict=True):
            assert one.curve == other.curve
            assert np.array_equal(one.weights.weight_hh_2, other.weights.weight_hh_2)


class TestBaseline:
    def test_the_better_one_on_validation_is_chosen(self):
        rng = np.random.default_rng(1)
        excess = np.abs(rng.standard_normal(4000))
        label = (rng.random(4000) < 1 / (1 + np.exp(-excess))).astype(float)
        train, held = np.arange(4000) < 3000, np.arange(4000) >= 3000
        chosen = choose_baseline(excess, label, train, held)
        assert chosen.kind == "ar1_logit"
        assert chosen.slope == pytest.approx(1.0, abs=0.25)
        shuffled = np.where(held, rng.permutation(label), label)
        assert choose_baseline(excess, shuffled, train, held).kind == "base_rate"


@pytest.fixture(scope="module")
def bundle(sample, trained) -> SectorBundle:
    datasets, _ = sample
    models = [
        PairModel.of(data, one.baseline, one.weights, 0.55, {"lift": 0.001, "roc_auc": None})
        for data, one in zip(datasets, trained, strict=True)
    ]
    return SectorBundle(
        sector="technology",
        source_label="simulated",
        code_version="1",
        dagster_run_id="run",
        first_session=date(2023, 2, 1),
        session=date(2023, 3, 8),
        frequency=Frequency.FIVE_MINUTES,
        label="reverts_next",
        sequence_length=10,
        bars_per_session=78,
        pairs=tuple(models),
    )


class TestBundle:
    def test_files_are_read_back_to_the_last_bit(self, bundle, sample):
        files = bundle_files(bundle)
        again = bundle_from_files(files)
        assert bundle_files(again) == files
        one, other = bundle.pairs[2], again.pair(bundle.pairs[2].pair)
        assert other.parameters == one.parameters
        assert other.state == one.state
        assert other.scaling == one.scaling
        assert other.fit.diurnal == one.fit.diurnal
        dataset: PairDataset = sample[0][2]
        arguments = (dataset.features, bundle.sequence_length)
        before = predict(one.weights, one.baseline, one.scaling, *arguments)
        after = predict(other.weights, other.baseline, other.scaling, *arguments)
        assert np.array_equal(before, after, equal_nan=True)

    def test_an_unknown_pair_is_named_with_those_that_are_held(self, bundle):
        with pytest.raises(NotFound, match="does not hold X_Y; it holds S00000_S00001"):
            bundle.pair("X_Y")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({DOCUMENT_FILE: b'{"schema_version": 9}'}, "schema_version 9"),
            ({DOCUMENT_FILE: b"{"}, "damaged"),
            ({WEIGHTS_FILE: b"\x80\x04pickled"}, "damaged"),
        ],
    )
    def test_what_is_not_understood_is_refused(self, bundle, change, words):
        with pytest.raises(DataError, match=words):
            bundle_from_files(bundle_files(bundle) | change)
