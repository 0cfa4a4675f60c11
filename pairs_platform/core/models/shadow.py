"""Losses of stored models on a session that they have never seen: what champions and challengers are judged by.

What does not belong here: the judgement (`promotion`).
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.baseline import log_loss
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.contracts import SHADOW_LOSSES
from pairs_platform.core.models.features import later_bars
from pairs_platform.core.models.gru.inference import predict
from pairs_platform.core.prices.window import PriceWindow


def shadow_losses(
    window: PriceWindow, bundle: SectorBundle, *, alias: str, version: int, session: date
) -> pd.DataFrame:
    """Losses of every pair of a bundle over the labels of one later session.

    Parameters
    ----------
    window : PriceWindow
        Ends with `session`, which is later than the bundle's.
    alias, version
        What the bundle was registered as.

    Returns
    -------
    DataFrame
        `SHADOW_LOSSES`, one row for each pair: sums over labels of the loss of the model, of its training base rate and
        of its baseline [nats]. A pair that cannot be predicted has a status and a reason.

    Raises
    ------
    DataError
        When the bundle has seen the session.
    """
    if session <= bundle.session:
        raise DataError(f"version {version} was trained up to {bundle.session}: {session} is no unseen session")
    rows = [
        {"alias": alias, "version": version, "pair": model.pair, **_losses(window, bundle, model, session)}
        for model in bundle.pairs
    ]
    return SHADOW_LOSSES.frame(rows)


def _losses(window: PriceWindow, bundle: SectorBundle, model: PairModel, session: date) -> dict[str, Any]:
    none: dict[str, Any] = dict.fromkeys(("loss", "base_loss", "baseline_loss"), np.nan)
    if bundle.label != "reverts_next":
        return {**none, "status": "no_labels", "reason": f"labels of {bundle.label} need the bars after", "n_labels": 0}
    bars = later_bars(window, model, bars_per_session=bundle.bars_per_session, after=bundle.session)
    if bars.status != "ok":
        return {**none, "status": bars.status, "reason": bars.reason, "n_labels": 0}
    length = bundle.sequence_length
    probability = predict(model.weights, model.baseline, model.scaling, bars.features, length)[length - 1 :]
    rows = (bars.session == np.datetime64(session)) & np.isfinite(bars.label) & np.isfinite(probability)
    if not rows.any():
        return {**none, "status": "no_labels", "reason": f"no usable label in {session}", "n_labels": 0}
    label = bars.label[rows]
    base = np.full(len(label), model.baseline.base_rate)
    return {
        "status": "ok",
        "reason": None,
        "n_labels": len(label),
        "loss": float(log_loss(probability[rows], label).sum()),
        "base_loss": float(log_loss(base, label).sum()),
        "baseline_loss": float(log_loss(model.baseline.probability(bars.excess[rows]), label).sum()),
    }
