"""What a registered model is: every pair of a sector-day with weights, scaling, spread and GARCH state, as two files.

Reading them executes nothing: weights are safetensors, all else is JSON. What does not belong here: where the files
are kept (`adapters`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.models.baseline import Baseline
from pairs_platform.core.models.bundle_format import DOCUMENT_FILE, SCHEMA_VERSION, WEIGHTS_FILE
from pairs_platform.core.models.features import PairDataset
from pairs_platform.core.models.gru.inference import WEIGHT_NAMES, GruWeights
from pairs_platform.core.models.inputs import FEATURES, Scaling
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.screening.spread import SPREAD_DEFINITION, SpreadParameters
from pairs_platform.core.volatility.garch import GarchFit, GarchState


@dataclass(frozen=True, eq=False, kw_only=True)
class PairModel:
    """One pair of a bundle: it predicts on its own spread with its own GARCH recursion, and is never mixed with others.

    Attributes
    ----------
    pair : str
    parameters : SpreadParameters
    fit : GarchFit
        Both in-sample.
    state : GarchState
        After the last bar of the model's window.
    tail_variance, tail_residual : tuple of float, length sequence_length
        See `features.PairDataset`.
    scaling : Scaling
    baseline : Baseline
    weights : GruWeights
    threshold : float
        Probability from which "reverts" is predicted, chosen on validation.
    horizon_bars : int
    metrics : dict of str to float or None
        Of the test part.
    """

    pair: str
    parameters: SpreadParameters
    fit: GarchFit
    state: GarchState
    tail_variance: tuple[float, ...]
    tail_residual: tuple[float, ...]
    scaling: Scaling
    baseline: Baseline
    weights: GruWeights
    threshold: float
    horizon_bars: int
    metrics: dict[str, float | None]

    @classmethod
    def of(
        cls,
        dataset: PairDataset,
        baseline: Baseline,
        weights: GruWeights,
        threshold: float,
        metrics: dict[str, float | None],
    ) -> "PairModel":
        """The model of a pair that was trained on `dataset`."""
        if not (dataset.parameters and dataset.fit and dataset.state and dataset.scaling):
            raise ValueError(f"{dataset.pair} has no data to be modelled on: {dataset.status} ({dataset.reason})")
        return cls(
            pair=dataset.pair,
            parameters=dataset.parameters,
            fit=dataset.fit,
            state=dataset.state,
            tail_variance=dataset.tail_variance,
            tail_residual=dataset.tail_residual,
            scaling=dataset.scaling,
            baseline=baseline,
            weights=weights,
            threshold=threshold,
            horizon_bars=dataset.horizon_bars,
            metrics=metrics,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class SectorBundle:
    """All models of one sector-day.

    Attributes
    ----------
    sector, source_label, code_version, dagster_run_id : str
    first_session, session : date
        First and last session of the window that they were trained on.
    frequency : Frequency
    label : str
        Kind of the label.
    sequence_length, bars_per_session : int
    pairs : tuple of PairModel
    """

    sector: str
    source_label: str
    code_version: str
    dagster_run_id: str
    first_session: date
    session: date
    frequency: Frequency
    label: Literal["reverts_next", "first_passage"]
    sequence_length: int
    bars_per_session: int
    pairs: tuple[PairModel, ...]

    def pair(self, name: str) -> PairModel:
        """The model of a pair.

        Raises
        ------
        NotFound
            Names the pairs that there are.
        """
        for model in self.pairs:
            if model.pair == name:
                return model
        held = ", ".join(model.pair for model in self.pairs)
        raise NotFound(f"the model of {self.sector} {self.session} does not hold {name}; it holds {held}")


def bundle_files(bundle: SectorBundle) -> dict[str, bytes]:
    """Content of the files by name; the same bundle gives the same bytes."""
    from safetensors.numpy import save

    arrays = {
        f"{model.pair}/{name}": np.ascontiguousarray(array, dtype=np.float32)
        for model in bundle.pairs
        for name, array in model.weights.arrays().items()
    }
    document = {
        "schema_version": SCHEMA_VERSION,
        "spread_definition": SPREAD_DEFINITION,
        "features": list(FEATURES),
        **{
            name: _plain(getattr(bundle, name))
            for name in (
                *("sector", "source_label", "code_version", "dagster_run_id", "first_session", "session"),
                *("frequency", "label", "sequence_length", "bars_per_session"),
            )
        },
        "pairs": [
            {
                "pair": model.pair,
                "threshold": model.threshold,
                "horizon_bars": model.horizon_bars,
                "parameters": _plain(asdict(model.parameters)),
                "fit": _plain(asdict(model.fit)),
                "state": _plain(asdict(model.state)),
                "tail_variance": _plain(model.tail_variance),
                "tail_residual": _plain(model.tail_residual),
                "scaling": _plain(asdict(model.scaling)),
                "baseline": _plain(asdict(model.baseline)),
                "metrics": _plain(model.metrics),
            }
            for model in bundle.pairs
        ],
    }
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
    return {WEIGHTS_FILE: save(arrays), DOCUMENT_FILE: text.encode()}


def bundle_from_files(files: Mapping[str, bytes]) -> SectorBundle:
    """The bundle whose `bundle_files` these are.

    Raises
    ------
    DataError
        When a file is missing or damaged, or was written under another schema, spread definition or feature list.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        document = json.loads(files[DOCUMENT_FILE])
        arrays = load(files[WEIGHTS_FILE])
    except KeyError as error:
        raise DataError(f"the model has no file {error}: it is not a model of this platform") from error
    except (ValueError, SafetensorError) as error:
        raise DataError(f"the model's files are damaged: {error}") from error
    for name, expected in (
        ("schema_version", SCHEMA_VERSION),
        ("spread_definition", SPREAD_DEFINITION),
        ("features", list(FEATURES)),
    ):
        if document.get(name) != expected:
            raise DataError(
                f"the model has {name} {document.get(name)!r}, this platform reads {expected!r}: train again"
            )
    return SectorBundle(
        **{
            name: document[name]
            for name in ("sector", "source_label", "code_version", "dagster_run_id", "label", "sequence_length")
        },
        bars_per_session=document["bars_per_session"],
        first_session=date.fromisoformat(document["first_session"]),
        session=date.fromisoformat(document["session"]),
        frequency=Frequency(document["frequency"]),
        pairs=tuple(_pairs(document, arrays)),
    )


def _pairs(document: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Iterator[PairModel]:
    for stored in document["pairs"]:
        fit: dict[str, Any] = {name: float("nan") if value is None else value for name, value in stored["fit"].items()}
        scaling = {name: tuple(values) for name, values in stored["scaling"].items()}
        yield PairModel(
            pair=stored["pair"],
            parameters=SpreadParameters(**stored["parameters"]),
            fit=GarchFit(**{**fit, "diurnal": tuple(fit["diurnal"])}),
            state=GarchState(**{name: float("nan") if v is None else v for name, v in stored["state"].items()}),
            tail_variance=tuple(stored["tail_variance"]),
            tail_residual=tuple(stored["tail_residual"]),
            scaling=Scaling(**scaling),
            baseline=Baseline(**stored["baseline"]),
            weights=GruWeights(**{name: arrays[f"{stored['pair']}/{name}"] for name in WEIGHT_NAMES}),
            threshold=stored["threshold"],
            horizon_bars=stored["horizon_bars"],
            metrics=stored["metrics"],
        )


def _plain(value: Any) -> Any:
    """JSON form: NaN becomes null, dates become text, tuples lists."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (date, Frequency)):
        return str(value.value) if isinstance(value, Frequency) else value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
