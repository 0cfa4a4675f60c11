"""A small bundle of models without a training: two pairs, random weights."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from pairs_platform.core.models.baseline import Baseline
from pairs_platform.core.models.bundle import PairModel, SectorBundle
from pairs_platform.core.models.gru.inference import GruWeights
from pairs_platform.core.models.inputs import FEATURES, Scaling
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.volatility.garch import GarchFit, GarchState
from pairs_platform.ports.model_registry import TrainingRecord

SECTOR, SESSION = "technology", date(2023, 3, 8)
PAIRS = ("AAPL_ADI", "PDFS_ROG")
UNITS_1, UNITS_2, LENGTH = 4, 3, 5


def weights(seed: int) -> GruWeights:
    rng = np.random.default_rng(seed)
    shapes = {
        "weight_ih_1": (3 * UNITS_1, len(FEATURES)), "weight_hh_1": (3 * UNITS_1, UNITS_1),
        "bias_ih_1": (3 * UNITS_1,), "bias_hh_1": (3 * UNITS_1,),
        "weight_ih_2": (3 * UNITS_2, UNITS_1), "weight_hh_2": (3 * UNITS_2, UNITS_2),
        "bias_ih_2": (3 * UNITS_2,), "bias_hh_2": (3 * UNITS_2,), "weight_out": (UNITS_2,), "bias_out": (1,),
    }  # fmt: skip
    return GruWeights(**{name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()})


def bundle(session: date = SESSION) -> SectorBundle:
    models = [
        PairModel(
            pair=pair,
            parameters=SpreadParameters(y="Y", x="X", alpha=0.1, beta=1.0, mu=0.0, sigma=0.01, n_bars=100),
            fit=GarchFit(status="ok", diurnal=(1.0,)),
            state=GarchState(0.01, 1e-6),
            tail_variance=(1e-6,) * LENGTH,
            tail_residual=(0.0,) * LENGTH,
            scaling=Scaling((0.0,) * len(FEATURES), (1.0,) * len(FEATURES)),
            baseline=Baseline("ar1_logit", 0.55, 0.1, 0.2),
            weights=weights(k),
            threshold=0.5,
            horizon_bars=1,
            metrics={"lift": 0.001 * k, "roc_auc": None},
        )
        for k, pair in enumerate(PAIRS)
    ]
    return SectorBundle(
        sector=SECTOR,
        source_label="simulated",
        code_version="1",
        dagster_run_id="dagster",
        session=session,
        first_session=date(2023, 1, 3),
        frequency=Frequency.FIVE_MINUTES,
        label="reverts_next",
        sequence_length=LENGTH,
        bars_per_session=1,
        pairs=tuple(models),
    )


EPOCHS = 60


def learning_curve(pair: str) -> pd.DataFrame:
    losses = np.linspace(0.69, 0.63, EPOCHS)
    return pd.DataFrame(
        {"pair": pair, "epoch": range(1, EPOCHS + 1), "train_loss": losses, "validation_loss": losses + 0.01}
    )


def record(session: date = SESSION, *, owner: str = "dagster", with_bundle: bool = True) -> TrainingRecord:
    rows = pd.DataFrame(
        [
            {"pair": PAIRS[0], "status": "ok", "reason": None, "lift": 0.001, "baseline": "ar1_logit"},
            {"pair": PAIRS[1], "status": "failed", "reason": "the loss is not finite", "lift": None, "baseline": None},
            {
                "pair": "TER_TXN",
                "status": "insufficient_data",
                "reason": "50 test labels",
                "lift": None,
                "baseline": None,
            },
        ]
    )
    return TrainingRecord(
        sector=SECTOR,
        session=session,
        dagster_run_id=owner,
        trained_utc=datetime(2023, 3, 9, 11, tzinfo=UTC),
        params={"network.hidden_1": UNITS_1, "scope": "all"},
        pooled={"skill": 0.002, "skill_low": 0.001},
        pairs=rows,
        tables={"curves": learning_curve(PAIRS[0])},
        pictures={"lift": b"\x89PNG"},
        bundle=replace(bundle(session)) if with_bundle else None,
    )
