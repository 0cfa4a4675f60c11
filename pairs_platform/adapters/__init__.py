"""Outside systems behind the Protocols of `ports`: today the four sources of market data."""
