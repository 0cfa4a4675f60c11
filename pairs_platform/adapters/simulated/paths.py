"""The random processes of the simulated market: latent log prices of one sector, free of corporate actions.

Every stream is drawn in order from a fixed first session, by a generator of its own whose seed is made of the market's
seed and the stream's name. So a bar does not depend on the range that somebody asks for, and a symbol's own path does
not depend on the other symbols. What does not belong here: prices in dollars, corporate actions, frames.
"""

import hashlib
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np

from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import BarGrid
from pairs_platform.core.screening.pair_names import pair_name

SESSION_MINUTES = 390


@dataclass(frozen=True, kw_only=True)
class PlantedPair:
    """The truth about one planted pair: ln y = constant + β ln x + s with an AR(1)-GARCH(1,1) spread s of mean zero.

    s_t = φ s_{t−1} + e_t, e_t = d_b √h_t z_t, h_{t+1} = ω + α₁ (e_t/d_b)² + β₁ h_t, where d_b is `diurnal[b]` for bar
    of day b, of mean square 1 over a full session. `beta` is what β moves around in the variant ``beta_breaks``.

    Attributes
    ----------
    pair, y, x, sector : str
    beta, phi, alpha1, beta1 : float
        Pure numbers.
    omega : float
        Log units squared per bar.
    half_life_bars : float
        −ln 2 / ln φ.
    diurnal : tuple of float, one per bar of a full session
    """

    pair: str
    y: str
    x: str
    sector: str
    beta: float
    half_life_bars: float
    phi: float
    omega: float
    alpha1: float
    beta1: float
    diurnal: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class PlantedBreak:
    """What changes in every planted pair at one moment, to measure how soon it is noticed.

    Attributes
    ----------
    kind : str
        "beta": β is `size` times what it was. "mean": the spread reverts to a mean that is `size` of its standard
        deviations higher. "unit_root": the spread no longer reverts; no size. "variance": its innovations have `size`
        times their variance. "correlation": the hedged part of y keeps the correlation `size` with x, and its own
        variance.
    session : int
        Sessions from the market's first one to the first that is changed.
    size : float
    """

    kind: Literal["beta", "mean", "unit_root", "variance", "correlation"]
    session: int
    size: float = 0.0


@dataclass(frozen=True)
class BarShape:
    """How a session's variance falls on its bars, each array of length bars per full session.

    Attributes
    ----------
    minutes : ndarray
        Variance of the bar in units of an average minute of trading; the first bar includes the night.
    before_open : ndarray
        Share of that variance which falls between the close before and the bar's open.
    """

    minutes: np.ndarray
    before_open: np.ndarray

    @property
    def diurnal(self) -> np.ndarray:
        """Standard deviation of each bar relative to the root mean square bar."""
        return np.sqrt(self.minutes / self.minutes.mean())


def bar_shape(frequency: Frequency, overnight_minutes: float) -> BarShape:
    """U-shaped session, open and close three times as variable as noon, with the night added to the first bar."""
    edges = np.minimum(np.arange(0, SESSION_MINUTES + frequency.minutes, frequency.minutes), SESSION_MINUTES)
    position = 2.0 * edges / SESSION_MINUTES - 1.0
    trading = np.diff(SESSION_MINUTES / 2 * (position + 2.0 * position**3 / 3.0)) / (1.0 + 2.0 / 3.0)
    minutes = trading.copy()
    minutes[0] += overnight_minutes
    before_open = np.full(len(minutes), 0.01)
    before_open[0] = max(0.01, overnight_minutes / minutes[0])
    return BarShape(minutes, before_open)


def stream(seed: int, purpose: str, name: str) -> np.random.PCG64:
    """Bit generator of the stream `purpose` of `name`."""
    digest = hashlib.blake2b(f"{seed}|{purpose}|{name}".encode(), digest_size=16).digest()
    return np.random.PCG64(int.from_bytes(digest, "big"))


def plant_pairs(
    symbols: tuple[str, ...], sector: str, frequency: Frequency, settings: SimulatedMarketSettings
) -> tuple[PlantedPair, ...]:
    """Choose the planted pairs of a sector and their parameters, in alphabetical order of their names.

    Pairs are taken in an order that depends on the seed and their own names only, each symbol once: a symbol that is
    added to or taken from the universe seldom changes the other pairs.
    """
    if settings.variant == "no_pairs":
        return ()
    candidates = sorted(
        itertools.combinations(sorted(symbols), 2),
        key=lambda pair: stream(settings.seed, "order", pair_name(*pair)).random_raw(),
    )
    free = set(symbols)
    planted: list[PlantedPair] = []
    for pair in candidates:
        if len(planted) == settings.planted_pairs_per_sector:
            break
        if free.issuperset(pair) and pair_name(*pair) not in settings.never_planted:
            free.difference_update(pair)
            planted.append(_planted(pair, sector, frequency, settings))
    return tuple(sorted(planted, key=lambda pair: pair.pair))


