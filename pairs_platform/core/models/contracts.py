"""Contracts of the model stage's tables, and how datasets become rows and rows datasets.

What does not belong here: computing features (`features`), metrics (`evaluation`) or losses in shadow (`shadow`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pairs_platform.core.contract import Contract, reason_where_not_ok
from pairs_platform.core.models.features import PairDataset, without_data
from pairs_platform.core.models.inputs import FEATURES, Scaling
from pairs_platform.core.models.splits import PARTS, SplitPlan, plan_of_parts
from pairs_platform.core.volatility.contracts import GARCH_FITS, IN_SAMPLE
from pairs_platform.core.volatility.garch import GarchState
from pairs_platform.core.volatility.parameters import garch_fit, spread_parameters

DATASET_STATUSES = ("ok", "no_fit", "no_labels", "insufficient_data")
MODEL_STATUSES = (*DATASET_STATUSES, "failed", "not_chosen")
SHADOW_STATUSES = ("ok", "leg_missing", "out_of_reach", "corporate_action", "no_labels")
_UTC = "datetime64[ns, UTC]"

METRICS = (
    *("base_rate", "f1", "f1_always", "accuracy", "accuracy_always", "mcc", "roc_auc", "pr_auc"),
    *("log_loss", "log_loss_base", "log_loss_baseline", "brier", "calibration_error"),
    *("skill", "skill_low", "skill_high", "skill_p", "lift", "lift_low", "lift_high", "lift_p"),
)
"""Metrics of a pair's test part; losses, skill and lift in nats per label."""

REGISTERED = ("correlation", "model_run_id", "run_name")
"""Columns of `gru_models` that are known when the models of a training are registered."""


def _number(*checks: pa.Check) -> pa.Column:
    return pa.Column("float64", list(checks), nullable=True)


def _count() -> pa.Column:
    return pa.Column("Int64", pa.Check.ge(0), nullable=True)


def _text(values: Sequence[str] | None = None, *, nullable: bool = False) -> pa.Column:
    return pa.Column(str, [pa.Check.isin(values)] if values else [], nullable=nullable)


def _known_where_ok(*names: str) -> pa.Check:
    def holds(frame: pd.DataFrame) -> pd.Series:
        present = frame[list(names)].notna()
        return present.all(axis=1).where(frame["status"] == "ok", ~present.any(axis=1))

    return pa.Check(holds, error=f"{', '.join(names)} exactly where the status is ok", ignore_na=False)


_REASON = pa.Check(reason_where_not_ok, error="a reason exactly where the status is not ok", ignore_na=False)
_PROBABILITY = pa.Check.in_range(0.0, 1.0)

PAIR_FEATURES = Contract(
    table="pair_features",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "pair": _text(),
            "ts_utc": pa.Column(_UTC),
            "part": _text(PARTS),
            **{name: pa.Column("float32", nullable=True) for name in FEATURES},
            "label": _number(pa.Check.isin([0.0, 1.0])),
            "overnight": pa.Column(bool),
            "excess": _number(pa.Check.ge(0.0)),
        },
        unique=["pair", "ts_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Unscaled features and labels of every bar of the window, for the pairs with enough of them."""

FEATURE_SCALING = Contract(
    table="feature_scaling",
    asset="pair_features",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "pair": pa.Column(str, unique=True),
            "status": _text(DATASET_STATUSES),
            "reason": _text(nullable=True),
            "horizon_bars": pa.Column("int64", pa.Check.ge(0)),
            **{name: _text(nullable=True) for name in ("centre", "scale", "tail_variance", "tail_residual")},
            "last_spread": _number(),
            "last_variance": _number(pa.Check.gt(0.0)),
        },
        checks=[_REASON, _known_where_ok("centre", "scale", "tail_variance", "tail_residual", "last_variance")],
        strict=True,
        ordered=True,
    ),
)
"""One row for each fitted pair: scaling constants of the training part, and where its GARCH recursion stands.

Lists are JSON: centre and scale in the order of `FEATURES`, the tails oldest first.
"""

FEATURE_FITS = Contract(
    table="feature_fits", asset="pair_features", version=GARCH_FITS.version, schema=GARCH_FITS.schema
)
"""Spread and GARCH parameters from the models' training part alone; in-sample rows only."""

GRU_MODELS = Contract(
    table="gru_models",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "pair": pa.Column(str, unique=True),
            "status": _text(MODEL_STATUSES),
            "reason": _text(nullable=True),
            **{name: _count() for name in ("n_train", "n_validation", "n_test", "n_overnight")},
            **{name: _number() for name in METRICS},
            "skill_q": _number(_PROBABILITY),
            "lift_seed_sd": _number(pa.Check.ge(0.0)),
            "threshold": _number(_PROBABILITY),
            "baseline": _text(("base_rate", "ar1_logit"), nullable=True),
            **{name: _count() for name in ("best_epoch", "epochs")},
            "correlation": _number(),
            "model_run_id": _text(nullable=True),
            "run_name": _text(nullable=True),
        },
        checks=[_REASON, _known_where_ok("log_loss", "skill", "lift", "f1", "threshold", "baseline", "n_test")],
        strict=True,
        ordered=True,
    ),
)
"""One row for each candidate: what became of it, and the metrics of its test part; see `METRICS`."""

