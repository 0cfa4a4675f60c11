"""All that the signals of one sector and session rest on, as plain arrays: made in the morning, read every 5 minutes.

A session state is made from the trading configuration, the models and the price history once (`session_setup`); the run
after a bar reads it as one file and needs neither pandas nor a model registry. What does not belong here: making it,
and using it (`engine`).
"""

import json
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import numpy as np
from pydantic import ValidationError

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.gru.inference import WEIGHT_NAMES
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.trading.settings import TradingSettings

STATE_VERSION = 3
"""Version of the file; a file of another version is made again."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SpreadArrays:
    """k spreads with their AR(1)-GARCH(1,1) and its state at the close of the session before; arrays (k,) if not said.

    Attributes
    ----------
    y, x : tuple of str
        Legs; s = ln y − alpha − beta·ln x.
    alpha, beta, mu, sigma : ndarray
        As `SpreadParameters`.
    c, phi, omega, alpha1, beta1 : ndarray
        As `GarchFit`.
    diurnal : ndarray, shape (k, B)
        Factor d of each bar of a full session.
    reference_variance : ndarray
        h̄ of the stop band.
    max_hold : ndarray
        Age of the time stop in bars; infinite where there is no half-life.
    last_spread, variance : ndarray
        s at the last bar (NaN inside a gap) and h of the next bar.
    """

    y: tuple[str, ...]
    x: tuple[str, ...]
    alpha: np.ndarray
    beta: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    c: np.ndarray
    phi: np.ndarray
    omega: np.ndarray
    alpha1: np.ndarray
    beta1: np.ndarray
    diurnal: np.ndarray
    reference_variance: np.ndarray
    max_hold: np.ndarray
    last_spread: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelArrays:
    """m pairs of one registered version, ready to be asked about later bars.

    Attributes
    ----------
    version : int
    pair : ndarray of int, shape (m,)
        Position of each in `SessionState.pairs`.
    spreads : SpreadArrays
        The model's own, m of them.
    tail_spread : ndarray, shape (lead, m)
        s of the last bars before the session.
    tail_next_variance, tail_residual : ndarray, shape (lead, m)
        As `features.ContinuedSpread`.
    tail_bar_of_day, tail_following : ndarray of int, shape (lead,)
        Position in its session of each of these bars, and of the bar after it.
    centre, scale : ndarray, shape (m, 13)
    intercept, slope, threshold : ndarray, shape (m,)
    weights : dict of ndarray of float64
        As `inference.stacked`; single precision in the file, as they were trained.
    sequence_length, bars_per_session : int
    """

    version: int
    pair: np.ndarray
    spreads: SpreadArrays
    tail_spread: np.ndarray
    tail_next_variance: np.ndarray
    tail_residual: np.ndarray
    tail_bar_of_day: np.ndarray
    tail_following: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    intercept: np.ndarray
    slope: np.ndarray
    threshold: np.ndarray
    weights: dict[str, np.ndarray]
    sequence_length: int
    bars_per_session: int


@dataclass(frozen=True, kw_only=True)
class SessionPair:
    """One pair of the configuration.

    Attributes
    ----------
    pair, role : str
    size : float
        Share of a full position; 0 is followed, not traded.
    reason : str
        Why it gives no signal at all; empty where it does.
    model_reason : str
        Why the champion is not asked about it; empty where it is.
    """

    pair: str
    role: str
    size: float
    reason: str = ""
    model_reason: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionState:
    """A sector's session, before its first bar.

    Attributes
    ----------
    sector, source_label : str
    session, config_session : date
        The session that is traded, and the one whose close it was configured at.
    config_hash : str
    frequency : Frequency
    trading : TradingSettings
    max_fill_bars : int
    split_tolerance : float
        How near, in log terms, the first price's move from the close before may be to a common split ratio before it
        is taken for a split that nobody reported.
    pairs : tuple of SessionPair, length k
    traded : SpreadArrays
        The spread of every pair: the champion's where it is asked, else the configuration's; NaN where there is none.
    champion, challenger : ModelArrays or None
    symbols : tuple of str, length n, sorted
    last_observed : ndarray of bool, shape (n,)
        Whether the last bar before the session arrived.
    bars_since : ndarray of int, shape (n,)
        Bars from a symbol's newest bar to the last one before the session.
    last_log_close : ndarray, shape (n,)
    """

    sector: str
    source_label: str
    session: date
    config_session: date
    config_hash: str
    frequency: Frequency
    trading: TradingSettings
    max_fill_bars: int
    split_tolerance: float
    pairs: tuple[SessionPair, ...]
    traded: SpreadArrays
    champion: ModelArrays | None
    challenger: ModelArrays | None
    symbols: tuple[str, ...]
    last_observed: np.ndarray
    bars_since: np.ndarray
    last_log_close: np.ndarray


def state_to_bytes(state: SessionState) -> bytes:
    """A session state as one safetensors file; `state_from_bytes` gives it back and executes nothing."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    header: dict[str, Any] = {
        "state_version": STATE_VERSION,
        "sector": state.sector,
        "source_label": state.source_label,
        "session": state.session.isoformat(),
        "config_session": state.config_session.isoformat(),
        "config_hash": state.config_hash,
        "frequency": state.frequency.value,
        "trading": state.trading.model_dump(mode="json"),
        "max_fill_bars": state.max_fill_bars,
        "split_tolerance": state.split_tolerance,
        "pairs": [asdict(pair) for pair in state.pairs],
        "symbols": state.symbols,
        "traded": _put_spreads(arrays, "traded", state.traded),
    }
    for name in ("last_observed", "bars_since", "last_log_close"):
        arrays[name] = getattr(state, name)
    for alias in ("champion", "challenger"):
        model: ModelArrays | None = getattr(state, alias)
        header[alias] = None if model is None else _put_model(arrays, alias, model)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, metadata={"session_state": json.dumps(header)})