def _planted(
    pair: tuple[str, str], sector: str, frequency: Frequency, settings: SimulatedMarketSettings
) -> PlantedPair:
    name = pair_name(*pair)
    draw = np.random.Generator(stream(settings.seed, "pair", name)).random(5)
    x, y = pair if draw[0] < 0.5 else pair[::-1]
    half_life = settings.min_half_life_bars * (settings.max_half_life_bars / settings.min_half_life_bars) ** draw[1]
    alpha1 = _between(settings.min_alpha1, settings.max_alpha1, draw[3])
    persistence = _between(settings.min_persistence, settings.max_persistence, draw[4])
    variance = (settings.spread_innovation_bps * 1e-4) ** 2 * frequency.minutes / Frequency.FIVE_MINUTES.minutes
    return PlantedPair(
        pair=name,
        y=y,
        x=x,
        sector=sector,
        beta=_between(settings.min_beta, settings.max_beta, draw[2]),
        half_life_bars=half_life,
        phi=0.5 ** (1.0 / half_life),
        omega=variance * (1.0 - persistence),
        alpha1=alpha1,
        beta1=persistence - alpha1,
        diurnal=tuple(bar_shape(frequency, settings.overnight_minutes).diurnal.tolist()),
    )


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * float(share)


@dataclass(frozen=True, eq=False)
class SymbolPath:
    """Latent path of one symbol, T bars.

    Attributes
    ----------
    log_close : ndarray, shape (T,)
        ln US dollars at the close of each bar, before any corporate action.
    own_sd : float
        Standard deviation of the part of a return that the symbol does not take from `leader`, per √minute of trading.
    total_sd : float
        Standard deviation of the whole return, per √minute of trading.
    leader : str or None
        The x leg that this symbol follows as the y leg of a planted pair.
    beta : ndarray, shape (T,), or None
        Hedge ratio against `leader`, bar by bar.
    """

    log_close: np.ndarray
    own_sd: float
    total_sd: float
    leader: str | None = None
    beta: np.ndarray | None = None


def simulate_sector(
    symbols: tuple[str, ...],
    pairs: tuple[PlantedPair, ...],
    *,
    sector: str,
    grid: BarGrid,
    frequency: Frequency,
    settings: SimulatedMarketSettings,
    planted_break: PlantedBreak | None = None,
) -> dict[str, SymbolPath]:
    """Latent paths of all `symbols` of a sector over `grid`, which must start at the market's first session."""
    simulation = _Simulation(sector, grid, frequency, settings, planted_break)
    followers = {pair.y: pair for pair in pairs}
    paths = {symbol: simulation.independent(symbol) for symbol in symbols if symbol not in followers}
    for symbol, pair in followers.items():
        paths[symbol] = simulation.follower(pair, paths[pair.x])
    return paths


