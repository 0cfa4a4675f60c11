"""What the adapters of several market data vendors share."""
