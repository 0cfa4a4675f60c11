"""Outputs of trained networks with NumPy alone: what scoring and live signals run.

What does not belong here: training (`training`), and where weights are stored (`bundle`).
"""

from dataclasses import dataclass, fields

import numpy as np

from pairs_platform.core.models.baseline import Baseline, excess_of
from pairs_platform.core.models.inputs import Scaling, known_sequences


@dataclass(frozen=True, eq=False, kw_only=True)
class GruWeights:
    """Weights of one pair's network, float32, in the layout and gate order (reset, update, new) of ``torch.nn.GRU``.

    Attributes
    ----------
    weight_ih_1, weight_hh_1 : ndarray, shapes (3 H1, 13) and (3 H1, H1)
    bias_ih_1, bias_hh_1 : ndarray, shape (3 H1,)
    weight_ih_2, weight_hh_2 : ndarray, shapes (3 H2, H1) and (3 H2, H2)
    bias_ih_2, bias_hh_2 : ndarray, shape (3 H2,)
    weight_out, bias_out : ndarray, shapes (H2,) and (1,)
    """

    weight_ih_1: np.ndarray
    weight_hh_1: np.ndarray
    bias_ih_1: np.ndarray
    bias_hh_1: np.ndarray
    weight_ih_2: np.ndarray
    weight_hh_2: np.ndarray
    bias_ih_2: np.ndarray
    bias_hh_2: np.ndarray
    weight_out: np.ndarray
    bias_out: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


WEIGHT_NAMES = tuple(field.name for field in fields(GruWeights))


PAIRS_AT_ONCE = 24
"""Pairs whose weights stay in a processor's cache over the steps of a sequence."""


def stacked(weights: list[GruWeights]) -> dict[str, np.ndarray]:
    """The weights of k pairs of one architecture, each array with k in front."""
    return {name: np.stack([getattr(pair, name) for pair in weights]) for name in WEIGHT_NAMES}


def logits_stacked(weights: dict[str, np.ndarray], sequences: np.ndarray) -> np.ndarray:
    """What the networks of k pairs add to the logits of their baselines, all at once.

    Parameters
    ----------
    weights : dict of ndarray
        As `stacked` gives them.
    sequences : ndarray, shape (k, n, K, 13)
        Scaled features, oldest bar first. The network starts from a zero state.

    Returns
    -------
    ndarray of float64, shape (k, n)

    References
    ----------
    Equal to ``torch.nn.GRU`` with the same weights within 1e-6.

    Notes
    -----
    Computed in double precision: in single precision one pair with many sequences and many pairs with one differ by
    1e-7, and live signals must equal those of a whole session.
    """
    parts = [
        _logits(
            {name: array[first : first + PAIRS_AT_ONCE] for name, array in weights.items()},
            sequences[first : first + PAIRS_AT_ONCE],
        )
        for first in range(0, len(sequences), PAIRS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(sequences.shape[:2])


def _logits(weights: dict[str, np.ndarray], sequences: np.ndarray) -> np.ndarray:
    k, n, length, _ = sequences.shape
    weights = {name: array.astype(np.float64, copy=False) for name, array in weights.items()}
    steps = np.ascontiguousarray(sequences.transpose(2, 0, 1, 3), dtype=np.float64)
    for layer in ("1", "2"):
        w_hh = weights[f"weight_hh_{layer}"].transpose(0, 2, 1)
        b_hh = weights[f"bias_hh_{layer}"][:, None, :]
        w_ih = weights[f"weight_ih_{layer}"].transpose(0, 2, 1)
        given = steps @ w_ih + weights[f"bias_ih_{layer}"][:, None, :]
        units = w_hh.shape[1]
        state = np.zeros((k, n, units))
        out = np.empty((length, k, n, units))
        for t in range(length):
            recurrent = state @ w_hh
            recurrent += b_hh
            gates = _sigmoid(given[t, :, :, : 2 * units] + recurrent[:, :, : 2 * units])
            new = gates[:, :, :units] * recurrent[:, :, 2 * units :]
            new += given[t, :, :, 2 * units :]
            np.tanh(new, out=new)
            state = np.add(new, gates[:, :, units:] * (state - new), out=out[t])
        steps = out
    return np.asarray((steps[-1] * weights["weight_out"][:, None, :]).sum(axis=2) + weights["bias_out"])


def predict(
    weights: GruWeights, baseline: Baseline, scaling: Scaling, features: np.ndarray, sequence_length: int
) -> np.ndarray:
    """Probability at each bar from its last `sequence_length` rows, themselves included, and nothing before.

    Parameters
    ----------
    features : ndarray, shape (T, 13), unscaled
        NaN rows where a feature is unknown.

    Returns
    -------
    ndarray of float64, shape (T,)
        1 / (1 + exp(−(a + b·excess_t + network))); NaN where one of the rows is unknown.
    """
    rows = np.flatnonzero(known_sequences(features, sequence_length))
    probability = np.full(len(features), np.nan)
    if len(rows):
        sequences = scaling.apply(features)[rows[:, None] + np.arange(1 - sequence_length, 1)]
        added = logits_stacked(stacked([weights]), sequences[None])[0]
        probability[rows] = 1.0 / (1.0 + np.exp(-baseline.logit(excess_of(features[rows])) - added))
    return probability


def _sigmoid(x: np.ndarray) -> np.ndarray:
    half = 0.5 * x
    np.tanh(half, out=half)
    half += 1.0
    half *= 0.5
    return np.asarray(half)
