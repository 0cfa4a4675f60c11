"""The registered model as MLflow serves it: probabilities for named pairs, computed by NumPy.

MLflow imports this module to load a model (`loader_module`); no pickled object is involved. What does not belong here:
registering models (`registry`).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from pairs_platform.core.errors import NotFound
from pairs_platform.core.models.bundle import SectorBundle, bundle_from_files
from pairs_platform.core.models.bundle_format import DOCUMENT_FILE, WEIGHTS_FILE
from pairs_platform.core.models.gru.inference import predict
from pairs_platform.core.models.inputs import FEATURES


class SectorModel:
    """Answers for each row: the pair's probability to revert, from its last bars."""

    def __init__(self, bundle: SectorBundle) -> None:
        self._bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Probabilities of named pairs.

        Parameters
        ----------
        model_input : DataFrame
            pair (text) and features: sequence_length × 13 unscaled features, oldest bar first.
        params
            Unused; part of MLflow's interface.

        Returns
        -------
        DataFrame
            pair, probability, threshold, reverts.

        Raises
        ------
        MlflowException
            INVALID_PARAMETER_VALUE, naming a pair that the model does not hold, or a wrong shape.
        """
        rows = [self._answer(str(row.pair), row.features) for row in model_input.itertuples(index=False)]
        return pd.DataFrame(rows, columns=["pair", "probability", "threshold", "reverts"])

    def _answer(self, pair: str, features: Any) -> dict[str, Any]:
        try:
            model = self._bundle.pair(pair)
        except NotFound as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None
        length = self._bundle.sequence_length
        try:
            values = np.array([list(row) for row in features], dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise MlflowException(
                f"{pair}: features are not a table of numbers: {error}", error_code=INVALID_PARAMETER_VALUE
            ) from None
        if values.shape != (length, len(FEATURES)):
            raise MlflowException(
                f"{pair}: features have shape {values.shape}, ({length}, {len(FEATURES)}) is needed: the last {length} "
                f"bars, oldest first, each with {', '.join(FEATURES)}",
                error_code=INVALID_PARAMETER_VALUE,
            )
        if not np.isfinite(values).all():
            raise MlflowException(f"{pair}: a feature is not finite", error_code=INVALID_PARAMETER_VALUE)
        probability = float(predict(model.weights, model.baseline, model.scaling, values, length)[-1])
        return {
            "pair": pair,
            "probability": probability,
            "threshold": model.threshold,
            "reverts": probability >= model.threshold,
        }


def _load_pyfunc(data_path: str) -> SectorModel:
    """MLflow's hook: the model whose two files lie in `data_path`."""
    folder = Path(data_path)
    files = {name: (folder / name).read_bytes() for name in (WEIGHTS_FILE, DOCUMENT_FILE)}
    return SectorModel(bundle_from_files(files))
