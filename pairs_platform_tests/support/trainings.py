"""Trainings of models as the database stores them."""

from datetime import UTC, date, datetime

import pandas as pd

SESSION = date(2023, 3, 8)
TRAINED = datetime(2023, 3, 9, 11, tzinfo=UTC)
LIFTS = {"A_B": 0.002, "A_C": -0.001, "B_C": 0.004}


def training(session: date = SESSION, run_id: str = "run", trained: datetime = TRAINED, **more) -> dict:
    return {
        "run_id": run_id, "run_name": f"GRU_Training_{run_id}", "dagster_run_id": "dagster", "sector": "technology",
        "session": session, "model_version": 1, "scope": "all", "scope_reason": "", "full_retrain": True,
        "n_candidates": 4, "n_trained": 3, "n_failed": 1, "n_pairs": 3, "seconds": 12.5, "skill": 0.001,
        "lift": float("nan"), "triggers": "{}", "trained_utc": trained, **more,
    }  # fmt: skip


def performance(lifts: dict[str, float] | None = None) -> pd.DataFrame:
    rows = [
        {"pair": pair, "status": "ok", "lift": lift, "f1": 0.7 - lift, "skill": lift, "n_test": 900}
        for pair, lift in (lifts or LIFTS).items()
    ]
    return pd.DataFrame([*rows, {"pair": "X_Y", "status": "failed", "reason": "the loss is not finite"}])