def state_from_bytes(content: bytes) -> SessionState:
    """The session state whose `state_to_bytes` this is.

    Raises
    ------
    DataError
        For anything else, and for a session state of another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        file_header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        header = json.loads(file_header["__metadata__"]["session_state"])
        if header["state_version"] != STATE_VERSION:
            raise DataError(
                f"the file is no session state: it has version {header['state_version']}, {STATE_VERSION} is needed"
            )
        return _state_of(arrays, header)
    except ValidationError as error:
        raise DataError("the file is no session state: its thresholds are none") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the file is no session state: {error}") from error


def _state_of(arrays: dict[str, np.ndarray], header: dict[str, Any]) -> SessionState:
    return SessionState(
        sector=header["sector"],
        source_label=header["source_label"],
        config_hash=header["config_hash"],
        max_fill_bars=header["max_fill_bars"],
        split_tolerance=header["split_tolerance"],
        last_observed=arrays["last_observed"],
        bars_since=arrays["bars_since"],
        last_log_close=arrays["last_log_close"],
        session=date.fromisoformat(header["session"]),
        config_session=date.fromisoformat(header["config_session"]),
        frequency=Frequency(header["frequency"]),
        trading=TradingSettings.model_validate(header["trading"]),
        pairs=tuple(SessionPair(**pair) for pair in header["pairs"]),
        symbols=tuple(header["symbols"]),
        traded=_get_spreads(arrays, "traded", header["traded"]),
        champion=_get_model(arrays, "champion", header["champion"]),
        challenger=_get_model(arrays, "challenger", header["challenger"]),
    )


_SPREAD_ARRAYS = tuple(field.name for field in fields(SpreadArrays) if field.name not in ("y", "x"))
_MODEL_NUMBERS = ("version", "sequence_length", "bars_per_session")
_MODEL_ARRAYS = tuple(
    field.name for field in fields(ModelArrays) if field.name not in ("spreads", "weights", *_MODEL_NUMBERS)
)


def _put_spreads(arrays: dict[str, np.ndarray], where: str, spreads: SpreadArrays) -> dict[str, Any]:
    arrays |= {f"{where}/{name}": getattr(spreads, name) for name in _SPREAD_ARRAYS}
    return {"y": spreads.y, "x": spreads.x}


def _get_spreads(arrays: dict[str, np.ndarray], where: str, header: dict[str, Any]) -> SpreadArrays:
    return SpreadArrays(
        y=tuple(header["y"]), x=tuple(header["x"]), **{name: arrays[f"{where}/{name}"] for name in _SPREAD_ARRAYS}
    )


def _put_model(arrays: dict[str, np.ndarray], where: str, model: ModelArrays) -> dict[str, Any]:
    arrays |= {f"{where}/{name}": getattr(model, name) for name in _MODEL_ARRAYS}
    arrays |= {f"{where}/weights/{name}": model.weights[name].astype(np.float32) for name in WEIGHT_NAMES}
    return {
        **{name: getattr(model, name) for name in _MODEL_NUMBERS},
        "spreads": _put_spreads(arrays, f"{where}/spreads", model.spreads),
    }


def _get_model(arrays: dict[str, np.ndarray], where: str, header: dict[str, Any] | None) -> ModelArrays | None:
    if header is None:
        return None
    numbers: dict[str, Any] = {name: header[name] for name in _MODEL_NUMBERS}
    stored: dict[str, Any] = {name: arrays[f"{where}/{name}"] for name in _MODEL_ARRAYS}
    return ModelArrays(
        **numbers,
        **stored,
        spreads=_get_spreads(arrays, f"{where}/spreads", header["spreads"]),
        weights={name: arrays[f"{where}/weights/{name}"].astype(np.float64) for name in WEIGHT_NAMES},
    )
