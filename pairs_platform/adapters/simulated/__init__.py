"""A simulated market as a source of prices: no network, no files, and the truth about it is known."""

from pairs_platform.adapters.simulated.market import FIRST_SESSION, SimulatedMarket
from pairs_platform.adapters.simulated.paths import PlantedPair
from pairs_platform.adapters.simulated.rules import SimulatedMarketRules

__all__ = ["FIRST_SESSION", "PlantedPair", "SimulatedMarket", "SimulatedMarketRules"]