GRU_FORECASTS = Contract(
    table="gru_forecasts",
    asset="gru_models",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "pair": _text(),
            "ts_utc": pa.Column(_UTC),
            "label": pa.Column("float64", pa.Check.isin([0.0, 1.0])),
            **{
                name: pa.Column("float64", _PROBABILITY)
                for name in ("probability", "base_probability", "baseline_probability")
            },
        },
        unique=["pair", "ts_utc"],
        strict=True,
        ordered=True,
    ),
)
"""Forecasts and outcomes on the test parts: every figure of a test can be computed again from these rows."""

SHADOW_LOSSES = Contract(
    table="shadow_losses",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "alias": _text(("champion", "challenger")),
            "version": pa.Column("int64", pa.Check.ge(1)),
            "pair": _text(),
            "status": _text(SHADOW_STATUSES),
            "reason": _text(nullable=True),
            "n_labels": pa.Column("int64", pa.Check.ge(0)),
            **{name: _number(pa.Check.ge(0.0)) for name in ("loss", "base_loss", "baseline_loss")},
        },
        checks=[_REASON, _known_where_ok("loss", "base_loss", "baseline_loss")],
        unique=["version", "alias", "pair"],
        strict=True,
        ordered=True,
    ),
)
"""Sums of losses over the labels of one session that the model had never seen, for each pair of the model."""


def feature_frame(datasets: Sequence[PairDataset], plan: SplitPlan) -> pd.DataFrame:
    """Rows of `PAIR_FEATURES` of the datasets with status "ok"."""
    parts = plan.parts()
    frames = [
        pd.DataFrame(
            {
                "pair": dataset.pair,
                "ts_utc": pd.DatetimeIndex(dataset.ts_utc, tz="UTC"),
                "part": parts,
                **{name: dataset.features[:, k] for k, name in enumerate(FEATURES)},
                "label": dataset.label,
                "overnight": dataset.overnight,
                "excess": dataset.excess,
            }
        )
        for dataset in datasets
        if dataset.status == "ok"
    ]
    return pd.concat(frames, ignore_index=True) if frames else PAIR_FEATURES.empty()


def scaling_frame(datasets: Sequence[PairDataset]) -> pd.DataFrame:
    """Rows of `FEATURE_SCALING`, one for each dataset."""
    rows = []
    for dataset in datasets:
        row: dict[str, object] = {
            "pair": dataset.pair,
            "status": dataset.status,
            "reason": dataset.reason or None,
            "horizon_bars": dataset.horizon_bars,
            "last_spread": np.nan,
            "last_variance": np.nan,
        }
        if dataset.scaling is not None and dataset.state is not None:
            row |= {name: json.dumps(values) for name, values in asdict(dataset.scaling).items()}
            row |= {
                "tail_variance": json.dumps(dataset.tail_variance),
                "tail_residual": json.dumps(dataset.tail_residual),
                "last_spread": dataset.state.last_spread,
                "last_variance": dataset.state.variance,
            }
        rows.append(row)
    return FEATURE_SCALING.frame(rows)


def datasets_of(
    features: pd.DataFrame, scaling: pd.DataFrame, fits: pd.DataFrame
) -> tuple[list[PairDataset], SplitPlan | None]:
    """The datasets that were stored, and their plan; None where no pair has data.

    Parameters
    ----------
    features, scaling, fits : DataFrame
        `PAIR_FEATURES`, `FEATURE_SCALING` and `FEATURE_FITS` of one partition.
    """
    in_sample = fits[fits["parameter_set"] == IN_SAMPLE].set_index("pair", drop=False)
    groups = dict(tuple(features.groupby("pair", sort=False)))
    datasets = []
    for row in scaling.to_dict("records"):
        if row["status"] != "ok":
            datasets.append(without_data(row["pair"], row["status"], row["reason"]))
            continue
        rows, fit = groups[row["pair"]], in_sample.loc[row["pair"]]
        datasets.append(
            PairDataset(
                pair=row["pair"],
                status="ok",
                parameters=spread_parameters(fit),
                fit=garch_fit(fit),
                horizon_bars=int(row["horizon_bars"]),
                scaling=Scaling(tuple(json.loads(row["centre"])), tuple(json.loads(row["scale"]))),
                state=GarchState(float(row["last_spread"]), float(row["last_variance"])),
                tail_variance=tuple(json.loads(row["tail_variance"])),
                tail_residual=tuple(json.loads(row["tail_residual"])),
                ts_utc=rows["ts_utc"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]"),
                features=rows[list(FEATURES)].to_numpy("float32"),
                label=rows["label"].to_numpy("float64"),
                overnight=rows["overnight"].to_numpy(bool),
                excess=rows["excess"].to_numpy("float64"),
            )
        )
    ready = [dataset for dataset in datasets if dataset.status == "ok"]
    return datasets, plan_of_parts(groups[ready[0].pair]["part"].to_numpy()) if ready else None
