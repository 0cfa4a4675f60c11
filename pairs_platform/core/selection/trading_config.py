"""The trading configuration: everything that live signals need for the next session, as one versioned document.

What does not belong here: choosing pairs (`ranking`), the rule that trades them (`core.trading`), and storing the
document.
"""

import dataclasses
import hashlib
import json
from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.folding import shortened
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.screening.spread import SPREAD_DEFINITION, SpreadParameters
from pairs_platform.core.selection.contracts import ROLES, TRADING_CONFIG
from pairs_platform.core.trading.rule import max_hold_bars
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform.core.volatility.contracts import FULL_WINDOW
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters

SHOWN_ROLES = {"selected": "selected", "pinned": "pinned", "watched": "watchlist"}
"""The words of signals and of people by those of the configuration, which are under its hash."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_CAUSES_SHOWN, _LONGEST_VALUE = 3, 80


def _in_words(error: ValidationError) -> str:
    """What is wrong with a document: the first causes, each with its place and the value there."""
    causes = error.errors(include_url=False)
    lines = []
    for cause in causes[:_CAUSES_SHOWN]:
        place = ".".join(str(part) for part in cause["loc"])
        if cause["type"] == "value_error":
            words = str(cause["ctx"]["error"])
        elif cause["type"] == "missing":
            words = "is missing"
        elif cause["type"] == "extra_forbidden":
            words = "is no field of it"
        else:
            words = f"has a value that it cannot have, {shortened(repr(cause['input']), _LONGEST_VALUE)}"
        lines.append(f"{place} {words}".strip())
    more = f" and {len(causes) - _CAUSES_SHOWN} more" if len(causes) > _CAUSES_SHOWN else ""
    return f"{'; '.join(lines)}{more}"


class SpreadSection(_Document):
    """The spread that was tested, modelled and backtested: s = ln y − alpha − beta·ln x, z = (s − mu)/sigma."""

    definition: str = Field(pattern=f"^{SPREAD_DEFINITION}$", description="Version of the formula.")
    y: str
    x: str
    alpha: float = Field(description="Intercept [ln US dollars].")
    beta: float = Field(description="Hedge ratio [1].")
    mu: float = Field(description="Mean of the spread [ln].")
    sigma: float = Field(gt=0, description="Standard deviation of the spread [ln].")
    n_bars: int = Field(ge=1, description="Bars of the estimation sample.")

    def parameters(self) -> SpreadParameters:
        """The same numbers as the core's spread parameters."""
        return SpreadParameters(**self.model_dump(exclude={"definition"}))


class GarchSection(_Document):
    """AR(1)-GARCH(1,1) of the spread and the state from which its recursion goes on."""

    c: float
    phi: float
    omega: float = Field(gt=0)
    alpha1: float = Field(ge=0)
    beta1: float = Field(ge=0)
    nu: float | None = Field(description="Degrees of freedom; null for a Gaussian fit.")
    diurnal: tuple[float, ...] = Field(min_length=1, description="Factor d of each bar of the day.")
    last_spread: float | None = Field(description="s at the as-of session's last close [ln]; null inside a gap.")
    last_variance: float = Field(gt=0, description="h of the next bar, known at that close [ln²].")
    reference_variance: float = Field(gt=0, description="h̄ of the stop band: mean of h over the sample [ln²].")
    next_volatility: float = Field(gt=0, description="Standard deviation of the next bar's innovation [ln].")
    half_life_bars: float | None = Field(gt=0, description="Half-life by the φ of the fit; null where there is none.")
    max_hold_bars: float | None = Field(gt=0, description="Age of the time stop; null where there is no half-life.")