class _Simulation:
    """Factors that the symbols of one sector share, and the recipe for each kind of symbol."""

    def __init__(
        self,
        sector: str,
        grid: BarGrid,
        frequency: Frequency,
        settings: SimulatedMarketSettings,
        planted_break: PlantedBreak | None,
    ) -> None:
        self.settings = settings
        self.planted_break = planted_break
        self.grid = grid
        self.n_bars = len(grid.ts_utc)
        self.shape = bar_shape(frequency, settings.overnight_minutes)
        self.root_minutes = np.sqrt(self.shape.minutes)[grid.bar_of_day]
        self.per_root_minute = 1.0 / math.sqrt(252.0 * (SESSION_MINUTES + settings.overnight_minutes))
        self.market = settings.market_volatility * self._walk("market", "")
        self.jumps = self._jumps(sector)
        self.sector = settings.sector_volatility * self._walk("sector", sector) + self.jumps

    def _shocks(self, purpose: str, name: str) -> np.ndarray:
        """Standardised shocks of one stream, shape (T,)."""
        generator = np.random.Generator(stream(self.settings.seed, purpose, name))
        if self.settings.variant != "t_tails":
            return generator.standard_normal(self.n_bars)
        df = self.settings.tail_degrees_of_freedom
        return generator.standard_t(df, self.n_bars) * math.sqrt((df - 2.0) / df)

    def _walk(self, purpose: str, name: str) -> np.ndarray:
        """Returns of a walk with unit annual volatility, shape (T,)."""
        return self.per_root_minute * self.root_minutes * self._shocks(purpose, name)

    def _jumps(self, sector: str) -> np.ndarray:
        if self.settings.variant != "common_jumps":
            return np.zeros(self.n_bars)
        arrival = np.random.Generator(stream(self.settings.seed, "jump arrival", sector)).random(self.n_bars)
        size = np.random.Generator(stream(self.settings.seed, "jump size", sector)).standard_normal(self.n_bars)
        return np.where(
            arrival < self.settings.jumps_per_session / len(self.shape.minutes), self.settings.jump_size * size, 0.0
        )

    def independent(self, symbol: str) -> SymbolPath:
        """A symbol that is in no pair or leads one: factors plus its own random walk."""
        settings = self.settings
        draw = np.random.Generator(stream(settings.seed, "symbol", symbol)).random(3)
        start = math.log(40.0) + math.log(300.0 / 40.0) * draw[0]
        to_market, to_sector = 0.7 + 0.6 * draw[1], 0.7 + 0.6 * draw[2]
        if settings.variant == "no_pairs":
            volatility = math.hypot(settings.market_volatility, settings.sector_volatility, settings.own_volatility)
            returns = volatility * self._walk("own", symbol)
        else:
            volatility = math.hypot(
                to_market * settings.market_volatility, to_sector * settings.sector_volatility, settings.own_volatility
            )
            returns = (
                to_market * self.market + to_sector * self.sector + settings.own_volatility * self._walk("own", symbol)
            )
        sd = volatility * self.per_root_minute
        return SymbolPath(start + np.cumsum(returns), own_sd=sd, total_sd=sd)

    def follower(self, pair: PlantedPair, leader: SymbolPath) -> SymbolPath:
        """The y leg of a planted pair: β times the leader's returns plus the changes of the spread."""
        draw = np.random.Generator(stream(self.settings.seed, "symbol", pair.y)).random(2)
        start = math.log(40.0) + math.log(300.0 / 40.0) * draw[0]
        beta = self._beta(pair) * self._after_break("beta", 1.0)
        mean = self._after_break("mean", 0.0) * _stationary_sd(pair)
        extra = (0.3 * draw[1] - 0.15) * self.jumps + (1.0 - pair.phi) * mean
        spread = spread_path(
            self._shocks("spread", pair.pair),
            np.asarray(pair.diurnal)[self.grid.bar_of_day] * np.sqrt(self._after_break("variance", 1.0)),
            extra,
            np.where(self._broken("unit_root"), 1.0, pair.phi),
            pair.omega,
            pair.alpha1,
            pair.beta1,
        )
        hedged = np.cumsum(beta * self._followed(pair, leader))
        unconditional_sd = math.sqrt(pair.omega / (1.0 - pair.alpha1 - pair.beta1))
        own_sd = unconditional_sd / math.sqrt(self.shape.minutes.mean())
        return SymbolPath(
            start + hedged + spread,
            own_sd=own_sd,
            total_sd=math.hypot(own_sd, pair.beta * leader.total_sd),
            leader=pair.x,
            beta=beta,
        )

    def _broken(self, kind: str) -> np.ndarray:
        """Bars after a planted break of this kind, shape (T,)."""
        if self.planted_break is None or self.planted_break.kind != kind:
            return np.zeros(self.n_bars, bool)
        return np.cumsum(self.grid.bar_of_day == 0) > self.planted_break.session

    def _after_break(self, kind: str, unchanged: float) -> np.ndarray:
        """The size of a planted break of this kind at the bars after it, `unchanged` elsewhere, shape (T,)."""
        size = 0.0 if self.planted_break is None else self.planted_break.size
        return np.where(self._broken(kind), size, unchanged)

    def _followed(self, pair: PlantedPair, leader: SymbolPath) -> np.ndarray:
        """The returns that the y leg takes from its leader, shape (T,)."""
        returns = np.diff(leader.log_close, prepend=leader.log_close[0])
        if not self._broken("correlation").any():
            return returns
        kept = self._after_break("correlation", 1.0)
        return kept * returns + np.sqrt(1.0 - kept**2) * leader.total_sd * self.root_minutes * self._shocks(
            "uncoupled", pair.pair
        )

    def _beta(self, pair: PlantedPair) -> np.ndarray:
        if self.settings.variant != "beta_breaks":
            return np.full(self.n_bars, pair.beta)
        session = np.cumsum(self.grid.bar_of_day == 0) - 1
        regime = session // self.settings.beta_break_sessions
        draw = np.random.Generator(stream(self.settings.seed, "break", pair.pair)).random((int(regime[-1]) + 1, 2))
        change = np.where(draw[:, 0] < 0.5, -1.0, 1.0) * (0.15 + 0.25 * draw[:, 1])
        return pair.beta * (1.0 + change[regime])


def _stationary_sd(pair: PlantedPair) -> float:
    """Standard deviation of a planted spread, log units."""
    return math.sqrt(pair.omega / (1.0 - pair.alpha1 - pair.beta1) / (1.0 - pair.phi**2))


@numba.njit(cache=True)
def spread_path(
    z: np.ndarray, diurnal: np.ndarray, extra: np.ndarray, phi: np.ndarray, omega: float, alpha1: float, beta1: float
) -> np.ndarray:
    """AR(1)-GARCH(1,1) path from its mean and its unconditional variance.

    Parameters
    ----------
    z, diurnal, extra, phi : ndarray, shape (T,)
        Standardised shocks; relative standard deviation of each bar; shocks in log units that come on top and leave the
        variance alone; autoregression of each bar.
    omega, alpha1, beta1 : float
        As in `PlantedPair`.
    """
    spread = np.empty_like(z)
    level = 0.0
    h = omega / (1.0 - alpha1 - beta1)
    for t in range(len(z)):
        innovation = math.sqrt(h) * z[t]
        level = phi[t] * level + diurnal[t] * innovation + extra[t]
        spread[t] = level
        h = omega + alpha1 * innovation * innovation + beta1 * h
    return spread
