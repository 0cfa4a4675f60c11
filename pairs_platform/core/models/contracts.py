"""Contracts of the model stage's tables, and how datasets become rows and rows datasets.

What does not belong here: computing features (`features`), metrics (`evaluation`) or losses in shadow (`shadow`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pairs_platform.core.contract import Contract, reason_where_not_ok
from pairs_platform.core.models.inputs import FEATURES, FEATURES_IN_WORDS, Scaling
from pairs_platform.core.models.metrics import DESCRIPTIONS, TEST_METRICS
from pairs_platform.core.models.splits import PARTS, SplitPlan, plan_of_parts
from pairs_platform.core.volatility.contracts import GARCH_FITS, IN_SAMPLE
from pairs_platform.core.volatility.fit import GarchState
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters

if TYPE_CHECKING:
    from pairs_platform.core.models.features import PairDataset

DATASET_STATUSES = ("ok", "no_fit", "no_labels", "insufficient_data")
MODEL_STATUSES = (*DATASET_STATUSES, "failed", "not_chosen")
SHADOW_STATUSES = ("ok", "leg_missing", "out_of_reach", "corporate_action", "no_labels")
_UTC = "datetime64[ns, UTC]"

METRICS = tuple(TEST_METRICS)
"""Metrics of a pair's test part; losses, skill and lift in nats per label."""

REGISTERED = ("correlation", "model_run_id", "run_name")
"""Columns of `gru_models` that are known when the models of a training are registered."""


_PAIR = "Both symbols in alphabetical order, joined by an underscore."
_START = "Start of the bar, UTC."
_WHY = "Why the status is not ok."


def _number(description: str, *checks: pa.Check, nullable: bool = True) -> pa.Column:
    return pa.Column("float64", list(checks), nullable=nullable, description=description)


def _count(description: str, *, least: int = 0, nullable: bool = False) -> pa.Column:
    kind = "Int64" if nullable else "int64"
    return pa.Column(kind, pa.Check.ge(least), nullable=nullable, description=description)


def _text(description: str, values: Sequence[str] | None = None, *, nullable: bool = False, **given: Any) -> pa.Column:
    checks = [pa.Check.isin(values)] if values else []
    return pa.Column(str, checks, nullable=nullable, description=description, **given)


def _metric(name: str, *checks: pa.Check) -> pa.Column:
    return _number(DESCRIPTIONS[name], *checks)


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
            "pair": _text(_PAIR),
            "ts_utc": pa.Column(_UTC, description=_START),
            "part": _text("Part of the window: train, purge, validation or test.", PARTS),
            **{
                name: pa.Column("float32", nullable=True, description=description)
                for name, description in FEATURES_IN_WORDS.items()
            },
            "label": _number(
                "1 where the spread reverts within the horizon, 0 where not [1].", pa.Check.isin([0.0, 1.0])
            ),
            "overnight": pa.Column(bool, description="The label spans a night."),
            "excess": _number("Distance of the spread from its mean over next volatility [1].", pa.Check.ge(0.0)),
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
            "pair": _text(_PAIR, unique=True),
            "status": _text("Whether the pair has features.", DATASET_STATUSES),
            "reason": _text(_WHY, nullable=True),
            "horizon_bars": _count("Bars from a bar to the end of its label [bars]."),
            "centre": _text("JSON list: mean of each feature in training.", nullable=True),
            "scale": _text("JSON list: standard deviation of each feature in training.", nullable=True),
            "tail_variance": _text("JSON list: variances of the last bars, oldest first.", nullable=True),
            "tail_residual": _text("JSON list: GARCH residuals of the last bars, oldest first.", nullable=True),
            "last_spread": _number("Spread at the window's last close [ln US dollars]."),
            "last_variance": _number("Variance of the next bar [(ln US dollars)²].", pa.Check.gt(0.0)),
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
            "pair": _text(_PAIR, unique=True),
            "status": _text("Whether the pair was trained and judged.", MODEL_STATUSES),
            "reason": _text(_WHY, nullable=True),
            **{
                name: _count(DESCRIPTIONS[name], nullable=True)
                for name in ("n_train", "n_validation", "n_test", "n_overnight")
            },
            **{name: _metric(name) for name in METRICS},
            "skill_q": _metric("skill_q", _PROBABILITY),
            "lift_seed_sd": _metric("lift_seed_sd", pa.Check.ge(0.0)),
            "threshold": _metric("threshold", _PROBABILITY),
            "baseline": _text("Simple forecast chosen on validation.", ("base_rate", "ar1_logit"), nullable=True),
            **{name: _count(DESCRIPTIONS[name], nullable=True) for name in ("best_epoch", "epochs")},
            "correlation": _metric("correlation"),
            "model_run_id": _text("MLflow run of the pair; null where it was not trained.", nullable=True),
            "run_name": _text("Name of that run.", nullable=True),
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
            "pair": _text(_PAIR),
            "ts_utc": pa.Column(_UTC, description=_START),
            "label": _number(
                "1 where the spread reverted, 0 where not [1].", pa.Check.isin([0.0, 1.0]), nullable=False
            ),
            **{
                name: _number(f"Probability of a reversion by {whose} [1].", _PROBABILITY, nullable=False)
                for name, whose in (
                    ("probability", "the model"),
                    ("base_probability", "the training base rate"),
                    ("baseline_probability", "the simple forecast chosen on validation"),
                )
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
            "alias": _text("champion or challenger.", ("champion", "challenger")),
            "version": _count("Registered version of the model [1].", least=1),
            "pair": _text(_PAIR),
            "status": _text("Whether the pair could be predicted.", SHADOW_STATUSES),
            "reason": _text(_WHY, nullable=True),
            "n_labels": _count("Labels of the session [labels]."),
            **{
                name: _number(f"Sum of the log-losses of {whose} [nats].", pa.Check.ge(0.0))
                for name, whose in (
                    ("loss", "the model"),
                    ("base_loss", "the training base rate"),
                    ("baseline_loss", "the simple forecast chosen on validation"),
                )
            },
        },
        checks=[_REASON, _known_where_ok("loss", "base_loss", "baseline_loss")],
        unique=["version", "alias", "pair"],
        strict=True,
        ordered=True,
    ),
)
"""Sums of losses over the labels of one session that the model had never seen, for each pair of the model."""


def feature_frame(datasets: "Sequence[PairDataset]", plan: SplitPlan) -> pd.DataFrame:
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


def scaling_frame(datasets: "Sequence[PairDataset]") -> pd.DataFrame:
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
) -> "tuple[list[PairDataset], SplitPlan | None]":
    """The datasets that were stored, and their plan; None where no pair has data.

    Parameters
    ----------
    features, scaling, fits : DataFrame
        `PAIR_FEATURES`, `FEATURE_SCALING` and `FEATURE_FITS` of one partition.
    """
    from pairs_platform.core.models.features import PairDataset, without_data

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