class ConfiguredPair(_Document):
    """One pair of the configuration; only role "selected" has a size."""

    pair: str
    symbol_1: str
    symbol_2: str
    role: Literal["selected", "pinned", "watched"]
    size: float = Field(ge=0, le=1, description="Share of a full position; 0 is followed, not traded.")
    provisional: bool
    rank: int | None
    score: float | None
    ranking_score: float | None
    explanation: str
    spread: SpreadSection | None = Field(description="Null for a pair that was not fitted.")
    garch: GarchSection | None = Field(description="Null for a pair that was not fitted.")

    @model_validator(mode="after")
    def _tradable(self) -> Self:
        if (self.role == "selected") != (self.size > 0):
            raise ValueError(f"{self.pair}: size {self.size} does not go with the role {self.role!r}")
        if self.size > 0 and (self.spread is None or self.garch is None or self.garch.max_hold_bars is None):
            raise ValueError(f"{self.pair}: a traded pair needs its spread, its GARCH state and a half-life")
        return self


class ModelSection(_Document):
    """The registered model that gives probabilities; each of its pairs brings its own spread and GARCH parameters."""

    name: str = Field(description="Registered model.")
    version: int = Field(ge=1, description="Its version.")
    session: date = Field(description="Last session of the window that it was trained on.")
    pairs: tuple[str, ...] = Field(description="Pairs that it holds; every other pair has no model.")


