"""Statistical-arbitrage pairs trading as a graph of Dagster assets."""

__version__ = "0.1.0"
