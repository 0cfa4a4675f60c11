"""The book by symbol: what it holds after netting over pairs, how far it may move, and what stress would cost.

Two readings of one book. `exposure` is what is held. `peak_exposure` is the most that it can come to when any of its
pairs leaves: an exit asks nobody, and may take away what another pair was netted against, so that an entry is judged by
the peak. What does not belong here: how much is allowed (`limits`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pairs_platform.core.risk.denials import UnusableInput, entry_of, number
from pairs_platform.core.trading.settings import SESSIONS_PER_YEAR
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder

VALUE_AT_RISK_TAIL = 0.01
EXPECTED_SHORTFALL_TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What one pair holds, or will hold when its orders are filled: the larger of the two for each leg.

    Attributes
    ----------
    pair, sector, y, x : str
    shares_y, shares_x : int
        Signed shares.
    """

    pair: str
    sector: str
    y: str
    x: str
    shares_y: int
    shares_x: int

    @property
    def shares(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Symbol and signed shares of both legs."""
        return (self.y, self.shares_y), (self.x, self.shares_x)


def holding_of(trade: SpreadOrder, sector: str) -> Holding:
    """What a pair's trade holds, or will hold when its orders are filled."""
    y, x = (max(trade.held(leg), trade.wanted(leg), key=abs) for leg in LEGS)
    return Holding(pair=trade.pair, sector=sector, y=trade.y, x=trade.x, shares_y=y, shares_x=x)


@dataclass(frozen=True, kw_only=True)
class Book:
    """Everything that the account holds.

    Attributes
    ----------
    equity : float
        Dollars.
    holdings : tuple of Holding
        One for each pair that holds something or has orders that may be filled.
    prices : mapping of symbol to float
        Newest prices, dollars a share.
    foreign : mapping of symbol to float
        Signed shares that no pair explains; they are exposure like any other.
    """

    equity: float
    holdings: tuple[Holding, ...]
    prices: Mapping[str, float]
    foreign: Mapping[str, float] = field(default_factory=dict)

    def with_holding(self, holding: Holding) -> "Book":
        """The book with one more pair."""
        return replace(self, holdings=(*self.holdings, holding))

    def price(self, symbol: str) -> float:
        """Newest price of a symbol.

        Raises
        ------
        UnusableInput
            There is none.
        """
        return number(f"the price of {symbol}", entry_of("the price", self.prices, symbol), above=0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class MarketRisk:
    """How k symbols move, from n daily returns.

    Attributes
    ----------
    symbols : tuple of str
    returns : ndarray, shape (n, k)
        Simple daily returns, the oldest first.
    covariance : ndarray, shape (k, k)
        Shrunk, a year.
    betas : ndarray, shape (k,)
        Against the market.
    """

    symbols: tuple[str, ...]
    returns: np.ndarray
    covariance: np.ndarray
    betas: np.ndarray


def market_risk(symbols: Sequence[str], returns: np.ndarray, market: np.ndarray | None = None) -> MarketRisk:
    """Covariance and market betas of the symbols whose returns are complete and vary; the others are left out.

    Parameters
    ----------
    symbols : sequence of str, length k
    returns : ndarray, shape (n, k)
        Simple daily returns of sessions that have ended, the oldest first.
    market : ndarray, shape (n,), optional
        Returns of the market; the mean over the symbols that are kept if not given.

    Raises
    ------
    UnusableInput
        Fewer than two days, or fewer than two such symbols.

    Notes
    -----
    Ω_ij = 252 σ_i σ_j ((1 − δ) R + δ I)_ij with the sample's σ and correlations R, and the δ of Ledoit and Wolf for
    standardised returns. Every symbol keeps its own variance: shrunk as it is, one volatile symbol would take the
    hedges of all others away. The volatility of a book follows from w'Ωw without an error from shared legs, because w
    has one weight for each symbol. β = cov(r, r_m)/var(r_m).

    References
    ----------
    Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices:
    ``sklearn.covariance.ledoit_wolf``.
    """
    from sklearn.covariance import ledoit_wolf

    returns = np.asarray(returns, dtype=np.float64)
    usable = np.zeros(len(symbols), dtype=bool)
    if len(returns) > 1:
        usable = np.isfinite(returns).all(axis=0) & (np.ptp(returns, axis=0) > 0)
    if usable.sum() < 2:
        raise UnusableInput(f"{int(usable.sum())} of {len(symbols)} symbols have all their daily returns, and move")
    kept = returns[:, usable]
    deviations = kept.std(axis=0)
    correlations = ledoit_wolf((kept - kept.mean(axis=0)) / deviations)[0]
    index = kept.mean(axis=1) if market is None else np.asarray(market, dtype=np.float64)
    centred = index - index.mean()
    variance = float(centred @ centred)
    if not variance > 0:
        raise UnusableInput(f"the market's {len(index)} daily returns do not vary, or one is missing")
    return MarketRisk(
        symbols=tuple(symbol for symbol, whole in zip(symbols, usable, strict=True) if whole),
        returns=kept,
        covariance=SESSIONS_PER_YEAR * correlations * np.outer(deviations, deviations),
        betas=centred @ (kept - kept.mean(axis=0)) / variance,
    )


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What a book is exposed to; every value is a share of equity.

    Attributes
    ----------
    gross, net, beta_net : float
        Σ|w|, Σw, Σβw over symbols, w the value of a symbol after netting. In a peak `net` and `beta_net` are the larger
        of the long and the short side, without a sign.
    pairs : mapping of pair to float
        Gross value.
    names : mapping of symbol to float
        |w|.
    sectors : mapping of sector to float
        Sum of |w| over the symbols of its pairs.
    sharing : mapping of symbol to int
        Pairs that hold it.
    volatility : float
        Standard deviation a year.
    value_at_risk, expected_shortfall : float
        Of one day, at 99 % and at 97.5 %, from the returns as they were. > 0 is a loss.
    days : int
        Returns behind the two.
    """

    gross: float
    net: float
    beta_net: float
    pairs: Mapping[str, float]
    names: Mapping[str, float]
    sectors: Mapping[str, float]
    sharing: Mapping[str, int]
    volatility: float
    value_at_risk: float
    expected_shortfall: float
    days: int

    @property
    def largest_name(self) -> float:
        """Largest |w|."""
        return max(self.names.values(), default=0.0)


def exposure(book: Book, market: MarketRisk) -> Exposure:
    """What is held.

    Raises
    ------
    UnusableInput
        Equity or a price is none, or a symbol that is held has no returns.
    """
    weights = _weights(book, market)
    w = weights.by_symbol.sum(axis=0)
    return _exposure(
        book, market, weights, names=np.abs(w), net=float(w.sum()), beta_net=float(market.betas @ w),
        variance=float(w @ market.covariance @ w),
    )  # fmt: skip


def peak_exposure(book: Book, market: MarketRisk) -> Exposure:
    """The most that each exposure can be while any of the pairs leave, whole or in part.

    A symbol counts with the larger of its long and its short side over pairs, net values with the larger side of the
    pairs' nets, and variance without the pairs that offset each other (a negative covariance of two pairs counts as
    none). None of these grows when a pair becomes smaller. Value at risk and expected shortfall are those of what is
    held.

    Raises
    ------
    UnusableInput
        As `exposure`.
    """
    weights = _weights(book, market)
    each = weights.by_symbol
    covariance = each @ market.covariance @ each.T
    return _exposure(
        book, market, weights,
        names=np.maximum(np.maximum(each, 0.0).sum(axis=0), np.maximum(-each, 0.0).sum(axis=0)),
        net=_larger_side(each.sum(axis=1)),
        beta_net=_larger_side(each @ market.betas),
        variance=float(np.maximum(covariance, 0.0).sum()),
    )  # fmt: skip


def largest_share_by_volatility(book: Book, holding: Holding, market: MarketRisk, limit: float) -> float:
    """Largest share of `holding`, in [0, 1], with which the peak volatility of the book is at most `limit`.

    Raises
    ------
    UnusableInput
        As `exposure`.
    """
    each = _weights(book.with_holding(holding), market).by_symbol
    covariance = np.maximum(each @ market.covariance @ each.T, 0.0)
    rest = np.arange(len(each)) != len(book.holdings)
    square = float(covariance[~rest, ~rest].sum())
    linear = float(covariance[~rest][:, rest].sum())
    constant = float(covariance[np.ix_(rest, rest)].sum()) - limit**2
    if constant >= 0:
        return 0.0
    if square <= 0:
        return 1.0
    return min(1.0, (math.sqrt(linear**2 - square * constant) - linear) / square)


def largest_shares_by_value(
    book: Book, holding: Holding, market: MarketRisk, *, gross: float, net: float, beta_net: float
) -> tuple[float, float, float]:
    """Largest shares of `holding`, in [0, 1], with which the peak gross, net and beta-adjusted net are at most these.

    Where the book is beyond one of them already: with which it is no worse.

    Raises
    ------
    UnusableInput
        As `exposure`.
    """
    each = _weights(book.with_holding(holding), market).by_symbol
    rest = np.arange(len(each)) != len(book.holdings)
    mine = each[~rest][0]
    return (
        _largest_by_gross(each[rest], mine, gross),
        _largest_by_side(each[rest].sum(axis=1), float(mine.sum()), net),
        _largest_by_side(each[rest] @ market.betas, float(market.betas @ mine), beta_net),
    )


def _largest_by_side(others: np.ndarray, mine: float, limit: float) -> float:
    """Of a net value, whose larger side over pairs is limited."""
    if mine == 0:
        return 1.0
    side = float(np.maximum(others * math.copysign(1.0, mine), 0.0).sum())
    return _share((max(limit, _larger_side(others)) - side) / abs(mine))


def _largest_by_gross(others: np.ndarray, mine: np.ndarray, limit: float) -> float:
    """Of the sum of each symbol's larger side, which is linear between the shares at which a symbol's sides are equal.

    So the share is on the line between the last such point within the limit and the first one beyond it.
    """
    long, short = np.maximum(others, 0.0).sum(axis=0), np.maximum(-others, 0.0).sum(axis=0)

    def gross(share: float) -> float:
        more = share * mine
        return float(np.maximum(long + np.maximum(more, 0.0), short + np.maximum(-more, 0.0)).sum())

    moves = mine != 0
    turns = (short - long)[moves] / mine[moves]
    points = [0.0, *sorted(float(turn) for turn in turns if 0.0 < turn < 1.0), 1.0]
    values = [gross(point) for point in points]
    if values[-1] <= max(limit, values[0]):
        return 1.0
    beyond = next(k for k, value in enumerate(values) if value > limit)
    if beyond == 0:
        return points[max(k for k, value in enumerate(values) if value <= values[0])]
    part = (limit - values[beyond - 1]) / (values[beyond] - values[beyond - 1])
    return _share(points[beyond - 1] + part * (points[beyond] - points[beyond - 1]))


def _share(value: float) -> float:
    """In [0, 1]; what a sum of floats is short of 1 is nothing."""
    return 1.0 if value >= 1.0 - 1e-9 else max(0.0, value)


def historical_loss(results: np.ndarray, tail: float) -> tuple[float, float]:
    """Value at risk and expected shortfall of results (n,) at the level 1 − `tail`; > 0 is a loss.

    Notes
    -----
    With x_(1) ≤ … the ordered results, m = n·tail and k = ⌈m⌉: VaR = −x_(k),
    ES = −(x_(1) + … + x_(k−1) + (m − k + 1) x_(k))/m.

    References
    ----------
    Acerbi & Tasche (2002), On the coherence of expected shortfall.
    """
    ordered = np.sort(np.asarray(results, dtype=np.float64))
    mass = len(ordered) * tail
    k = max(1, math.ceil(round(mass, 9)))
    return -float(ordered[k - 1]), -float(ordered[: k - 1].sum() + (mass - k + 1) * ordered[k - 1]) / mass


@dataclass(frozen=True, eq=False)
class _Weights:
    """Values as shares of equity: `by_symbol` (holdings, then foreign symbols; k), and the sector of each symbol."""

    by_symbol: np.ndarray
    sector: Mapping[str, str]


def _weights(book: Book, market: MarketRisk) -> _Weights:
    equity = number("equity", book.equity, above=0.0)
    column = {symbol: j for j, symbol in enumerate(market.symbols)}
    rows = [holding.shares for holding in book.holdings] + [((symbol, n),) for symbol, n in book.foreign.items()]
    weights = np.zeros((len(rows), len(market.symbols)))
    for i, legs in enumerate(rows):
        for symbol, shares in legs:
            held = number(f"the number of shares of {symbol}", shares)
            if held:
                value = held * book.price(symbol) / equity
                weights[i, entry_of("a complete history of returns", column, symbol)] += value
    sector = {leg: holding.sector for holding in book.holdings for leg in (holding.y, holding.x)}
    return _Weights(weights, sector)


def _larger_side(values: np.ndarray) -> float:
    return float(max(np.maximum(values, 0.0).sum(), np.maximum(-values, 0.0).sum()))


def _exposure(
    book: Book,
    market: MarketRisk,
    weights: _Weights,
    *,
    names: np.ndarray,
    net: float,
    beta_net: float,
    variance: float,
) -> Exposure:
    each = weights.by_symbol
    results = market.returns @ each.sum(axis=0)
    name_of = {symbol: float(names[j]) for j, symbol in enumerate(market.symbols) if names[j] > 0}
    sectors: dict[str, float] = {}
    for symbol, value in name_of.items():
        if sector := weights.sector.get(symbol):
            sectors[sector] = sectors.get(sector, 0.0) + value
    gross = np.abs(each).sum(axis=1)
    holders = np.count_nonzero(each[: len(book.holdings)], axis=0)
    return Exposure(
        gross=float(names.sum()),
        net=net,
        beta_net=beta_net,
        pairs={holding.pair: float(gross[i]) for i, holding in enumerate(book.holdings)},
        names=name_of,
        sectors=sectors,
        sharing={symbol: int(n) for symbol, n in zip(market.symbols, holders, strict=True) if n},
        volatility=math.sqrt(max(0.0, variance)),
        value_at_risk=historical_loss(results, VALUE_AT_RISK_TAIL)[0],
        expected_shortfall=historical_loss(results, EXPECTED_SHORTFALL_TAIL)[1],
        days=len(results),
    )  # fmt: skip