class TradingConfig(_Document):
    """What may be traded in `valid_for`, decided at the close of `session`; to have no pairs is a valid outcome."""

    version: Literal[2] = 2
    content_hash: str = ""
    session: date = Field(description="As-of session: the newest data in it is this session's close.")
    valid_for: date = Field(description="The XNYS session after it.")
    sector: str
    source_label: str = Field(description="Where the prices come from, as shown in every output.")
    frequency: Frequency
    price_basis: PriceBasis
    trading: TradingSettings
    costs: CostSettings
    model: ModelSection | None = Field(description="Null where signals go without a model.")
    model_reason: str = Field(description="Why that model, or why none.")
    pairs: tuple[ConfiguredPair, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [pair.pair for pair in self.pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"pairs appear more than once: {sorted({n for n in names if names.count(n) > 1})}")
        if self.valid_for != session_offset(self.session, 1):
            raise ValueError(f"valid_for {self.valid_for} is not the session after {self.session}")
        if self.model is not None and self.model.session > self.session:
            raise ValueError(
                f"the model {self.model.name} version {self.model.version} has seen {self.model.session}, which is "
                f"after the configuration's session {self.session}"
            )
        expected = self._hash()
        if not self.content_hash:
            object.__setattr__(self, "content_hash", expected)
        elif self.content_hash != expected:
            raise ValueError(
                f"the content does not match its hash {self.content_hash[:12]}…: materialize trading_config again "
                "instead of editing the document"
            )
        return self

    def _hash(self) -> str:
        content = self.model_dump(mode="json", exclude={"content_hash"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def with_role(self, role: str) -> tuple[ConfiguredPair, ...]:
        """Pairs of one role, in rank order."""
        return tuple(pair for pair in self.pairs if pair.role == role)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The configuration whose `document` this is, checked against its hash.

        Raises
        ------
        DataError
            The document is no configuration, or was edited.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise DataError(f"the document cannot be read back: {_in_words(error)}") from error
        except NotFound as error:
            raise DataError(f"the document cannot be read back: {error}") from error

    def document(self) -> dict[str, Any]:
        """JSON-ready form, which `from_document` reads back."""
        return self.model_dump(mode="json")

    def table(self) -> pd.DataFrame:
        """One row per pair for SQL, columns of `TRADING_CONFIG`; diurnal factors are left out."""
        head = {
            "session": pd.Timestamp(self.session),
            "valid_for": pd.Timestamp(self.valid_for),
            "sector": self.sector,
            "source_label": self.source_label,
            "content_hash": self.content_hash,
        }
        modelled = set(self.model.pairs) if self.model else set()
        rows = []
        for pair in self.pairs:
            model = {"model_version": self.model.version if self.model and pair.pair in modelled else None}
            spread = pair.spread.model_dump(exclude={"definition"}) if pair.spread else {}
            garch = pair.garch.model_dump(exclude={"diurnal"}) if pair.garch else {}
            rows.append(head | pair.model_dump(exclude={"spread", "garch"}) | model | spread | garch)
        return TRADING_CONFIG.frame(rows)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigOrigin:
    """Of which sector-day and which prices a configuration is."""

    session: date
    sector: str
    source_label: str
    frequency: Frequency
    price_basis: PriceBasis


def build_trading_config(
    rankings: pd.DataFrame,
    fits: pd.DataFrame,
    origin: ConfigOrigin,
    *,
    trading: TradingSettings,
    costs: CostSettings,
    model: ModelSection | None,
    model_reason: str,
    held_back: Mapping[str, str] | None = None,
    remarks: Mapping[str, str] | None = None,
) -> TradingConfig:
    """Selected, pinned and watched pairs of one sector-day, with their full-window parameters.

    Parameters
    ----------
    rankings : DataFrame
        `composite_rankings` of the session.
    fits : DataFrame
        `garch_fits` of the session; its full-window rows are used.
    origin : ConfigOrigin
    model, model_reason
        The champion as of the session, or None, and why.
    held_back : mapping of pair to str, optional
        Selected pairs that take no new entries in the next session, and why: they are watched, with size 0.
    remarks : mapping of pair to str, optional
        What is added to the explanation of other pairs.

    Returns
    -------
    TradingConfig
        Selected pairs first, then pinned, then watched, each in rank order. The same input gives the same hash.
    """
    fitted = fits[(fits["parameter_set"] == FULL_WINDOW) & (fits["status"] == "ok")].set_index("pair", drop=False)
    held_back, remarks, valid_for = held_back or {}, remarks or {}, session_offset(origin.session, 1)
    stopped = rankings["selected"] & rankings["pair"].isin(list(held_back))
    of_role = [rankings["selected"] & ~stopped, rankings["pinned"], rankings["watched"] | stopped]
    listed = rankings.assign(role=np.select(of_role, list(ROLES), ""), size=rankings["size"].mask(stopped, 0.0))
    pairs = []
    for role in ROLES:
        for row in listed[listed["role"] == role].to_dict("records"):
            fit = fitted.loc[row["pair"]] if row["pair"] in fitted.index else None
            pairs.append(
                ConfiguredPair(
                    **{name: row[name] for name in ("pair", "symbol_1", "symbol_2", "role")},
                    explanation=_explained(row, held_back, remarks, valid_for),
                    size=float(row["size"]),
                    provisional=bool(row["provisional"]),
                    rank=None if pd.isna(row["rank"]) else int(row["rank"]),
                    score=_number(row["score"]),
                    ranking_score=_number(row["ranking_score"]),
                    spread=None if fit is None else _spread_section(fit),
                    garch=None if fit is None else _garch_section(fit, trading),
                )
            )
    return TradingConfig(
        **dataclasses.asdict(origin),
        valid_for=valid_for,
        trading=trading,
        costs=costs,
        model=model,
        model_reason=model_reason,
        pairs=tuple(pairs),
    )


def _explained(
    row: Mapping[Hashable, Any], held_back: Mapping[str, str], remarks: Mapping[str, str], valid_for: date
) -> str:
    explanation, pair = str(row["explanation"]), row["pair"]
    if pair in held_back:
        return f"{explanation}, but no new entries in {valid_for}: {held_back[pair]}"
    return f"{explanation}; {remarks[pair]}" if pair in remarks else explanation


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _spread_section(row: pd.Series) -> SpreadSection:
    return SpreadSection(definition=row["spread_definition"], **dataclasses.asdict(spread_parameters(row)))


def _garch_section(row: pd.Series, trading: TradingSettings) -> GarchSection:
    fit = garch_fit(row)
    half_life = _number(fit.half_life_bars)
    names = ("c", "phi", "omega", "alpha1", "beta1", "last_variance", "next_volatility", "diurnal")
    return GarchSection(
        **{name: getattr(fit, name) for name in names},
        nu=_number(fit.nu),
        last_spread=_number(fit.last_spread),
        reference_variance=fit.mean_variance,
        half_life_bars=half_life,
        max_hold_bars=None if half_life is None else max_hold_bars(half_life, trading),
    )
